"""What is written in a transaction is read whole or not at all, also where the broker is killed meanwhile."""

import pytest
from client import Record, eventually, load
from conftest import LINE, create

Client = load(LINE).Client
pytestmark = pytest.mark.skipif(not Client.transactional, reason="the line has no transactions")


@pytest.fixture
def opened(client):
    """Makes transactional producers, and closes them in the end."""
    producers = []

    def make(name):
        producers.append(client.transactions(name))
        return producers[-1]

    yield make
    for producer in producers:
        producer.close()


def records(what):
    return [Record(partition, f"{what}-{n}".encode()) for n in range(5) for partition in range(3)]


def values(client, topic, count, committed):
    got = client.read(topic, {partition: 0 for partition in range(3)}, count, committed=committed)
    return [[r.value for r in got if r.partition == partition] for partition in range(3)]


def expected(*names):
    return [[f"{name}-{n}".encode() for name in names for n in range(5)] for _ in range(3)]


def end(producer, commits):
    if commits:
        producer.commit()
    else:
        producer.abort()


def test_committed_transactions_are_read_whole_and_aborted_ones_not_at_all(client, topic, fresh, opened):
    producer = opened(fresh("id"))
    for name, commits in [("a", True), ("b", False), ("c", False), ("d", True)]:
        producer.begin()
        producer.send(topic, records(name))
        end(producer, commits)

    # The last one comes behind the aborted ones: whoever has read it would have read them.
    assert values(client, topic, 30, committed=True) == expected("a", "d")
    assert values(client, topic, 60, committed=False) == expected("a", "b", "c", "d")


def test_nothing_of_an_open_transaction_is_read_nor_anything_behind_it(client, topic, fresh, opened):
    producer = opened(fresh("id"))
    client.produce(topic, records("before"))
    producer.begin()
    producer.send(topic, records("within"))
    client.produce(topic, records("behind"))

    assert values(client, topic, 45, committed=False) == expected("before", "within", "behind")
    assert values(client, topic, 15, committed=True) == expected("before")
    producer.commit()
    assert values(client, topic, 45, committed=True) == expected("before", "within", "behind")


def test_offsets_count_when_their_transaction_is_committed(client, topic, fresh, opened):
    producer, group = opened(fresh("id")), fresh("group")
    for offset, commits, then in [(3, True, 3), (7, False, 3), (9, True, 9)]:
        producer.begin()
        producer.send(topic, [Record(0, b"v")])
        producer.send_offset(topic, 0, offset, group)
        end(producer, commits)
        eventually(lambda: client.committed(topic, group, [0]) == {0: then}, f"{group} at {then}", 20)


def test_a_producer_is_fenced_by_the_next_one_with_its_id(client, topic, fresh, opened):
    name = fresh("id")
    first = opened(name)
    first.begin()
    first.send(topic, records("lost"))
    second = opened(name)

    with pytest.raises(Exception, match="(?i)fenced|epoch"):
        first.commit()
    second.begin()
    second.send(topic, records("a"))
    second.commit()
    assert values(client, topic, 15, committed=True) == expected("a")


@pytest.mark.skipif(LINE == "2.3.3", reason="it forgets what it wanted when the connection to its coordinator ends")
def test_a_transaction_outlives_the_broker_it_began_with(own_broker, fresh):
    client = Client(own_broker.bootstrap)
    topic = create(client, fresh("events"), 3)
    producer = client.transactions(fresh("id"))
    try:
        producer.begin()
        producer.send(topic, records("a"))
        own_broker.kill9()
        own_broker.start()
        producer.send(topic, records("b"))
        producer.commit()
        own_broker.kill9()
        own_broker.start()
        producer.begin()
        producer.send(topic, records("lost"))
        own_broker.kill9()
        own_broker.start()
        producer.abort()
        producer.begin()
        producer.send(topic, records("c"))
        producer.commit()
        assert values(client, topic, 45, committed=True) == expected("a", "b", "c")
    finally:
        producer.close()
        client.close()
