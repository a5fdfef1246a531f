"""Kafka's own kafka-dump-log reads the files of a running broker, and those that a kill -9 leaves behind."""

import re
import subprocess

import pytest
from broker import kafka_launcher
from client import Record, collect, load
from conftest import create

pytestmark = pytest.mark.skipif(kafka_launcher() is None, reason="KLAMM_KAFKA names no Apache Kafka")


def dump(*args):
    done = subprocess.run(
        [kafka_launcher(), "tool", "kafka-dump-log", *args], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    trouble = [line for line in done.stdout.splitlines() if re.search(r"(?i)corrupt|mismatch|invalid|exception", line)]
    trouble = [line for line in trouble if "isvalid: true" not in line]
    assert not trouble, trouble[:5]
    return done.stdout


def segments(broker, topic, partition):
    return sorted((broker.log_dir / f"{topic}-{partition}").glob("*.log"))


def files(paths):
    return ["--files", ",".join(map(str, paths))]


def dumped_records(broker, topic, partition):
    """(offset, key, payload) of every record in the partition's files."""
    said = dump("--deep-iteration", "--print-data-log", *files(segments(broker, topic, partition)))
    records = re.findall(r"\| offset: (\d+) .*?key: (.*?) payload: (.*)", said)
    return [(int(offset), key, payload) for offset, key, payload in records]


def dump_indexes(segments):
    """Of the last segment only after a clean stop: until then its indexes may have room for more at their end."""
    indexes = [segment.with_suffix(kind) for segment in segments for kind in (".index", ".timeindex")]
    dump("--index-sanity-check", *files(index for index in indexes if index.exists()))


@pytest.fixture
def small_segments(own_broker, fresh):
    """A client, and a topic that rolls its segments after a mebibyte."""
    client = load("confluent").Client(own_broker.bootstrap)
    topic = create(client, fresh("events"), 1, **{"segment.bytes": str(1 << 20)})
    yield client, topic


@pytest.mark.parametrize("codec", ["none", "lz4"])
def test_kafka_reads_our_files_running_and_killed(own_broker, small_segments, codec):
    client, topic = small_segments
    sent = [Record(0, f"{n} ".encode() * 200, key=b"%d" % n) for n in range(4000)]
    for start in range(0, 4000, 100):
        client.produce(topic, sent[start : start + 100], codec=codec)
    expected = [(n, str(n), (f"{n} " * 200)) for n in range(4000)]

    if codec == "none":
        assert len(segments(own_broker, topic, 0)) >= 3, "several segments"
    assert dumped_records(own_broker, topic, 0) == expected, "while the broker runs"

    own_broker.kill9()
    assert dumped_records(own_broker, topic, 0) == expected, "as the kill left them"

    own_broker.start()
    client.produce(topic, [Record(0, b"after", key=b"after")])
    assert dumped_records(own_broker, topic, 0) == [*expected, (4000, "after", "after")]
    dump_indexes(segments(own_broker, topic, 0)[:-1])

    own_broker.stop()
    dump_indexes(segments(own_broker, topic, 0))


def test_kafka_decodes_our_committed_offsets(own_broker, fresh):
    client = load("confluent").Client(own_broker.bootstrap)
    topic, group = create(client, fresh("events"), 1), fresh("group")
    client.produce(topic, [Record(0, b"x")] * 5)
    member = client.member(topic, group, 10_000)
    collect(member.poll, 5, topic)
    member.commit()
    member.close()
    said = dump("--offsets-decoder", *files(own_broker.log_dir.glob("__consumer_offsets-*/*.log")))
    assert group in said and topic in said
    assert re.search(r'"offset":5\b', said), "the committed offset"
