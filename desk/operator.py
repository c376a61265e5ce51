"""The operator: who halts and resumes symbols at the engines of a desk, and waits for the maker to know."""

import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from bus.channel import wait_any
from bus.engine_client import EngineClient, LinkEnd
from bus.order_link import Connected
from bus.topology import ORDERS, Source
from desk.client import (
    DeskError,
    SilentDeskError,
    awaited_maker,
    command_text,
    desk_pid,
    desk_status,
    lone_nodes,
    require_node,
)
from desk.halted_file import HaltedFile
from desk.settings import Settings
from desk.wiring import desk_wiring
from market.clock import monotonic_ns, time_ns
from market.commands import Command, HaltSymbol, MassCancel
from market.events import Canceled, Event, Halted, Rejected
from market.words import counted

ANSWER_S_MAX = 3.0
TURN_MS = 20


@dataclass(slots=True)
class Outcome:
    """What has come of a halt or a resume: what was confirmed by whom, and what was not, a line for each."""

    confirmed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """What one engine has said, and whether that is all it has to say."""

    events: list[Event] = field(default_factory=list)
    is_done: bool = False
    why: str = ""


def set_halted(
    settings: Settings,
    symbol: str | None,
    *,
    is_halted: bool,
    is_cancelling: bool = False,
    awaits_maker: bool = True,
    if_silent: Callable[[Outcome], object] = lambda _: None,
) -> Outcome:
    """Halt or resume `symbol`, or every symbol, everywhere, and return who has confirmed it and who has not.

    A resume of what was not halted is not among what is confirmed. If `is_cancelling`, every open order of those
    symbols is cancelled as well, whoever has entered it. A halt is in halted.json before anybody is asked: who hangs,
    the supervisor, too, keeps it from nobody. The maker hears of it in any case; its word is waited for if
    `awaits_maker`. Where the supervisor, through which it comes, does not answer at once, `if_silent` is called with
    what has come of it so far, once, before it is asked again.

    Raises:
        NoDeskError: if there is nobody to ask.
    """
    if settings.bus.transports[ORDERS.name] != "tcp":
        require_node(settings.run_dir)
    symbols = {each.symbol_id: each.symbol for each in settings.instruments if symbol in (None, each.symbol)}
    outcome = Outcome()
    kept = HaltedFile(settings.run_dir, [each.symbol for each in settings.instruments])
    were_halted = frozenset[str]() if is_halted else _halted_now(settings, kept)
    try:
        kept.change(symbols.values(), is_halted=is_halted)
    except OSError as error:
        what = "it ends when an engine loses its journal, and no maker knows of it" if is_halted else "it stays"
        outcome.missing.append(f"the halt cannot be changed in {kept.path} ({error.strerror}): {what}")
        if not is_halted:
            return outcome  # whoever heard of a resume would halt again
    kept.read()
    of_engines = settings.plan.symbol_ids.items()
    engines = {engine: asked for engine, here in of_engines if (asked := symbols.keys() & here)}
    client = EngineClient.over(desk_wiring(settings), Source.OPERATOR, engines)
    answers = _ask(client, is_halted=is_halted, is_cancelling=is_cancelling)
    for engine, symbol_ids in engines.items():
        for symbol_id in sorted(symbol_ids):
            is_confirmed, what = _told(engine, answers[engine], symbol_id, is_halted, is_cancelling)
            if is_confirmed and not is_halted and symbols[symbol_id] not in were_halted:
                continue
            (outcome.confirmed if is_confirmed else outcome.missing).append(f"{symbols[symbol_id]} {what}")
    if is_halted and not all(answer.is_done for answer in answers.values()):
        outcome.missing.append(f"the halt is kept in {kept.path}, and holds when they are back")
    if awaits_maker and settings.symbol in symbols.values():
        _await_maker(settings, outcome, kept, if_silent, is_halted=is_halted)
    return outcome


def _halted_now(settings: Settings, kept: HaltedFile) -> AbstractSet[str]:
    """Return the symbols that may be halted: by the file, or as engines say; all where these cannot be asked."""
    try:
        rows = desk_status(settings.run_dir)["nodes"]
    except DeskError:
        return {each.symbol for each in settings.instruments}
    of_engines = chain.from_iterable(row["figures"].get("halted", ()) for row in rows if row["kind"] == "engine")
    return kept.read() | set(of_engines)


