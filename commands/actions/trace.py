"""The command `trace`: the life of one order, with the time at each node that had to do with it."""

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from bus.topology import Source, source_of_order
from commands.actions.account import LEDGER_FILE
from commands.options import Answer
from commands.progress import ticking
from desk.client import DeskError
from desk.decisions_file import decisions_of
from desk.settings import Settings
from desk.venue import is_own_paper
from journal.format import JournalError
from market.clock import NS_PER_MS
from market.clock import time_ns as now_ns
from market.codes import CancelReason, RejectReason
from market.events import Accepted, Amended, Canceled, Event, Executed, Rejected, Rested, Triggered
from market.exact_json import JsonObject
from market.instrument import Instrument, format_decimal
from nodes.engine.past import Past
from paper.calls.ledger_reader import LedgerReader
from paper.money.ledger_file import LedgerError
from screens.progress import elapsed_line
from screens.trace import trace_text

EARLIER_NS: Final = 2_000 * NS_PER_MS  # by which an engine may have had an order before its exchange's time of it
LATER_NS: Final = 5_000 * NS_PER_MS


def order_life(settings: Settings, order: str) -> Answer:
    """Return the life of an order of this desk's maker, or of another one at its paper exchange.

    Args:
        settings: the desk's.
        order: its client order id, or its id at the venue.

    Raises:
        DeskError: if nobody knows of it, or what the maker and the exchange have kept cannot be read.
    """
    try:
        told = _of_exchange(settings, order) if is_own_paper(settings) else None
        name = order if told is None else told["clientOrderId"]
        decisions = decisions_of(settings.run_dir, name)
        if told is None and not decisions:
            raise DeskError(f"nobody here knows of an order {order[:40]!r}")
        steps = [_decided(each) for each in decisions]
        if told is not None:
            steps += _exchanged(told)
            steps += _matched(settings, told)
        elif not is_own_paper(settings):
            print("note: what a venue elsewhere and the local engine did is not here", file=sys.stderr)
    except LedgerError as error:
        raise DeskError(str(error)) from None
    except OSError as error:
        raise DeskError(f"cannot read {error.filename or settings.run_dir}: {error.strerror or error}") from None
    document: JsonObject = {
        "client_order_id": name,
        "order_id": None if told is None else told["orderId"],
        "symbol": decisions[0]["symbol"] if told is None else told["symbol"],
        "status": None if told is None else told["status"],
        "steps": sorted(steps, key=lambda step: step["time_ns"]),
    }
    return document, trace_text(document)


def _step(time_ns: int, node: str, what: str, why: str = "", **numbers: Any) -> JsonObject:
    return {"time_ns": time_ns, "node": node, "what": what, "why": why, "numbers": numbers}


# --- what was decided ---


def _decided(decision: JsonObject) -> JsonObject:
    why = f"{decision['rule']}: {decision['why']}"
    return {**_step(_ns_of(decision["time"]), "maker", decision["action"], why), "numbers": decision["numbers"]}


def _ns_of(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000 + 0.5) * NS_PER_MS


# --- what the exchange has ---


def _of_exchange(settings: Settings, order: str) -> JsonObject | None:
    path = settings.run_dir / "paper" / LEDGER_FILE
    if not path.exists():
        return None
    with closing(LedgerReader(path, settings.instruments)) as ledger:
        found = ledger.order(order)
        return None if found is None else {**found, "trades": ledger.trades_of(found["orderId"])}


def _exchanged(told: JsonObject) -> Iterator[JsonObject]:
    terms = f"{told['side']} {_plain(told['origQty'])} at {_plain(told['price'])}"
    yield _step(told["time"] * NS_PER_MS, "exchange", "taken in", terms)
    for trade in told["trades"]:
        role = "maker" if trade["isMaker"] else "taker"
        fee = f"fee {_plain(trade['commission'])} {trade['commissionAsset']}"
        what = f"{_plain(trade['qty'])} at {_plain(trade['price'])}, {fee}"
        yield _step(
            trade["time"] * NS_PER_MS,
            "exchange",
            f"trade {trade['id']}",
            f"{role}: {what}",
        )
    if told["updateTime"] > told["time"]:
        done = f"{_plain(told['executedQty'])} of {_plain(told['origQty'])} filled"
        yield _step(told["updateTime"] * NS_PER_MS, "exchange", told["status"].lower().replace("_", " "), done)


def _plain(text: str) -> str:
    return format_decimal(Decimal(text))


# --- what the engine did ---


def _matched(settings: Settings, told: JsonObject) -> Iterator[JsonObject]:
    plan, order_id = settings.plan, told["orderId"]
    engine = plan.engines[plan.engine_of[told["symbol"]]]
    instrument = next(each for each in settings.instruments if each.symbol == told["symbol"])
    is_over = told["status"] not in ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")
    since_ns = told["time"] * NS_PER_MS - EARLIER_NS
    until_ns = told["updateTime"] * NS_PER_MS + LATER_NS if is_over else now_ns()
    is_known = False
    for folder in _journals(engine.journal_folder):
        try:
            past = Past(folder, engine.symbol_ids, settings.run_dir / "past" / engine.name)
            with ticking(partial(elapsed_line, f"replays the journal of {engine.name}")):
                found = list(past.events_of(order_id, since_ns, until_ns))
            for record, event in found:
                is_known = True
                yield _of_engine(engine.name, record, event, order_id, instrument)
        except JournalError as error:  # pruned, damaged, or of another release; the others know what they know
            print(f"note: what {engine.name} did is not known: {error}", file=sys.stderr)
    if not is_known:
        print(f"note: the journals of {engine.name} that are kept here have nothing of it", file=sys.stderr)


def _journals(folder: Path) -> Iterator[Path]:
    """Yield the journal before this one, and this one, of those that there are."""
    for each in (folder.with_name(f"{folder.name}.before"), folder):
        if any(each.glob("*.journal")):
            yield each


def _of_engine(node: str, record: int, event: Event, order_id: int, instrument: Instrument) -> JsonObject:
    def qty(lots: int) -> str:
        return format_decimal(lots * instrument.lot_size)

    match event:
        case Accepted(resting_lots=resting):
            what, why = "accepted", f"{qty(resting)} stand in the book" if resting else "nothing of it stands yet"
        case Rested(resting_lots=resting):
            what, why = "rested", f"{qty(resting)} at the back of its level"
        case Executed(qty_lots=lots, price_ticks=price):
            is_maker = event.maker_order_id == order_id
            other = event.taker_order_id if is_maker else event.maker_order_id
            left = event.maker_leaves_lots if is_maker else event.taker_leaves_lots
            of = _source_name(other)
            what = f"trade {event.trade_id}"
            at = format_decimal(price * instrument.tick_size)
            why = f"{qty(lots)} at {at} with order {other} of {of}; {qty(left)} left"
        case Canceled(reason=reason, qty_lots=lots):
            what, why = "canceled", f"{CancelReason(reason).name}, {qty(lots)} of it"
        case Amended():
            what, why = "amended", ""
        case Triggered():
            what, why = "triggered", ""
        case Rejected(reason=reason):
            what, why = "refused", RejectReason(reason).name
        case _:
            what, why = type(event).__name__.lower(), ""
    return _step(event.time_ns, node, what, why, record=record, event=event.sequence)


def _source_name(order_id: int) -> str:
    source = source_of_order(order_id)
    return Source(source).name.lower() if source in set(Source) else f"gateway {source}"
