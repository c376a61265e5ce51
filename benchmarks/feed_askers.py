"""Clients that ask for snapshots without a pause: `python -m benchmarks.feed_askers RUN_DIR COUNT FILE`.

Each asks again 250 ms after its last answer. A line on standard input ends them. The last answer goes into FILE, as
msgpack; a JSON document on standard output says how many answers came, and how long they took.
"""

import json
import sys
import threading
from pathlib import Path

import msgpack

from bus.channel import ChannelSocket
from bus.feed import Topic
from bus.poll_loop import PollLoop
from bus.topology import SNAPSHOTS
from market.clock import NS_PER_MS, monotonic_ns

TOPIC = Topic.BOOK.of("BTCUSDT")
PAUSE_NS = 250 * NS_PER_MS


class Asker:
    """One client."""

    def __init__(self, run_dir: Path) -> None:
        self.socket = ChannelSocket(SNAPSHOTS, run_dir, "engine")
        self.took_ns: list[int] = []
        self.last: list[bytes] = []
        self._asked_ns = 0
        self._due_ns = 0

    def ask(self) -> None:
        """Ask if it is time to."""
        if not self._asked_ns and monotonic_ns() > self._due_ns and self.socket.send([TOPIC]):
            self._asked_ns = monotonic_ns()

    def receive(self) -> None:
        """Take an answer."""
        while (frames := self.socket.receive()) is not None:
            now_ns = monotonic_ns()
            self.took_ns.append(now_ns - self._asked_ns)
            self._asked_ns, self._due_ns, self.last = 0, now_ns + PAUSE_NS, frames


def main(run_dir: str, count: str, file: str) -> None:
    """Ask until told to stop."""
    askers = [Asker(Path(run_dir)) for _ in range(int(count))]
    loop = PollLoop()
    for asker in askers:
        loop.on_readable(asker.socket, asker.receive)

    def ask() -> None:
        for asker in askers:
            asker.ask()
        if is_said or not all(asker.took_ns for asker in askers):
            return
        is_said.append(True)
        print("ready", flush=True)

    def wait_for_the_end() -> None:
        sys.stdin.readline()
        loop.stop()

    is_said: list[bool] = []
    loop.every(5, ask)
    threading.Thread(target=wait_for_the_end, daemon=True).start()
    loop.run()
    for asker in askers:
        asker.socket.close()
    last = max(askers, key=lambda asker: msgpack.unpackb(asker.last[1]))
    Path(file).write_bytes(msgpack.packb(last.last))
    print(json.dumps({"took_ns": [took for asker in askers for took in asker.took_ns]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
