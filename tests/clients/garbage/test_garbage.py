"""What a hostile or broken peer can send: the broker stays up, and nobody else notices.

Every test sends its garbage while another client goes on producing and reading; afterwards that client must have had
no failure, and the broker's own memory (anonymous pages) must be back where it was.
"""

import os
import random
import socket
import struct
import time
import zlib

import broker as brokers
import pytest
from client import Record, load
from conftest import create

MIB = 1024 * 1024
SLACK = 8 * MIB  # how much anonymous memory may stay behind
MAX_REQUEST = 100 * MIB  # socket.request.max.bytes
API_VERSIONS, PRODUCE, METADATA = 18, 0, 3


def anonymous_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        (line,) = [line for line in status if line.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


def memory(broker):
    """Anonymous bytes of Klamm; nothing for a JVM, whose heap grows as it likes, or for a broker that is not ours."""
    return anonymous_bytes(broker.pid) if isinstance(broker, brokers.Klamm) else None


class Neighbour:
    """An honest client with a topic of its own."""

    def __init__(self, client, topic):
        self.client, self.topic = client, topic

    def works(self):
        """Produces and reads ten records; both within a few seconds."""
        begun = time.monotonic()
        (_, first), *others = self.client.produce(self.topic, [Record(0, b"honest")] * 10)
        assert others == [(0, first + n) for n in range(1, 10)]
        got = self.client.read(self.topic, {0: first}, 10)
        assert [r.value for r in got] == [b"honest"] * 10
        assert time.monotonic() - begun < 10, "an honest client is served meanwhile"


@pytest.fixture(scope="module")
def neighbour(broker):
    """The honest client, which has warmed up the broker's memory."""
    client = load("confluent").Client(broker.bootstrap)
    topic = create(client, f"honest-{os.getpid()}", 1)
    for _ in range(40):
        client.produce(topic, [Record(0, b"x" * 1000)] * 500)
    yield Neighbour(client, topic)
    client.close()


@pytest.fixture(autouse=True)
def undisturbed(broker, neighbour):
    """Around each test: the neighbour works before and after, and memory comes back."""
    neighbour.works()
    before = memory(broker)
    yield
    neighbour.works()
    if before is not None:
        deadline = time.monotonic() + 30
        while (now := memory(broker)) > before + SLACK and time.monotonic() < deadline:
            time.sleep(0.1)
        assert now <= before + SLACK, f"{now // 1024} KiB of anonymous memory, {before // 1024} KiB before the test"


def connect(broker, timeout=30):
    host, port = broker.bootstrap.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=timeout)


def request(key, version, body=b"", correlation=7, client_id=b"garbage"):
    """A frame with a request header of version 1."""
    head = struct.pack(">hhih", key, version, correlation, len(client_id)) + client_id
    return struct.pack(">i", len(head) + len(body)) + head + body


def answer(sock):
    """The next frame without its length, or nothing when the broker closed the connection."""
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4]):
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            return None
        if not more:
            return None
        data += more
    return data[4:]


def closes(broker, data):
    """Sends the bytes on a connection of their own; the broker must end it."""
    with connect(broker) as sock:
        try:
            sock.sendall(data)
            while answer(sock) is not None:
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass


def test_random_bytes(broker):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(200):
        with connect(broker) as sock:
            try:
                sock.sendall(chance.randbytes(chance.randrange(1, 4096)))
                sock.shutdown(socket.SHUT_WR)
                while answer(sock) is not None:
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass


def test_frames_cut_off_anywhere(broker):
    whole = request(METADATA, 1, struct.pack(">i", 1) + struct.pack(">h", 5) + b"topic")
    for cut in range(len(whole)):
        with connect(broker) as sock:
            sock.sendall(whole[:cut])
            sock.shutdown(socket.SHUT_WR)
            assert answer(sock) is None


@pytest.mark.parametrize("size", [-1, -(2**31), 2**31 - 1, MAX_REQUEST + 1, 0, 1, 7])
def test_impossible_frame_lengths(broker, size):
    closes(broker, struct.pack(">i", size) + b"\0" * max(0, min(size, 1000)))


