"""Where reading starts: by offset, by time, by what a group has committed; and across restarts of the broker."""

import pytest
from client import Record, collect, eventually, load
from conftest import LINE, create

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000


def test_beginning_and_end_of_each_partition(client, topic):
    client.produce(topic, [Record(n % 2, b"x") for n in range(10)])
    assert client.beginning(topic, [0, 1, 2]) == {0: 0, 1: 0, 2: 0}
    assert client.end(topic, [0, 1, 2]) == {0: 5, 1: 5, 2: 0}


def test_reading_starts_where_the_consumer_seeks(client, topic):
    client.produce(topic, [Record(n % 2, f"{n}".encode()) for n in range(40)])
    got = client.read(topic, {0: 17, 1: 5}, 3 + 15)
    assert [int(r.value) for r in got if r.partition == 0] == [34, 36, 38]
    assert [int(r.value) for r in got if r.partition == 1] == list(range(11, 40, 2))


def test_an_offset_is_found_by_its_time(client, topic):
    client.produce(topic, [Record(0, b"x", timestamp=START_MS + n * HOUR_MS) for n in range(10)])
    exact = client.at_time(topic, {0: START_MS + 4 * HOUR_MS})[0]
    between = client.at_time(topic, {0: START_MS + 4 * HOUR_MS + 1})[0]
    assert (exact[0], between[0]) == (4, 5)
    if exact[1] is not None:
        assert (exact[1], between[1]) == (START_MS + 4 * HOUR_MS, START_MS + 5 * HOUR_MS)
    later = client.at_time(topic, {0: START_MS + 10 * HOUR_MS, 1: START_MS})
    assert later == {0: None, 1: None}, "nothing that late, and nothing at all in an empty partition"


def consume_and_commit(client, topic, group, count):
    member = client.member(topic, group, 10_000)
    try:
        got = collect(member.poll, count, group)
        member.commit()
    finally:
        member.close()
    return got


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_records_and_committed_offsets_survive_a_restart(own_broker, fresh, how):
    client = load(LINE).Client(own_broker.bootstrap)
    topic, group = create(client, fresh("events"), 2), fresh("group")
    client.produce(topic, [Record(n % 2, f"{n}".encode()) for n in range(100)])
    first = consume_and_commit(client, topic, group, 100)
    assert client.committed(topic, group, [0, 1]) == {0: 50, 1: 50}
    client.close()

    getattr(own_broker, how)()
    own_broker.start()

    client = load(LINE).Client(own_broker.bootstrap)
    assert client.committed(topic, group, [0, 1]) == {0: 50, 1: 50}
    client.produce(topic, [Record(n % 2, f"again {n}".encode()) for n in range(20)])
    again = consume_and_commit(client, topic, group, 20)
    assert all(r.value.startswith(b"again") for r in again), "what was committed is not delivered again"
    every = client.read(topic, {0: 0, 1: 0}, 120)
    assert {(r.partition, r.offset, r.value) for r in every} == {
        (r.partition, r.offset, r.value) for r in first + again
    }
    client.close()


def test_a_group_that_never_committed_has_no_offset(client, topic, fresh):
    group = fresh("group")
    # The coordinator may have to be made first.
    assert eventually(lambda: client.committed(topic, group, [0]) == {0: None}, "an answer of the coordinator")
