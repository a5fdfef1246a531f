"""The programs beside this file, which a user of kafka-python might write, do what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from broker import kafka_launcher
from client import Record, collect, load
from conftest import LINE, create

HERE = Path(__file__).parent


# While the interpreter ends, a consumer of kafka-python 2.1 that is closed already may wait for ever for a lock of
# its own heartbeat thread, which does not run any more: there, the process ends at once when the program has ended.
AT_ONCE = "import os, runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0]); sys.stdout.flush(); os._exit(0)"


def run(script, *args):
    program = ["-c", AT_ONCE, HERE / script] if LINE.removeprefix("old-").startswith("2.1.") else [HERE / script]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *program, *args], stdout=subprocess.PIPE, text=True, timeout=180
    )
    assert done.returncode == 0, f"{script} failed"
    return done.stdout.splitlines()


def murmur2(key):
    """The hash of Kafka's default partitioner, from its published definition (32 bit MurmurHash2, seed 0x9747b28c)."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


@pytest.fixture
def events(own_broker):
    """A broker whose only topic is `events`, with three partitions."""
    client = load(LINE).Client(own_broker.bootstrap)
    create(client, "events", 3)
    yield client
    client.close()


def test_producer_and_consumer(own_broker, events):
    sent = [json.loads(line) for line in run("producer.py", own_broker.bootstrap)]

    got = events.read("events", {0: 0, 1: 0, 2: 0}, 3)
    assert sorted(json.loads(r.value)["event_type"] for r in got) == ["page_view", "purchase", "user_login"]
    for topic, partition, offset, timestamp, event in sent:
        (read,) = [r for r in got if (r.partition, r.offset) == (partition, offset)]
        key = event["event_type"].encode()
        assert (topic, read.key, json.loads(read.value)) == ("events", key, event)
        assert read.timestamp == timestamp > 1_500_000_000_000, "the producer's own time"
        assert partition == (murmur2(key) & 0x7FFFFFFF) % 3, "every client finds the same partition for a key"
        assert offset == sum(1 for _, p, o, *_ in sent if p == partition and o < offset), "offsets without gaps"

    handled = ["login of 123", "purchase of premium", "view of /home"]
    bootstrap = own_broker.bootstrap
    assert sorted(run("consumer.py", bootstrap, "event-processor")) == handled
    assert run("consumer.py", bootstrap, "event-processor") == [], "nothing is delivered to the group again"
    own_broker.kill9()
    own_broker.start()
    assert run("consumer.py", bootstrap, "event-processor") == [], "nor after the broker was killed"
    assert sorted(run("consumer.py", bootstrap, "another-group")) == handled


def test_a_topic_nobody_created_is_made_by_the_first_producer(own_broker):
    offsets = [json.loads(line)[1:3] for line in run("producer.py", own_broker.bootstrap)]
    assert offsets == [[0, 0], [0, 1], [0, 2]], "one partition, in order"
    assert run("consumer.py", own_broker.bootstrap, "event-processor") == [
        "login of 123",
        "purchase of premium",
        "view of /home",
    ]


def test_consumers_in_threads(broker, client, topic, fresh):
    group = fresh("event-processors")
    records = [Record(n % 3, b"{}", key=b"user-%d" % (n % 3)) for n in range(300)]
    client.produce(topic, records)
    told = [json.loads(line) for line in run("threads.py", broker.bootstrap, topic, group, "300")]
    handled = sorted(tuple(record) for _, records in told for record in records)
    assert handled == [(p, offset, f"user-{p}") for p in range(3) for offset in range(100)], "each record once"
    for partitions, records in told:
        for partition in partitions:
            offsets = [offset for where, offset, _ in records if where == partition]
            assert offsets == sorted(offsets), "in order within a partition"
    # Closing commits what was handled.
    assert client.committed(topic, group, [0, 1, 2]) == {0: 100, 1: 100, 2: 100}


def test_monitoring(own_broker, events, fresh):
    create(events, "orders", 2, **{"retention.ms": "86400000"})
    events.produce("orders", [Record(n % 2, b"x") for n in range(100)])
    member = events.member("orders", "event-processors", 10_000)
    got = collect(member.poll, 100, "orders")
    assert len(got) == 100
    member.close()
    commit(own_broker.bootstrap, "orders", "event-processors", {0: 30, 1: 30})

    (line,) = run("monitoring.py", own_broker.bootstrap, "orders", "event-processors")
    told = json.loads(line)
    assert {"events", "orders"} <= set(told["topics"])
    assert set(told["topics"]) <= {"events", "orders", "__consumer_offsets"}
    config = told["configuration"]
    values = {name: value for name, (value, _) in config.items()}
    assert (values["retention.ms"], values["cleanup.policy"]) == ("86400000", "delete")
    assert values["min.insync.replicas"] == "1"
    if LINE != "1.4.7":  # which takes the source for a boolean
        assert str(config["retention.ms"][1]) in ("1", "DYNAMIC_TOPIC_CONFIG")
        assert str(config["cleanup.policy"][1]) in ("5", "DEFAULT_CONFIG")
    assert told["lag"] == 40
    assert told["records per second"] > 0

    assert events.end("test-topic", [0]) == {0: 10_000}
    got = events.read("test-topic", {0: 0}, 10_000)
    assert [r.offset for r in got] == list(range(10_000)), "offsets without gaps"
    assert [json.loads(r.value)["message_id"] for r in got] == list(range(10_000))

    if launcher := kafka_launcher():
        command = [launcher, "tool", "kafka-consumer-groups", "--bootstrap-server", own_broker.bootstrap]
        command += ["--describe", "--group", "event-processors"]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rows = [line.split() for line in said.splitlines() if " orders " in line]
        assert sum(int(row[5]) for row in rows) == 40, f"Kafka's own tool sees another lag:\n{said}"


def commit(bootstrap, topic, group, offsets):
    from kafka import KafkaConsumer, TopicPartition
    from kafka_python import offset_and_metadata

    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, partition) for partition in offsets])
    consumer.commit({TopicPartition(topic, p): offset_and_metadata(offset) for p, offset in offsets.items()})
    consumer.close()
