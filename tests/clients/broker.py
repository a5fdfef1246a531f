"""Brokers to test against: Klamm's binary, a real Apache Kafka, or one that somebody else runs.

All three have `bootstrap`, and `log` (a file), `log_dir` and `pid`, None where they cannot be known. Those we start
live in a temporary folder, and can be stopped, killed and started again on the same storage and the same port.
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60

# What one node on a busy machine needs, for Klamm and for Kafka alike.
SETTINGS = {
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "offsets.topic.num.partitions": 4,
}


def klamm_binary():
    return Path(os.environ.get("KLAMM_BIN") or ROOT / "target/release/klamm")


def kafka_launcher():
    """The script that starts a real Kafka and runs its tools, or None."""
    path = os.environ.get("KLAMM_KAFKA")
    return Path(path).resolve() if path and Path(path).exists() else None


def quiet_port():
    """A free port below the range the kernel gives to outgoing connections.

    A client that tries again and again to reach a broker which is down must not be given the broker's own port
    as its local one: it would connect to itself, and the broker could not come back.
    """
    for _ in range(1000):
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port between 12000 and 32000")


class External:
    """A broker that runs already (KLAMM_BOOTSTRAP): nothing about it can be changed."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.log = self.log_dir = self.pid = None

    def stop(self):
        pass

    remove = stop


class Klamm:
    """The binary under test, with a `server.properties` of its own."""

    def __init__(self, port=0, enter=(), **settings):
        """`enter` is the beginning of a command line that starts the rest of it somewhere else."""
        self.enter = [*enter]
        self.binary = klamm_binary()
        if not self.binary.exists():
            raise FileNotFoundError(f"{self.binary} is not there: cargo build --release -p klamm, or set KLAMM_BIN")
        self.dir = Path(tempfile.mkdtemp(prefix="klamm-suite-"))
        self.log_dir = self.dir / "data"
        self.log = self.dir / "broker.log"
        self.port = port
        self.settings = {**SETTINGS, **settings}
        self.process = None
        self.start()

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        config = self.dir / "server.properties"
        address = f"PLAINTEXT://127.0.0.1:{self.port}"
        listener = {"listeners": address, "log.dirs": self.log_dir}
        if self.port:
            listener["advertised.listeners"] = address
        config.write_text("".join(f"{key}={value}\n" for key, value in {**listener, **self.settings}.items()))
        written = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.enter, self.binary, config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.bootstrap = f"127.0.0.1:{self._bound_port(written)}"

    def _bound_port(self, written):
        """Waits for the line that tells where the broker listens."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with open(self.log, "rb") as log:
                log.seek(written)
                text = log.read().decode(errors="replace")
            found = re.search(r"listening on PLAINTEXT://127\.0\.0\.1:(\d+)", text)
            if found:
                return int(found[1])
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{text[-4000:]}")
            time.sleep(0.02)
        self.kill9()
        raise RuntimeError(f"the broker did not say within {START_SECONDS} s that it listens:\n{text[-4000:]}")

    def stop(self):
        """A clean shutdown, as by a service manager."""
        self._end(signal.SIGTERM)

    def kill9(self):
        self._end(signal.SIGKILL)

    def _end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the broker did not end within 60 s of {how.name}")

    def remove(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


class Kafka:
    """A real Apache Kafka through the launcher that KLAMM_KAFKA names: to prove the suites themselves."""

    def __init__(self, port=0, **settings):
        self.launcher = kafka_launcher()
        self.dir = Path(tempfile.mkdtemp(prefix="kafka-suite-"))
        self.log = None
        self.log_dir = self.dir / "1/data"
        self.settings = {**SETTINGS, **settings}
        port_args = ["--port", str(port)] if port else []
        self._start([*port_args, *(f"{key}={value}" for key, value in self.settings.items())])

    def _start(self, args):
        version = os.environ.get("KLAMM_KAFKA_VERSION")
        command = [self.launcher, "start", "--dir", self.dir, "--with", str(os.getpid()), *args]
        command += ["--version", version] if version else []
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        told = dict(line.split("=", 1) for line in said.split() if "=" in line)
        self.bootstrap, self.pid = told["bootstrap"], int(told["pid"])

    def start(self):
        self._start(["--keep"])

    def stop(self):
        subprocess.run([self.launcher, "stop", self.dir], check=True, stdout=subprocess.DEVNULL)

    def kill9(self):
        subprocess.run([self.launcher, "kill9", self.dir], check=True, stdout=subprocess.DEVNULL)

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def start(restartable=False, **settings):
    """Starts the broker under test: Klamm, unless KLAMM_AGAINST=kafka asks to prove the suites on Kafka."""
    port = quiet_port() if restartable else 0
    if os.environ.get("KLAMM_AGAINST") == "kafka":
        return Kafka(port, **settings)
    return Klamm(port, **settings)
