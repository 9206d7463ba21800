"""What tasks on other machines use, as their agents tell it: `gyre top`, GET /v1/usage."""
import pytest

# It holds 40 MiB, and one core for a while.
SCRIPT = "x=$(head -c 40000000 /dev/zero | tr '\\0' x); sleep 1000"


def usage(fleet, job):
    report = fleet.json("top", "--settle", "1s")
    return next((one for one in report["jobs"] if one["job"] == job), None)


def test_a_request_that_is_too_large_is_told_on_any_node(fleet):
    agent = fleet.agent("a")
    job = fleet.submit(["sh", "-c", SCRIPT], resources={"gpu": 0, "cpu": 0.25, "memory": "4GB"})
    fleet.wait(job, "running")
    fleet.until(lambda: usage(fleet, job)["held_s"] > 3, "it has run for a while")
    if usage(fleet, job)["memory_mib_peak"] is None and usage(fleet, job)["cpu_milli_used"] is None:
        fleet.cli("stop", job)
        fleet.wait(job)
        pytest.skip("this machine lets nobody limit tasks, so what they use is not known")
    fleet.until(lambda: (usage(fleet, job)["memory_mib_peak"] or 40) >= 40, "its peak is seen")
    seen = usage(fleet, job)
    if seen["memory_mib_peak"] is not None:
        assert seen["memory_mib_asked"] == 4096 and seen["memory_mib_better"] == 1024
        assert "memory: 1 GiB would do" in fleet.cli("top", "--settle", "1s").stdout
    agent.end()
    fleet.until(lambda: usage(fleet, job)["memory_mib_peak"] is None, "nobody tells any more")
    agent.start()
    fleet.until(lambda: usage(fleet, job)["memory_mib_peak"] is not None
                or usage(fleet, job)["cpu_milli_used"] is not None, "it is told again")
    fleet.cli("stop", job)
    fleet.wait(job)
