"""Client libraries of every age as peers: processes that send and read records when they are told to.

A peer is started as `PROGRAM BOOTSTRAP VERSION`, where VERSION is the release of Kafka that it is pinned to, or `-`.
Commands come as lines on its standard input, and every one ends with a line `ok` or `error TEXT` on its output:

    produce TOPIC CODEC N                           followed by N lines PARTITION TIMESTAMP KEY VALUE HEADERS;
                                                    acks=all; prints each one's offset
    read TOPIC COUNT SECONDS PARTITION:OFFSET...    by assignment and seek; prints records
    group TOPIC GROUP COUNT SECONDS                 as a member, from the committed offsets or the beginning; prints
                                                    COUNT records, commits and leaves
    committed TOPIC GROUP PARTITION                 prints an offset, -1 for none
    at TOPIC PARTITION TIMESTAMP                    prints the first offset from that time on, -1 for none

A record is printed as PARTITION OFFSET TIMESTAMP KEY VALUE HEADERS. Bytes are `x` and hex, or `-` for null; headers
are KEY:VALUE joined by commas, `-` for none; a timestamp is in milliseconds, -1 for none.
"""

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from environment import cached, environment, find_python  # noqa: E402

Record = namedtuple("Record", "partition timestamp key value headers", defaults=[()])
Read = namedtuple("Read", "partition offset timestamp key value headers")
COMMAND_SECONDS = 120


class Missing(Exception):
    """What this machine lacks to run a peer."""


class Refused(Exception):
    """What a peer said after `error`."""


@dataclass(frozen=True)
class Peer:
    """A client library in one version, pinned to speak as one release of Kafka. `run` names its suite."""

    suite: str
    library: str
    pinned: str
    make: callable = field(repr=False)  # -> the command to start it with
    writes: tuple  # codecs
    reads: tuple
    sends: frozenset  # of "timestamps" and "headers"
    sees: frozenset
    finds_times: bool = True  # ListOffsets 1 and up
    balanced: bool = True  # its groups share out partitions

    @property
    def name(self):
        return self.library if self.pinned == "-" else f"{self.library} as {self.pinned}"

    def start(self, bootstrap):
        return Running(self, [*self.make(), bootstrap, self.pinned])

    def sent(self, record):
        """What is left of a record when this peer sends it."""
        timestamp = record.timestamp if "timestamps" in self.sends else -1
        return record._replace(timestamp=timestamp, headers=record.headers if "headers" in self.sends else ())

    def seen(self, record):
        """What this peer sees of a record that lies in the log."""
        timestamp = record.timestamp if "timestamps" in self.sees else -1
        return record._replace(timestamp=timestamp, headers=record.headers if "headers" in self.sees else ())


class Running:
    """A peer's process. Use it with `with`."""

    def __init__(self, peer, command):
        self.peer = peer
        self.said = tempfile.TemporaryFile()
        environment = {**os.environ, "NODE_PATH": str(NODE["home"] / "node_modules") if NODE else ""}
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, env=environment
        )
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.said.close()

    def command(self, *words, lines=()):
        """The lines of the answer."""
        text = "".join(f"{line}\n" for line in [" ".join(map(str, words)), *lines])
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        answer = []
        deadline = time.monotonic() + COMMAND_SECONDS
        while True:
            line = self._line(deadline, words)
            if line == "ok":
                return answer
            if line.startswith("error"):
                raise Refused(f"{self.peer.name}: {line[6:]}")
            answer.append(line)

    def _line(self, deadline, words):
        while b"\n" not in self.buffer:
            left = max(0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left)[0]:
                self.process.kill()
                raise Refused(f"{self.peer.name}: no answer to {' '.join(map(str, words[:3]))}")
            more = os.read(self.process.stdout.fileno(), 1 << 20)
            if not more:
                raise self._ended()
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def _ended(self):
        self.said.seek(0)
        return Refused(f"{self.peer.name}: the process ended: {self.said.read().decode(errors='replace')[-2000:]}")

    def produce(self, topic, codec, records):
        """Sends them, and returns their offsets."""
        lines = [
            f"{r.partition} {r.timestamp} {word(r.key)} {word(r.value)} {headers_word(r.headers)}" for r in records
        ]
        return list(map(int, self.command("produce", topic, codec, len(lines), lines=lines)))

    def read(self, topic, count, starts, seconds=30):
        return records(self.command("read", topic, count, seconds, *(f"{p}:{o}" for p, o in starts.items())))

    def group(self, topic, group, count, seconds=60):
        return records(self.command("group", topic, group, count, seconds))

    def committed(self, topic, group, partition):
        return int(self.command("committed", topic, group, partition)[0])

    def at(self, topic, partition, timestamp):
        return int(self.command("at", topic, partition, timestamp)[0])


