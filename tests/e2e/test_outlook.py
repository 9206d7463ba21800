"""When a waiting job starts, and what would start now: told by `explain` and `plan`, and true."""


def spec_file(cloud, name, **more):
    path = cloud.folder / f"{name}.yaml"
    lines = [f"name: {name}", "command: sleep 60"]
    lines += [f"{key}: {value}" for key, value in more.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def submit(cloud, name, **more):
    return cloud.cli("submit", spec_file(cloud, name, **more)).stdout.strip()


def outlook(cloud, job):
    return cloud.json("explain", job)["waiting"]["outlook"]


def changes(waiting):
    return {one["change"]: one["starts_now"] for one in waiting["alternatives"]}


def test_with_estimates_there_is_an_interval_without_one_its_reason(cloud):
    first = submit(cloud, "first", resources="{gpu: 4}", expected_duration="10m")
    cloud.wait(first, "running")
    second = submit(cloud, "second", resources="{gpu: 4}")
    third = submit(cloud, "third", resources="{gpu: 4}")
    told = cloud.json("explain", second)["waiting"]
    start = told["outlook"]["start"]
    assert start["earliest"] <= start["median"] <= start["latest"] and start["unknown"] == ""
    assert told["expected_start"] == start["median"]
    unknown = outlook(cloud, third)["start"]
    assert unknown["median"] is unknown["earliest"] is unknown["latest"] is None
    assert f"job {second} has no estimate" in unknown["unknown"]
    said = cloud.cli("explain", third).stdout
    assert f"expected start: unknown; job {second} has no estimate" in said
    # All that is known is one estimate: it has no spread, and no share of starts is aimed at.
    assert start["earliest"] == start["latest"] and start["spread_known"] is False
    said = cloud.cli("explain", second).stdout
    assert f"expected start: {start['median']}; no spread known\n" in said and "aimed" not in said
    # Nobody asked for it here, and it costs.
    assert cloud.http("GET", f"/v1/jobs/{third}/explanation")[2]["waiting"]["outlook"] is None


def test_a_start_that_hangs_on_a_job_without_an_estimate_is_a_bound(cloud):
    first = submit(cloud, "first", resources="{gpu: 2}")
    second = submit(cloud, "second", resources="{gpu: 2}", expected_duration="10m")
    cloud.wait(first, "running")
    cloud.wait(second, "running")
    third = submit(cloud, "third", resources="{gpu: 2}", expected_duration="1m")
    told = cloud.json("explain", third)["waiting"]
    start = told["outlook"]["start"]
    assert told["expected_start"] is start["median"] is None and not start["spread_known"]
    assert start["earliest"] < start["latest"]
    assert f"job {first} has no estimate" in start["unknown"]
    said = cloud.cli("explain", third).stdout
    assert f"expected start: {start['latest']} at the latest, if all else goes" in said
    assert f" at the earliest; job {first} has no estimate" in said


def test_what_would_start_now_does_when_it_is_submitted(cloud):
    first = submit(cloud, "first", resources="{gpu: 2}", expected_duration="10m")
    cloud.wait(first, "running")
    wants = spec_file(cloud, "wants", resources="{gpu: 4}")
    plan = cloud.json("plan", wants)
    assert not plan["starts_now"]
    assert changes(plan["waiting"]["outlook"])["2 GPUs instead of 4"]
    assert not changes(plan["waiting"]["outlook"])["preemptible"]
    assert "it would start now if it were: 2 GPUs instead of 4" in cloud.cli("plan", wants).stdout
    waits = submit(cloud, "wants", resources="{gpu: 4}")
    assert changes(outlook(cloud, waits))["2 GPUs instead of 4"]
    cloud.cli("stop", waits)
    cloud.wait(submit(cloud, "less", resources="{gpu: 2}"), "running")