def test_four_hundred_promises_of_100_mib(broker, neighbour):
    if isinstance(broker, brokers.Kafka):
        pytest.skip("Kafka allocates what is promised, and runs out of memory")
    before = memory(broker)
    promised = [connect(broker) for _ in range(400)]
    try:
        for sock in promised:
            sock.sendall(struct.pack(">i", MAX_REQUEST) + request(PRODUCE, 7)[4:14])
        neighbour.works()
        if before is not None:
            grown = memory(broker) - before
            assert grown < 64 * MIB, f"what is promised is not what is held: {grown // MIB} MiB more"
    finally:
        for sock in promised:
            sock.close()


def test_absurd_array_lengths(broker):
    for length in (2**31 - 1, 1_000_001):
        closes(broker, request(METADATA, 1, struct.pack(">i", length)))
    for length in (-1, -2, -(2**31)):  # the topics of Produce cannot be null
        closes(broker, request(PRODUCE, 7, struct.pack(">hhii", -1, -1, 10_000, length)))
    # Flexible versions: an unsigned varint of 2^31 - 1, after a header of version 2 (no tags), or as its tags.
    compact = b"\xff\xff\xff\xff\x07"
    closes(broker, request(METADATA, 12, b"\0" + compact + b"\0" * 20))
    closes(broker, request(METADATA, 12, compact + b"\0" * 20))


def test_unknown_keys_and_versions(broker):
    for key, version in ((999, 0), (-1, 0), (32767, 32767), (METADATA, 99), (METADATA, -1), (PRODUCE, 99)):
        closes(broker, request(key, version, b"\0" * 16))


def test_an_unknown_version_of_api_versions_is_answered(broker):
    """So that a newer client can find out what the broker speaks: error 35 in the format of version 0."""
    with connect(broker) as sock:
        sock.sendall(request(API_VERSIONS, 99, b"\0"))
        said = answer(sock)
    correlation, error, count = struct.unpack_from(">ihi", said)
    assert (correlation, error) == (7, 35)
    assert count >= 1 and len(said) == 10 + 6 * count


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def record(delta, value):
    body = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def batch(records, count=None, last_delta=None, attributes=0, crc=None, magic=2):
    """A record batch of format 2 that may lie about what is in it."""
    count = len(records) if count is None else count
    last_delta = count - 1 if last_delta is None else last_delta
    body = records if isinstance(records, bytes) else b"".join(record(n, value) for n, value in enumerate(records))
    now = int(time.time() * 1000)
    covered = struct.pack(">hiqqqhii", attributes, last_delta, now, now, -1, -1, -1, count) + body
    crc = crc32c(covered) if crc is None else crc
    return struct.pack(">qiibI", 0, 9 + len(covered), -1, magic, crc) + covered


def produce(topic, records):
    name = topic.encode()
    body = struct.pack(">hhii", -1, -1, 10_000, 1) + struct.pack(">h", len(name)) + name
    body += struct.pack(">iii", 1, 0, len(records)) + records
    return request(PRODUCE, 7, body)


def produced(broker, topic, records):
    """The error code and base offset that Produce answers, or nothing when the connection was closed."""
    with connect(broker) as sock:
        sock.sendall(produce(topic, records))
        said = answer(sock)
    if said is None:
        return None
    at = 4 + 4 + 2 + len(topic) + 4 + 4
    return struct.unpack_from(">hq", said, at)


def test_an_honest_handmade_batch_is_taken(broker, neighbour):
    end = neighbour.client.end(neighbour.topic, [0])[0]
    assert produced(broker, neighbour.topic, batch([b"honest"] * 3)) == (0, end)
    assert [r.value for r in neighbour.client.read(neighbour.topic, {0: end}, 3)] == [b"honest"] * 3


CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION = 2, 87, 32, 76
UNKNOWN_SERVER_ERROR = -1  # which Kafka answers to an unknown codec
REFUSED = {CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION, UNKNOWN_SERVER_ERROR}


