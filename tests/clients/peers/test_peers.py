"""One suite for the client libraries of every age, each pinned to speak as one release of Kafka (see `peers.py`).

What they send is read by a client of today, what that one sends is read by them, their groups commit and go on, and
take members of today. Klamm converts for them, as Apache Kafka does up to 3.9.
"""

import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import client as clients
import pytest
from client import collect, eventually, load
from conftest import LINE, create

sys.path.insert(0, str(Path(__file__).parent))

from peers import PEERS, Missing, Read, Record  # noqa: E402

SUITE, _, PINNED = LINE.partition("/")
MINE = [peer for peer in PEERS if peer.suite == SUITE and PINNED in ("", peer.pinned)]
FETCH, API_VERSIONS = 1, 18
START_MS = int(time.time() * 1000) - 3_600_000  # recent, or retention takes the records away


def pytest_generate_tests(metafunc):
    """The codecs of each peer, after the peer itself: pytest then keeps one process for one peer's tests."""
    if "codec" in metafunc.fixturenames:
        which = "writes" if "writes" in metafunc.function.__name__ else "reads"
        cases = [(peer, codec) for peer in MINE for codec in getattr(peer, which)]
        names = [f"{peer.name}-{codec}" for peer, codec in cases]
        metafunc.parametrize("peer, codec", cases, ids=names, indirect=["peer"], scope="module")
    elif "peer" in metafunc.fixturenames:
        metafunc.parametrize("peer", MINE, ids=[peer.name for peer in MINE], indirect=True, scope="module")


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


@pytest.fixture(scope="module")
def client(broker):
    """A client of today beside the old ones."""
    made = load("kafka_python" if SUITE.startswith("old-") else "confluent").Client(broker.bootstrap)
    yield made
    made.close()


@pytest.fixture(scope="module")
def peer(broker, request):
    try:
        with request.param.start(broker.bootstrap) as running:
            yield running
    except Missing as missing:
        pytest.skip(str(missing))


def some(peer, partition, count, first=0):
    """Records of every shape that all clients can send."""
    return [
        peer.sent(
            Record(
                partition,
                START_MS + n,
                None if n % 5 in (1, 2) else b"key-%d" % n,
                None if n % 5 == 4 else b"value %d " % n * 20,
                (("origin", b"peer"), ("n", b"%d" % n)),
            )
        )
        for n in range(first, first + count)
    ]


def placed(records, see=lambda record: record):
    """What is read of records that lie from offset 0 on in each of their partitions."""
    ends, reads = {}, []
    for record in map(see, sorted(records, key=lambda record: record.partition)):
        offset = ends.get(record.partition, 0)
        ends[record.partition] = offset + 1
        reads.append(Read(record.partition, offset, record.timestamp, record.key, record.value, record.headers))
    return reads


def read_by_client(client, topic, starts, count):
    got = client.read(topic, starts, count)
    return sorted(
        (Read(r.partition, r.offset, max(r.timestamp, -1), r.key, r.value, tuple(r.headers)) for r in got),
        key=lambda read: read.partition,
    )


def test_what_it_writes_is_read_by_all(peer, client, topic, codec):
    sent = [record for partition in range(3) for record in some(peer.peer, partition, 20)]
    assert peer.produce(topic, codec, sent) == [*range(20)] * 3
    starts = dict.fromkeys(range(3), 0)
    assert read_by_client(client, topic, starts, 60) == placed(sent)
    assert peer.read(topic, 60, starts) == placed(sent, peer.peer.seen)


def test_it_reads_what_clients_of_today_send(peer, client, topic, codec):
    sent = [
        Record(partition, START_MS + n, b"key", b"value %d " % n * 20, (("h", b"x"),))
        for partition in range(3)
        for n in range(20)
    ]
    given = [clients.Record(r.partition, r.value, r.key, r.headers, r.timestamp) for r in sent]
    client.produce(topic, given, codec=codec)
    wanted = [read for read in placed(sent, peer.peer.seen) if read.offset >= 5 + read.partition]
    assert peer.read(topic, len(wanted), {0: 5, 1: 6, 2: 7}) == wanted


def test_its_group_commits_and_goes_on(peer, client, topic, fresh):
    group = fresh("old")
    first, later = ([r for p in range(3) for r in some(peer.peer, p, 10, start)] for start in (0, 10))
    peer.produce(topic, "none", first)
    wanted = placed(first + later, peer.peer.seen)
    assert list(map(peer.peer.seen, peer.group(topic, group, 30))) == [read for read in wanted if read.offset < 10]
    assert [peer.committed(topic, group, partition) for partition in range(3)] == [10] * 3
    assert client.committed(topic, group, [0, 1, 2]) == dict.fromkeys(range(3), 10)
    peer.produce(topic, "none", later)
    assert list(map(peer.peer.seen, peer.group(topic, group, 30))) == [read for read in wanted if read.offset >= 10]


def test_it_shares_a_group_with_a_member_of_today(peer, client, fresh):
    """The newcomer takes one of two partitions from the member that had both, and each reads its own."""
    if not peer.peer.balanced:
        pytest.skip("there were no groups that balance themselves")
    topic, group = create(client, fresh("shared"), 2), fresh("mixed")
    new = client.member(topic, group, 10_000)
    try:
        eventually(lambda: new.poll(0.2) or len(new.assigned()) == 2, "the first member has both partitions")
        with ThreadPoolExecutor(1) as pool:
            old = pool.submit(peer.group, topic, group, 10)
            eventually(lambda: new.poll(0.2) or len(new.assigned()) == 1, "the newcomer has one of them")
            client.produce(topic, [clients.Record(p, b"%d" % n) for p in range(2) for n in range(10)])
            got = collect(new.poll, 10, f"{topic} shared")
            theirs = old.result()
    finally:
        new.close()
    (mine,), (other,) = {read.partition for read in got}, {read.partition for read in theirs}
    assert mine != other
    assert [read.offset for read in theirs] == list(range(10))
    assert {read.offset for read in got} == set(range(10))


def test_it_finds_offsets_by_time(peer, topic):
    if not peer.peer.finds_times:
        pytest.skip("its protocol finds no offsets by time")
    for partition, codec in enumerate(peer.peer.writes[:3]):
        peer.produce(topic, codec, some(peer.peer, partition, 20))
        assert peer.at(topic, partition, START_MS - 1) == 0
        assert peer.at(topic, partition, START_MS + 7) == 7
        assert peer.at(topic, partition, START_MS + 20) == -1
