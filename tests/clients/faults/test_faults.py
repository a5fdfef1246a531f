"""A disk that fills up, and directories that are taken away, under a running broker and real clients.

The full disk is a tmpfs of 256 MiB in a user and mount namespace of its own; where none may be made, those tests are
skipped. A process in there keeps it alive while the broker is killed and started again.
"""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import broker as brokers
import pytest
from client import Record, eventually, load
from conftest import create
from confluent_kafka import Consumer, KafkaError, Producer

MIB = 1 << 20
DISK = 256 * MIB
SOON_SECONDS = 15  # a second or two on a quiet machine
VALUE = b"." * 65_000

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("KLAMM_BOOTSTRAP") or os.environ.get("KLAMM_AGAINST")), reason="the faults need our own broker"
)


class SmallDisk:
    """A tmpfs that nobody else sees."""

    def __init__(self, where):
        self.path = where
        where.mkdir()
        script = f'mount -t tmpfs -o size={DISK} klamm "{where}" && echo mounted && exec sleep 100000'
        self.keeper = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, text=True
        )
        if self.keeper.stdout.readline() != "mounted\n":
            self.remove()
            pytest.skip("no user and mount namespace can be made here")

    @property
    def inside(self):
        """The same folder as seen from outside."""
        return Path(f"/proc/{self.keeper.pid}/root{self.path}")

    def enter(self):
        return ["nsenter", f"--target={self.keeper.pid}", "--user", "--mount", "--preserve-credentials"]

    def free(self):
        stat = os.statvfs(self.inside)
        return stat.f_bavail * stat.f_frsize

    def leave(self, size):
        """Puts a file there that leaves only so much."""
        with open(self.inside / "ballast", "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, self.free() - size)

    def make_room(self):
        (self.inside / "ballast").unlink()

    def remove(self):
        self.keeper.kill()
        self.keeper.wait()


@pytest.fixture
def full(tmp_path):
    """A broker on a small disk, a client of it, and the disk."""
    disk = SmallDisk(tmp_path / "small")
    broker = None
    try:
        settings = {"log.dirs": disk.path / "data", "log.segment.bytes": 16 * MIB}
        broker = brokers.Klamm(brokers.quiet_port(), disk.enter(), **settings)
        yield broker, load("confluent").Client(broker.bootstrap), disk
        assert "panicked" not in broker.log.read_text(errors="replace")
    finally:
        if broker:
            broker.remove()
        disk.remove()


def produce(bootstrap, topic, count, **options):
    """Produces until a record is refused; gives the offsets that were acknowledged, and the refusal."""
    offsets, refusals = [], []

    def report(error, message):
        if error is None:
            offsets.append(message.offset())
        else:
            refusals.append(error)

    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 2, **options})
    for _ in range(count):
        producer.produce(topic, VALUE, partition=0, on_delivery=report)
        producer.flush(60)
        if refusals:
            break
    return offsets, refusals


def fill(broker, disk, topic):
    """Fills the disk with records; gives the offsets of those that were acknowledged."""
    disk.leave(40 * MIB)
    offsets, refusals = produce(broker.bootstrap, topic, 2 * DISK // len(VALUE), retries=0)
    assert [refusal.code() for refusal in refusals] == [KafkaError.KAFKA_STORAGE_ERROR], refusals
    assert offsets == list(range(len(offsets)))
    return offsets


def lines(broker, text):
    return [line for line in broker.log.read_text().splitlines() if text in line]


class Reader:
    """Consumes all the time, and commits."""

    def __init__(self, bootstrap, topic, group):
        self.offsets, self.failures, self.stopping = [], [], False
        self.consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "log_level": 2}
        )
        self.consumer.subscribe([topic])
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        while not self.stopping:
            message = self.consumer.poll(0.2)
            if message is None:
                continue
            if message.error():
                self.failures.append(message.error())
            else:
                self.offsets.append(message.offset())

    def stop(self):
        self.stopping = True
        self.thread.join(30)
        self.consumer.close()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_full_disk_refuses_records_serves_the_rest_and_goes_on_by_itself(full, fresh):
    broker, client, disk = full
    topic, other, group = create(client, fresh("events"), 1), create(client, fresh("other"), 1), fresh("group")
    client.produce(other, [Record(0, b"x")] * 10)
    reader = Reader(broker.bootstrap, topic, group)
    try:
        acknowledged = fill(broker, disk, topic)
        eventually(lambda: len(reader.offsets) == len(acknowledged), "everything is read while the disk is full")
        spent = cpu_seconds(broker.pid)
        waiting, told = threading.Thread(target=lambda: told.extend(retry(broker, topic))), []
        waiting.start()
        time.sleep(3)  # as long as the broker is watched
        assert cpu_seconds(broker.pid) - spent < 1.5, "a full disk is nothing to be busy with"
        assert not told, "nothing is acknowledged that has no room"
        assert len(client.read(topic, {0: 0}, len(acknowledged))) == len(acknowledged)
        member = client.member(other, fresh("group"), 10_000)
        eventually(lambda: member.poll(0.2), "a group begins on a full disk")
        member.commit()
        member.close()
        client.create(fresh("new"), 1)
        client.delete(other)
        assert disk.free() < 2 * MIB + 8 * MIB, "the disk is still full, but for the reserve"

        since = time.monotonic()
        disk.make_room()
        waiting.join(60)
        took = time.monotonic() - since
        print(f"records are taken again after {took:.1f} s")
        assert took < SOON_SECONDS
        assert told == [len(acknowledged)], "at the next offset"
        assert len(lines(broker, "no room left")) == 1 and len(lines(broker, "has room again")) == 1
    finally:
        reader.stop()
    assert not reader.failures
    broker.kill9()
    broker.start()
    offsets = [record.offset for record in client.read(topic, {0: 0}, len(acknowledged) + 1)]
    assert offsets == list(range(len(acknowledged) + 1))