def word(data):
    return "-" if data is None else "x" + data.hex()


def bytes_of(word):
    return None if word == "-" else bytes.fromhex(word[1:])


def headers_word(headers):
    return ",".join(f"{word(name.encode())}:{word(value)}" for name, value in headers) or "-"


def records(lines):
    """What was printed. The order of each partition is kept, and partitions are put one after the other."""
    got = []
    for line in lines:
        partition, offset, timestamp, key, value, headers = line.split()
        pairs = [pair.split(":") for pair in headers.split(",")] if headers != "-" else []
        pairs = tuple((bytes_of(name).decode(), bytes_of(value)) for name, value in pairs)
        got.append(Read(int(partition), int(offset), int(timestamp), bytes_of(key), bytes_of(value), pairs))
    return sorted(got, key=lambda read: read.partition)


# How each kind of peer is made ready. What a machine lacks is said with Missing.

NODE = {}


def python(script, line, *versions):
    def make():
        found = find_python(versions) if versions else "python3"
        if found is None:
            raise Missing(f"there is no Python {' or '.join(versions)}")
        return [environment(HERE.parent / "lines" / f"{line}.txt", found) / "bin/python", "-B", HERE / script]

    return make


def node(script):
    def make():
        if not (shutil.which("node") and shutil.which("npm")):
            raise Missing("there is no node and npm")
        lock = (HERE / "node/package-lock.json").read_bytes()

        def install(home):
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / "node" / name, home)
            run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], home)

        NODE["home"] = cached("peers-node", lock, install)
        return ["node", HERE / "node" / script]

    return make


def sarama():
    if not shutil.which("go"):
        raise Missing("there is no go")
    sources = sorted((HERE / "sarama").iterdir())

    def build(home):
        run(["go", "build", "-o", home / "peer", "."], HERE / "sarama")

    home = cached("peers-sarama", b"".join(path.read_bytes() for path in sources), build)
    return [home / "peer"]


POM = """<project><modelVersion>4.0.0</modelVersion><groupId>klamm</groupId><artifactId>peer</artifactId>
<version>1</version><dependencies><dependency><groupId>org.apache.kafka</groupId>
<artifactId>kafka-clients</artifactId><version>{}</version></dependency></dependencies></project>
"""


