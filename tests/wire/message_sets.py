"""Message sets of formats 0 and 1, right and wrong in every way that somebody may send: named, as bytes."""

import gzip
import struct
import zlib

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
APPEND_TIME = 0x08
# Kafka refuses what is further in the future than an hour.
NOW_MS = 1_750_000_000_000
FAR_FUTURE_MS = 32_000_000_000_000


def message(magic, value=b"v", *, key=None, offset=0, timestamp=NOW_MS, attributes=0, crc=None, size=None, tail=b""):
    """One message; `crc` and `size` are put in place of the right ones, `tail` stands inside it after the value."""
    rest = struct.pack(">bb", magic, attributes)
    if magic == 1:
        rest += struct.pack(">q", timestamp)
    rest += field(key) + field(value) + tail
    crc = zlib.crc32(rest) if crc is None else crc
    return struct.pack(">qiI", offset, len(rest) + 4 if size is None else size, crc) + rest


def field(value):
    if isinstance(value, int):  # a length without anything behind it
        return struct.pack(">i", value)
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


def packed(data):
    return gzip.compress(data, mtime=0)


def wrapper(magic, inner, *, offset=0, codec=GZIP, **more):
    """A compressed message around `inner`, a message set."""
    attributes = more.pop("attributes", 0) | codec
    return message(magic, packed(inner), offset=offset, attributes=attributes, **more)


def several(magic, offsets, **more):
    return b"".join(message(magic, f"v{n}".encode(), offset=at, **more) for n, at in enumerate(offsets))


def sets(magic):
    """What clients of a format send, and what nobody should."""
    one, three = message(magic), several(magic, [0, 1, 2])
    other = 1 - magic
    yield "one", one
    yield "three", three
    yield "with keys", message(magic, key=b"k") + message(magic, key=b"", offset=1)
    yield "no value", message(magic, None) + message(magic, b"", offset=1)
    yield "offsets all 0", several(magic, [0, 0, 0])
    yield "offsets descending", several(magic, [9, 5, 1])
    yield "offsets far off", several(magic, [1 << 40, 1 << 50])
    yield "offsets negative", several(magic, [-1, -5])
    yield "attributes beyond the codec", message(magic, attributes=0x70)
    yield "attributes all but the codec", message(magic, attributes=-0x80)

    yield "gzip", wrapper(magic, three, offset=2)
    yield "gzip, offset 0", wrapper(magic, three)
    yield "gzip, inner offsets all 0", wrapper(magic, several(magic, [0, 0, 0]))
    yield "gzip, inner offsets absolute", wrapper(magic, several(magic, [7, 8, 9]), offset=9)
    yield "gzip, inner offsets descending", wrapper(magic, several(magic, [2, 1, 0]), offset=2)
    yield "gzip, inner offsets with gaps", wrapper(magic, several(magic, [0, 3, 9]), offset=9)
    yield "gzip, with a key on the wrapper", wrapper(magic, three, key=b"k", offset=2)
    yield "gzip, keys within", wrapper(magic, several(magic, [0, 1], key=b"k"), offset=1)
    yield "gzip, empty", wrapper(magic, b"")
    yield "gzip, no value", message(magic, None, attributes=GZIP)
    yield "gzip, not gzip", message(magic, b"not gzip at all", attributes=GZIP)
    yield "gzip, cut short", message(magic, packed(three)[:-12], attributes=GZIP)
    yield "gzip, inner cut short", wrapper(magic, three[:-1], offset=2)
    yield "gzip, inner tail", wrapper(magic, three + bytes(5), offset=2)
    yield "gzip, inner size too small", wrapper(magic, message(magic, size=3))
    yield "gzip, inner CRC wrong", wrapper(magic, one + message(magic, offset=1, crc=1), offset=1)
    yield "gzip, CRC wrong", wrapper(magic, three, offset=2, crc=1)
    yield "gzip in gzip", wrapper(magic, wrapper(magic, three, offset=2))
    yield "gzip, other format within", wrapper(magic, several(other, [0, 1]), offset=1)
    yield "gzip, mixed formats within", wrapper(magic, one + message(other, offset=1), offset=1)
    yield "gzip twice", wrapper(magic, three, offset=2) + wrapper(magic, one, offset=3)
    yield "gzip, then plain", wrapper(magic, three, offset=2) + message(magic, offset=3)
    yield "plain, then gzip", one + wrapper(magic, three, offset=3)
    yield "gzip, then a tail", wrapper(magic, three, offset=2) + bytes(9)
    yield "snappy, not snappy", message(magic, b"\xff\xff\xff", attributes=SNAPPY)
    yield "lz4, not lz4", message(magic, b"\xff\xff\xff", attributes=LZ4)
    yield "zstd", message(magic, b"(\xb5/\xfd whatever", attributes=ZSTD)
    for codec in (5, 6, 7):
        yield f"codec {codec}", message(magic, attributes=codec)

    yield "empty set", b""
    yield "null", None
    yield "CRC wrong", message(magic, crc=1)
    yield "second CRC wrong", one + message(magic, offset=1, crc=1)
    yield "last one cut short", three[:-1]
    yield "only one, cut short", one[:-1]
    for tail in (1, 11, 12, 16, 30):
        yield f"tail of {tail} zeros", three + bytes(tail)
    yield "tail of ones", three + b"\xff" * 30
    for size in (-1, 0, 3, 13, 14, 21, 1000, 0x7FFFFFFF):
        yield f"size {size}", message(magic, size=size)
    yield "second size 3", one + message(magic, size=3)
    yield "key length beyond", message(magic, b"", key=100)
    yield "key length -2", message(magic, b"", key=-2)
    yield "value length beyond", message(magic, 100)
    yield "value length -2", message(magic, -2)
    yield "bytes after the value", message(magic, tail=b"tail")
    yield "formats mixed", one + message(other, offset=1)
    for wrong in (2, 3, -1, 127):
        yield f"magic {wrong}", message(wrong)
    if magic == 1:
        yield "timestamps", b"".join(message(1, offset=n, timestamp=t) for n, t in enumerate([-1, 0, 5, 3, NOW_MS]))
        yield "timestamp -2", message(1, timestamp=-2)
        yield "timestamp of the far future", message(1, timestamp=FAR_FUTURE_MS)
        yield "append time", message(1, attributes=APPEND_TIME)
        yield "gzip, append time", wrapper(1, three, offset=2, attributes=APPEND_TIME)
        yield "gzip, inner append time", wrapper(1, several(1, [0, 1], attributes=APPEND_TIME), offset=1)
        yield "gzip, timestamps", wrapper(
            1, b"".join(message(1, offset=n, timestamp=t) for n, t in enumerate([7, -1, 3])), offset=2, timestamp=99
        )
        yield "gzip, inner timestamp of the far future", wrapper(1, message(1, timestamp=FAR_FUTURE_MS))
        yield "gzip, its own timestamp of the far future", wrapper(1, one, timestamp=FAR_FUTURE_MS)


def for_checked_topics(magic):
    """A few, for topics whose settings look at what comes."""
    yield "plain", several(magic, [0, 1], key=b"k")
    yield "plain, no key", message(magic) + message(magic, key=b"k", offset=1)
    yield "gzip", wrapper(magic, several(magic, [0, 1], key=b"k"), offset=1)
    yield "gzip, no key", wrapper(magic, several(magic, [0, 1]), offset=1)
    yield "large", message(magic, bytes(700), key=b"k")
    yield "gzip, large", wrapper(magic, message(magic, bytes(700), key=b"k"))
