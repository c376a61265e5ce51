"""The paper exchange in a process of its own, that can be stopped and killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from market.codes import Side
from paper.access.accounts import KeyPair
from tests.desk.desk_process import ROOT
from tests.paper.desk import ALICE
from tests.paper.server import Server


class ExchangeProcess:
    """An exchange with an order of a stranger on each side.

    Attributes:
        url: where it answers.
        keys: of an account.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.venues.exchange_process"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.url: str = told["url"]
        self.keys = KeyPair(told["api_key"], told["secret"])

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that stops it has stopped every thread of it when this returns."""
        os.kill(self._process.pid, number)
        while number == signal.SIGSTOP and not all(map(_is_stopped, Path(f"/proc/{self._process.pid}/task").iterdir())):
            time.sleep(0.001)

    def close(self) -> None:
        """Kill it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _is_stopped(thread: Path) -> bool:
    return (thread / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"


def main() -> None:
    """Serve until the standard input ends."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.flow(Side.BUY, "89000", "0.5")
        server.flow(Side.SELL, "93000", "0.5")
        keys = server.keys[ALICE]
        print(json.dumps({"url": server.url, "api_key": keys.api_key, "secret": keys.secret}), flush=True)
        sys.stdin.read()
        server.stop()


if __name__ == "__main__":
    main()