def _ask(client: EngineClient, *, is_halted: bool, is_cancelling: bool) -> dict[str, _Answer]:
    """Tell all engines at once, and wait for each until the deadline: a silent one keeps no other from hearing."""
    deadline = time.monotonic() + ANSWER_S_MAX
    answers = {link.engine: _Answer() for link in client}
    last_commands: dict[str, int] = {}
    try:
        while not all(answer.is_done for answer in answers.values()) and time.monotonic() < deadline:
            client.tick(monotonic_ns())
            for link, news in client.receive():
                answer = answers[link.engine]
                if not isinstance(news, Connected):
                    answer.events += news.events
                    answer.is_done |= link.acknowledged >= last_commands[link.engine]
                elif link.engine not in last_commands:
                    commands = _commands(link, is_halted=is_halted, is_cancelling=is_cancelling)
                    last_commands[link.engine] = link.send(commands)
            wait_any(client.sockets, TURN_MS)
        for link in client:
            if not answers[link.engine].is_done and link.socket.check_refusals():
                answers[link.engine].why = "; it refuses our keys"
    finally:
        client.close()
    return answers


def _commands(link: LinkEnd, *, is_halted: bool, is_cancelling: bool) -> list[Command]:
    now_ns, commands = time_ns(), list[Command]()
    for symbol_id in sorted(link.symbol_ids):
        commands.append(HaltSymbol(symbol_id, int(is_halted), now_ns))
        if is_cancelling:
            commands.append(MassCancel(symbol_id, time_ns=now_ns))
    return commands


def _told(engine: str, answer: _Answer, symbol_id: int, is_halted: bool, is_cancelling: bool) -> tuple[bool, str]:
    """Return whether an engine has confirmed it of a symbol, and what it has said."""
    done = "halted" if is_halted else "resumed"
    halts = {event.symbol_id: event.is_halted for event in answer.events if isinstance(event, Halted)}
    refused = [event for event in answer.events if isinstance(event, Rejected)]
    if not answer.is_done:
        return False, f"is not {done}: {engine} does not answer{answer.why}"
    if halts.get(symbol_id) != int(is_halted) or refused:
        return False, f"is not {done}: {engine} refused {refused or 'it'}"
    canceled = sum(isinstance(event, Canceled) and event.symbol_id == symbol_id for event in answer.events)
    ended = f"; {counted(canceled, 'open order')} cancelled" if is_cancelling else ""
    return True, ("halted: no new orders, cancels go through" if is_halted else "resumed") + ended


def _await_maker(
    settings: Settings,
    outcome: Outcome,
    kept: HaltedFile,
    if_silent: Callable[[Outcome], object],
    *,
    is_halted: bool,
) -> None:
    """Wait until the maker has pulled its quotes at its venue, or knows that it may quote again.

    Args:
        kept: as it was read after our change. Others may change it since: the maker's word on what it holds now counts.
    """
    ours = kept.version

    def is_overruled() -> bool:
        return (settings.symbol in kept.read()) is not is_halted and kept.version != ours

    def is_told_by(row: dict[str, Any]) -> bool:
        """Whether it says so of this halt: what it said of an earlier one may be the last that was heard of it."""
        figures = row["figures"]
        is_same = bool(figures.get("halted")) == is_halted and figures.get("halt_version", "") == kept.version
        return row["state"] == "ready" and is_same

    def is_settled(row: dict[str, Any]) -> bool:
        return is_overruled() or is_told_by(row)

    try:
        row = None
        if desk_pid(settings.run_dir) is not None:
            row = awaited_maker(settings.run_dir, is_settled, lambda: if_silent(outcome))
    except SilentDeskError as error:
        what = (
            f"the maker, to which {kept.path.name} tells it, has not confirmed the {'halt' if is_halted else 'resume'}"
        )
        why = f"the supervisor (pid {error.pid}), through which it would, does not answer"
        outcome.missing.append(f"{what}: {why}; {command_text('down', settings.run_dir)} stops the desk")
        return
    except DeskError as error:
        outcome.missing.append(f"the maker could not be asked: {error}")
        return
    if row is None or (row["state"] == "stopped" and not row["why"]):  # one that was stopped has cancelled its quotes
        if is_halted and "maker" in lone_nodes(settings.run_dir):  # started by hand, perhaps beside a desk without one
            outcome.missing.append("the maker runs without a supervisor and cannot be asked: its log says `halted`")
        return
    if is_overruled():
        what = "resumed" if is_halted else "halted"
        outcome.missing.append(f"another command has {what} {settings.symbol} meanwhile")
        return
    is_told = is_told_by(row)
    if is_halted and is_told:
        outcome.confirmed.append(f"the maker has no quote at {settings.venue.name}")
    elif is_halted:
        state = row["state"]
        where = f"its quotes may be open at {settings.venue.name}; it pulls them as soon as it can"
        outcome.missing.append(f"the maker ({state}) has not confirmed the halt: {where}")
    elif not is_told and row["state"] != "failed":  # one that stays down quotes nothing, and says why itself
        outcome.missing.append(f"the maker ({row['state']}) is still halted")
