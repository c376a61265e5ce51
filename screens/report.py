"""A day as text, from its daily document."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from market.exact_json import JsonObject
from market.words import counted, counts_text
from screens.market import market_text
from screens.money import amount_text, gain_text, money_text, percent_text, rounded_money

RATE_OF_MIN: Final = 20  # a percentage of fewer says less than the two counts


def day_text(document: JsonObject, by_order: Mapping[str, Any] | None = None) -> str:
    """Return the day's figures; what the document does not hold is not shown.

    Args:
        by_order: what its fills have realized by level, model and rule, see `reports/by_order.py`.
    """
    trades, symbols = document["trades"], document.get("symbols", {})
    traded = {symbol: part for symbol, part in symbols.items() if part["buys"] + part["sells"]}
    quote = _only({part["quote"] for part in (traded or symbols).values()})
    of = f", {document['symbol']}" if "symbol" in document else ""
    lines = [f"📊 Performance {document['date']}{of} ({_when(document)}):"]
    if market := market_text(document.get("market", {})):
        lines.append(f"   Market: {market}")
    lines += [
        f"   Trades: {_trades_phrase(document['total_trades'], trades['total_buys'], trades['total_sells'])}",
        f"   PnL: {gain_text(trades.get('pnl'), quote)} realized{_fees_phrase(document.get('fees'), traded.values())}",
    ]
    if len(traded) <= 1:
        lines += _price_lines(trades, quote)
    for symbol, part in symbols.items():
        own = _symbol_lines(part, len(traded) > 1) if symbol in traded else _open_lines(part)  # from the day before
        lines += [f"   {symbol}:", *(f"   {line}" for line in own)] if own else []
    lines += _by_order_lines(by_order or {}, traded)
    if fees := document.get("fees", {}):
        paid = ", ".join(f"{amount_text(Decimal(fee), asset)} {asset}" for asset, fee in fees.items())
        lines.append(f"   Fees: {paid}")
    if quoting := document.get("quoting"):
        lines.append(f"   Quoting: {_quoting_phrase(quoting, quote)}")
    lines += [
        f"   The account was reset ({reset['reason']}), noticed at {reset['time']}; the figures are those since"
        for reset in document.get("resets", [])
    ]
    lines += _result_lines(document, quote)
    lines += _flow_lines(document) + _gap_lines(symbols) + _identity_lines(document)
    return "\n".join(lines + _reconciliation_lines(document.get("reconciliation")))


def _when(document: JsonObject) -> str:
    if document.get("is_seen") is False:
        return "made of its trades; nobody saw the account on that day"
    return f"as of {document['time']} UTC"


def _trades_phrase(count: int, buys: int, sells: int) -> str:
    return f"{count:,} ({counted(buys, 'buy')}, {counted(sells, 'sell')})"


def _quoting_phrase(quoting: Mapping[str, Any], quote: str | None) -> str:
    """Return how long the maker was there, and what its fills, and those that were picked off, came to."""
    minutes = f"{quoting['minutes_on_target']:,} of {counted(quoting['minutes'], 'minute')} on target"
    late, fills = quoting["picked_off"], quoting["fills"]
    worth = f" (markout {gain_text(Decimal(late['markout']), quote)})" if late["count"] else ""
    fills_text = f"{counted(fills['count'], 'fill')}, markout {gain_text(Decimal(fills['markout']), quote)}"
    present = f"two-sided {percent_text(Decimal(quoting['presence']))} of the time, {minutes}"
    return f"{present}; {fills_text}; picked off {late['count']:,}{worth}"


def _by_order_lines(by_order: Mapping[str, Any], parts: Mapping[str, Any]) -> list[str]:
    """Return what each level and each rule has realized, where there are several: of one it is the result itself."""
    lines = []
    for name in ("level", "rule"):
        for symbol, part in parts.items():
            rows = [row for row in by_order.get(name, ()) if row["symbol"] == symbol]
            if len(rows) > 1:
                of = f" of {symbol}" if len(parts) > 1 else ""
                phrases = ", ".join(_realized_phrase(row, name, part) for row in rows)
                lines.append(f"   By {name}{of}: {phrases}{_rounding_phrase(rows, part['quote'])}")
    return lines


def _realized_phrase(row: Mapping[str, Any], name: str, part: Mapping[str, Any]) -> str:
    value = "not known" if row[name] is None else row[name]
    return f"{value} {gain_text(row['pnl'], part['quote'])} ({counted(row['fills'], 'fill')})"


def _rounding_phrase(rows: Iterable[Mapping[str, Any]], quote: str | None) -> str:
    """Say why parts do not add up to the whole, where they do not as they are shown."""
    parts = [Decimal(row["pnl"]) for row in rows]
    shown = sum((rounded_money(each, quote) for each in parts), Decimal(0))
    return "" if shown == rounded_money(sum(parts, Decimal(0)), quote) else "; each is rounded"


def _fees_phrase(fees: Mapping[str, Any] | None, parts: Iterable[Mapping[str, Any]]) -> str:
    """Return whether the PnL is after fees: all of them, none, or all but those that have no price."""
    if fees is None:
        return ""
    every = tuple(parts)
    if not fees:
        return ", no fees paid" if every else ""
    unvalued: dict[str, Decimal] = {}
    for part in every:
        for asset, fee in part["unvalued_fees"].items():
            unvalued[asset] = unvalued.get(asset, Decimal(0)) + fee
    if unvalued:
        return f", before fees of {_amounts(unvalued)}, of which no price is known"
    return ", after fees"


def _amounts(amounts: Mapping[str, Any]) -> str:
    return ", ".join(f"{amount:,f} {asset}" for asset, amount in amounts.items())


def _result_lines(document: JsonObject, quote: str | None) -> list[str]:
    """Return what the day has come to, and what the fills were worth; each with how many it was made of."""
    equity, metrics = document.get("equity") or {}, document.get("metrics") or {}
    lines = []
    if equity.get("change_less_flows") is not None:
        flows = f", without flows of {gain_text(equity['flows'], equity['asset'])}" if equity["flows"] else ""
        change = gain_text(equity["change_less_flows"], equity["asset"])
        held = (metrics.get("hold_benchmark") or {}).get("value")
        untraded = "" if held is None else f", untraded it would be {money_text(held, equity['asset'])}"
        end = money_text(equity["end"], equity["asset"])
        lines.append(f"   Equity: {change} to {end}{flows}, with what was held before{untraded}")
    known = {name: found for name, found in metrics.items() if found["value"] is not None}
    if capture := known.get("spread_capture"):
        moved = known.get("inventory_pnl")
        rest = f", the market's moves {gain_text(moved['value'], quote)}" if moved else ""
        captured = gain_text(capture["value"], quote)
        lines.append(f"   Spread captured: {captured}{rest} (n {capture['n']:,})")
    if fall := known.get("max_drawdown"):
        lines.append(f"   Largest drawdown: {money_text(fall['value'], quote)} (n {fall['n']:,})")
    marked = [row for row in document.get("markouts") or () if row["side"] == "both" and row["mean_bps"] is not None]
    if marked:
        counts = counts_text(row["n"] for row in marked)
        lines.append(f"   Markouts: {', '.join(map(_markout_phrase, marked))} (n {counts})")
    return lines


def _markout_phrase(row: Mapping[str, Any]) -> str:
    interval = "" if row["low_bps"] is None else f" ({row['low_bps']:+z.2f} to {row['high_bps']:+z.2f})"
    return f"{row['horizon_s']} s {row['mean_bps']:+z.2f} bps{interval}"


def _gap_lines(symbols: Mapping[str, Any]) -> list[str]:
    """Return the symbols whose figures are not what the trades moved: a bug of ours, never to be hidden."""
    return [
        f"   PnL: the figures of {symbol} are wrong by {gap:+,f}: realized + unrealized - open fees is not the change"
        for symbol, part in symbols.items()
        if (gap := part.get("identity_gap"))
    ]


def _flow_lines(document: JsonObject) -> list[str]:
    """Return what came or went without a trade: no gain, and no loss."""
    return [
        f"   Flow: {flow['amount']:+,f} {flow['asset']} at {flow['time'][11:19]}, {flow['kind']}"
        for flow in document.get("flows", [])
    ]


def _identity_lines(document: JsonObject) -> list[str]:
    """Return by how much the account is another one than lots and fees say, and from which trade on, or why not."""
    whole = document.get("identity", {}).get("all", {})
    if whole.get("gap", 0) is None:
        return [f"   PnL: not compared with the change of the account: {whole.get('why', 'it is not known')}"]
    if not whole.get("gap"):
        return []
    first = whole["first_trade"]
    where = f", from trade {first['id']} of {first['symbol']} on ({first['time'][11:19]})" if first else ""
    lines = f"   PnL: wrong by {whole['gap']:+,f} {document['equity']['asset']}{where}: "
    return [lines + "what trades and fees come to is not the change of the account"]


def _price_lines(trades: Mapping[str, Any], quote: str | None) -> list[str]:
    """Return the average prices that there are."""
    return [
        f"   Average {side}: {money_text(Decimal(price), quote)}"
        for side in ("buy", "sell")
        if (price := trades.get(f"avg_{side}_price")) is not None
    ]


def _symbol_lines(part: Mapping[str, Any], is_one_of_several: bool) -> list[str]:
    """Return one symbol's figures; those that the day's lines hold already only when there are several symbols."""
    quote = part["quote"]
    lines = []
    if is_one_of_several:
        lines.append(f"   Trades: {_trades_phrase(part['buys'] + part['sells'], part['buys'], part['sells'])}")
        paid = {"all": 1} if part["realized_fees"] or part["open_fees"] or part["unvalued_fees"] else {}
        lines.append(f"   PnL: {gain_text(part['pnl'], quote)} realized{_fees_phrase(paid, [part])}")
        lines += _price_lines(part, quote)
    if part["round_trips"]:
        lines.append(f"   Round trips: {round_trips_phrase(part)}")
    lines.append(f"   Volume: {money_text(part['volume'], quote)}")
    lines += _open_lines(part)
    if part["unvalued_fees"]:
        lines.append(f"   Not in the PnL, no price known: fees of {_amounts(part['unvalued_fees'])}")
    return lines


def _open_lines(part: Mapping[str, Any]) -> list[str]:
    return [f"   Open: {part['position']:+,f} {part['base']}{_mark_phrase(part)}"] if part["position"] else []


def _mark_phrase(part: Mapping[str, Any]) -> str:
    if part["mark_price"] is None:
        return ", no price to value it"
    mark, gain = money_text(part["mark_price"], part["quote"]), gain_text(part["unrealized"], part["quote"])
    fees = part["open_fees"]
    paid = f", before {money_text(fees, part['quote'])} of fees paid for it" if fees else ""
    return f", unrealized {gain} at {mark}{paid}"


def _reconciliation_lines(found: JsonObject | None) -> list[str]:
    if found is None:
        return []
    if found["is_exact"]:
        return ["   Books: balances and trades agree to the last unit"]
    lines = ["   Books: balances and trades disagree (a deposit, a withdrawal, or a missed trade):"]
    return lines + [f"      {asset}: {row['difference']:+,f}" for asset, row in found["differences"].items()]


def round_trips_phrase(figures: Mapping[str, Any]) -> str:
    """Return how many won, and what is counted: a fill may close several lots, or a part of one."""
    count, undecided = figures["round_trips"], figures.get("undecided") or 0
    decided = count - undecided
    phrase = f"{figures['wins']} of {count} won"
    if decided >= RATE_OF_MIN:
        phrase += f", {percent_text(Decimal(figures['wins']) / decided)}"
    unknown = f", {undecided} not known before the price of their fees is" if undecided else ""
    return f"{phrase}{unknown} (lots closed, first in, first out)"


def _only(values: set[str]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None
