"""Is a daily document what its own trades make of it: every figure is made again when a file is read."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from market.account import Balance
from market.exact_json import JsonObject
from reports import json_fields as fields
from reports.day_book import DayBook
from reports.exact import EXACT, FIGURE_PLACES
from reports.kinds import OF_TRADES, check_kinds
from reports.performance import book_of, refigured, told_history
from reports.pnl import TRIPS_KEPT
from reports.trade_history import HistoryRow, utc_day

_SINCE_SCHEMA: Final = ("volume", "fees", "rebates")  # of `trades`
_OF_BALANCES: Final = ("equity", "identity", "metrics")
_LATER: Final = ("round_trips",)  # that files of the same schema need not have
_MADE_AGAIN: Final = ("trades", "symbols", "fees", *_OF_BALANCES)


def checked_book(document: JsonObject, trips_kept: int | None = TRIPS_KEPT) -> DayBook | None:
    """Return the book of a document of ours, whose figures are those of its trades; None for one by other hands.

    Args:
        trips_kept: as `DayBook` has it.

    Raises:
        ValueError: naming what is wrong: where a trade is lost, doubled or changed, by how much and from which on.
    """
    if "trade_history" not in document:
        return None
    check_kinds(document)
    day, parts = date.fromisoformat(document["date"]), document["symbols"]
    rows, realized = list[HistoryRow](), list[Any]()
    for row, told in told_history(document):
        rows.append(row)
        realized.append(told)
    book = book_of(day, document, rows=rows, trips_kept=trips_kept)
    figures = book.figures({})
    strangers = [row for row in book.rows if utc_day(row.trade.time_ms) != day]
    if strangers:
        raise ValueError(f"trade {strangers[0].trade.trade_id} is of {utc_day(strangers[0].trade.time_ms)}")
    if "schema" in document:
        _check_rows(rows, realized, book)
    if document["total_trades"] != figures["total_trades"]:
        raise ValueError(f"total_trades must be {figures['total_trades']}, was {document['total_trades']}")
    for name, value in figures["trades"].items():
        if ("schema" in document or name not in _SINCE_SCHEMA) and document["trades"].get(name) != value:
            raise ValueError(f"trades.{name} must be {value} by the trades, was {document['trades'].get(name)}")
    for symbol, part in figures["symbols"].items():
        for name in OF_TRADES:
            if parts[symbol][name] != part[name]:
                raise ValueError(f"{symbol}.{name} must be {part[name]} by the trades, was {parts[symbol][name]}")
    if "schema" in document:
        _check_balances(document, book)
        _check_figures(document, book)
    return book


def _check_rows(rows: Sequence[HistoryRow], realized: Sequence[Any], book: DayBook) -> None:
    """Compare what each trade is said to have realized with what it does realize after those before it."""
    unit = 10**FIGURE_PLACES
    for index, (row, told) in enumerate(zip(rows, realized, strict=True)):
        trade = book.rows[index].trade
        if row is not book.rows[index]:
            raise ValueError(f"trade_history[{index}] must be trade {trade.trade_id} of {trade.symbol}: oldest first")
        number = told if type(told) is Decimal else fields.number({"realized": told}, "realized")
        if EXACT.multiply(number, unit) != book.realized.units[index]:
            due = book.realized.figure(index)
            raise ValueError(
                f"trade {trade.trade_id} of {trade.symbol} realizes {due} by the trades up to it and not {number}: "
                f"from there on, or before it, one was lost, doubled or changed, by {due - number:+,f}"
            )


def _check_balances(document: JsonObject, book: DayBook) -> None:
    """Compare the balances with what opening, flows and trades make of them, where these are all that moved them."""
    told = document.get("reconciliation")
    if told is None or book.opening is None or "trades_of_other_days" in told:
        return
    balances = {
        asset: Balance(fields.number(one, "free"), fields.number(one, "locked"))
        for asset, one in document["balances"].items()
    }
    found = book.reconciliation(balances)
    if found["trades_since_opening"] == told["trades_since_opening"] and found["differences"] != told["differences"]:
        raise ValueError(
            f"differences of the balances must be {_amounts(found['differences'])} by opening and trades, "
            f"were {_amounts(told['differences'])}"
        )


def _amounts(differences: Mapping[str, Any]) -> str:
    return ", ".join(f"{row['difference']:+,f} {asset}" for asset, row in differences.items()) or "none"


def _check_figures(document: JsonObject, book: DayBook) -> None:
    has_strays = "trades_of_other_days" in document.get("reconciliation", {})
    again = refigured(document, book)
    for name in (*_MADE_AGAIN, *(name for name in _LATER if name in document)):
        if has_strays and name in _OF_BALANCES:
            continue  # they need the other days' files
        if (where := _differs(again[name], document.get(name), name)) is not None:
            raise ValueError(where)


def _differs(expected: Any, told: Any, where: str) -> str | None:
    """Return the first place where two parts of a document differ, None if they are the same."""
    if expected == told:
        return None
    if isinstance(expected, dict) and isinstance(told, dict):
        for name in dict.fromkeys([*expected, *told]):
            if (found := _differs(expected.get(name), told.get(name), f"{where}.{name}")) is not None:
                return found
    if isinstance(expected, list) and isinstance(told, list) and len(expected) == len(told):
        parts = (_differs(*each, f"{where}[{index}]") for index, each in enumerate(zip(expected, told, strict=True)))
        return next(filter(None, parts), None)
    if isinstance(expected, list) and isinstance(told, list):
        return f"{where} must have {len(expected)} entries by the trades, has {len(told)}"
    if isinstance(expected, Decimal) and isinstance(told, int | Decimal):
        return f"{where} must be {expected:,f} by the trades, was {told:,f}, by {told - expected:+,f}"
    return f"{where} must be {expected} by the trades, was {told}"