@pytest.mark.parametrize(
    "what, records",
    [
        ("a wrong checksum", batch([b"x"], crc=1)),
        ("a count that is too high", batch([b"x"], count=5)),
        ("a count that is too low", batch([b"x", b"y"], count=1)),
        ("a count of two thousand million", batch([b"x"], count=2**31 - 1)),
        ("a negative count", batch([b"x"], count=-1, last_delta=0)),
        ("no records", batch([], count=0, last_delta=0)),
        ("a last offset that does not fit", batch([b"x"], last_delta=9)),
        ("a control batch", batch([b"x"], attributes=0x20)),
        ("an unknown codec", batch([b"x"], attributes=7)),
        ("an unknown magic", batch([b"x"], magic=9)),
        ("no room for a header", b"\0" * 20),
        ("a batch longer than the request", batch([b"x"] * 3)[:-2]),
        ("a record that claims two gigabytes", batch(varint(2**31 - 1) + b"x", count=1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lying_batches_are_refused(broker, neighbour, what, records):
    end = neighbour.client.end(neighbour.topic, [0])
    said = produced(broker, neighbour.topic, records)
    assert said is None or said[0] in REFUSED, f"{what} was answered with {said}"
    assert neighbour.client.end(neighbour.topic, [0]) == end, "nothing was written"


def test_a_decompression_bomb(broker, neighbour):
    """Two hundred kilobytes of gzip that hold 200 MiB: taken or refused, but never unpacked into memory."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(b"\0" * MIB) for _ in range(200)) + bomb.flush()
    before = memory(broker)
    for _ in range(5):
        produced(broker, neighbour.topic, batch(packed, count=1, attributes=1))
    if before is not None:
        grown = memory(broker) - before
        assert grown < 64 * MIB, f"{grown // MIB} MiB more"


def test_a_request_one_byte_at_a_time(broker):
    with connect(broker) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(API_VERSIONS, 0):
            sock.sendall(bytes([byte]))
        assert struct.unpack_from(">ih", answer(sock)) == (7, 0)


def test_an_honest_request_of_100_mib(broker, neighbour):
    """Just under the limit, most of it one record to a topic that allows it."""
    topic = f"giant-{os.getpid()}"
    create(neighbour.client, topic, 1, **{"max.message.bytes": str(MAX_REQUEST)})
    # The checksum of 100 MiB takes long in Python: many partitions' worth is not needed, one record of zeros is.
    value = b"\0" * (MAX_REQUEST - 10_000)
    records = giant(value)
    with connect(broker, timeout=120) as sock:
        sock.sendall(produce(topic, records))
        said = answer(sock)
    assert said is not None, "the connection was closed"
    at = 4 + 4 + 2 + len(topic) + 4 + 4
    assert struct.unpack_from(">hq", said, at) == (0, 0)
    assert neighbour.client.end(topic, [0]) == {0: 1}
    neighbour.client.delete(topic)


def giant(value):
    """A batch with one record of zeros, its checksum by combination rather than byte by byte."""
    head = record_head(len(value))
    now = int(time.time() * 1000)
    covered = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + head
    crc = crc32c(covered) ^ 0xFFFFFFFF
    crc = crc_after_zeros(crc, len(value))
    crc = CRC_TABLE[crc & 0xFF] ^ crc >> 8 ^ 0xFFFFFFFF  # the last byte: no headers
    length = 9 + len(covered) + len(value) + 1
    return struct.pack(">qiibI", 0, length, -1, 2, crc) + covered + value + b"\0"


def record_head(size):
    body = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    return varint(len(body) + size + 1) + body


def crc_after_zeros(crc, count):
    """The state of the checksum after so many zero bytes: a linear step, applied by repeated squaring."""

    def apply(step, state):
        out = 0
        for bit in range(32):
            if state >> bit & 1:
                out ^= step[bit]
        return out

    step = [CRC_TABLE[1 << bit & 0xFF] ^ (1 << bit) >> 8 for bit in range(32)]
    while count:
        if count & 1:
            crc = apply(step, crc)
        step = [apply(step, row) for row in step]
        count >>= 1
    return crc


def test_log_lines_about_bad_peers_are_limited(broker):
    """Three hundred bad connections do not write three hundred lines."""
    if broker.log is None:
        pytest.skip("the log of this broker is not known")
    before = len(broker.log.read_bytes().splitlines())
    for _ in range(300):
        closes(broker, struct.pack(">i", -1))
    written = len(broker.log.read_bytes().splitlines()) - before
    assert written <= 50, f"{written} lines for 300 bad connections"
