"""The loop of a Python peer: commands come as lines on standard input, as `peers.py` draws them.

Runs on whatever Python a client of its time needs (3.6 and up).
"""

import sys
import time


def bytes_of(word):
    return None if word == "-" else bytes.fromhex(word[1:])


def word_of(data):
    return "-" if data is None else "x" + bytes(data).hex()


def headers_of(word):
    pairs = [] if word == "-" else [pair.split(":") for pair in word.split(",")]
    return [(bytes_of(key).decode(), bytes_of(value)) for key, value in pairs]


class Sent:
    def __init__(self, line):
        partition, timestamp, key, value, headers = line.split()
        self.partition = int(partition)
        self.timestamp = None if timestamp == "-1" else int(timestamp)
        self.key, self.value, self.headers = bytes_of(key), bytes_of(value), headers_of(headers)


def record(partition, offset, timestamp, key, value, headers):
    pairs = ["%s:%s" % (word_of(k.encode()), word_of(v)) for k, v in headers or []]
    timestamp = -1 if timestamp is None else timestamp
    print(partition, offset, timestamp, word_of(key), word_of(value), ",".join(pairs) or "-")


def collect(poll, count, seconds):
    """Polls until `count` records were printed; `poll` returns tuples as `record` takes them."""
    deadline = time.time() + seconds
    seen = 0
    while seen < count:
        if time.time() > deadline:
            raise Exception("%d of %d records after %d s" % (seen, count, seconds))
        for one in poll():
            record(*one)
            seen += 1


def serve(peer):
    for line in sys.stdin:
        name, *words = line.split()
        try:
            if name == "produce":
                sent = [Sent(sys.stdin.readline()) for _ in range(int(words[2]))]
                for offset in peer.produce(words[0], words[1], sent):
                    print(offset)
            elif name == "read":
                starts = dict(map(int, start.split(":")) for start in words[3:])
                peer.read(words[0], int(words[1]), int(words[2]), starts)
            elif name == "group":
                peer.group(words[0], words[1], int(words[2]), int(words[3]))
            elif name == "committed":
                print(peer.committed(words[0], words[1], int(words[2])))
            elif name == "at":
                print(peer.at(words[0], int(words[1]), int(words[2])))
            else:
                raise Exception("no command " + name)
            print("ok")
        except Exception as error:
            print("error", " ".join(repr(error).split()))
        sys.stdout.flush()
