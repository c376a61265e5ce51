"""The command `faults run`: a scenario's switches at the desk's paper exchange, and away again however it ends.

Each switch is set with the time for which it stands, and the exchange itself clears it when that is over; so what ends
this process without a word leaves nothing for longer. An exchange that dies forgets its switches, all but the halts,
which the engines keep: those are taken back here.
"""

import select
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from commands.actions.account import ask_paper
from desk.client import DeskError, NoDeskError, command_text, require_node
from desk.operator import set_halted
from desk.outlet import take_over_output
from desk.run_dir import LockFile
from desk.settings import Settings
from market.clock import NS_PER_SECOND, monotonic_ns
from paper.fault_scenario import ScenarioRow, read_scenario
from paper.faults import Effect, FaultKind

_LOCK: Final = "scenario.lock"
_LOOK_S: Final = 0.25
_LATE_S_MAX: Final = 5.0  # for the exchange, to clear what is over
_INTERRUPTED: Final = 130


def run_scenario(settings: Settings, path: Path) -> int:
    """Run a scenario and return the exit code, 130 if it was interrupted.

    It is 1 if a switch could not be set or cleared, or the desk has stopped.

    Raises:
        ScenarioError: if it cannot be run as it is; nothing was set then.
        DeskError: if there is no exchange to ask.
        LockedError: if another one is being run.
    """
    require_node(settings.run_dir, "paper")
    accounts = [each["account"] for each in ask_paper(settings, "GET", "accounts")]
    rows = read_scenario(path, [each.symbol for each in settings.instruments], accounts)
    lock = LockFile(settings.run_dir / "paper" / _LOCK, "a scenario")
    try:
        take_over_output(None)  # printing may fail, clearing may not
        return _Run(settings, rows).run()
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class _Standing:
    """A switch that is set: in which life of the exchange, and until when."""

    row: ScenarioRow
    life: int
    until_s: float


class _Run:
    """One run of a scenario, whose rows stand in the order in which they are due."""

    def __init__(self, settings: Settings, rows: list[ScenarioRow]) -> None:
        self._settings = settings
        self._waiting = list(rows)
        self._standing: dict[int, _Standing] = {}  # by the exchange's number
        self._stopping = threading.Event()
        self._exit_code = 0
        self._life = 0  # of the exchange, when it answered last
        self._began_ns = monotonic_ns()

    def run(self) -> int:
        """Set what is due and note what is over, until there is nothing more, or somebody stops it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            while not self._stopping.is_set():
                self._look()
                while self._waiting and self._waiting[0].at_s <= self._now_s():
                    self._set(self._waiting.pop(0))
                if not self._waiting and not self._standing:
                    break
                if _is_reader_gone():
                    self._stop(1)
                next_s = self._waiting[0].at_s - self._now_s() if self._waiting else _LOOK_S
                self._stopping.wait(min(max(next_s, 0), _LOOK_S))
        finally:
            self._look()
            self._clear()
        return self._exit_code

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self._stop(_INTERRUPTED)

    def _stop(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._stopping.set()

    def _look(self) -> None:
        """Ask the exchange what is armed, and note what is not any more."""
        try:
            found = ask_paper(self._settings, "GET", "faults")
        except NoDeskError:
            self._end_with_desk()
            return
        except DeskError:
            for number, standing in list(self._standing.items()):
                if self._now_s() > standing.until_s + _LATE_S_MAX:
                    self._forget(number, "is over, and the exchange does not answer")
            return
        self._life = found["since"]
        armed = {fault["id"] for fault in found["armed"]}
        for number, standing in list(self._standing.items()):
            if standing.life != self._life:
                self._forget(number, "is gone with the exchange, which has begun anew")
            elif number not in armed:
                self._say(self._standing.pop(number).row, "is over")

    def _end_with_desk(self) -> None:
        """Give up what stands and what waits: a desk that is started again is another one, but for its halts."""
        self._stop(1)
        for row in (each.row for each in self._standing.values()):
            what = "is gone with the desk, which has stopped"
            if row.kind is FaultKind.HALT:
                resume = command_text(f"resume --symbol {row.document['symbol']}", self._settings.run_dir)
                what = f"stays, and the desk has stopped; when it is up again: {resume}"
            self._say(row, what)
        self._standing.clear()
        for row in self._waiting:
            self._say(row, "is not set: the desk has stopped")
        self._waiting.clear()

    def _set(self, row: ScenarioRow) -> None:
        try:
            answer: dict[str, Any] = ask_paper(self._settings, "POST", "faults", row.document)
        except DeskError as error:
            self._exit_code = 1
            self._say(row, f"is not set: {error}")
            return
        if row.kind.effect is Effect.AT_ONCE:
            self._say(row, ", ".join(f"{name}: {value}" for name, value in answer.items()))
        else:
            for_s = row.document["for_s"]
            self._standing[answer["id"]] = _Standing(row, self._life, self._now_s() + for_s)
            self._say(row, f"is set for {for_s} s")

    def _clear(self) -> None:
        """Clear what still stands."""
        for number in list(self._standing):
            try:
                ask_paper(self._settings, "DELETE", f"faults/{number}")
            except DeskError as error:
                self._forget(number, f"cannot be cleared, and is over with its time: {error}")
            else:
                self._say(self._standing.pop(number).row, "is cleared")

    def _forget(self, number: int, why: str) -> None:
        """Take leave of a switch that the exchange does not have any more or cannot clear, but of no halt."""
        row = self._standing.pop(number).row
        self._say(row, why)
        if row.kind is FaultKind.HALT:
            try:
                outcome = set_halted(self._settings, row.document["symbol"], is_halted=False, is_cancelling=False)
                missing, told = outcome.missing, [*outcome.confirmed, *outcome.missing]
            except DeskError as error:
                missing = told = [str(error)]
            self._exit_code = 1 if missing else self._exit_code
            for line in told:
                self._say(row, line)

    def _say(self, row: ScenarioRow, what: str) -> None:
        print(f"{self._now_s():7.1f} s  row {row.number}  {row.kind}  {what}")

    def _now_s(self) -> float:
        return (monotonic_ns() - self._began_ns) / NS_PER_SECOND


def _is_reader_gone() -> bool:
    """Say whether nobody can read any more what is printed."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poller.poll(0))
