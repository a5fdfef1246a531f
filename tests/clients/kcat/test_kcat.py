"""kcat (librdkafka, as Debian has it): what people type into a shell."""

import json
import shutil
import subprocess

import pytest
from client import eventually, load
from conftest import create

KCAT = shutil.which("kcat")
pytestmark = pytest.mark.skipif(KCAT is None, reason="kcat is not installed (apt-get install kcat)")


@pytest.fixture
def client(broker):
    """Topics are made by another client: kcat has no admin."""
    return load("confluent").Client(broker.bootstrap)


@pytest.fixture
def kcat(broker):
    def run(*args, given=""):
        done = subprocess.run(
            [KCAT, "-b", broker.bootstrap, *args], input=given, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def consumed(kcat, topic, *args):
    return [json.loads(line) for line in kcat("-C", "-t", topic, "-e", "-q", "-J", *args).splitlines()]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_lines_come_back_with_keys_and_headers(kcat, topic, codec):
    lines = [f"key-{n}\tvalue {n} " + "x" * n for n in range(50)]
    kcat("-P", "-t", topic, "-p", "1", "-K", "\t", "-z", codec, "-H", "origin=shell", given="\n".join(lines) + "\n")
    got = consumed(kcat, topic, "-p", "1")
    assert [f"{m['key']}\t{m['payload']}" for m in got] == lines
    assert [m["offset"] for m in got] == list(range(50))
    assert {tuple(m["headers"]) for m in got} == {("origin", "shell")}


def test_reading_from_an_offset_and_from_the_end(kcat, topic):
    kcat("-P", "-t", topic, "-p", "0", given="".join(f"{n}\n" for n in range(20)))
    assert [m["payload"] for m in consumed(kcat, topic, "-p", "0", "-o", "17")] == ["17", "18", "19"]
    assert [m["payload"] for m in consumed(kcat, topic, "-p", "0", "-o", "-2")] == ["18", "19"]
    assert consumed(kcat, topic, "-p", "0", "-o", "end") == []


def test_offsets_by_time(kcat, topic):
    kcat("-P", "-t", topic, "-p", "0", given="a\nb\n")
    first = consumed(kcat, topic, "-p", "0")[0]["ts"]
    assert f"{topic} [0] offset 0" in kcat("-Q", "-t", f"{topic}:0:{first}")
    assert f"{topic} [0] offset 2" in kcat("-Q", "-t", f"{topic}:0:-1")
    assert f"{topic} [0] offset 0" in kcat("-Q", "-t", f"{topic}:0:-2")


def test_metadata_lists_brokers_and_topics(kcat, broker, topic):
    told = json.loads(kcat("-L", "-J"))
    assert broker.bootstrap in {node["name"] for node in told["brokers"]}
    (mine,) = [t for t in told["topics"] if t["topic"] == topic]
    assert sorted(p["partition"] for p in mine["partitions"]) == [0, 1, 2]
    assert all(p["leader"] == p["isrs"][0]["id"] for p in mine["partitions"])


def test_a_balanced_group_reads_everything_once(kcat, client, fresh):
    topic, group = create(client, fresh("events"), 2), fresh("group")
    for partition in ("0", "1"):
        kcat("-P", "-t", topic, "-p", partition, given="".join(f"{partition}-{n}\n" for n in range(10)))
    group_read = ["-G", group, "-q", "-e", "-X", "auto.offset.reset=earliest", topic]
    assert len(kcat(*group_read).splitlines()) == 20
    committed = {0: 10, 1: 10}
    eventually(lambda: client.committed(topic, group, [0, 1]) == committed, "the offsets kcat has read to")
    assert kcat(*group_read) == ""
