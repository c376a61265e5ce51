"""The life of a desk's processes: started, restarted when they die, stopped, and cleaned up after."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from desk.child import Child, last_error, put_logs_aside
from desk.run_dir import STAYS_DOWN, NodeError
from desk.stop_budget import StopBudget
from market.clock import NS_PER_SECOND, monotonic_ns

HEALTHY_NS = 30 * NS_PER_SECOND  # a node that ran so long is restarted as if it had never died

Tell = Callable[[str], None]


class StartError(NodeError):
    """A node did not come up at the start of the desk; the text is its own last word."""


class Lifecycle:
    """What is done with each process of a desk, by what has become of it.

    Args:
        environment: of all of them.
        logs: the folder of their logs.
        budget: how long they may take to stop.
        tell: called with a line for a person whenever something happens.

    Attributes:
        error: why the desk cannot start, if a node has not come up.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path, budget: StopBudget, tell: Tell) -> None:
        self._environment = environment
        self._logs = logs
        self._budget = budget
        self._tell = tell
        # Each node has the other end, which ends when we do, whatever ends us: desk/lifeline.py.
        self._lifeline, self._lifeline_end = os.pipe()
        self.error: StartError | None = None

    def close(self) -> None:
        """Let go of the lifeline; nothing can be started any more."""
        for end in (self._lifeline, self._lifeline_end):
            os.close(end)

    def start(self, child: Child) -> None:
        """Start a process that is to run."""
        try:
            if child.started_ns == 0:
                put_logs_aside(self._logs, child.names)
            child.start(self._environment, self._logs, self._lifeline)
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

    def _on_death(self, child: Child, code: int) -> None:
        lived_ns = monotonic_ns() - child.started_ns
        why = last_error(self._logs / f"{child.name}.log")
        if not child.was_ready:
            child.become("failed")
            self.error = StartError(f"{child.name}: {why}")
            return
        if code == STAYS_DOWN:
            child.is_wanted, child.why = False, why
            child.become("failed")
            self._tell(f"{child.name} needs a person and stays down: {why}")
            return
        if lived_ns > HEALTHY_NS:
            child.backoff.end()
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        wait_s = self._back_off(child, why if code > 0 else how)
        self._tell(f"{child.name} {how} after {lived_ns / NS_PER_SECOND:.1f} s; restarting in {wait_s} s")

    def _back_off(self, child: Child, why: str) -> float:
        child.restart_count += 1
        child.become("restarting")
        child.why = why
        return child.backoff.fail(monotonic_ns()) / NS_PER_SECOND

    def _last_word(self, child: Child, code: int) -> str:
        return f"was killed by {_signal_name(-code)}" if code < 0 else last_error(self._logs / f"{child.name}.log")

    def look_after(self, child: Child) -> None:
        """Kill what has had its time to stop, and act on what has ended."""
        if child.kill_if_late():
            self._tell(f"{child.name} did not stop in time and was killed")
        is_cleaning, code = child.is_cleaning, child.ended()
        if code is None:
            return
        if is_cleaning or not child.is_wanted:
            self._on_stopped(child, code)
        else:
            self._on_death(child, code)

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
        if child.is_cleaning:
            child.is_cleaning = child.has_left = False
            is_undone, word = code == 0, self._last_word(child, code)
            child.why = "" if is_undone else f"its orders may be left at the venue: {word}" if code < 0 else word
        else:
            child.why = "" if code in (0, -signal.SIGTERM) else self._last_word(child, code)
        if child.why:
            self._tell(f"{child.name}: {child.why}")
        if child.is_wanted:
            child.become("waiting")  # told to start again meanwhile
        else:
            self._clean_up(child)

    def _clean_up(self, child: Child) -> None:
        """Let a process of its own undo what `child` has left behind when it died, if it has; else it is stopped."""
        if not child.has_left:
            child.become("stopped")
            return
        child.has_left = False
        child.become("stopping")
        try:
            child.start(self._environment, self._logs, self._lifeline, is_cleaning=True)
            child.kill_ns = monotonic_ns() + int(self._budget.of(child.instances) * NS_PER_SECOND)
        except OSError as error:
            child.why = f"its orders may be left at the venue: {error}"
            child.become("stopped")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one
