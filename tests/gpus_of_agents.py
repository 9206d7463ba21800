"""GPUs of agents, of a driver that is made up (tests/live/nvml_stand_in.cc)."""
import pathlib

from cloud import until

TWO = (("a", "aa"), ("b", "bb"))  # agents, and what their devices are told apart by


class Gpus:
    """The driver of one agent: two devices that no other agent has."""

    def __init__(self, agent, letter):
        self.agent, self.letter = agent, letter
        self.script = agent.folder / "gpus.txt"
        self.become("")
        driver = pathlib.Path(agent.fleet.program).parent / "nvml"
        assert (driver / "libnvidia-ml.so.1").exists(), "build the tests: it stands in for a driver"
        agent.gpus = []
        agent.environment = {"LD_LIBRARY_PATH": str(driver), "NVML_STAND_IN": str(self.script)}

    def become(self, lines):
        fresh = self.script.with_suffix(".new")
        fresh.write_text("".join(
            f"device GPU-0000-{self.letter}{i} 81920 9.0 00000000:1{i}:00.0 NVIDIA H100\n"
            for i in (1, 2)) + "set 0 gpm 1\nset 1 gpm 1\n" + lines)
        fresh.rename(self.script)

    def instances(self):
        """MIG's, which the driver keeps."""
        path = self.script.with_name(self.script.name + ".mig")
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith("gi ")]

    def seen(self):
        return self.agent.fleet.http("GET", f"/v1/nodes/{self.agent.name}/gpus")[2]["gpus"]

    def until(self, wish):
        return until(lambda: (gpus := self.seen()) and wish(gpus) and gpus, self.seen)

    def until_sound(self):
        self.until(lambda gpus: all(gpu["health"] == "ok" for gpu in gpus))


def job_on(fleet, gpus):
    """A job that runs on all devices of one of these, and which."""
    job = fleet.submit("sleep 100", resources={"gpu": "H100:2"}, preemptible=True)
    fleet.wait(job, "running")
    where = fleet.job(job)["placement"][0]["node"]
    return job, next(one for one in gpus if one.agent.name == where)


def moves_away(fleet, job, where):
    """It runs on another node than that; and is stopped."""
    fleet.until(lambda: (now := fleet.job(job))["state"] == "running" and
                now["placement"][0]["node"] != where, "it runs on the other node")
    fleet.cli("stop", job)
    fleet.wait(job)
