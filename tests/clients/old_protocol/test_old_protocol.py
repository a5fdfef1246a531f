"""Clients that were told to speak as brokers of 2013 to 2016 did: `api_version=(0, 9)` stands in many a program.

They send and want message sets of the formats 0 and 1, which Klamm converts. Apache Kafka does so up to 3.9.
"""

import socket
import struct

import pytest
from client import Read, Record, collect
from conftest import LINE
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

pytestmark = pytest.mark.skipif(LINE.startswith("3."), reason="kafka-python 3 cannot write the old formats itself")
FETCH, API_VERSIONS = 1, 18

PINNED = [(0, 8, 2), (0, 9), (0, 10, 1), (0, 11)]
CODECS = ["none", "gzip", "snappy", "lz4"]


@pytest.fixture(scope="module", autouse=True)
def served(broker):
    """Skips where the old versions are not advertised, as by Apache Kafka 4 (KLAMM_KAFKA_VERSION=3.9.2 has them)."""
    host, port = broker.bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        sock.sendall(struct.pack(">ihhih", 10, API_VERSIONS, 0, 7, -1))
        size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL))
        said = sock.recv(size, socket.MSG_WAITALL)
    lowest = {key: low for key, low, _ in struct.iter_unpack(">hhh", said[10:])}
    if lowest[FETCH] > 0:
        pytest.skip(f"this broker serves Fetch from version {lowest[FETCH]} on only")


def pinned(version):
    return ".".join(map(str, version))


def produce(bootstrap, version, topic, codec, values):
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        api_version=version,
        acks="all",
        retries=20,
        linger_ms=20,
        compression_type=None if codec == "none" else codec,
    )
    sent = [producer.send(topic, value, key=b"key", partition=0) for value in values]
    offsets = [future.get(timeout=60).offset for future in sent]
    producer.close(timeout=10)
    return offsets


def read(bootstrap, version, topic, start, count):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, api_version=version, group_id=None, enable_auto_commit=False
    )
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek(TopicPartition(topic, 0), start)

    def poll(seconds):
        batches = consumer.poll(timeout_ms=int(seconds * 1000)).values()
        return [Read(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for rs in batches for r in rs]

    try:
        return collect(poll, count, f"{topic} as {version}")
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", PINNED, ids=pinned)
def test_what_an_old_producer_sends_everybody_reads(broker, client, topic, version, codec):
    values = [b"value %d " % n * 20 for n in range(50)]
    assert produce(broker.bootstrap, version, topic, codec, values) == list(range(50))
    got = client.read(topic, {0: 0}, 50)
    assert [(r.offset, r.key, r.value) for r in got] == [(n, b"key", value) for n, value in enumerate(values)]
    got = read(broker.bootstrap, version, topic, 0, 50)
    assert [(r.offset, r.key, r.value) for r in got] == [(n, b"key", value) for n, value in enumerate(values)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", PINNED, ids=pinned)
def test_an_old_consumer_reads_what_new_clients_send(broker, client, topic, version, codec):
    sent = [Record(0, b"value %d " % n * 20, key=b"key", headers=[("h", b"x")]) for n in range(50)]
    client.produce(topic, sent, codec=codec)
    got = read(broker.bootstrap, version, topic, 17, 33)
    assert [(r.offset, r.key, r.value) for r in got] == [(n, b"key", sent[n].value) for n in range(17, 50)]


@pytest.mark.parametrize("version", [(0, 9), (0, 10, 1)], ids=pinned)
def test_an_old_consumer_group_commits_and_goes_on(broker, client, topic, fresh, version):
    group = fresh("old")
    produce(broker.bootstrap, version, topic, "none", [b"%d" % n for n in range(10)])

    def session(count):
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap,
            api_version=version,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        got = collect(
            lambda seconds: [r for rs in consumer.poll(timeout_ms=int(seconds * 1000)).values() for r in rs],
            count,
            group,
        )
        consumer.commit()
        consumer.close()
        return [int(r.value) for r in got]

    assert session(10) == list(range(10))
    assert client.committed(topic, group, [0]) == {0: 10}
    produce(broker.bootstrap, version, topic, "none", [b"10", b"11"])
    assert session(2) == [10, 11]
