"""A real desk for tests: real processes on free ports, in a run directory of its own, gone when the test ends."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import cli
from desk.client import DeskError, NoDeskError, desk_status
from paper.access.accounts import KeyPair, load_keys
from tests.lanes import EVERYWHERE
from tests.pairs import default_instruments
from venues.binance import BinanceVenue

if TYPE_CHECKING:
    from tests.desk.copies import DeskProcess

BTCUSDT = default_instruments()[0]
ROOT = Path(__file__).resolve().parent.parent.parent
CLI = ROOT / "cli.py"
TWO_ENGINES = '[{"name": "engine"}, {"name": "engine2", "symbols": ["ETHUSDT"]}]'
TWO_GATEWAYS = '[{"name": "gateway"}, {"name": "gateway2", "port": 0}]'
# What takes a second on an idle machine takes a minute on a busy one; the limit of each test is the one that counts.
PATIENCE_S = 150.0
ANSWER_S = 60.0  # of a desk that is asked something
LOOK_S_MIN, LOOK_S_MAX, LOOK_SHARE = 0.02, 0.25, 0.05  # between two looks
# What a maker at its exchange does without: a desk of all nodes takes twice the time to start, and to run.
LEAN = tuple(word for name in ("gateway", "api", "tracker") for word in ("--without", name))
# Commands that need a process to themselves: they stay, take signals, fork, or end with what they leave behind.
OF_THEIR_OWN = ("up", "node", "feed", "faults", "record", "backup")
FREE_PORTS = ("--api-port", "0", "--paper-port", "0", "--gateway-port", "0")


def until(what: str, condition: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
    """Look until `condition` returns something true, and return that; fail with `what` after the timeout.

    The longer it takes, the more seldom we look: to look costs the desk time, too, and its exchange counts calls.
    """
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < timeout_s:
        if value := condition():
            return value
        time.sleep(min(max(LOOK_S_MIN, waited_s * LOOK_SHARE), LOOK_S_MAX))
    raise AssertionError(f"not within {timeout_s:.0f} s: {what}")


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment without settings of its own, plus `settings`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKBUS_")}
    return {**clean, **EVERYWHERE, **settings}


def run_apart(words: list[str], cwd: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line as a process of its own, there and with those variables."""
    return subprocess.run(
        [sys.executable, str(CLI), *words],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def run_here(words: list[str], cwd: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line in this process as if it were one of its own, there and with those variables.

    Nobody answers what it asks. Not for one that takes signals, forks, or leaves its threads and sockets to its end.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True) for _ in range(2))
    with contextlib.ExitStack() as undone:
        undone.callback(os.umask, os.umask(0o077))
        undone.enter_context(contextlib.chdir(cwd))
        undone.enter_context(mock.patch.dict(os.environ, variables, clear=True))
        undone.enter_context(mock.patch.object(sys, "argv", [str(CLI), *words]))
        undone.enter_context(mock.patch.object(sys, "stdin", io.StringIO()))
        undone.enter_context(contextlib.redirect_stdout(out))
        undone.enter_context(contextlib.redirect_stderr(err))
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    texts = [each.buffer.getvalue().decode() for each in (out, err)]
    return subprocess.CompletedProcess(words, code, *texts)


