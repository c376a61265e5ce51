"""The tables of a day, each figure with what it was counted from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from heapq import nsmallest
from typing import Any, Final

from market.clock import iso_time
from market.exact_json import JsonObject
from market.instrument import plain
from market.words import counted
from pages.markup import Html, element
from pages.parts import table
from reports.by_order import realized_by_order
from reports.exact import figure
from reports.totals import paid_fees
from screens.money import amount_text, gain_text, money_text, percent_text

_GAINS: Final = frozenset({"spread_capture", "inventory_pnl", "expectancy"})
_MONEY: Final = frozenset({"fees", "picked_off_cost", "max_drawdown", "hold_benchmark"})
_RATIOS: Final = frozenset({"win_rate", "maker_ratio", "fill_ratio", "presence"})
_FILLS_MAX: Final = 8
_ROWS_PRINTED: Final = 2
_FILL_NAMES: Final = ("Time", "Side", "Quantity", "Price", "bps", "Quote age")


def tables(document: JsonObject, quote: str | None, by_order: JsonObject | None = None) -> Iterable[Html | None]:
    """Return the tables; what the document does not hold has none."""
    yield _symbols(document.get("symbols", {}))
    if metrics := document.get("metrics"):
        yield _metrics(metrics, quote)
    yield _markouts(document.get("markouts") or [])
    yield _round_trips(document.get("round_trips") or {"n": 0, "rows": []}, document.get("symbols", {}))
    by_order = realized_by_order(document) if by_order is None else by_order
    yield from (_by_order(by_order[name], name, document) for name in ("level", "rule"))
    yield _picked_off(document.get("trade_history", ()), document.get("quoting"))
    yield _worst_fills(document.get("trade_history", ()))
    yield _worst_closings(document.get("trade_history", ()), quote)
    yield _flows(document.get("flows") or [])
    yield _balances(document["balances"], document.get("symbols", {}))


def _symbols(parts: Mapping[str, Any]) -> Html | None:
    rows = [
        (
            symbol,
            f"{part['buys'] + part['sells']:,}",
            gain_text(part["pnl"], part["quote"]),
            f"{part['position']:+,f}" if part["position"] else "0",
            gain_text(part["unrealized"], part["quote"]),
            money_text(figure(paid_fees(part)), part["quote"]),
        )
        for symbol, part in parts.items()
    ]
    names = ("Symbol", "Fills", "Realized", "Open", "Unrealized", "Fees")
    return table("Symbols", names, rows, most=8, wide=(3, 4), printed=_ROWS_PRINTED)


def _metrics(metrics: Mapping[str, Any], quote: str | None) -> Html:
    """Return the metrics that are known; beside them, once, why others are not."""
    rows = [
        (
            _name(name),
            _metric_text(name, found["value"], quote),
            _interval(name, found, quote),
            f"{found['n']:,}",
        )
        for name, found in metrics.items()
        if found["value"] is not None and found["n"]
    ]
    unknown: dict[str, list[str]] = {}
    for name, found in metrics.items():
        if found["value"] is None or not found["n"]:  # a presence of less than a whole minute
            unknown.setdefault(found.get("why", "no whole minute was watched"), []).append(_name(name))
    told = (f"{', '.join(names)}: not known, for {why}." for why, names in unknown.items())
    notes = (element("p", text[:1].upper() + text[1:], class_="soft") for text in told)
    return element("div", table("Metrics", ("Metric", "Value", "95 %", "n"), rows, most=20, wide=(2,)), *notes)


def _name(metric: str) -> str:
    return metric.replace("_", " ").replace("pnl", "PnL")


def _interval(name: str, found: Mapping[str, Any], quote: str | None) -> str:
    if found.get("low") is None or found.get("high") is None:
        return ""
    return f"{_metric_text(name, found['low'], quote)} to {_metric_text(name, found['high'], quote)}"


def _metric_text(name: str, value: Decimal, quote: str | None) -> str:
    if name in _GAINS:
        return gain_text(value, quote)
    if name in _MONEY:
        return money_text(value, quote)
    return percent_text(value) if name in _RATIOS else f"{plain(Decimal(f'{value:.4g}')):,f}"


def _markouts(rows: Sequence[JsonObject]) -> Html | None:
    told = [
        (
            f"{row['side']}, {row['horizon_s']} s",
            "n/a" if row["mean_bps"] is None else f"{row['mean_bps']:+z.2f}",
            "" if row["low_bps"] is None else f"{row['low_bps']:+z.2f} to {row['high_bps']:+z.2f}",
            "n/a" if row.get("adverse_bps") is None else f"{row['adverse_bps']:+z.2f}",
            f"{row['n']:,}",
        )
        for row in rows
    ]
    return table("Markouts, bps", ("Side, after", "Mean", "95 %", "Adverse", "n"), told, wide=(3,))


def _round_trips(trips: JsonObject, parts: Mapping[str, Any]) -> Html | None:
    """Return the last lots that were closed to the last unit, and how long each was held."""
    last = trips["rows"][: -_FILLS_MAX - 1 : -1]
    told = [
        (
            iso_time(trip["closed_ms"])[11:19],
            "long" if trip["side"] == "BUY" else "short",
            f"{trip['qty']:,f}",
            _held_text(trip["closed_ms"] - trip["opened_ms"]),
            gain_text(trip["net"], parts[trip["symbol"]]["quote"]),
            gain_text(trip["gross"], parts[trip["symbol"]]["quote"]),
        )
        for trip in last
    ]
    names = ("Closed", "Side", "Quantity", "Held", "Net", "Before fees")
    title = f"Round trips: the last {len(last):,} of {trips['n']:,}"
    return table(title, names, told, wide=(2, 5), printed=_ROWS_PRINTED)


def _held_text(held_ms: int) -> str:
    """Return a time in the largest unit of which it has two."""
    for name, size_ms in (("h", 3_600_000), ("min", 60_000)):
        if held_ms >= 2 * size_ms:
            return f"{held_ms / size_ms:,.0f} {name}"
    return f"{held_ms / 1_000:,.0f} s"


def _by_order(rows: Sequence[JsonObject], name: str, document: JsonObject) -> Html | None:
    """Return what the fills of each level, or rule, have realized, in each symbol with several; None of none."""
    counts = Counter(row["symbol"] for row in rows)
    rows = [row for row in rows if counts[row["symbol"]] > 1]
    if not rows:
        return None
    symbols, is_one = document["symbols"], len(counts) == 1
    told = [
        (
            f"{'' if is_one else row['symbol'] + ' '}{'not known' if row[name] is None else row[name]}",
            f"{row['fills']:,}",
            money_text(row["volume"], symbols[row["symbol"]]["quote"]),
            gain_text(row["pnl"], symbols[row["symbol"]]["quote"]),
        )
        for row in rows
    ]
    names = (name.capitalize(), "Fills", "Volume", "Realized")
    return table(f"By {name}", names, told, wide=(2,), printed=_ROWS_PRINTED)


def _picked_off(rows: Iterable[JsonObject], quoting: JsonObject | None) -> Html | None:
    """Return the fills that came after the cancel of their order had been sent, those first that lost the most."""
    known = [row for row in rows if row.get("is_picked_off") is not None]
    late = [(_markout_of(row), row) for row in known if row["is_picked_off"]]
    if late:
        worst = nsmallest(_FILLS_MAX, late, key=lambda each: (each[0] is None, each[0] or 0))
        title = f"Picked off: {len(late):,} of {counted(len(known), 'fill')}, by what they lost in 10 s"
        return table(title, _FILL_NAMES, list(map(_fill_row, worst)), wide=(2, 5), printed=_ROWS_PRINTED)
    if known:
        return element("p", f"Picked off: none of {counted(len(known), 'fill')}.", class_="soft")
    if not quoting or not quoting["fills"]["count"]:
        return None
    count, of = quoting["picked_off"]["count"], counted(quoting["fills"]["count"], "fill")
    return element("p", f"Picked off: {count:,} of {of}; which they were is not known.", class_="soft")


def _worst_fills(rows: Iterable[JsonObject]) -> Html | None:
    """Return the fills that had lost the most 10 s later."""
    marked = [(markout, row) for row in rows if (markout := _markout_of(row)) is not None and markout < 0]
    told = list(map(_fill_row, nsmallest(_FILLS_MAX, marked, key=lambda each: each[0])))
    return table("Fills that lost the most in 10 s", _FILL_NAMES, told, wide=(2, 5), printed=_ROWS_PRINTED)


def _fill_row(told: tuple[float | None, JsonObject]) -> tuple[str, ...]:
    markout, row = told
    lost = "n/a" if markout is None else f"{markout:+z.2f}"
    return *_fill_cells(row), lost, _age_text(row.get("quote_age_ms"))


def _markout_of(row: JsonObject) -> float | None:
    """Return what a fill was worth 10 s later, in bps; None where that is not known."""
    mid = (row.get("mids") or {}).get("10")
    return None if mid is None else _markout_bps(row, mid)


def _markout_bps(row: JsonObject, mid: Decimal) -> float:
    sign = 1 if row["side"] == "BUY" else -1
    price = float(row["price"])
    at = price if row.get("mid") is None else float(row["mid"])
    return sign * (float(mid) - price) / at * 10_000


def _age_text(age_ms: Any) -> str:
    if age_ms is None:
        return "n/a"
    return f"{age_ms:,} ms" if age_ms < 10_000 else f"{age_ms / 1_000:,.0f} s"


def _worst_closings(rows: Iterable[JsonObject], quote: str | None) -> Html | None:
    losses = nsmallest(_FILLS_MAX, (row for row in rows if (row.get("realized") or 0) < 0), key=_realized)
    told = [(*_fill_cells(row), gain_text(row["realized"], quote), row.get("rule") or "n/a") for row in losses]
    names = ("Time", "Side", "Quantity", "Price", "Realized", "Rule")
    return table("Fills that realized the largest losses", names, told, wide=(2, 5), printed=_ROWS_PRINTED)


def _realized(row: JsonObject) -> float:
    return float(row["realized"])


def _fill_cells(row: JsonObject) -> tuple[str, ...]:
    return row["time"][11:19], row["side"], f"{row['qty']:,f}", f"{row['price']:,f}"


def _flows(flows: Sequence[JsonObject]) -> Html | None:
    rows = [(flow["kind"], f"{flow['amount']:+,f} {flow['asset']}") for flow in flows]
    return table("Deposits and withdrawals", ("Kind", "Amount"), rows, most=6, printed=_ROWS_PRINTED)


def _balances(balances: Mapping[str, Any], symbols: Mapping[str, Any]) -> Html | None:
    """Return what is held, the assets of the day's symbols before the others."""
    traded = {part[end] for part in symbols.values() for end in ("base", "quote")}
    held = {
        asset: one
        for asset, one in sorted(balances.items(), key=lambda each: each[0] not in traded)
        if one["free"] or one["locked"]
    }
    rows = [
        (asset, amount_text(Decimal(one["free"]), asset), amount_text(Decimal(one["locked"]), asset))
        for asset, one in held.items()
    ]
    return table("Balances", ("Asset", "Free", "Locked"), rows, most=6, printed=_ROWS_PRINTED)
