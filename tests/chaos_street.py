"""Nodes in network namespaces of their own on this machine, which can be cut, slowed down, filled,
robbed of a GPU, killed and stopped."""
import asyncio
import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("GYRE", str(ROOT / "build" / "gyre"))
NOWHERE = "02:67:79:63:00:00"  # the hardware address of nobody
DISK_MIB = 96  # of a disk that is filled


class SlowRoad(threading.Thread):
    """A forwarding proxy in front of the server for one node, where the kernel has no netem: each
    piece comes later, and what TCP would have to send again comes later still."""

    def __init__(self, host, network, seed):
        super().__init__(daemon=True)
        self.host, self.network = host, network
        self.chance = random.Random(seed)
        self.target = None  # host, port; the server's, once it is known
        self.ready = threading.Event()
        self.start()
        self.ready.wait()

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        server = await asyncio.start_server(self.carry, self.host, 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await server.serve_forever()

    async def carry(self, reader, writer):
        try:
            there_reader, there_writer = await asyncio.open_connection(*self.target)
        except OSError:
            return writer.close()
        await asyncio.gather(self.pump(reader, there_writer), self.pump(there_reader, writer))

    async def pump(self, reader, writer):
        """A queue between, so that pieces are under way at once and none overtakes another."""
        road = asyncio.Queue(1000)

        async def arrive():
            while (piece := await road.get()) is not None:
                await asyncio.sleep(max(0.0, piece[0] - time.monotonic()))
                writer.write(piece[1])
                await writer.drain()
            writer.close()
        arriving = asyncio.ensure_future(arrive())
        try:
            while data := await reader.read(65536):
                await road.put((time.monotonic() + self.delay_s(), data))
        except OSError:
            pass
        await road.put(None)
        await asyncio.gather(arriving, return_exceptions=True)

    def delay_s(self):
        network = self.network
        late = self.chance.random() * 100 < network["late_percent"]
        return self.chance.uniform(*network["delay_s"]) + (
            self.chance.uniform(*network["late_by_s"]) if late else 0)


class MadeUpGpus:
    """The driver of one node, of tests/live/nvml_stand_in.cc: its devices can be lost."""

    def __init__(self, folder, number, count):
        self.script = folder / "gpus.txt"
        self.lost = collections.Counter()
        self.number, self.count = number, count
        driver = pathlib.Path(PROGRAM).resolve().parent / "nvml"
        if not (driver / "libnvidia-ml.so.1").exists():
            sys.exit("break-gpu needs what stands in for a driver: build nvml_stand_in")
        self.environment = {"LD_LIBRARY_PATH": str(driver), "NVML_STAND_IN": str(self.script)}
        self.write()

    def write(self):
        fresh = self.script.with_suffix(".new")
        lines = [f"device GPU-{self.number:04}-{i:02} 81920 9.0 00000000:{i:02x}:00.0 NVIDIA H100\n"
                 for i in range(self.count)]
        lines += [f"fails {i} 15\n" for i, times in self.lost.items() if times > 0]
        fresh.write_text("".join(lines))
        fresh.rename(self.script)


def netem_works():
    """Whether the kernel can make a network slow by itself."""
    space = "gyre-netem-probe"
    run = lambda *words: subprocess.run(words, capture_output=True, check=False)  # noqa: E731
    run("ip", "netns", "add", space)
    made = run("ip", "netns", "exec", space, "tc", "qdisc", "add", "dev", "lo", "root", "netem",
               "delay", "1ms")
    run("ip", "netns", "delete", space)
    return made.returncode == 0


class Node:
    """An agent in a network namespace of its own, which can be cut, killed and stopped."""

    def __init__(self, street, number):
        self.street, self.number = street, number
        self.name = f"node-{number}"
        self.space = f"gyrechaos{street.id}-{number}"
        self.link = f"gc{street.id}n{number}"
        self.folder = street.folder / self.name
        self.folder.mkdir()
        self.process = None
        self.away = collections.Counter()  # reasons why its agent is not to run
        self.cuts = collections.Counter()  # by way
        self.address = f"10.87.{street.id}.{number + 2}"
        self.road = None
        self.gpus = MadeUpGpus(self.folder, number, street.gpus) if street.made_up_gpus else None
        self.disk = Disk(self.folder / "agent") if street.small_disks else None
        street.ip("netns", "add", self.space)
        street.ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0",
                  "netns", self.space)
        street.ip("link", "set", self.link, "master", street.bridge, "up")
        for words in (("address", "add", f"{self.address}/24", "dev", "eth0"),
                      ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
            street.ip("-n", self.space, *words)

    def slow_down(self, network):
        """Each way, between the node and the server."""
        if netem_works():
            delay = [round(1000 * each, 3) for each in network["delay_s"]]
            middle, spread = sum(delay) / 2, (delay[1] - delay[0]) / 2
            netem = ["netem", "delay", f"{middle}ms", f"{spread}ms"]
            netem += ["loss", f"{network['late_percent']}%"]
            for where in (["tc"], ["ip", "netns", "exec", self.space, "tc"]):
                device = self.link if where == ["tc"] else "eth0"
                subprocess.run([*where, "qdisc", "add", "dev", device, "root", *netem], check=True)
            return "netem"
        self.road = SlowRoad(f"10.87.{self.street.id}.1", network, self.number)
        return "a forwarding proxy: this kernel has no netem"

    def door(self):
        if self.road is None:
            return self.street.door
        host, port = self.street.door.rsplit(":", 1)
        self.road.target = (host, int(port))
        return f"{host}:{self.road.port}"

    def start(self, token=""):
        gpus = (["--virtual-gpus", f"{self.street.gpus}xH100:80GB"] if self.gpus is None else [])
        environment = {**os.environ, "GYRE_JOIN_TOKEN": token}
        environment.update(self.gpus.environment if self.gpus else {})
        with open(self.folder / "said", "ab") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.space}", PROGRAM, "agent", "--server",
                 self.door(), "--state", str(self.folder), "--name", self.name, *gpus, "--share",
                 str(self.street.count)], env=environment, stdout=log, stderr=log)

    def cut(self, way):
        """One way alone is lost by an address that nobody has: no packet filter is needed."""
        server = f"10.87.{self.street.id}.1"
        self.cuts[way] += 1
        if way == "both":
            self.street.ip("link", "set", self.link, "down")
        elif way == "to-server":
            self.street.ip("-n", self.space, "neigh", "replace", server, "lladdr", NOWHERE, "dev",
                           "eth0", "nud", "permanent")
        else:
            self.street.ip("neigh", "replace", self.address, "lladdr", NOWHERE, "dev",
                           self.street.bridge, "nud", "permanent")

    def join(self, way, all_of_them=False):
        self.cuts[way] = 0 if all_of_them else self.cuts[way] - 1
        if self.cuts[way] > 0:
            return
        server = f"10.87.{self.street.id}.1"
        if way == "both":
            self.street.ip("link", "set", self.link, "up")
        elif way == "to-server":
            self.street.ip("-n", self.space, "neigh", "delete", server, "dev", "eth0", check=False)
        else:
            self.street.ip("neigh", "delete", self.address, "dev", self.street.bridge, check=False)

    def tell(self, number):
        if self.process is not None:
            self.process.send_signal(number)

    def end(self, how=signal.SIGKILL):
        if self.process is not None:
            self.tell(signal.SIGCONT)
            self.tell(how)
            self.process.wait()
            self.process = None

    def processes(self):
        """All in its namespace but its agent: tasks, and those who look after them."""
        home = os.stat(f"/run/netns/{self.space}").st_ino
        own = self.process.pid if self.process else 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                inside = os.stat(f"/proc/{pid}/ns/net").st_ino == home
            except OSError:
                continue
            if inside and int(pid) != own:
                yield int(pid)

    def power_off(self):
        """What runs there is gone at once, whoever would have heard of it."""
        self.end()
        for _ in range(5):
            for pid in list(self.processes()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def remove(self):
        self.power_off()
        self.street.ip("netns", "delete", self.space, check=False)
        self.street.ip("link", "delete", self.link, check=False)


class Disk:
    """A small disk of its own below a folder, which can be filled."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0700", "tmpfs",
                        str(folder)], check=True)

    def fill(self):
        try:
            with open(self.folder / "filler", "ab") as filler:
                while True:
                    filler.write(bytes(65536))
                    filler.flush()
        except OSError:
            pass

    def empty(self):
        (self.folder / "filler").unlink(missing_ok=True)

    def remove(self):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


class Street:
    """The nodes, and the bridge on which the server waits for them."""

    def __init__(self, folder, count, gpus):
        self.made_up_gpus = self.small_disks = False
        self.id = next(i for i in range(200)
                       if not os.path.exists(f"/sys/class/net/gyrechaos{i}"))
        self.folder, self.count, self.gpus = folder, count, gpus
        self.bridge, self.door = f"gyrechaos{self.id}", ""
        self.nodes = []
        self.ip("link", "add", self.bridge, "address", f"02:67:79:63:68:{self.id:02x}",
                "type", "bridge")
        self.ip("address", "add", f"10.87.{self.id}.1/24", "dev", self.bridge)
        self.ip("link", "set", self.bridge, "up")

    @staticmethod
    def ip(*words, check=True):
        subprocess.run(["ip", *words], check=check, stderr=None if check else subprocess.DEVNULL)

    def remove(self):
        for node in self.nodes:
            node.remove()
        self.ip("link", "delete", self.bridge, check=False)