class Desk:
    """One desk, run by `cli.py up` in the foreground of a process of ours: a copy of one that has imported all."""

    def __init__(self, run_dir: Path, *arguments: str, **settings: str) -> None:
        self.run_dir = run_dir
        self.arguments = arguments
        self.environment = environment(**settings)
        self.process: subprocess.Popen[str] | DeskProcess | None = None

    def start(self, *more: str) -> "Desk":
        """Start it and wait until it is ready."""
        words = ["up", "--run-dir", str(self.run_dir), *FREE_PORTS, *self.arguments, *more]
        self.process = self._begun(words)
        until("the desk is ready", self._is_ready)
        return self

    def _begun(self, words: list[str]) -> "subprocess.Popen[str] | DeskProcess":
        from tests.desk.copies import begin_desk

        return begin_desk(words, self.run_dir.parent, self.environment) or self._begun_plainly(words)

    def _begun_plainly(self, words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(CLI), *words],
            cwd=self.run_dir.parent,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            output = self.process.communicate()[0]
            raise AssertionError(f"the desk ended with exit code {self.process.returncode}:\n{output}")
        try:
            return bool(desk_status(self.run_dir)["is_ready"])
        except DeskError:
            return False

    def stop(self, number: int = signal.SIGINT) -> str:
        """Stop it with a signal and return all that it printed."""
        assert self.process is not None
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, f"exit code {self.process.returncode}:\n{output}"
        self.process = None
        return output

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the command line against this desk: what it prints, and its exit code.

        Most run in this process, from the desk's folder and in its environment, as `cli.py` does: a process of their
        own takes a second of processor time to begin, and says the same.
        """
        words = [*arguments, "--run-dir", str(self.run_dir)]
        run = run_apart if arguments[0] in OF_THEIR_OWN else run_here
        return run(words, self.run_dir.parent, self.environment)

    def cli_json(self, *arguments: str) -> Any:
        """Run a command with `--json` and return what it printed."""
        result = self.cli(*arguments, "--json")
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(result.stdout)

    def node(self, name: str) -> dict[str, Any]:
        """Return the status of one node."""
        return next(row for row in self.status()["nodes"] if row["node"] == name)

    def status(self) -> dict[str, Any]:
        """Return what `status` tells; on a busy machine the desk may take longer than a person would wait."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                return desk_status(self.run_dir)
            except NoDeskError:
                raise
            except DeskError:
                if time.monotonic() > deadline:
                    raise

    def url(self, node: str) -> str:
        """Return the URL of a node."""
        return str(self.node(node)["endpoints"]["http"])

    def venue(self) -> BinanceVenue:
        """Return the paper exchange as the maker sees it: through ccxt, with the account's keys."""
        return self.venue_of(load_keys(self.run_dir / "paper" / "keys.env"))

    def venue_of(self, keys: KeyPair) -> BinanceVenue:
        """Return the paper exchange as the holder of other keys sees it."""
        return BinanceVenue("paper", self.url("paper"), keys.api_key, keys.secret, timeout_ms=30_000)

    def get(self, path: str) -> Any:
        """Return the JSON document that the api serves at `path`; of an error, too."""
        try:
            with urllib.request.urlopen(self.url("api") + path, timeout=ANSWER_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return {"status": error.code, **json.load(error)}

    def log(self, node: str) -> str:
        """Return all that a node has logged."""
        return (self.run_dir / "logs" / f"{node}.log").read_text()

    def kill(self, *names: str, number: int = signal.SIGKILL) -> float:
        """Kill nodes at once, wait until their supervisor has them back, and return how long that took, s."""
        before = {name: self.node(name) for name in names}
        since_s = time.monotonic()
        for row in before.values():
            os.kill(row["pid"], number)

        def is_back(name: str) -> bool:
            try:
                row = self.node(name)
            except DeskError:  # it answers later: it is starting a node
                return False
            is_new = row["pid"] != before[name]["pid"] and row["restarts"] > before[name]["restarts"]
            return bool(row["state"] == "ready" and is_new)

        until(f"{' and '.join(names)} is back", lambda: all(map(is_back, names)))
        return time.monotonic() - since_s

    def end(self) -> None:
        """Make sure that nothing is left, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(ANSWER_S)
            self.process.kill()
        if self.process is not None:
            self.process.communicate()
            self.process = None


class PlainDesk(Desk):
    """One that begins as a person begins it, with a Python of its own."""

    def _begun(self, words: list[str]) -> subprocess.Popen[str]:
        return self._begun_plainly(words)


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Yield a new directory with a path short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def node_processes(run_dir: Path) -> list[int]:
    """Return the pids of the processes that were started for the desk in `run_dir`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if f"TICKBUS_RUN_DIR={run_dir.resolve()}".encode() in variables and b"cli.py\x00node" in command:
            found.append(int(entry.name))
    return found
