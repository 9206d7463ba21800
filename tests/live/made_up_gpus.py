"""A server on two GPUs that the stand-in driver makes up (nvml_stand_in.cc)."""
import os
import pathlib
import shutil
import tempfile
import time

from cloud import PATIENCE_S, Cloud

HERE = pathlib.Path(__file__).resolve().parent
DEVICES = """device GPU-0000-aa01 81920 9.0 00000000:1B:00.0 NVIDIA H100 80GB HBM3
device GPU-0000-aa02 81920 9.0 00000000:1C:00.0 NVIDIA H100 80GB HBM3
"""


class Machine:
    """A machine with two GPUs that are made up, and a server on it."""

    def __init__(self, program, folder, mps=True):
        self.script = folder / "gpus.txt"
        self.become("")
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="gyre-"))  # sockets want a short path
        self.cloud = Cloud(program, folder)
        self.cloud.state = self.state
        driver = program.parent / "nvml"
        assert (driver / "libnvidia-ml.so.1").exists(), "build the tests: it stands in for a driver"
        self.cloud.environment.update(
            GYRE_STATE=str(self.state), LD_LIBRARY_PATH=str(driver), NVML_STAND_IN=str(self.script))
        if mps:
            self.cloud.environment["PATH"] = f"{HERE}:{os.environ['PATH']}"

    def become(self, lines):
        fresh = self.script.with_suffix(".new")
        fresh.write_text(DEVICES + lines)
        fresh.rename(self.script)

    def gpus(self):
        """None before the probe's first report."""
        nodes = self.cloud.json("nodes", "--gpus")["nodes"]
        return nodes[0]["gpus"] if nodes else []

    def until(self, wish):
        deadline = time.monotonic() + PATIENCE_S
        while not (gpus := self.gpus()) or not wish(gpus):
            assert time.monotonic() < deadline, gpus
            time.sleep(0.05)
        return gpus

    def metrics(self):
        status, headers, text = self.cloud.http("GET", "/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return text.decode()

    def end(self):
        lived = self.cloud.process is not None
        self.cloud.end()
        if lived:
            self.cloud.replay()
        shutil.rmtree(self.state, ignore_errors=True)
