"""The lots that a day begins with: what the day before has left open, fill by fill, at what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from market.exact_json import JsonObject
from market.instrument import Instrument
from reports import json_fields as fields
from reports.exact import amount, figure
from reports.exact_sum import units_of
from reports.lots import Lot, fee_in_quote, lot_of
from reports.trade_history import HistoryRow, fee_value, row_from_json, row_to_json

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Carried:
    """Open lots over midnight.

    Attributes:
        lots: by symbol, oldest first.
        instruments: the symbols that they may be of.
        day: whose document they are from; None without one.
        why: why it is not known what was open and what it cost; empty where it is known. The day then begins flat.
        ends: what the account held at the end of that day, by asset; None where nobody knows.
        is_wiped: whether the venue has begun the account anew since.
    """

    lots: Mapping[str, Sequence[Lot]] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    day: date | None = None
    why: str = ""
    ends: Mapping[str, Fraction] | None = None
    is_wiped: bool = False

    def of(self, symbol: str) -> list[Lot]:
        """Return the lots of a symbol as the file tells them, for a book of its own that will change them."""
        return [_as_written(lot) for lot in self.lots.get(symbol, ())]


def carried_to_json(carried: Carried, symbol: str, instrument: Instrument) -> JsonObject:
    """Return what is carried of a symbol as the daily document tells it."""
    lots = carried.lots.get(symbol, ())
    is_known = not carried.why
    return {
        "from": None if carried.day is None else carried.day.isoformat(),
        "qty": figure(sum((lot.sign * lot.left for lot in lots), _ZERO)) if is_known else None,
        "cost": figure(sum((lot.left * lot.price for lot in lots), _ZERO)) if is_known else None,
        "fees": figure(sum((lot.left * lot.fee_per_unit for lot in lots), _ZERO)) if is_known else None,
        **({} if is_known else {"why": carried.why}),
        "lots": [_lot_to_json(lot, instrument) for lot in lots],
    }


def carried_from_json(parts: JsonObject, instruments: Mapping[str, Instrument]) -> Carried:
    """Return what the symbols' parts of a daily document say was carried; nothing for one of before.

    Raises:
        ValueError: naming the field that is wrong.
    """
    lots: dict[str, list[Lot]] = {}
    day: date | None = None
    why = ""
    for symbol, part in parts.items():
        if "carried" not in part:
            continue
        entry = fields.child(part, "carried")
        if entry.get("from") is not None:
            day = date.fromisoformat(fields.text(entry, "from"))
        why = fields.text(entry, "why") if "why" in entry else why
        lots[symbol] = [_lot_from_json(one, instruments[symbol]) for one in fields.array(entry, "lots")]
        if not why:
            _check(symbol, entry, lots[symbol])
    return Carried(lots, instruments, day, why)


def _check(symbol: str, entry: JsonObject, lots: Sequence[Lot]) -> None:
    qty = figure(sum((lot.sign * lot.left for lot in lots), _ZERO))
    cost = figure(sum((lot.left * lot.price for lot in lots), _ZERO))
    paid = figure(sum((lot.left * lot.fee_per_unit for lot in lots), _ZERO))
    for name, value in (("qty", qty), ("cost", cost), ("fees", paid)):
        if fields.number(entry, name) != value:
            raise ValueError(f"{symbol}.carried.{name} must be {value} by its lots, was {entry[name]}")


def _as_written(lot: Lot) -> Lot:
    """Return the lot with its closed part rounded as `_lot_to_json` does it: a day must come to the same when read."""
    written = lot.copied()
    written.set_closed(figure(lot.gross), figure(lot.fees))
    return written


def _lot_to_json(lot: Lot, instrument: Instrument) -> JsonObject:
    own = fee_in_quote(lot.trade, instrument.base, instrument.quote, {})
    value = own if own is not None else lot.fee_value
    return row_to_json(HistoryRow(lot.trade, None if value is None else figure(Fraction(value)))) | {
        "opened": amount(figure(lot.opened)),
        "left": amount(figure(lot.left)),
        "closed_gross": figure(lot.gross),
        "closed_fees": figure(lot.fees),
        "is_unvalued": lot.is_unvalued,
    }


def _lot_from_json(entry: Any, instrument: Instrument) -> Lot:
    row = row_from_json(entry)
    lot = lot_of(row.trade, instrument.base, fee_value(row, instrument))
    opened, left = (units_of(fields.number(entry, name)) for name in ("opened", "left"))
    if lot is None or not 0 < left <= opened <= lot.left_units:
        raise ValueError(f"left of the carried trade {row.trade.trade_id} must be a part of it, was {entry['left']}")
    lot.opened_units, lot.left_units = opened, left
    lot.set_closed(fields.number(entry, "closed_gross"), fields.number(entry, "closed_fees"))
    lot.is_unvalued = fields.flag(entry, "is_unvalued")
    return lot
