"""The matrix of all peers: who sends, who reads. `tests/clients/matrix` calls it.

Every pair of a peer and a codec has one partition of its own, so that a reader takes all that it can decode with one
assignment. Zstd lies in a topic apart: a peer without it is asked to read it, and must come back without a record.
"""

import contextlib
import os
import socket
import struct
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import broker as brokers  # noqa: E402
from confluent import Client  # noqa: E402
from peers import ALL, PEERS, Missing, Read, Record, Refused  # noqa: E402

COUNT = 20
START_MS = int(time.time() * 1000) - 3_600_000  # recent, or retention takes the records away
FETCH, UNSUPPORTED_COMPRESSION_TYPE = 1, 76
OK, REFUSED, NOTHING, HOLE = "+", "z", ".", "X"
# (writer, codec, reader) between whom a broker only passes bytes on, Apache Kafka the same ones: librdkafka before 1.0
# cannot inflate the lz4 frames that aiokafka makes today.
AT_ODDS = {("aiokafka 0.14.0", "lz4", "librdkafka 0.11.6 as 0.10.0.0")}


def records(partition):
    return [
        Record(
            partition,
            START_MS + n,
            None if n % 5 in (1, 2) else b"key-%d" % n,
            None if n % 5 == 4 else b"%d from %d " % (n, partition) * 20,
            (("origin", b"%d" % partition), ("n", b"%d" % n)),
        )
        for n in range(COUNT)
    ]


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Matrix:
    def __init__(self, bootstrap, peers):
        self.bootstrap = bootstrap
        self.peers = peers
        self.holes = []
        # (peer, codec) -> (topic, partition)
        self.places = {}
        for codec in ALL:
            for peer in peers:
                if codec in peer.writes:
                    topic = "zstd" if codec == "zstd" else "all"
                    self.places[peer, codec] = topic, sum(t == topic for t, _ in self.places.values())
        admin = Client(bootstrap)
        for topic in ("all", "zstd"):
            if count := sum(t == topic for t, _ in self.places.values()):
                admin.create(topic, count)

    def hole(self, what):
        self.holes.append(what)
        say("HOLE", what)

    def send(self):
        """Everybody sends; those that this machine lacks are left out from then on."""
        for peer in list(self.peers):
            say("sends:", peer.name)
            try:
                with peer.start(self.bootstrap) as running:
                    for codec in peer.writes:
                        topic, partition = self.places[peer, codec]
                        told = running.produce(topic, codec, list(map(peer.sent, records(partition))))
                        if told != list(range(COUNT)):
                            self.hole(f"{peer.name} with {codec} was told of offsets {told}")
            except Missing as missing:
                say(f"left out: {peer.name}: {missing}")
                self.peers.remove(peer)
                for codec in peer.writes:
                    del self.places[peer, codec]
            except Refused as refused:
                self.hole(f"sending: {refused}")

    def wanted(self, reader, places):
        """What the reader must see there, a list for each partition."""
        return {
            partition: [
                Read(partition, n, seen.timestamp, seen.key, seen.value, seen.headers)
                for n, seen in enumerate(map(reader.seen, map(writer.sent, records(partition))))
            ]
            for (writer, _), (_, partition) in places.items()
        }

    def read(self, reader):
        """The row of cells of one reader: {(writer, codec): cell}."""
        cells = {}
        with reader.start(self.bootstrap) as running:
            for topic in ("all", "zstd"):
                places = {
                    (writer, codec): place
                    for (writer, codec), place in self.places.items()
                    if place[0] == topic
                    and codec in reader.reads
                    and (writer.name, codec, reader.name) not in AT_ODDS
                }
                if places:
                    cells.update(self.read_topic(running, topic, places))
        if "zstd" not in reader.reads:
            cells.update(self.refuse_zstd(reader))
        return cells

    def read_topic(self, running, topic, places):
        wanted = self.wanted(running.peer, places)
        try:
            got = running.read(topic, COUNT * len(places), dict.fromkeys(wanted, 0), seconds=60)
            if got == [read for partition in sorted(wanted) for read in wanted[partition]]:
                return dict.fromkeys(places, OK)
        except Refused as refused:
            say(f"reading all at once: {refused}")
            with contextlib.suppress(Refused):
                running.__exit__()
            running = running.peer.start(self.bootstrap)
            got = None
        # Something is amiss: find out with whom.
        cells = {}
        for (writer, codec), (_, partition) in places.items():
            try:
                one = running.read(topic, COUNT, {partition: 0}, seconds=5) if got is None else got
                mine = [read for read in one if read.partition == partition]
                sound = mine == wanted[partition]
                said = next((f"{a}, not {b}" for a, b in zip(mine, wanted[partition]) if a != b), f"{len(mine)} records")
            except Refused as refused:
                sound, said = False, str(refused)
            cells[writer, codec] = OK if sound else HOLE
            if not sound:
                self.hole(f"{running.peer.name} reads {codec} of {writer.name}: {said}")
        if got is None:
            running.__exit__()
        return cells

    def refuse_zstd(self, reader):
        """A reader without zstd is refused and sees no record; the connection of each attempt is its own."""
        cells = {}
        for (writer, codec), (topic, partition) in self.places.items():
            if codec != "zstd":
                continue
            if cells:
                cells[writer, codec] = REFUSED  # one of them is enough
                continue
            with reader.start(self.bootstrap) as running:
                try:
                    got = running.read(topic, COUNT, {partition: 0}, seconds=3)
                    self.hole(f"{reader.name} was given zstd of {writer.name}: {got[:2]}")
                    cells[writer, codec] = HOLE
                except Refused as refused:
                    say(f"zstd: {refused}")
                    cells[writer, codec] = REFUSED
        return cells

    def fetch_codes(self):
        """The error code of a Fetch of zstd: what has to be converted cannot be, later versions get it as it is."""
        place = next((place for (_, codec), place in self.places.items() if codec == "zstd"), None)
        if place is None:
            return
        for version in range(10):
            code = fetch_code(self.bootstrap, version, *place)
            if code != (UNSUPPORTED_COMPRESSION_TYPE if version < 4 else 0):
                self.hole(f"Fetch {version} of zstd is answered with code {code}")

    def table(self, cells):
        """A row for each writer, a column for each reader."""
        wide = max(len(peer.name) for peer in self.peers)
        lines = [f"{n:3} {peer.name}" for n, peer in enumerate(self.peers)]
        lines += ["", " " * (wide + 5) + " ".join(f"{n:2}" for n in range(len(self.peers)))]
        for n, writer in enumerate(self.peers):
            row = []
            for reader in self.peers:
                kinds = {kind for (w, _), kind in cells[reader].items() if w is writer}
                row.append(next((kind for kind in (HOLE, OK, REFUSED) if kind in kinds), NOTHING))
            lines.append(f"{n:3} {writer.name:{wide}} " + " ".join(f"{kind:>2}" for kind in row))
        return "\n".join(lines)