def retry(broker, topic):
    """Produces one record, however long it takes."""
    offsets, refusals = produce(broker.bootstrap, topic, 1, **{"enable.idempotence": True, "message.timeout.ms": 60_000})
    assert not refusals
    return offsets


def test_deleting_a_topic_makes_room_on_a_full_disk(full, fresh):
    broker, client, disk = full
    old, topic = create(client, fresh("old"), 1), create(client, fresh("events"), 1)
    fill(broker, disk, old)
    client.delete(old)
    since = time.monotonic()
    assert retry(broker, topic) == [0]
    assert time.monotonic() - since < SOON_SECONDS


def test_a_broker_starts_on_a_full_disk_after_kill_9(full, fresh):
    broker, client, disk = full
    topic = create(client, fresh("events"), 1)
    acknowledged = fill(broker, disk, topic)
    for _ in range(3):
        broker.kill9()
        broker.start()
        assert len(client.read(topic, {0: 0}, len(acknowledged))) == len(acknowledged)
    disk.make_room()
    assert retry(broker, topic) == [len(acknowledged)]


@pytest.fixture
def two_dirs(tmp_path):
    """A broker with two log directories, and a client of it."""
    dirs = [tmp_path / "a", tmp_path / "b"]
    broker = brokers.Klamm(brokers.quiet_port(), **{"log.dirs": ",".join(map(str, dirs))})
    try:
        yield broker, load("confluent").Client(broker.bootstrap), dirs
        assert "panicked" not in broker.log.read_text(errors="replace")
    finally:
        broker.remove()


def test_a_directory_that_is_removed_takes_its_partitions_and_nothing_else(two_dirs, fresh):
    broker, client, (first, second) = two_dirs
    topic = create(client, fresh("events"), 4)
    client.produce(topic, [Record(partition, b"x") for partition in range(4)] * 10)
    here = {int(found.name.rsplit("-", 1)[1]) for found in second.glob(f"{topic}-*")}
    assert len(here) == 2, "partitions are spread over the directories"
    shutil.rmtree(second)
    eventually(lambda: lines(broker, "the log directory failed"), "the broker tells of it")
    gone = [KafkaError.KAFKA_STORAGE_ERROR, KafkaError.LEADER_NOT_AVAILABLE, KafkaError._UNKNOWN_PARTITION]
    for partition, error in deliver(broker.bootstrap, topic, range(4)).items():
        assert error in gone if partition in here else error is None, (partition, error)
    there = sorted(set(range(4)) - here)
    assert len(client.read(topic, {partition: 0 for partition in there}, 22)) == 22
    new = create(client, fresh("new"), 2)
    client.produce(new, [Record(partition, b"x") for partition in range(2)])
    assert broker.process.poll() is None
    assert len(lines(broker, "the log directory failed")) == 1

    shutil.rmtree(first)
    assert broker.process.wait(30) != 0, "without the metadata log, the process ends"
    assert len(lines(broker, "which holds the metadata log, failed")) == 1


def deliver(bootstrap, topic, partitions):
    """Produces one record to each partition; gives what became of them, None for what was acknowledged."""
    codes = {}
    options = {"acks": "all", "retries": 0, "message.timeout.ms": 5_000, "log_level": 2}
    producer = Producer({"bootstrap.servers": bootstrap, **options})
    report = lambda error, message: codes.update({message.partition(): error.code() if error else None})  # noqa: E731
    for partition in partitions:
        producer.produce(topic, b"x", partition=partition, on_delivery=report)
    producer.flush(30)
    unsent = {KafkaError._MSG_TIMED_OUT: KafkaError.LEADER_NOT_AVAILABLE}
    return {partition: unsent.get(code, code) for partition, code in codes.items()}
