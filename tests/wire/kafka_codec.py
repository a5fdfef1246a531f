"""What the wire suites share: Kafka's own codec, and a connection that counts its correlation ids."""

import json
import socket
import struct
import subprocess

ANSWER_SECONDS = 20


class Codec:
    """Kafka's own classes, of both lines: what the older one alone has is asked of it."""

    def __init__(self, launcher, kafkas=("3.9.2", "4.4.0")):
        self.lines, self.apis, self.started, self.newest = {}, {}, [], None
        for kafka in kafkas:
            line = subprocess.Popen(
                [launcher, "oracle", "--version", kafka], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.started.append(line)
            self.newest = line
            for api in self._ask(line, {"op": "list"})["apis"]:
                if api.get("lowest", 0) > api.get("highest", -1):
                    continue
                self.apis[api["key"]] = api["name"]
                for version in range(api["lowest"], api["highest"] + 1):
                    self.lines[api["key"], version] = line

    def ask(self, op, key, version, **more):
        case = {"op": op, "key": key, "version": version, **more}
        return self._ask(self.lines[key, version], case)

    def ask_newest(self, op, **more):
        """For what belongs to no API."""
        return self._ask(self.newest, {"op": op, **more})

    @staticmethod
    def _ask(line, case):
        line.stdin.write(json.dumps(case) + "\n")
        line.stdin.flush()
        return json.loads(line.stdout.readline())

    def close(self):
        for line in self.started:
            line.stdin.close()
            line.wait()


class Connection:
    """One connection, with its count of correlation ids."""

    def __init__(self, bootstrap):
        host, port = bootstrap.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), ANSWER_SECONDS)
        self.correlation = 0

    def send(self, frame):
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)

    def receive(self):
        """A frame; None if the connection was closed."""
        try:
            (length,) = struct.unpack(">i", self._exactly(4))
            return self._exactly(length)
        except (EOFError, ConnectionError):
            return None

    def _exactly(self, count):
        read = bytearray()
        while len(read) < count:
            part = self.socket.recv(count - len(read))
            if not part:
                raise EOFError
            read += part
        return bytes(read)

    def close(self):
        self.socket.close()
