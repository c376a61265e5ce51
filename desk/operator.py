"""The operator's line to the engines: the kill switch."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bus.channel import wait_any
from bus.order_link import Connected
from bus.order_source import OrderSource
from bus.topology import ORDERS, Source
from desk.client import DeskError, desk_pid, desk_status, lone_nodes, require_node
from desk.halted_file import HaltedFile
from desk.settings import Settings
from desk.wiring import desk_wiring
from market.clock import monotonic_ns, time_ns
from market.commands import Command, HaltSymbol, MassCancel
from market.events import Canceled, Event, Halted, Rejected
from market.words import counted

ANSWER_S_MAX = 3.0
MAKER_S_MAX = 8.0  # an order whose fate is unknown may still arrive for 5 s
LOOK_S = 0.05
TURN_MS = 20


@dataclass(slots=True)
class Outcome:
    """What has come of a halt or a resume: what was confirmed by whom, and what was not, a line for each."""

    confirmed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class _Engine:
    """One engine that is asked: its symbols, and what it has said."""

    def __init__(self, settings: Settings, name: str, symbols: Sequence[str], *, is_cancelling: bool) -> None:
        self.name = name
        self.symbols = symbols
        self.events: list[Event] = []
        self.is_done = False
        self.why = ""
        self.source = OrderSource(Source.OPERATOR, desk_wiring(settings), engine=name)
        self._names = [instrument.symbol for instrument in settings.instruments]
        self._is_cancelling = is_cancelling
        self._last_sequence = 0

    def turn(self, is_halted: bool) -> None:
        """Send when it has answered, and take what it says."""
        self.source.tick(monotonic_ns())
        for news in self.source.receive():
            if isinstance(news, Connected):
                self._last_sequence = self._last_sequence or self.source.send(self._commands(is_halted))
                continue
            self.events.extend(news.events)
            self.is_done = self.is_done or 0 < self._last_sequence <= news.command_sequence

    def _commands(self, is_halted: bool) -> list[Command]:
        now_ns, commands = time_ns(), list[Command]()
        for symbol_id in map(self._names.index, self.symbols):
            commands.append(HaltSymbol(symbol_id, int(is_halted), now_ns))
            if self._is_cancelling:
                commands.append(MassCancel(symbol_id, time_ns=now_ns))
        return commands

    def close(self) -> None:
        if not self.is_done and self.source.socket.check_refusals():
            self.why = "; it refuses our keys"
        self.source.close()

    def outcome(self, is_halted: bool) -> Outcome:
        """Return what it has confirmed of each symbol."""
        halts = {event.symbol_id: event.is_halted for event in self.events if isinstance(event, Halted)}
        canceled = Counter(event.symbol_id for event in self.events if isinstance(event, Canceled))
        refused = [event for event in self.events if isinstance(event, Rejected)]
        done, outcome = "halted" if is_halted else "resumed", Outcome()
        for symbol in self.symbols:
            symbol_id = self._names.index(symbol)
            if not self.is_done:
                outcome.missing.append(f"{symbol} is not {done}: {self.name} does not answer{self.why}")
            elif halts.get(symbol_id) != int(is_halted) or refused:
                outcome.missing.append(f"{symbol} is not {done}: {self.name} refused {refused or 'it'}")
            else:
                ended = f"; {counted(canceled[symbol_id], 'open order')} cancelled" if self._is_cancelling else ""
                state = "halted: no new orders, cancels go through" if is_halted else "resumed"
                outcome.confirmed.append(f"{symbol} {state}{ended}")
        return outcome


def set_halted(settings: Settings, symbol: str | None, *, is_halted: bool, is_cancelling: bool) -> Outcome:
    """Halt or resume `symbol`, or every symbol, everywhere, and return who has confirmed it and who has not.

    Args:
        settings: of the desk that runs.
        is_cancelling: whether to cancel every open order of those symbols as well, whoever has entered it.

    Raises:
        NoDeskError: if there is nobody to ask.
    """
    if settings.bus.transports[ORDERS.name] != "tcp":
        require_node(settings.run_dir)
    symbols = [each.symbol for each in settings.instruments] if symbol is None else [symbol]
    outcome = Outcome()
    kept = HaltedFile(settings.run_dir, [each.symbol for each in settings.instruments])
    try:
        kept.change(symbols, is_halted=is_halted)
    except OSError as error:
        what = "it ends when an engine loses its journal, and no maker knows of it" if is_halted else "it stays"
        outcome.missing.append(f"the halt cannot be changed in {kept.path} ({error.strerror}): {what}")
        if not is_halted:
            return outcome  # whoever heard of a resume would halt again
    places = settings.places
    by_engine = {name: [each for each in symbols if places[each] == name] for name in settings.engines}
    engines = [
        _Engine(settings, name, names, is_cancelling=is_cancelling) for name, names in by_engine.items() if names
    ]
    _ask(engines, is_halted)
    for engine in engines:
        answer = engine.outcome(is_halted)
        outcome.confirmed += answer.confirmed
        outcome.missing += answer.missing
    if is_halted and any(not engine.is_done for engine in engines):
        outcome.missing.append(f"the halt is kept in {kept.path}, and holds when they are back")
    if settings.symbol in symbols:
        kept.read()
        _await_maker(settings, outcome, kept.version, is_halted=is_halted)
    return outcome


def _ask(engines: Sequence[_Engine], is_halted: bool) -> None:
    """Tell all engines at once, and wait for each until the deadline: a silent one keeps no other from hearing."""
    deadline = time.monotonic() + ANSWER_S_MAX
    try:
        while (open_ones := [each for each in engines if not each.is_done]) and time.monotonic() < deadline:
            for engine in open_ones:
                engine.turn(is_halted)
            wait_any([engine.source.socket for engine in open_ones], TURN_MS)
    finally:
        for engine in engines:
            engine.close()


def _await_maker(settings: Settings, outcome: Outcome, version: str, *, is_halted: bool) -> None:
    """Wait until the maker has pulled its quotes at its venue, or knows that it may quote again."""
    run_dir = settings.run_dir
    if desk_pid(run_dir) is None:
        _await_lone_maker(run_dir, outcome, is_halted=is_halted)
        return

    def is_told_by(row: dict[str, Any]) -> bool:
        """Whether it says so of this halt: what it said of an earlier one may be the last that was heard of it."""
        figures = row["figures"]
        is_same = bool(figures.get("halted")) == is_halted and figures.get("halt_version", "") == version
        return row["state"] == "ready" and is_same

    try:
        row = _maker_row(run_dir, is_told_by)
    except DeskError as error:
        outcome.missing.append(f"the maker could not be asked: {error}")
        return
    if row is None or (row["state"] == "stopped" and not row["why"]):  # one that was stopped has cancelled its quotes
        _await_lone_maker(run_dir, outcome, is_halted=is_halted)
        return
    is_told = is_told_by(row)
    if is_halted and is_told:
        outcome.confirmed.append(f"the maker has no quote at {settings.venue.name}")
    elif is_halted:
        state = row["state"]
        where = f"its quotes may be open at {settings.venue.name}; it pulls them as soon as it can"
        outcome.missing.append(f"the maker ({state}) has not confirmed the halt: {where}")
    elif not is_told:
        outcome.missing.append(f"the maker ({row['state']}) is still halted")


def _await_lone_maker(run_dir: Path, outcome: Outcome, *, is_halted: bool) -> None:
    """Say that a maker that was started by hand, also beside a desk without one, has confirmed nothing."""
    if is_halted and "maker" in lone_nodes(run_dir):
        outcome.missing.append("the maker runs without a supervisor and cannot be asked: its log says `halted`")


def _maker_row(run_dir: Path, is_done: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    deadline = time.monotonic() + MAKER_S_MAX
    while True:
        rows = desk_status(run_dir)["nodes"]
        row: dict[str, Any] | None = next((row for row in rows if row["node"] == "maker"), None)
        if row is None or row["state"] == "stopped" or time.monotonic() > deadline:
            return row
        if is_done(row):
            return row
        time.sleep(LOOK_S)
