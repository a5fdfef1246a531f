"""Consumer groups: partitions are shared out, and shared out again when a member goes, in whatever way."""

import json
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from client import Record, eventually
from conftest import LINE

MEMBER = Path(__file__).parent / "member.py"
SESSION_MS = 6_000  # the shortest a broker allows unless told otherwise


class Process:
    """One `member.py`; what it says is kept by kind."""

    def __init__(self, bootstrap, topic, group):
        command = [sys.executable, MEMBER, LINE, bootstrap, topic, group, str(SESSION_MS)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.said = queue.Queue()
        self.owns, self.read, self.left = [], [], False
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self):
        for line in self.process.stdout:
            kind, *what = json.loads(line)
            if kind == "owns":
                self.owns = what[0]
            elif kind == "read":
                self.read.append(tuple(what))
            elif kind == "left":
                self.left = True

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(60)
        self.listener.join(60)
        self.process.stdout.close()


@pytest.fixture
def join(broker, topic):
    running = []

    def start(group):
        running.append(Process(broker.bootstrap, topic, group))
        return running[-1]

    yield start
    for member in running:
        if member.process.poll() is None:
            member.end(signal.SIGKILL)


def shared_out(members):
    return sorted(partition for member in members for partition in member.owns)


def test_three_members_share_and_two_take_over_from_a_killed_one(client, topic, fresh, join):
    group = fresh("group")
    members = [join(group) for _ in range(3)]
    eventually(lambda: all(len(m.owns) == 1 for m in members) and shared_out(members) == [0, 1, 2], "one each")

    client.produce(topic, [Record(n % 3, f"{n}".encode(), key=b"%d" % n) for n in range(300)])
    eventually(lambda: sum(len(m.read) for m in members) >= 300, "300 records")
    every = sorted(read for m in members for read in m.read)
    assert len(every) == len(set(every)) == 300, "each record once"
    for partition in range(3):
        offsets = [offset for m in members for where, offset, _ in m.read if where == partition]
        assert offsets == list(range(100)), "in order within the partition"
    eventually(lambda: client.committed(topic, group, [0, 1, 2]) == {0: 100, 1: 100, 2: 100}, "the commits")

    killed, *left = members
    killed.end(signal.SIGKILL)
    eventually(lambda: shared_out(left) == [0, 1, 2], "the two others own what the dead one had")
    client.produce(topic, [Record(n % 3, f"later {n}".encode()) for n in range(30)])
    eventually(lambda: sum(value.startswith("later") for m in left for _, _, value in m.read) >= 30, "30 later ones")
    assert client.committed(topic, group, [0])[0] is not None

    for member in left:
        member.end(signal.SIGTERM)
        assert member.left, "closed in good order"
    assert client.committed(topic, group, [0, 1, 2]) == {0: 110, 1: 110, 2: 110}
    assert group in client.groups()


def test_a_member_that_leaves_is_replaced_before_its_session_ends(topic, fresh, join):
    group = fresh("group")
    first = join(group)
    eventually(lambda: first.owns == [0, 1, 2], "all three")
    second = join(group)
    eventually(lambda: shared_out([first, second]) == [0, 1, 2] and second.owns, "shared by two")
    first.end(signal.SIGTERM)
    eventually(lambda: second.owns == [0, 1, 2], "all three for the one that stayed", seconds=SESSION_MS / 1000 - 1)


def test_a_fourth_member_of_three_partitions_idles(topic, fresh, join):
    group = fresh("group")
    members = [join(group) for _ in range(4)]
    eventually(lambda: sorted(len(m.owns) for m in members) == [0, 1, 1, 1], "three own one each, one none")
    assert shared_out(members) == [0, 1, 2]


def test_a_second_group_gets_everything_again(client, topic, fresh, join):
    client.produce(topic, [Record(n % 3, f"{n}".encode()) for n in range(60)])
    for _ in range(2):
        member = join(fresh("group"))
        eventually(lambda: len(member.read) >= 60, "all 60 records")
        assert sorted(int(value) for _, _, value in member.read) == list(range(60))


