"""What every client line can do, in one shape, so that one test body serves them all.

Each adapter module (`kafka_python`, `confluent`, `aio`) has a class `Client` with the methods listed here.
Offsets, partitions and timestamps (milliseconds) are plain integers, keys and values bytes or None.

    Client(bootstrap)
    .codecs                       names of the compressions that the line can write and read
    .idempotent                   whether the line has an idempotent producer
    .produce(topic, [Record], codec="none", idempotent=False) -> [(partition, offset)]   acks=all, one per record
    .read(topic, {partition: offset}, count, committed=False) -> [Read]   by assignment and seek
    .transactional                whether the line has transactions
    .transactions(id) -> Transactions                        a producer with this transactional id, initialised
    .beginning(topic, [partition]), .end(topic, [partition]) -> {partition: offset}
    .at_time(topic, {partition: timestamp}) -> {partition: (offset, timestamp) or None}
    .member(topic, group, session_ms) -> Member              one consumer of a group
    .committed(topic, group, [partition]) -> {partition: offset or None}
    .create(topic, partitions, **config), .delete(topic), .grow(topic, partitions)
    .topics() -> {name: partitions}, .config(topic) -> {name: value}
    .groups() -> {name}
    .stream(topic) -> Stream                                 one producer that lives on, to partition 0
    .close()

    Stream: .send(value) (what fails is not told), .acked, a dict {value: offset} that grows by itself, .close()
    Transactions: .begin(), .send(topic, [Record]), .send_offset(topic, partition, offset, group), .commit(), .abort(),
    .close(); sent records have arrived when `send` returns; what fails raises

    Member: .poll(seconds) -> [Read], .assigned() -> {partition}, .commit(), .close()
"""

import importlib
import time
from collections import namedtuple
from dataclasses import dataclass, field

Read = namedtuple("Read", "partition offset timestamp key value headers")

WAIT_SECONDS = 60


@dataclass
class Record:
    partition: int
    value: bytes | None
    key: bytes | None = None
    headers: list = field(default_factory=list)
    timestamp: int | None = None


def load(line):
    """The adapter's module of a client line: a version number means kafka-python."""
    module = {"confluent": "confluent", "aiokafka": "aio"}.get(line, "kafka_python")
    return importlib.import_module(module)


def collect(poll, count, what, seconds=WAIT_SECONDS):
    """Polls until `count` records are there; fails with what came in the meantime."""
    got = []
    deadline = time.monotonic() + seconds
    while len(got) < count:
        assert time.monotonic() < deadline, f"{what}: {len(got)} of {count} records after {seconds} s"
        got.extend(poll(0.5))
    return got


def eventually(check, what, seconds=WAIT_SECONDS):
    """Asks again until `check` answers something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
