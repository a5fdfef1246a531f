"""A name is given to another topic while clients write to it and read from it: nothing of the old one is in it."""

import itertools
import threading
import time

from client import eventually, load
from conftest import LINE, create


class Writer:
    """A producer that writes 0, 1, 2... until it is told to stop."""

    def __init__(self, client, topic):
        self.stream = client.stream(topic)
        self.sent = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        for number in itertools.count():
            if self.stopping.is_set():
                break
            self.sent = number + 1
            self.stream.send(b"%d" % number)
            time.sleep(0.01)

    def acked_since(self, number):
        """What was sent from this number on and acknowledged, with its offset."""
        return {value: offset for value, offset in dict(self.stream.acked).items() if int(value) >= number}

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.stream.close()


def poll(member):
    """What came. A topic that is not there is an error that some clients tell of, and go on."""
    try:
        return [int(record.value) for record in member.poll(0.2)]
    except Exception:
        return []


def test_a_topic_is_made_anew_under_running_clients(strict_broker, fresh):
    client = load(LINE).Client(strict_broker.bootstrap)
    topic = create(client, fresh("orders"), 1)
    writer, member = Writer(client, topic), client.member(topic, fresh("group"), 10_000)
    began, gone = 0, set()
    try:
        for generation in range(3):
            eventually(lambda: len(writer.acked_since(began)) >= 20, f"the producer goes on ({generation})")
            eventually(
                lambda: any(number >= began for number in poll(member)), f"the consumer goes on ({generation})"
            )
            if generation == 2:
                break
            gone |= set(writer.stream.acked)
            client.delete(topic)
            eventually(lambda: topic not in client.topics(), "gone from the metadata")
            create(client, topic, 1)
            began = writer.sent
    finally:
        writer.stop()
        member.close()
    end = client.end(topic, [0])[0]
    found = {record.value: record.offset for record in client.read(topic, {0: 0}, end)}
    assert sorted(found.values()) == list(range(end)), "from offset 0 on, without gaps"
    assert not gone & set(found), "what an older topic acknowledged is in the newest one"
    assert found.items() >= writer.acked_since(began).items(), "what the newest one acknowledged is there"
    client.close()
