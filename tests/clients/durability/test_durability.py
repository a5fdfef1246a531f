"""What was acknowledged is there after every kill -9 of the broker: in order, once, and the group's offsets too.

KLAMM_RECORDS and KLAMM_KILLS set the size: 400,000 records of 1 KiB through six kills unless told.
"""

import os
import threading
import time

from client import load
from confluent_kafka import Consumer, Producer, TopicPartition
from conftest import create

RECORDS = int(os.environ.get("KLAMM_RECORDS", 400_000))
KILLS = int(os.environ.get("KLAMM_KILLS", 6))
PARTITIONS = 4
STALLED_SECONDS = 180  # no acknowledgement for so long is a failure
PADDING = b"." * 1012


class Load:
    """An idempotent producer in a thread; `acknowledged` is what the broker has confirmed, by partition."""

    def __init__(self, bootstrap, topic):
        self.topic = topic
        self.acknowledged = [[] for _ in range(PARTITIONS)]  # (offset, number), in the order of the answers
        self.confirmed = 0
        self.allowed = 0  # how many records may be produced so far
        self.failures = []
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "message.timeout.ms": 300_000,
                "reconnect.backoff.max.ms": 500,
                "queue.buffering.max.messages": 20_000,
                "log_level": 2,  # refused connections are expected here
            }
        )
        self.thread = threading.Thread(target=self._produce)
        self.thread.start()

    def _produce(self):
        for number in range(RECORDS):
            while number >= self.allowed:
                self.producer.poll(0.01)
            value = b"%012d" % number + PADDING
            while True:
                try:
                    self.producer.produce(
                        self.topic, value, partition=number % PARTITIONS, on_delivery=self._answered(number)
                    )
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.producer.poll(0)
        self.producer.flush(300)

    def _answered(self, number):
        def report(error, message):
            if error is not None:
                self.failures.append((number, str(error)))
            else:
                self.acknowledged[number % PARTITIONS].append((message.offset(), number))
                self.confirmed += 1

        return report


    def reach(self, count, allowed):
        """Lets `allowed` records be produced, and waits until `count` of them are acknowledged."""
        self.allowed = allowed
        seen, since = -1, time.monotonic()
        while self.confirmed < count:
            assert not self.failures, self.failures[:3]
            if self.confirmed != seen:
                seen, since = self.confirmed, time.monotonic()
            assert time.monotonic() - since < STALLED_SECONDS, f"stalled at {seen} of {count}"
            time.sleep(0.002)


def test_acknowledged_records_and_offsets_survive_kill_9(own_broker, fresh):
    client = load("confluent").Client(own_broker.bootstrap)
    topic, group = create(client, fresh("durable"), PARTITIONS), fresh("group")
    committed = {}
    work = Load(own_broker.bootstrap, topic)
    share = RECORDS // (KILLS + 1)
    try:
        for kill in range(1, KILLS + 1):
            quiet, flowing = share * kill - share // 2, share * kill + share // 2
            work.reach(quiet, allowed=quiet)
            committed = commit_progress(own_broker.bootstrap, topic, group, work)
            work.reach(share * kill, allowed=flowing)  # and the rest of them on the way
            own_broker.kill9()
            print(f"kill {kill}: {work.confirmed} of {flowing} acknowledged", end="")
            started = time.monotonic()
            own_broker.start()
            print(f", back after {time.monotonic() - started:.2f} s")
            assert client.committed(topic, group, list(committed)) == committed
        work.reach(RECORDS, allowed=RECORDS)
    finally:
        if work.confirmed < RECORDS:
            work.allowed = RECORDS
            work.producer.purge()
        work.thread.join(300)

    assert not work.failures, f"{len(work.failures)} records failed: {work.failures[:3]}"
    check_log(own_broker.bootstrap, topic, work)
    assert client.committed(topic, group, list(committed)) == committed


def commit_progress(bootstrap, topic, group, work):
    """Commits the last acknowledged offset of each partition, as a consumer would."""
    offsets = {p: work.acknowledged[p][-1][0] + 1 for p in range(PARTITIONS) if work.acknowledged[p]}
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    try:
        consumer.commit(
            offsets=[TopicPartition(topic, p, offset) for p, offset in offsets.items()], asynchronous=False
        )
    finally:
        consumer.close()
    return offsets


def check_log(bootstrap, topic, work):
    """Reads everything back: each partition holds exactly what was sent to it, in order, each record once."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(PARTITIONS)}
    read = [[] for _ in range(PARTITIONS)]
    deadline = time.monotonic() + STALLED_SECONDS
    while sum(map(len, read)) < sum(ends.values()):
        assert time.monotonic() < deadline, f"read {list(map(len, read))} of {ends}"
        for message in consumer.consume(1000, timeout=1):
            assert message.error() is None, message.error()
            value = message.value()
            assert value[12:] == PADDING, "the bytes that were sent"
            read[message.partition()].append((message.offset(), int(value[:12])))
            deadline = time.monotonic() + STALLED_SECONDS
    consumer.close()
    for partition in range(PARTITIONS):
        numbers = [number for _, number in read[partition]]
        lost = set(number for _, number in work.acknowledged[partition]) - set(numbers)
        assert not lost, f"partition {partition} lost {len(lost)} acknowledged records: {sorted(lost)[:5]}"
        assert len(numbers) == len(set(numbers)), f"partition {partition} holds records twice"
        assert numbers == sorted(numbers), f"partition {partition} is out of order"
        assert [offset for offset, _ in read[partition]] == list(range(len(numbers))), "offsets have no gaps"
        assert set(work.acknowledged[partition]) <= set(read[partition]), "a record lies where the answer said"