def fetch_code(bootstrap, version, topic, partition):
    """The error code of one partition, as Fetch of a version below 12 tells it."""
    body = struct.pack(">iii", -1, 100, 1)
    body += struct.pack(">i", 1 << 20) if version >= 3 else b""
    body += struct.pack(">b", 0) if version >= 4 else b""
    body += struct.pack(">ii", 0, -1) if version >= 7 else b""
    body += struct.pack(">ih", 1, len(topic)) + topic.encode() + struct.pack(">ii", 1, partition)
    body += struct.pack(">i", -1) if version >= 9 else b""
    body += struct.pack(">q", 0)
    body += struct.pack(">q", -1) if version >= 5 else b""
    body += struct.pack(">i", 1 << 20)
    body += struct.pack(">i", 0) if version >= 7 else b""
    head = struct.pack(">hhih", FETCH, version, 7, -1)
    host, port = bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        sock.sendall(struct.pack(">i", len(head + body)) + head + body)
        size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL))
        answer = sock.recv(size, socket.MSG_WAITALL)
    # correlation id, throttle time, error code and session id, one topic, its name, one partition, its index
    at = 4 + (4 if version >= 1 else 0) + (6 if version >= 7 else 0) + 4 + 2 + len(topic) + 4 + 4
    return struct.unpack_from(">h", answer, at)[0]


def main(words):
    peers = [peer for peer in PEERS if not words or any(word in peer.name for word in words)]
    ours = None if os.environ.get("KLAMM_BOOTSTRAP") else brokers.start()
    try:
        matrix = Matrix(os.environ.get("KLAMM_BOOTSTRAP") or ours.bootstrap, peers)
        matrix.send()
        cells = {}
        for reader in matrix.peers:
            say("reads:", reader.name)
            cells[reader] = matrix.read(reader)
        matrix.fetch_codes()
        print(matrix.table(cells))
        counted = [kind for row in cells.values() for kind in row.values()]
        print(f"{OK} read as it should be, {REFUSED} zstd refused to a reader without it, {NOTHING} no codec in common")
        print(
            f"matrix: {len(peers)} clients, {counted.count(OK)} reads of {COUNT} records, "
            f"{counted.count(REFUSED)} refused, {len(matrix.holes)} holes"
        )
    finally:
        if ours:
            ours.remove()
    return bool(matrix.holes)


sys.exit(main(sys.argv[1:]))
