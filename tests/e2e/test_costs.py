"""What jobs cost: on the command line and in the API, across restarts, kills and other prices."""
import datetime
import time

import pytest

from cloud import until

GPUS = ("--virtual-gpus", "4xH100:80GB")
PRICES = "version: 1\ngpu_hour: {default: 2.00, H100: 360}\n"  # 0.1 USD a second


@pytest.fixture
def priced(cloud):
    """Restarts the cloud with other prices."""
    def with_prices(text=None):
        cloud.end()
        if text is None:
            return cloud.up(*GPUS)
        file = cloud.folder / "prices.yaml"
        file.write_text(text)
        return cloud.up(*GPUS, "--prices", "off" if text == "off" else str(file))
    return with_prices


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def near(cost):
    """What that GPU time costs at 360 USD an hour; it is told in whole milliseconds."""
    return pytest.approx(cost["gpu_seconds"] * 100_000, abs=500)


def exit_file(cloud, job):
    return cloud.state / "tasks" / f"{job}.1.0" / "exit"


def test_without_a_price_nothing_is_shown_and_that_is_said_once(cloud):
    job = cloud.run("--gpu", "1", "--", "true")
    cloud.wait(job)
    assert "COST" not in cloud.cli("ps", "-a").stdout
    said = cloud.cli("cost")
    assert said.stdout == "" and said.stderr.count("--prices") == 1
    costs = cloud.json("cost")
    assert costs["prices"] is None and costs["hour_micro_usd"] is None and costs["lines"] == []
    assert cloud.job(job)["cost"] is None
    assert cloud.http("GET", "/v1/overview")[2]["hour_micro_usd"] is None
    assert "gyre_spend_usd_per_hour" not in cloud.http("GET", "/metrics")[2].decode()


def test_a_job_costs_what_it_holds_until_it_ends(cloud, priced):
    priced(PRICES)
    job = cloud.run("--gpu", "2", "--name", "train", "--", "sleep", "1000")
    cloud.wait(job, "running")
    running = cloud.job(job)["cost"]
    assert running["hour_micro_usd"] == 2 * 360_000_000
    assert cloud.http("GET", "/v1/overview")[2]["hour_micro_usd"] == 2 * 360_000_000
    assert "gyre_spend_usd_per_hour 720" in cloud.http("GET", "/metrics")[2].decode()
    assert cloud.json("queue")["queues"][0]["hour_micro_usd"] == 2 * 360_000_000
    until(lambda: cloud.job(job)["cost"]["micro_usd"] > running["micro_usd"], "it costs more")
    assert "720.00 USD an hour" in cloud.cli("explain", job).stdout
    cloud.cli("stop", job)
    over = cloud.wait(job)
    held = seconds_of(over["ended_at"]) - seconds_of(over["submitted_at"])
    assert over["cost"]["hour_micro_usd"] == 0
    assert 0 < over["cost"]["gpu_seconds"] <= 2 * held + 0.01
    assert over["cost"]["micro_usd"] == near(over["cost"])
    for _ in range(3):
        assert cloud.job(job)["cost"] == over["cost"]
    assert "COST" in cloud.cli("ps", "-a").stdout
    for by, name in (("job", "train"), ("queue", "default"), ("tenant", "")):
        costs = cloud.json("cost", "--by", by)
        line, = costs["lines"]
        assert (line["name"], line["micro_usd"]) == (name, over["cost"]["micro_usd"])
        assert costs["total"]["micro_usd"] == line["micro_usd"]
    assert cloud.json("cost", "--until", over["submitted_at"])["lines"] == []
    assert "train" in cloud.cli("cost").stdout
    # Neither a restart without the flag nor the end of all prices changes what is past.
    priced()
    assert cloud.json("cost")["prices"]["models"] == [
        {"model": "H100", "gpu_hour_micro_usd": 360_000_000}]
    priced("off")
    assert cloud.job(job)["cost"] == over["cost"]
    assert cloud.json("cost")["hour_micro_usd"] is None


def test_nothing_is_charged_for_the_time_when_nobody_looked(cloud, priced):
    priced(PRICES)
    gate = cloud.folder / "gate"
    job = cloud.run("--gpu", "4", "--", "sh", "-c", f"until [ -e {gate} ]; do sleep 0.1; done")
    cloud.wait(job, "running")
    cloud.kill()
    gate.touch()
    until(exit_file(cloud, job).exists, "the task is over")
    ended_at = exit_file(cloud, job).stat().st_mtime
    until(lambda: time.time() > ended_at + 1, "a second passes")
    priced(PRICES.replace("360", "720"))
    over = cloud.wait(job)
    held = ended_at - seconds_of(over["submitted_at"])
    assert over["cost"]["gpu_seconds"] <= 4 * held + 0.1
    assert over["cost"]["micro_usd"] == near(over["cost"])


def test_another_price_counts_from_then_on(cloud, priced):
    priced(PRICES)
    job = cloud.run("--gpu", "1", "--", "sleep", "1000")
    cloud.wait(job, "running")
    priced("version: 1\ngpu_hour: 0\n")
    before = cloud.job(job)["cost"]
    assert before["micro_usd"] > 0 and before["hour_micro_usd"] == 0
    cloud.cli("stop", job)
    assert cloud.wait(job)["cost"]["micro_usd"] == before["micro_usd"]


def test_a_plan_says_the_price(cloud, priced):
    spec = "command: sleep 1000\nresources: {gpu: 2}\n"
    assert "cost" not in cloud.cli("plan", "-", stdin=spec).stdout
    priced("version: 1\ngpu_hour: 2.50\n")
    said = cloud.cli("plan", "-", stdin=spec).stdout
    assert "It would cost 5.00 USD an hour; how long it takes is not known" in said
    said = cloud.cli("plan", "-", stdin=spec + "expected_duration: 3h\n").stdout
    assert "It would cost 5.00 USD an hour; 15.00 USD in 3h 00m" in said
    price = cloud.http("POST", "/v1/plans", {"command": ["true"]})[2]["price"]
    assert price["hour_micro_usd"] == {"low": 0, "high": 0} and price["total_micro_usd"] is None


@pytest.mark.parametrize("text, words", [
    ("version: 1", "'gpu_hour' is missing"),
    ("version: 1\ngpu_hour: -1", "gpu_hour: expected US dollars"),
    ("version: 1\ngpu_huor: 1", "did you mean 'gpu_hour'?"),
])
def test_bad_prices_are_refused(offline, text, words):
    file = offline.folder / "prices.yaml"
    file.write_text(text)
    result = offline.cli("up", "--prices", file, code=2)
    assert words in result.stderr and result.stderr.count("gyre:") == 1
    assert not offline.state.exists()


def test_bad_questions_about_costs_are_refused(cloud):
    for arguments in (["--by", "user"], ["--since", "yesterday"], ["--until", "7d"],
                      ["--limit", "0"]):
        assert cloud.cli("cost", *arguments, code=2).stdout == ""
    for query in ("by=user", "since=now", "window=x", "since=2026-01-01T00:00:00Z&window=1h",
                  "limit=x", "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"):
        status, _, problem = cloud.http("GET", f"/v1/costs?{query}")
        assert status == 400 and problem["errors"][0]["pointer"].startswith("query:"), query
