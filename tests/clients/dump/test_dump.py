"""Kafka's own kafka-dump-log reads every file of a log: of a broker that runs, and what a kill -9 leaves behind.

The tool checks the CRC of each batch and compares index entries with the log. The rest is compared here, with the
batches as the tool shows them: that offsets and positions follow on each other, that the indexes name real batches and
leave no stretch out, that aborted transactions have their markers, and that a producer snapshot says what its producers
had written by then.
"""

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from broker import kafka_launcher
from client import Record, collect, eventually, load
from conftest import create
from confluent_kafka import KafkaException, Producer

pytestmark = pytest.mark.skipif(kafka_launcher() is None, reason="KLAMM_KAFKA names no Apache Kafka")

KINDS = [".log", ".index", ".timeindex", ".txnindex", ".snapshot"]
INDEX_INTERVAL_BYTES = 4096

# Said of the first record of every .log file but that with offset 0 (Kafka 4.3): it means nothing.
FIRST_IN_FILE = re.compile(r"Non-consecutive offsets in .*\n  -1 is followed by \d+\n(?!  )")


def dump(paths, *options):
    """What the tool shows of each file, as {path: [line]}, and what it complains of."""
    files = ["--files", ",".join(map(str, paths))]
    done = subprocess.run(
        [kafka_launcher(), "tool", "kafka-dump-log", *options, *files], capture_output=True, text=True, timeout=120
    )
    complaints = [line for line in FIRST_IN_FILE.sub("", done.stderr).splitlines() if line.strip()]
    assert done.returncode == 0, complaints
    parts = re.split(r"^Dumping (.*)\n", done.stdout, flags=re.MULTILINE)[1:]
    shown = {Path(path): text.splitlines() for path, text in zip(parts[::2], parts[1::2])}
    assert shown.keys() == set(paths)
    return shown, complaints


def fields(line):
    pairs = re.findall(r"(\w+): (\S+)", line)
    return {name: int(value) if re.fullmatch(r"-?\d+", value) else value for name, value in pairs}


