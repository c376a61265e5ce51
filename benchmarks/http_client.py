"""A client that asks for one URL over several connections: `python -m benchmarks.http_client PORT PATH COUNT SECONDS`.

Each connection asks again as soon as it has its answer. With `etag` as the last argument it says which answer it has
(If-None-Match). The figures, and the last document, go to standard output as JSON.
"""

import json
import re
import selectors
import socket
import sys
import time

from market.clock import monotonic_ns

LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
ETAG = re.compile(rb'etag: ("[^"]*")', re.IGNORECASE)


class Connection:
    """One connection and the answer that is coming in on it."""

    def __init__(self, port: int, path: str, is_conditional: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
        self._is_conditional = is_conditional
        self._etag = b""
        self._buffer = bytearray(1 << 23)
        self.took_ns: list[int] = []
        self.statuses: dict[str, int] = {}
        self.body_bytes = 0
        self.document = b""
        self.ask()

    def ask(self) -> None:
        """Send the request."""
        condition = b"If-None-Match: " + self._etag + b"\r\n" if self._is_conditional and self._etag else b""
        self._have = self._need = 0
        self._asked_ns = monotonic_ns()
        self.socket.sendall(self._request + condition + b"\r\n")

    def receive(self) -> None:
        """Take what has come; ask again when the answer is whole."""
        view = memoryview(self._buffer)
        size = self.socket.recv_into(view[self._have :])
        assert size, "the server hung up"
        self._have += size
        if not self._need and (end := self._buffer.find(b"\r\n\r\n", 0, min(self._have, 4_096))) >= 0:
            head = bytes(view[:end])
            found = LENGTH.search(head)
            self._need = end + 4 + (int(found[1]) if found else 0)
            etag = ETAG.search(head)
            self._etag = etag[1] if etag else b""
            self._body_at, status = end + 4, head[9:12].decode()
            self.statuses[status] = self.statuses.get(status, 0) + 1
        if self._need and self._have >= self._need:
            assert self._have == self._need, "more than one answer"
            self.took_ns.append(monotonic_ns() - self._asked_ns)
            self.body_bytes += self._need - self._body_at
            if self._need > self._body_at:
                self.document = bytes(view[self._body_at : self._need])
            self.ask()


def main(port: str, path: str, count: str, seconds: str, *etag: str) -> None:
    """Ask for so long, and print."""
    connections = [Connection(int(port), path, bool(etag)) for _ in range(int(count))]
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    start, deadline = time.monotonic(), time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        for key, _ in selector.select(1):
            key.data.receive()
    took_s = time.monotonic() - start
    for connection in connections:
        connection.socket.close()
    statuses: dict[str, int] = {}
    for connection in connections:
        for status, number in connection.statuses.items():
            statuses[status] = statuses.get(status, 0) + number
    found = {
        "seconds": took_s,
        "took_ns": [took for connection in connections for took in connection.took_ns],
        "statuses": statuses,
        "body_bytes": sum(connection.body_bytes for connection in connections),
        "document": max(connection.document for connection in connections).decode(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
