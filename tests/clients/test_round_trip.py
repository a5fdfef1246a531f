"""What is produced comes back, byte for byte, in every compression the client knows."""

import pytest
from client import Record, load
from conftest import LINE

START_MS = 1_700_000_000_000


def varied(count):
    """Records over three partitions, with all that may be null or empty or repeated in a record."""
    records = []
    for n in range(count):
        records.append(
            Record(
                partition=n % 3,
                key=None if n % 6 == 0 else f"key-{n}".encode(),
                value=None if n % 6 == 3 else (f"value {n} ".encode() * (n + 1)),
                headers=[("trace", f"{n}".encode()), ("trace", b""), ("größe", b"\x00\xff")] if n % 4 == 0 else [],
                timestamp=START_MS + n,
            )
        )
    return records


@pytest.mark.parametrize("codec", load(LINE).Client.codecs)
def test_records_come_back_as_they_were_sent(client, topic, codec):
    sent = varied(90)
    told = client.produce(topic, sent, codec=codec)

    for partition in range(3):
        mine = [(record, offset) for record, (where, offset) in zip(sent, told) if record.partition == partition]
        assert [offset for _, offset in mine] == list(range(30)), "offsets start at 0 and have no gaps"
        got = client.read(topic, {partition: 0}, 30)
        assert [r.offset for r in got] == list(range(30))
        for (record, _), read in zip(mine, got):
            assert (read.key, read.value, read.timestamp) == (record.key, record.value, record.timestamp)
            assert read.headers == record.headers
    assert [partition for partition, _ in told] == [record.partition for record in sent]


def test_large_records_come_back(client, topic):
    sent = [Record(0, bytes([n]) * 900_000) for n in range(5)]
    client.produce(topic, sent)
    assert [r.value for r in client.read(topic, {0: 0}, 5)] == [record.value for record in sent]


@pytest.mark.skipif(not load(LINE).Client.idempotent, reason="this line has no idempotent producer")
def test_an_idempotent_producer_writes_each_record_once(client, topic):
    sent = [Record(n % 3, f"{n}".encode()) for n in range(300)]
    client.produce(topic, sent, idempotent=True)
    got = client.read(topic, {0: 0, 1: 0, 2: 0}, 300)
    assert sorted(int(r.value) for r in got) == list(range(300))
    assert client.end(topic, [0, 1, 2]) == {0: 100, 1: 100, 2: 100}
