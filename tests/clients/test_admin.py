"""Topics made, described, grown and removed by the client's own admin."""

import pytest
from client import Record, eventually
from conftest import create


def test_a_topic_is_created_listed_and_deleted(client, fresh):
    name = create(client, fresh("orders"), 4)
    client.delete(name)
    eventually(lambda: name not in client.topics(), "gone from the metadata")


def test_a_topic_can_be_made_again_and_is_empty(client, fresh):
    name = create(client, fresh("orders"), 1)
    client.produce(name, [Record(0, b"old")] * 10)
    client.delete(name)
    eventually(lambda: name not in client.topics(), "gone from the metadata")
    create(client, name, 1)
    assert eventually(lambda: client.end(name, [0]) == {0: 0}, "an empty partition")
    client.produce(name, [Record(0, b"new")])
    assert [r.value for r in client.read(name, {0: 0}, 1)] == [b"new"]


def test_the_same_topic_cannot_be_created_twice(client, fresh):
    name = create(client, fresh("orders"), 1)
    with pytest.raises(Exception, match="(?i)already.?exists"):
        client.create(name, 1)


def test_partitions_can_be_added(client, fresh):
    name = create(client, fresh("orders"), 1)
    client.grow(name, 3)
    eventually(lambda: client.topics().get(name) == 3, "three partitions")
    eventually(lambda: client.end(name, [2]) == {2: 0}, "a leader of the last partition")
    client.produce(name, [Record(2, b"here")])
    assert [r.value for r in client.read(name, {2: 0}, 1)] == [b"here"]


def test_a_topic_tells_its_configuration(client, fresh):
    name = create(client, fresh("orders"), 1, **{"retention.ms": "86400000", "cleanup.policy": "compact"})
    config = client.config(name)
    assert (config["retention.ms"], config["cleanup.policy"]) == ("86400000", "compact")
    assert config["min.insync.replicas"] == "1", "what was not set is there with its default"
    assert config["segment.bytes"] == "1073741824"
