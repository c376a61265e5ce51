"""The processes of a desk, as its supervisor has them: started, restarted when they die, stopped, cleaned up after."""

import os
import re
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from desk.outlet import LOG_FILE, put_log_aside
from desk.plan import Instance
from desk.run_dir import KILLS, STAYS_DOWN, WATCHDOG, NodeError
from desk.stopping import StopBudget
from desk.template import Beginner, Process, signal_name
from market.backoff import Backoff
from market.clock import NS_PER_SECOND, monotonic_ns, time_ns

RESTART_NS = NS_PER_SECOND // 5
RESTART_NS_MAX = 5 * NS_PER_SECOND
HEALTHY_NS = 30 * NS_PER_SECOND  # a node that ran so long is restarted as if it had never died

Tell = Callable[[str], None]

_COMPLAINTS = frozenset(("warning", "error", "critical"))
_FIELD = re.compile(r"""(\w+)=('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")  # of a line of a log, as text's repr


@dataclass(slots=True)
class NodeState:
    """A node as its supervisor sees it.

    Attributes:
        state: waiting, starting, warming, ready, silent, restarting, failed, stopping or stopped.
        doing: what it does while it is `warming`; what it waits for if it is up, and `waiting`.
        since_ns: since when it is in that state, ns since 1970 UTC.
        was_ready: whether it has been ready since the desk began.
    """

    instance: Instance
    state: str = "waiting"
    doing: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    heard_ns: int = 0
    since_ns: int = field(default_factory=time_ns)
    was_ready: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it is up, and waits for something that it has named."""
        return self.state == "waiting" and bool(self.doing)

    def become(self, state: str, doing: str = "") -> None:
        """Set its state, and what it does in it, or waits for."""
        if state != self.state:
            self.since_ns = time_ns()
        self.state, self.doing = state, doing


@dataclass(slots=True)
class Child:
    """A process of the desk: a node, or several as its threads, which start, die and come back together.

    Attributes:
        is_wanted: whether it is to run; false from `stop` until `start`.
        is_cleaning: whether the process is not the node, but what undoes what the node left behind when it died.
        has_left: whether a process ended in a way that may have left something behind, and none has looked since.
        kill_ns: when it is killed, if it has been told to stop.
    """

    nodes: tuple[NodeState, ...]
    process: Process | None = None
    started_ns: int = 0
    restart_count: int = 0
    backoff: Backoff = field(default_factory=lambda: Backoff(RESTART_NS, RESTART_NS_MAX))
    is_wanted: bool = True
    is_cleaning: bool = False
    has_left: bool = False
    kill_ns: int = 0
    why: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its nodes."""
        return tuple(node.instance.name for node in self.nodes)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Its nodes, as the plan has them."""
        return tuple(node.instance for node in self.nodes)

    @property
    def name(self) -> str:
        """The names of its nodes: `engine`, or `engine+gateway`."""
        return "+".join(self.names)

    @property
    def was_ready(self) -> bool:
        """Whether every node of it has been ready."""
        return all(node.was_ready for node in self.nodes)

    @property
    def may_leave_orders(self) -> bool:
        """Whether one of its nodes has orders of its own at a venue, which stay there when it is killed."""
        return any(node.instance.kind.cleans_up for node in self.nodes)

    def become(self, state: str) -> None:
        """Set the state of every node of it."""
        for node in self.nodes:
            node.become(state)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its nodes, each once."""
        return tuple(dict.fromkeys(node.instance.kind.name for node in self.nodes))

    def words(self, *, is_cleaning: bool = False) -> tuple[str, ...]:
        """Return what `cli.py` runs it with."""
        return ("node", *self.names, *(["--clean-up"] if is_cleaning else []))

    def start(self, beginner: Beginner, logs: Path, lifeline: int, *, is_cleaning: bool = False) -> None:
        """Start its process; whatever it says goes to its log.

        Only those that trade get the keys; `lifeline` is a descriptor that ends when the supervisor does. If
        `is_cleaning`, what it left behind is undone, instead of running it.

        Raises:
            OSError: if it cannot be started.
        """
        path = logs / f"{self.name}.log"
        has_keys = any(node.instance.kind.has_keys for node in self.nodes)
        words, variables = self.words(is_cleaning=is_cleaning), {LOG_FILE: str(path)}
        with path.open("ab") as log:
            self.process = beginner.begin(words, self.kinds, variables, lifeline, log.fileno(), has_secrets=has_keys)
        self.is_cleaning = is_cleaning
        self.kill_ns = 0
        self.started_ns = monotonic_ns()

    def ask_to_stop(self, seconds: float) -> None:
        """Tell its process to stop, and when it will be killed; what undoes something ends by itself."""
        assert self.process is not None, f"{self.name} has no process"
        if not self.is_cleaning:
            self.process.terminate()
        self.kill_ns = monotonic_ns() + int(seconds * NS_PER_SECOND)

    def kill_if_late(self) -> bool:
        """Kill its process if it should have stopped by now; return whether."""
        if self.process is None or not self.kill_ns or monotonic_ns() < self.kill_ns:
            return False
        self.process.kill()
        self.kill_ns = 0
        return True

    def ended(self) -> int | None:
        """Return the exit code of its process once that has ended, and forget it."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.process = None
        self.kill_ns = 0
        # One that was told to stop before it was ready has not looked after what the one before it left.
        self.has_left = self.may_leave_orders and (code != 0 or (self.has_left and not self.is_cleaning))
        return code


class StartError(NodeError):
    """A node did not come up at the start of the desk; the text is its own last word."""


class Lifecycle:
    """What is done with each process of a desk, by what has become of it.

    `error` is why the desk cannot start, if a node has not come up.
    """

    def __init__(self, beginner: Beginner, logs: Path, budget: StopBudget, tell: Tell) -> None:
        self._beginner = beginner
        self._logs = logs
        self._budget = budget
        self._tell = tell
        # Each node has the other end, which ends when we do, whatever ends us: desk/stopping.py.
        self._lifeline, self._lifeline_end = os.pipe()
        self.error: StartError | None = None

    def close(self) -> None:
        """Let go of template and lifeline; nothing can be started any more."""
        self._beginner.end()
        for end in (self._lifeline, self._lifeline_end):
            os.close(end)

    def start(self, child: Child) -> None:
        """Start a process that is to run."""
        try:
            if child.started_ns == 0:
                put_logs_aside(self._logs, child.names)
            child.start(self._beginner, self._logs, self._lifeline)
        except OSError as error:
            self._on_failed_start(child, f"cannot be started: {error}")
            return
        child.become("starting")
        for node in child.nodes:
            node.heard_ns = child.started_ns

    def _on_failed_start(self, child: Child, why: str) -> None:
        if not child.was_ready:
            child.become("failed")
            self.error = StartError(f"{child.name}: {why}")
            return
        wait_s = self._back_off(child, why)
        self._tell(f"{child.name} {why}; trying again in {wait_s} s")

    def _on_death(self, child: Child, pid: int, code: int) -> None:
        lived_ns = monotonic_ns() - child.started_ns
        why = last_error(self._logs / f"{child.name}.log")
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        if code < 0 and (silence := killed_for(self._logs / f"{child.name}.log", pid)):
            how = f"was killed by its watchdog: {silence}"
        # The desk starts without a maker that has withdrawn too far; without any other node nobody may be served.
        is_maker = all(node.instance.kind.cleans_up for node in child.nodes)
        stays_down = code == STAYS_DOWN and (child.was_ready or is_maker)
        if not (child.was_ready or stays_down):
            child.become("failed")
            self.error = StartError(f"{child.name}: {why if code >= 0 else f'{how}: {why}'}")
            return
        if stays_down:
            child.is_wanted, child.why = False, why
            child.become("failed")
            self._tell(f"{child.name} needs a person and stays down: {why}")
            return
        if lived_ns > HEALTHY_NS:
            child.backoff.end()
        wait_s = self._back_off(child, why if code > 0 else how)
        cause = f": {why}" if code > 0 else ""
        self._tell(f"{child.name} {how} after {lived_ns / NS_PER_SECOND:.1f} s{cause}; restarting in {wait_s} s")

    def _back_off(self, child: Child, why: str) -> float:
        child.restart_count += 1
        child.become("restarting")
        child.why = why
        return child.backoff.fail(monotonic_ns()) / NS_PER_SECOND

    def _last_word(self, child: Child, code: int) -> str:
        return f"was killed by {signal_name(-code)}" if code < 0 else last_error(self._logs / f"{child.name}.log")

    def look_after(self, child: Child) -> None:
        """Kill what has had its time to stop, and act on what has ended."""
        if child.kill_if_late():
            self._tell(f"{child.name} did not stop in time and was killed")
        is_cleaning, pid = child.is_cleaning, child.process.pid if child.process else 0
        code = child.ended()
        if code is None:
            return
        if is_cleaning or not child.is_wanted:
            self._on_stopped(child, code)
        else:
            self._on_death(child, pid, code)

    def let_go(self, child: Child) -> None:
        """Have a process stop, and not start again."""
        child.is_wanted = False
        if child.process is not None:
            child.become("stopping")
            child.ask_to_stop(self._budget.of(child.instances))
        else:
            self._clean_up(child)

    def _on_stopped(self, child: Child, code: int) -> None:
        """Take note that a process has ended that was told to; undo first what a killed one may have left."""
        is_cleaned, child.is_cleaning = child.is_cleaning, False
        if is_cleaned:
            word = self._last_word(child, code)
            child.why = "" if code == 0 else f"its orders may be left at the venue: {word}" if code < 0 else word
        else:
            child.why = "" if code in (0, -signal.SIGTERM) else self._last_word(child, code)
        if child.why:
            self._tell(f"{child.name}: {child.why}")
        if child.is_wanted:
            child.become("waiting")  # told to start again meanwhile
        elif is_cleaned:
            child.become("stopped")
        else:
            self._clean_up(child)

    def _clean_up(self, child: Child) -> None:
        """Let a process of its own undo what `child` has left behind when it died, if it has; else it is stopped."""
        if not child.has_left:
            child.become("stopped")
            return
        child.become("stopping")
        try:
            child.start(self._beginner, self._logs, self._lifeline, is_cleaning=True)
            child.kill_ns = monotonic_ns() + int(self._budget.of(child.instances) * NS_PER_SECOND)
        except OSError as error:
            child.why = f"its orders may be left at the venue: {error}"
            child.become("stopped")


def put_logs_aside(logs: Path, names: Collection[str]) -> None:
    """Put aside the logs of the run before, also of one whose nodes shared their processes in another way."""
    for path in logs.glob("*.log"):
        if set(names) & set(path.stem.split("+")):
            put_log_aside(path)


def last_error(path: Path) -> str:
    """Return the last thing a node's log complains about, as one line; what it merely tells is none.

    What is no line of the log, as the interpreter's own last words, is a complaint. What the watchdog says after the
    end of its maker is none of that.
    """
    for line, said in _last_lines(path):
        if "level" not in said:
            return f"{line[:200]} (see {path})"
        if said["level"] in _COMPLAINTS and said.get("node") != WATCHDOG:
            return said.get("why") or f"{said.get('event', line[:200])} (see {path})"
    return f"it said nothing (see {path})"


def killed_for(path: Path, pid: int) -> str:
    """Return why the watchdog has killed the maker of that pid, as its log says; empty if it has not."""
    kills = (said.get("why", "") for _, said in _last_lines(path) if _is_kill(said) and said.get("pid") == str(pid))
    return next(kills, "")


def _is_kill(said: Mapping[str, str]) -> bool:
    return said.get("node") == WATCHDOG and said.get("event") == KILLS


def _last_lines(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the last lines of a log with their fields, the last one first; none of what cannot be read."""
    try:
        with path.open("rb") as file:
            if (start := os.fstat(file.fileno()).st_size - 65_536) > 0:
                file.seek(start)
                file.readline()  # the rest of a line
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in filter(str.strip, reversed(lines)):
        yield line, {name: text[1:-1] for name, text in _FIELD.findall(line)}