def java(version):
    def make():
        if not (shutil.which("javac") and shutil.which("mvn")):
            raise Missing("there is no javac and mvn")
        source, pom = (HERE / "java/Peer.java").read_bytes(), POM.format(version)

        def build(home):
            (home / "pom.xml").write_text(pom)
            run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"], home)
            run(["javac", "-nowarn", "-cp", "jars/*", "-d", "classes", HERE / "java/Peer.java"], home)

        home = cached(f"peers-java-{version}", source + pom.encode(), build)
        return ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{home}/classes:{home}/jars/*", "Peer"]

    return make


def run(command, folder):
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)


PLAIN = ("none", "gzip", "snappy")
LZ4 = (*PLAIN, "lz4")
ALL = (*LZ4, "zstd")

KAFKA_PYTHON_LINES = ["1.4.7", "2.0.2", "2.0.6", "2.1.6", "2.2.21", "2.3.3"]
KAFKA_PYTHON_PINS = ["0.8.2", "0.9", "0.10.0", "0.10.1", "0.11", "1.0", "2.0"]
SARAMA_PINS = [
    *("0.8.2.0", "0.8.2.2", "0.9.0.1", "0.10.0.1", "0.10.1.1", "0.10.2.1"),
    *("0.11.0.2", "1.0.0", "1.1.1", "2.0.1", "2.1.0", "2.2.0"),
]
JAVA_VERSIONS = ["0.9.0.1", "0.10.0.1", "0.10.2.2", "0.11.0.3", "1.1.1", "2.0.1", "2.8.2", "3.9.1", "4.4.0"]
LIBRDKAFKA_LINES = [("0.11.6", "3.6", "3.7"), ("1.9.2", "3.8", "3.10"), ("2.0.2", "3.11", "3.10")]
LIBRDKAFKA_PINS = ["0.8.2.2", "0.9.0.1", "0.10.0.0"]


def at_least(version, least):
    return tuple(map(int, version.split("."))) >= least


TIMESTAMPS, BOTH = frozenset(["timestamps"]), frozenset(["timestamps", "headers"])


def carried(version):
    """What records could carry in a release of Kafka."""
    if at_least(version, (0, 11)):
        return BOTH
    return TIMESTAMPS if at_least(version, (0, 10)) else frozenset()


def of_age(version):
    carries = carried(version)
    balanced = at_least(version, (0, 9))
    return dict(sends=carries, sees=carries, finds_times=at_least(version, (0, 10, 1)), balanced=balanced)


def all_peers():
    for line in KAFKA_PYTHON_LINES:
        for pin in KAFKA_PYTHON_PINS:
            make = python("kafka_python.py", line)
            age = of_age(pin)
            if pin == "0.11" and line < "2.1":
                age["sees"] = TIMESTAMPS  # (0, 11) < (0, 11, 0): these ask with Fetch 3
            reads = ALL if "headers" in age["sees"] and line > "2" else LZ4
            yield Peer(f"old-{line}", f"kafka-python {line}", pin, make, LZ4, reads, **age)
    for pin in SARAMA_PINS:
        codecs = LZ4 if at_least(pin, (0, 10)) else PLAIN
        reads = ALL if at_least(pin, (0, 11)) else codecs
        age = {**of_age(pin), "balanced": at_least(pin, (0, 10, 2))}
        yield Peer("sarama", "sarama 1.22.1", pin, sarama, codecs, reads, **age)
    for version in JAVA_VERSIONS:
        codecs = ALL if at_least(version, (2, 1)) else LZ4
        yield Peer("java", f"java {version}", "-", java(version), codecs, codecs, **of_age(version))
    for line, *pythons in LIBRDKAFKA_LINES:
        for pin in LIBRDKAFKA_PINS:
            make = python("librdkafka.py", f"confluent-{line}", *pythons)
            # Told of 0.10 it asks for ApiVersions after all, since that release answers.
            asks = pin.startswith("0.10")
            codecs = ALL if asks and not line.startswith("0.") else LZ4
            age = of_age("1.0" if asks else pin)
            yield Peer("librdkafka-old", f"librdkafka {line}", pin, make, codecs, codecs, **age)
    # It sends with Produce 2; its Consumer asks with Fetch 0, whatever the broker offers.
    kafka_node = dict(sends=TIMESTAMPS, sees=frozenset(), finds_times=False)
    yield Peer("kafka-node", "kafka-node 5.0.0", "-", node("kafka_node.js"), PLAIN, PLAIN, **kafka_node)
    # Those of today, for the matrix.
    new = dict(sends=BOTH, sees=BOTH)
    for line in ["2.0.2", "2.3.3", "3.0.12"]:
        yield Peer("new", f"kafka-python {line}", "-", python("kafka_python.py", line), ALL, ALL, **new)
    yield Peer("new", "librdkafka 2.16.1", "-", python("librdkafka.py", "confluent"), ALL, ALL, **new)
    yield Peer("new", "aiokafka 0.14.0", "-", python("aio.py", "aiokafka"), ALL, ALL, **new)
    yield Peer("new", "kafkajs 2.2.4", "-", node("kafkajs.js"), ("none", "gzip"), ("none", "gzip"), **new)


PEERS = list(all_peers())