class Look:
    """The files of a partition, and whether they agree.

    `records` is {offset: (key, value)} of all that is in the log, `complaints` what is wrong; each begins with a file's
    name where it is not the tool's own.
    """

    def __init__(self, directory, bases=None, torn=False):
        """Looks at the segments with these base offsets, or all. `torn`: the last one may end inside a batch."""
        paths = sorted(path for path in directory.iterdir() if path.suffix in KINDS)
        self.paths = [path for path in paths if bases is None or path.stem in bases]
        self.sizes = {path.name: path.stat().st_size for path in self.paths}
        shown, self.complaints = dump(self.paths, "--deep-iteration", "--print-data-log")
        self.shown = {path.name: lines for path, lines in shown.items()}
        self.records, self.producers, self.aborted = {}, {}, []
        self.end, self.compared = None, set()
        logs = [path.stem for path in self.paths if path.suffix == ".log"]
        for base in logs:
            last = base == logs[-1]
            self._segment(base, torn and last, sealed=not last or bases is not None)
        self._snapshot()
        snapshots = {path.name for path in self.paths if path.suffix == ".snapshot"}
        self.complaints += [f"{name}: no batch begins or ends there" for name in snapshots - self.compared]

    def rows(self, name):
        return [fields(line) for line in self.shown.get(name, []) if not line.endswith(" is empty.")]

    def _expect(self, name, found, expected, what):
        if found != expected:
            self.complaints.append(f"{name}: {what}: {found} instead of {expected}")

    def _segment(self, base, torn, sealed):
        name, batches, position = base + ".log", [], 0
        if self.end is not None:
            self._expect(name, int(base), self.end, "base offset")
        self.end, self.aborted = int(base), []
        for line in self.shown[name]:
            if line.startswith("| "):
                self._record(line, batches[-1])
            elif line.startswith("baseOffset: "):
                batch = fields(line)
                self._snapshot()
                self._expect(name, batch["isvalid"], "true", f"batch at {position}")
                self._expect(name, (batch["baseOffset"], batch["position"]), (self.end, position), "next batch")
                self.end, position = batch["lastOffset"] + 1, position + batch["size"]
                batches.append(batch)
                self._batch(batch)
            elif not (line.startswith("Log starting offset: ") or (torn and "invalid bytes at the end" in line)):
                self.complaints.append(f"{name}: {line}")
        if not torn:
            self._expect(name, self.sizes[name], position, "size")
        self._indexes(base, batches, sealed)
        names = ["producerId", "firstOffset", "lastOffset", "lastStableOffset"]
        found = [tuple(row[field] for field in names) for row in self.rows(base + ".txnindex")]
        self._expect(base + ".txnindex", found, self.aborted, "aborted transactions")

    def _indexes(self, base, batches, sealed):
        places = {(batch["lastOffset"], batch["position"]) for batch in batches}
        found = [(row["offset"], row["position"]) for row in self.rows(base + ".index")]
        self._expect(base + ".index", found, sorted(set(found) & places), "entries that name batches, ascending")
        end = sum(batch["size"] for batch in batches)
        stops = [0, *(position for _, position in found), end]
        widest = max(after - before for before, after in zip(stops, stops[1:]))
        if widest > INDEX_INTERVAL_BYTES + max((batch["size"] for batch in batches), default=0):
            self.complaints.append(f"{base}.index: {widest} bytes without an entry")

        times = {(batch["CreateTime"], batch["lastOffset"]) for batch in batches}
        found = [(row["timestamp"], row["offset"]) for row in self.rows(base + ".timeindex")]
        self._expect(base + ".timeindex", found, sorted(set(found) & times), "entries that name batches, ascending")
        if sealed and batches:
            latest = max(time for time, _ in times)
            self._expect(base + ".timeindex", found and found[-1][0], latest, "the segment's largest timestamp")

    def _record(self, line, batch):
        head, _, data = line.partition(" key: ")
        record = fields(head)
        if batch["isControl"] == "true":
            return self._marker(batch, fields(line))
        self.records[record["offset"]] = tuple(data.split(" payload: ", 1))

    def _producer(self, batch):
        fresh = {"sequence": -1, "offset": -1, "delta": 0, "coordinator": -1, "begins": None}
        known = self.producers.setdefault(batch["producerId"], {"epoch": batch["producerEpoch"], **fresh})
        if known["epoch"] != batch["producerEpoch"]:
            known.update(epoch=batch["producerEpoch"], sequence=-1, offset=-1, delta=0)
        known["time"] = batch["CreateTime"]
        return known

    def _batch(self, batch):
        if batch["producerId"] < 0 or batch["isControl"] == "true":
            return
        known = self._producer(batch)
        delta = batch["lastOffset"] - batch["baseOffset"]
        known.update(sequence=batch["lastSequence"], offset=batch["lastOffset"], delta=delta)
        if batch["isTransactional"] == "true" and known["begins"] is None:
            known["begins"] = batch["baseOffset"]

    def _marker(self, batch, marker):
        known = self._producer(batch)
        known["coordinator"] = marker["coordinatorEpoch"]
        first, known["begins"] = known["begins"], None
        if marker["endTxnMarker"] == "ABORT" and first is not None:
            still_open = [other["begins"] for other in self.producers.values() if other["begins"] is not None]
            stable = min(still_open, default=batch["lastOffset"] + 1)
            self.aborted.append((batch["producerId"], first, batch["lastOffset"], stable))

    def _snapshot(self):
        """Where one stands: what the last entry of each producer says, as only that counts for Kafka."""
        name = f"{self.end:020}.snapshot"
        if name not in self.shown:
            return
        self.compared.add(name)
        found = {}
        for row in self.rows(name):
            begins = re.sub(r"\D", "", str(row["currentTxnFirstOffset"]))
            found[row["producerId"]] = {
                "epoch": row["producerEpoch"],
                "sequence": row["lastSequence"],
                "offset": row["lastOffset"],
                "delta": row["offsetDelta"],
                "coordinator": row["coordinatorEpoch"],
                "begins": int(begins) if begins else None,
                "time": row["lastTimestamp"],
            }
        self._expect(name, found, self.producers, "producers")


