"""The command `at`: a desk at a moment of its past, from its engine's journal, decisions and daily files."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from commands.actions.at_window import window_of
from commands.actions.kept_fills import kept_fills
from commands.options import Answer
from commands.progress import Progress
from desk.client import DeskError, UsageError
from desk.decisions_file import decisions_until
from desk.settings import Settings
from journal.format import JournalError
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time, utc_date
from market.clock import time_ns as now_ns
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from nodes.engine.past import Past, first_time_ns
from screens.at import at_text
from screens.progress import elapsed_line
from simulation.journaled import OURS

LEVELS: Final = 5

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def desk_at(settings: Settings, text: str, window_s: int | None = None) -> Answer:
    """Return a desk as it was at a time; with a window the seconds that came before it, too.

    Raises:
        DeskError: if the text is no time, or nothing is known of that one.
    """
    time_ns = moment_of(text)
    plan, instrument = settings.plan, settings.instrument
    engine = plan.engines[plan.engine_of[settings.symbol]]
    try:
        folder = _journal_of(engine.journal_folder, time_ns)
        past = Past(folder, engine.symbol_ids, settings.run_dir / "past" / engine.name)
        with Progress() as progress:
            moment = past.at(time_ns, lambda at_ns: progress.tell(partial(_replayed_line, at_ns)))
        decisions = decisions_until(settings.run_dir, time_ns)
        since_ns = time_ns - (window_s or 0) * NS_PER_SECOND
        kept = kept_fills(settings, since_ns, time_ns)
        window = {} if window_s is None else {"window": window_of(settings, past, moment, since_ns, time_ns, kept)}
    except JournalError as error:
        raise DeskError(str(error)) from None
    except OSError as error:
        raise DeskError(f"cannot read {error.filename or engine.journal_folder}: {error.strerror or error}") from None
    if past.refusal is not None:
        print(_unkept(past.refusal), file=sys.stderr)
    book = moment.engine.depth(instrument.symbol_id, LEVELS)
    orders = moment.engine.orders(instrument.symbol_id)
    sides = {side: next((each for each in reversed(decisions) if _is_of(each, settings, side)), None) for side in Side}
    document: JsonObject = {
        "time": iso_time(time_ns // NS_PER_MS),
        "symbol": instrument.symbol,
        "record": moment.sequence,
        "record_time": iso_time(moment.time_ns // NS_PER_MS) if moment.sequence else None,
        "is_last": moment.next_ns is None,
        "book": {
            name: [_level(level.price_ticks, level.qty_lots, instrument) for level in levels]
            for name, levels in zip(("bids", "asks"), book, strict=True)
        },
        "others_mid": _others_mid(orders, instrument),
        "orders": _own(orders, instrument),
        "position": kept.position,
        "decisions": {side.name: decision for side, decision in sides.items()},
        **window,
    }
    return document, at_text(document)


def moment_of(text: str) -> int:
    """Return a moment, UTC unless it says otherwise, in ns since 1970; of a time alone that of today; or of `now`.

    Raises:
        DeskError: if it is none, or one to come.
    """
    if text == "now":
        return now_ns()
    today = utc_date(now_ns()).isoformat()
    try:
        found = datetime.fromisoformat(f"{today}T{text}" if ":" in text[:3] and "-" not in text[:5] else text)
    except ValueError:
        raise UsageError(f"expected a time as {today}T14:03:07.250 or 14:03, was {text[:40]!r}") from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    time_ns = (found - _EPOCH) // timedelta(microseconds=1) * 1_000
    if time_ns > now_ns():
        raise DeskError(f"{iso_time(time_ns // NS_PER_MS)} is yet to come")
    return time_ns


def _journal_of(folder: Path, time_ns: int) -> Path:
    """Return the journal that holds a time: that of now, or the one before it.

    Raises:
        DeskError: if none does.
    """
    newest: int | None = None
    for each in (folder, folder.with_name(f"{folder.name}.before")):
        first_ns = first_time_ns(each)
        if first_ns is None:
            continue
        if time_ns >= first_ns:
            return each
        newest = first_ns
    if newest is None and folder.is_dir():
        return folder  # of an engine that was told nothing yet
    if newest is None:
        raise DeskError(f"{folder} holds no journal: no engine has run here, or it keeps none")
    raise DeskError(f"nothing is kept of before {iso_time(newest // NS_PER_MS)}")


def _replayed_line(at_ns: int, took_ns: int) -> str:
    return elapsed_line(f"replayed up to {iso_time(at_ns // NS_PER_MS)}", took_ns)


def _unkept(refusal: OSError) -> str:
    """Return the note that the next question about this hour takes as long, and why."""
    why = f"{refusal.strerror or refusal}" + (f": {refusal.filename}" if refusal.filename else "")
    return f"note: no state was kept on the way, the next question takes as long: {why}"


def _level(price_ticks: int, lots: int, instrument: Instrument) -> list[Decimal]:
    return [instrument.ticks_to_price(price_ticks), instrument.lots_to_qty(lots)]


def _own(orders: Any, instrument: Instrument) -> list[JsonObject]:
    """Return our orders, each with what stands before it at its price: that must trade first."""
    found = []
    for place in np.flatnonzero(orders[:, 5] == OURS).tolist():
        order_id, side, price, _, leaves, _ = orders[place].tolist()
        before = orders[:place]
        same = before[(before[:, 1] == side) & (before[:, 2] == price)]
        found.append(
            {
                "id": str(order_id),
                "side": Side(side).name,
                "price": instrument.ticks_to_price(price),
                "qty": instrument.lots_to_qty(leaves),
                "ahead": instrument.lots_to_qty(int(same[:, 3].sum())),
                "orders_ahead": len(same),
            }
        )
    return found


def _others_mid(orders: Any, instrument: Instrument) -> Decimal | None:
    """Return the mid of the orders that are not ours, as the maker sees it; None of a side without any."""
    others = orders[orders[:, 5] != OURS]
    best = [others[others[:, 1] == side][:, 2] for side in Side]
    if not all(len(prices) for prices in best):
        return None
    return instrument.ticks_to_price(int(best[0].max()) + int(best[1].min())) / 2


def _is_of(decision: JsonObject, settings: Settings, side: Side) -> bool:
    return (decision["symbol"], decision["side"]) == (settings.symbol, side.name)
