"""Has a daily document what its readers take for granted: the keys, and of each the kind; not whether it is right."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any, Final

from market.exact_json import JsonObject
from reports import json_fields as fields
from reports.marked_fills import HORIZONS_S, SIDES

OF_TRADES: Final = ("buys", "sells", "bought_qty", "sold_qty", "bought_quote", "sold_quote", "pnl", "position")

_AMOUNTS: Final = ("volume", "maker_volume", "gross", "realized_fees", "open_fees")
_MARKOUT: Final = ("low_bps", "high_bps", "capture_bps", "adverse_bps")


def check_kinds(document: JsonObject) -> None:
    """Look whether the keys of a document of ours that others read are there, and of their kind; not at its trades.

    Raises:
        ValueError: naming the one that is not.
    """
    _each(document, "symbols", _check_part)
    fields.child(document, "fees")
    if "reconciliation" in document:
        fields.flag(fields.child(document, "reconciliation"), "is_exact")
        fields.child(fields.child(document, "reconciliation"), "differences")
    if "resets" in document:
        fields.array(document, "resets")
    if document.get("market"):
        _named("market", _check_market, fields.child(document, "market"))
    if document.get("quoting") is not None:
        _named("quoting", _check_quoting, fields.child(document, "quoting"))
    if "markouts" in document:
        _check_markouts(fields.array(document, "markouts"))
    if "metrics" in document:
        _each(document, "metrics", _check_metric)
    if "equity" in document:
        _named("equity", _check_equity, fields.child(document, "equity"))
    if "identity" in document:
        _named("identity", _check_identity, fields.child(document, "identity"))


def _named(where: str, check: Callable[[JsonObject], None], part: JsonObject) -> None:
    """Check a part of a document, and say of a fault in which it is."""
    try:
        check(part)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _each(document: JsonObject, name: str, check: Callable[[JsonObject], None]) -> None:
    parts = fields.child(document, name)
    for key in parts:
        _named(f"{name}.{key}", check, fields.child(parts, key))


def _check_markouts(rows: list[Any]) -> None:
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError(f"markouts[{index}] must be an object, was {str(row)[:40]!r}")  # noqa: TRY004
        _named(f"markouts[{index}]", _check_markout, row)
    told, expected = [(row["horizon_s"], row["side"]) for row in rows], list(product(HORIZONS_S, SIDES))
    if rows and told != expected:
        raise ValueError(f"markouts must be of {expected}, were of {told}")


def _check_part(part: JsonObject) -> None:
    for name in ("buys", "sells", "round_trips", "wins"):
        fields.integer(part, name)
    for name in (*OF_TRADES, *_AMOUNTS):
        fields.number(part, name)
    for name in ("mark_price", "unrealized", "marked_pnl"):
        fields.number_or_none(part, name)
    for name in ("base", "quote"):
        fields.text(part, name)
    unvalued = fields.child(part, "unvalued_fees")
    for asset in unvalued:
        fields.number(unvalued, asset)


def _check_market(market: JsonObject) -> None:
    if fields.text(market, "venue") == "paper" and market.get("flow") is not None:
        fields.text(market, "flow")
        for name in ("maker_fee", "taker_fee"):
            _amount(market, name)


def _check_quoting(quoting: JsonObject) -> None:
    fields.number(quoting, "presence")
    for name in ("minutes", "minutes_on_target"):
        fields.integer(quoting, name)
    for kind in ("fills", "picked_off"):
        sums = fields.child(quoting, kind)
        fields.integer(sums, "count")
        fields.number(sums, "markout")
        _number_or_null(sums, "markout_bps")
    if "orders_filled" in quoting:  # files of before have neither
        for name in ("orders", "orders_filled"):
            fields.integer(quoting, name)
        fields.text(quoting, "symbol")
    if quoting.get("symbol") is not None:
        fields.text(quoting, "symbol")
    if quoting.get("seen") is not None:
        seen = fields.child(quoting, "seen")
        for side in ("bid", "ask"):
            if seen.get(side) is not None:
                for name in ("takers", "decay"):
                    _amount(fields.child(seen, side), name, is_positive=True)
    if quoting.get("maker") is not None:
        maker = fields.child(quoting, "maker")
        for name in ("half_spread", "skew", "inventory", "notional"):
            if maker.get(name) is not None:
                _amount(maker, name, is_positive=name == "notional")


def _check_markout(row: JsonObject) -> None:
    for name in ("horizon_s", "n", "missing", "block_s"):
        fields.integer(row, name)
    fields.text(row, "side")
    fields.number(row, "blocks")
    for name in _MARKOUT:
        _number_or_null(row, name)
    (fields.number if row["n"] else _number_or_null)(row, "mean_bps")
    if row["low_bps"] is not None:
        fields.number(row, "high_bps")


def _check_metric(metric: JsonObject) -> None:
    _number_or_null(metric, "value")
    fields.integer(metric, "n")
    if "low" in metric:
        fields.number(metric, "low")
        fields.number(metric, "high")


def _check_equity(equity: JsonObject) -> None:
    for name in ("start", "end", "change_less_flows", "flows"):
        _number_or_null(equity, name)
    if equity["change_less_flows"] is not None:
        fields.number(equity, "start")
        fields.number(equity, "end")
        fields.number(equity, "flows")
        fields.text(equity, "asset")
    fields.child(equity, "balances")


def _check_identity(identity: JsonObject) -> None:
    _each(identity, "symbols", _check_gap)
    _check_gap(fields.child(identity, "all"))


def _check_gap(part: JsonObject) -> None:
    _number_or_null(part, "gap")


def _number_or_null(entry: Mapping[str, Any], name: str) -> Decimal | None:
    """Return the number `entry[name]`, None where it is null; it must be there."""
    return None if entry.get(name, "") is None else fields.number(entry, name)


def _amount(entry: Mapping[str, Any], name: str, *, is_positive: bool = False) -> None:
    """Look whether there is a number, which may stand there as a text."""
    value = entry.get(name)
    try:
        number = Decimal(value) if isinstance(value, str) else fields.number(entry, name)
    except InvalidOperation:
        number = Decimal("NaN")
    if not math.isfinite(number) or (is_positive and not number > 0):
        expected = "a number above 0" if is_positive else "a number"
        raise ValueError(f"{name} must be {expected}, was {str(value)[:40]!r}")
