"""The operator's line to the engine: the kill switch."""

import time
from collections.abc import Sequence

from bus.order_link import Connected
from bus.order_source import OrderSource
from bus.topology import Source
from market.clock import monotonic_ns, time_ns
from market.commands import Command, HaltSymbol, MassCancel
from market.events import Event, Halted, Rejected
from nodes.desk_client import DeskError, require_node
from nodes.desk_wiring import desk_wiring
from nodes.settings import Settings

ANSWER_S_MAX = 3.0
ALL_SYMBOLS = -1


def set_halted(settings: Settings, symbol: str | None, *, is_halted: bool, is_cancelling: bool) -> str:
    """Halt or resume `symbol`, or every symbol, and return what the engine says.

    Args:
        is_cancelling: whether to cancel every open order of those symbols as well, whoever has entered it.

    Raises:
        DeskError: if no engine answers.
    """
    symbols = [instrument.symbol for instrument in settings.instruments]
    symbol_id = ALL_SYMBOLS if symbol is None else symbols.index(symbol)
    now_ns = time_ns()
    commands: list[Command] = [HaltSymbol(symbol_id, int(is_halted), now_ns)]
    if is_cancelling:
        commands.append(MassCancel(symbol_id, time_ns=now_ns))
    engines = settings.engines if symbol is None else (settings.places[symbol],)
    events = [event for engine in engines for event in _told(settings, engine, commands)]
    if rejected := [event for event in events if isinstance(event, Rejected)]:
        raise DeskError(f"the engine refused: {rejected[0]}")
    changed = [symbols[event.symbol_id] for event in events if isinstance(event, Halted)]
    names = ", ".join(changed) if changed else symbol or ", ".join(symbols)
    state = "halted: no new orders, cancels go through" if is_halted else "resumed"
    return f"{names} {state}{'; every open order is cancelled' if is_cancelling else ''}"


def _told(settings: Settings, engine: str, commands: Sequence[Command]) -> list[Event]:
    """Send commands to `engine` as the operator and return what it reports of them."""
    require_node(settings.run_dir, engine)
    source = OrderSource(Source.OPERATOR, desk_wiring(settings), engine=engine)
    deadline = time.monotonic() + ANSWER_S_MAX
    last_sequence = 0
    events: list[Event] = []
    try:
        while time.monotonic() < deadline:
            source.tick(monotonic_ns())
            for news in source.receive():
                if isinstance(news, Connected):
                    last_sequence = last_sequence or source.send(commands)
                else:
                    events.extend(news.events)
                    if last_sequence and news.command_sequence >= last_sequence:
                        return events
            source.socket.wait(20)
        refused = "; it refuses our keys" if source.socket.check_refusals() else ""
    finally:
        source.close()
    raise DeskError(f"no engine answers at {source.socket.endpoint}{refused}")
