"""One member of a consumer group as a process of its own, so that it can be killed.

    member.py LINE BOOTSTRAP TOPIC GROUP SESSION_MS

Tells on standard output, one JSON list a line, what it owns and what it reads, and commits after each poll:
["owns", [0, 2]] and ["read", partition, offset, value]. SIGTERM lets it leave the group in good order; the last
line is then ["left"].
"""

import json
import signal
import sys

from client import load


def say(*what):
    print(json.dumps(what), flush=True)


def main():
    line, bootstrap, topic, group, session_ms = sys.argv[1:]
    leaving = []
    signal.signal(signal.SIGTERM, lambda *_: leaving.append(True))
    member = load(line).Client(bootstrap).member(topic, group, int(session_ms))
    owned = None
    while not leaving:
        records = member.poll(0.2)
        now = sorted(member.assigned())
        if now != owned:
            say("owns", now)
            owned = now
        for record in records:
            say("read", record.partition, record.offset, record.value.decode())
        if records:
            try:
                member.commit()
            except Exception as lost:  # a rebalance took the partitions away: the next owner reads them again
                say("not committed", str(lost))
    member.close()
    say("left")


if __name__ == "__main__":
    main()
