"""Jobs that say how often they show progress, and stop showing it."""


def submit(cloud, marker, first, **more):
    """Runs `first` at its first attempt and ends well at its second."""
    script = f"if [ -e {marker} ]; then echo again; exit 0; fi; : > {marker}; {first}"
    spec = {"command": script, "checkpoint": {"grace": "1s"}, **more}
    status, _, job = cloud.http("POST", "/v1/jobs", spec)
    assert status == 201, job
    return job["id"]


def test_a_job_that_hangs_is_ended_and_tried_again(cloud):
    job = submit(cloud, cloud.folder / "hung", "echo step 1; exec sleep 1000",
                 progress={"heartbeat": "1s", "line": "step "})
    over = cloud.wait(job)
    assert (over["state"], over["attempt"]) == ("succeeded", 2)
    incident = next(one for one in cloud.json("incidents")["incidents"] if one["job"] == job)
    assert incident["symptom"] == "task_stalled"
    assert "made no progress for" in incident["evidence"]


def test_only_lines_with_its_text_are_progress(cloud):
    job = submit(cloud, cloud.folder / "spins",
                 "while :; do echo waiting for rank 3; sleep 0.1; done",
                 progress={"heartbeat": "1s", "line": "step "})
    assert cloud.wait(job)["attempt"] == 2


def test_a_server_that_comes_back_goes_on_looking(cloud):
    job = submit(cloud, cloud.folder / "later", "exec sleep 1000", progress={"heartbeat": "2s"})
    cloud.wait(job, "running")
    cloud.kill()
    cloud.up()
    assert cloud.wait(job)["attempt"] == 2


def test_what_is_no_heartbeat_is_refused(cloud):
    assert "a heartbeat is 1s to 7d" in cloud.cli("submit", "-", stdin="command: ls\nprogress: "
                                                  "{heartbeat: 10ms}\n", code=2).stderr
    service = "kind: service\nname: a\ncommand: ls\nprogress: {heartbeat: 1m}\n"
    assert "progress: a service has none" in cloud.cli("service", "apply", "-", stdin=service,
                                                       code=2).stderr
