"""A record is written once, however often its answer is lost on the way."""

import os
import socket
import threading

import broker as brokers
import pytest
from client import Record, eventually, load
from conftest import LINE, create

PRODUCE = 0


class Cutter:
    """Stands between clients and the broker, and loses answers to Produce: the broker has written the records, but
    instead of the answer the client sees its connection end."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.broker = None
        self.to_cut = self.cut = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.broker))
            except OSError:
                client.close()
                continue
            produces = set()
            threading.Thread(target=self._requests, args=(client, server, produces), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, server, produces), daemon=True).start()

    def _requests(self, client, server, produces):
        while frame := frame_of(client):
            if int.from_bytes(frame[4:6]) == PRODUCE:
                produces.add(frame[8:12])
            server.sendall(frame)
        end(client, server)

    def _answers(self, client, server, produces):
        while frame := frame_of(server):
            if frame[4:8] in produces and self.to_cut > 0:
                self.to_cut -= 1
                self.cut += 1
                break
            client.sendall(frame)
        end(client, server)


def frame_of(sock):
    """One frame with its length, or nothing when the connection has ended."""
    try:
        size = sock.recv(4, socket.MSG_WAITALL)
        if len(size) < 4:
            return None
        body = sock.recv(int.from_bytes(size), socket.MSG_WAITALL)
        return size + body if len(body) == int.from_bytes(size) else None
    except OSError:
        return None


def end(*sockets):
    for sock in sockets:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@pytest.mark.skipif(not load(LINE).Client.idempotent, reason="this line has no idempotent producer")
def test_a_lost_answer_does_not_write_a_record_twice(fresh):
    if os.environ.get("KLAMM_BOOTSTRAP"):
        pytest.skip("KLAMM_BOOTSTRAP names a broker that does not advertise our proxy")
    cutter = Cutter()
    broker = brokers.start(**{"advertised.listeners": f"PLAINTEXT://127.0.0.1:{cutter.port}"})
    cutter.broker = int(broker.bootstrap.rpartition(":")[2])
    try:
        client = load(LINE).Client(f"127.0.0.1:{cutter.port}")
        topic = create(client, fresh("events"), 1)
        sent = [Record(0, f"{n}".encode()) for n in range(200)]
        cutter.to_cut = 3
        for start in range(0, 200, 40):
            client.produce(topic, sent[start : start + 40], idempotent=True)
        assert eventually(lambda: cutter.cut == 3, "three answers were lost")
        assert client.end(topic, [0]) == {0: 200}, "each record once"
        assert [r.value for r in client.read(topic, {0: 0}, 200)] == [record.value for record in sent]
        client.close()
    finally:
        broker.remove()
        cutter.close()
