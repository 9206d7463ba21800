"""A real PostgreSQL in a folder of its own, and a wire to it that can be cut."""
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse

from cloud import until

NOBODY = 65534  # initdb refuses root


def programs():
    """The folder of the newest server there is; none: it is not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return os.path.dirname(found[-1]) if found else None


class Postgres:
    """One server, reached by a socket in its folder."""

    def __init__(self, *settings):
        self.settings = settings or ("fsync=off",)
        self.folder = tempfile.mkdtemp(prefix="gyre-postgres-")
        self.databases = 0
        self.process = None
        self.who = {}
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self.who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        subprocess.run([programs() + "/initdb", "-D", self.folder + "/data", "-A", "trust", "-U",
                        "gyre", "--no-sync", "-E", "UTF8", "--no-locale"], check=True, cwd="/",
                       stdout=subprocess.DEVNULL, **self.who)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [programs() + "/postgres", "-D", self.folder + "/data", "-k", self.folder,
             *(word for one in ("listen_addresses=", *self.settings) for word in ("-c", one))],
            cwd="/", stderr=subprocess.DEVNULL, **self.who)
        until(lambda: subprocess.run([programs() + "/pg_isready", "-q", "-h", self.folder],
                                     check=False).returncode == 0, "PostgreSQL answers")

    def stop(self):
        """As a power cut would."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(60)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder)

    def new_database(self):
        self.databases += 1
        name = f"d{self.databases}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return name

    def url(self, database, folder=None):
        host = urllib.parse.quote(folder or self.folder, safe="")
        return f"postgresql://gyre@{host}/{database}"

    def sql(self, database, text):
        done = subprocess.run([programs() + "/psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h",
                               self.folder, "-U", "gyre", "-d", database, "-c", text],
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Wire:
    """Carries connections to a PostgreSQL until it is cut: then nothing comes through, and nobody
    is told."""

    def __init__(self, postgres, folder):
        self.folder = str(folder)
        self.to = postgres.folder + "/.s.PGSQL.5432"
        self.whole = threading.Event()
        self.whole.set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.folder + "/.s.PGSQL.5432")
        self.listener.listen(50)
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        self.whole.wait()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self.to)
        except OSError:
            near.close()
            return
        threading.Thread(target=self.pump, args=(near, far), daemon=True).start()
        self.pump(far, near)

    def pump(self, source, sink):
        try:
            while piece := source.recv(65536):
                self.whole.wait()
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.whole.clear()

    def mend(self):
        self.whole.set()

    def close(self):
        self.mend()
        self.listener.close()