class Load:
    """Four producers that write to one partition in turn: idempotent ones, plain and compressed, and two with
    transactions that overlap. Every second transaction is aborted."""

    def __init__(self, bootstrap, topic):
        self.topic, self.rounds, self.stopping = topic, 0, False
        self.acknowledged = {}
        options = {"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 2}
        idempotent = {**options, "enable.idempotence": True}
        self.idempotent = [Producer({**idempotent, "compression.type": codec}) for codec in ["none", "lz4"]]
        self.transactional = [Producer({**options, "transactional.id": f"{topic}-{name}"}) for name in "ab"]
        for producer in self.transactional:
            producer.init_transactions()

    def write(self, rounds):
        """When it returns, all that was written has its place, every marker too, and two transactions are open."""
        for _ in range(rounds):
            self._round()

    def _round(self):
        for producer in self.idempotent:
            self._send(producer, 5)
        for lasts, producer in enumerate(self.transactional, start=2):
            number, begins = divmod(self.rounds, lasts)
            if begins == 0:
                if number > 0:
                    (producer.abort_transaction if number % 2 else producer.commit_transaction)(1)
                producer.begin_transaction()
            # It is taken only when the marker of the transaction before is there.
            self._send(producer, 1)
        self.rounds += 1

    def _send(self, producer, count):
        for number in range(count):
            key = f"{self.rounds}.{number}"
            value = f"{key} " * 900
            producer.produce(self.topic, value, key, partition=0, on_delivery=self._answered(key, value))
        while producer.flush(0.1) and not self.stopping:
            pass

    def _answered(self, key, value):
        def report(error, message):
            if error is None:
                self.acknowledged[message.offset()] = (key, value)

        return report

    def __enter__(self):
        """Goes on until the end of the block, which may kill the broker."""
        self.thread = threading.Thread(target=self._flow)
        self.thread.start()

    def _flow(self):
        try:
            while not self.stopping:
                self._round()
        except KafkaException:
            if not self.stopping:
                raise

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()
        for producer in [*self.idempotent, *self.transactional]:
            producer.purge()


def test_kafka_reads_every_file_of_a_broker_that_runs_is_killed_and_comes_back(own_broker, fresh, tmp_path):
    client = load("confluent").Client(own_broker.bootstrap)
    topic = create(client, fresh("events"), 1, **{"segment.bytes": str(1 << 20)})
    directory = own_broker.log_dir / f"{topic}-0"
    segments = lambda: sorted(path.stem for path in directory.glob("*.log"))  # noqa: E731
    work = Load(own_broker.bootstrap, topic)

    work.write(120)
    assert len(segments()) >= 3, "several segments"
    for base in segments()[1:]:
        eventually((directory / f"{base}.snapshot").exists, f"the producers at {base}")
    running = Look(directory)
    assert running.complaints == []
    assert work.acknowledged == running.records
    assert {path.suffix for path in running.paths if running.rows(path.name)} == set(KINDS)

    with work:
        flowing = Look(directory, segments()[:-1])
        assert flowing.complaints == [], "while producers write"
        enough = len(work.acknowledged) + 100
        eventually(lambda: len(work.acknowledged) >= enough, "the producers go on")
        own_broker.kill9()
        work.stopping = True
    killed = Look(directory, torn=True)
    assert killed.complaints == [], "as the kill left them"
    assert work.acknowledged.items() <= killed.records.items()

    own_broker.start()
    client.produce(topic, [Record(0, b"after", key=b"after")])
    own_broker.stop()
    stopped = Look(directory)
    assert stopped.complaints == [], "after recovery"
    assert work.acknowledged.items() <= stopped.records.items() and ("after", "after") in stopped.records.values()

    damaged = Look(damage(directory, tmp_path / f"{topic}-0")).complaints
    for kind in KINDS:
        assert any(re.search(rf"{kind}(:|$)", complaint) for complaint in damaged), f"{kind}: {damaged}"


def damage(directory, copy):
    """A copy with one wrong bit in each kind of file: who never complains proves nothing."""
    shutil.copytree(directory, copy)
    second = sorted(copy.glob("*.log"))[1].stem
    for kind, position in zip(KINDS, [5000, 8 * 10 + 3, 12 * 10 + 7, 34 + 17, 30]):
        path = copy / f"{second}{kind}"
        content = bytearray(path.read_bytes())
        content[position] ^= 1
        path.write_bytes(content)
    return copy


def test_kafka_decodes_our_committed_offsets(own_broker, fresh):
    client = load("confluent").Client(own_broker.bootstrap)
    topic, group = create(client, fresh("events"), 1), fresh("group")
    client.produce(topic, [Record(0, b"x")] * 5)
    member = client.member(topic, group, 10_000)
    collect(member.poll, 5, topic)
    member.commit()
    member.close()
    shown, complaints = dump([*own_broker.log_dir.glob("__consumer_offsets-*/*.log")], "--offsets-decoder")
    assert complaints == []
    said = "\n".join(line for lines in shown.values() for line in lines)
    assert group in said and topic in said
    assert re.search(r'"offset":5\b', said), "the committed offset"
