"""The reports as text: a day from its daily document, a week from its weekly document."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from market.exact_json import JsonObject
from screens.money import amount_text, gain_text, money_text, percent_text


def day_text(document: JsonObject) -> str:
    """Return the day's figures; what the document does not hold is not shown."""
    trades, symbols = document["trades"], document.get("symbols", {})
    traded = {symbol: part for symbol, part in symbols.items() if part["buys"] + part["sells"]}
    quote = _only({part["quote"] for part in (traded or symbols).values()})
    lines = [
        f"📊 Performance {document['date']} (as of {document['time']} UTC):",
        f"   Trades: {document['total_trades']} ({trades['total_buys']} buys, {trades['total_sells']} sells)",
        f"   PnL: {gain_text(trades.get('pnl'), quote)} realized, after fees",
    ]
    if len(traded) <= 1:
        lines += _price_lines(trades, quote)
    for symbol, part in traded.items():
        lines += [f"   {symbol}:", *(f"   {line}" for line in _symbol_lines(part, len(traded) > 1))]
    fees = document.get("fees", {})
    if fees:
        lines.append(
            "   Fees: " + ", ".join(f"{amount_text(Decimal(fee), asset)} {asset}" for asset, fee in fees.items())
        )
    lines += _reset_lines(document.get("resets", []))
    return "\n".join(lines + _reconciliation_lines(document.get("reconciliation")))


def week_text(week: JsonObject) -> str:
    """Return the week's daily breakdown, totals and recommendations."""
    quote, total = week["quote"], week["total"]
    lines = [f"📈 Week {week['from']} to {week['to']}:"]
    lines += [_day_line(day, quote) for day in week["days"]]
    lines += [
        "",
        f"   Total PnL: {gain_text(total['pnl'], quote)} ({total['trades']} trades, {_days_phrase(total)})",
    ]
    if total["pnl_across_midnight"] not in (None, total["pnl"]):
        lines.append(f"   With lots carried over midnight: {gain_text(total['pnl_across_midnight'], quote)}")
    lines += [
        f"   Win rate: {percent_text(total['win_rate'])}{_round_trips_phrase(total)}",
        f"   Volume: {money_text(total['volume'], quote)}, maker {percent_text(total['maker_ratio'])}",
        f"   Fees: {money_text(total['fees'], quote)}",
        f"   Best day: {_ranked_phrase(week['best_day'], quote)}",
        f"   Worst day: {_ranked_phrase(week['worst_day'], quote)}",
        "",
        "💡 Recommendations:",
        *(f"   - {item['advice']}" for item in week["recommendations"]),
    ]
    return "\n".join(lines)


def _reset_lines(resets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each time that the venue began the account anew."""
    return [
        f"   The account was reset ({reset['reason']}), noticed at {reset['time']}; the figures are those since"
        for reset in resets
    ]


def _price_lines(trades: Mapping[str, Any], quote: str | None) -> list[str]:
    """Return the average prices that there are."""
    lines = []
    for name, label in (("avg_buy_price", "Average buy"), ("avg_sell_price", "Average sell")):
        if trades.get(name) is not None:
            lines.append(f"   {label}: {money_text(Decimal(trades[name]), quote)}")
    return lines


def _symbol_lines(part: Mapping[str, Any], is_one_of_several: bool) -> list[str]:
    """Return one symbol's figures; those that the day's lines hold already only when there are several symbols."""
    quote = part["quote"]
    lines = []
    if is_one_of_several:
        lines.append(f"   Trades: {part['buys'] + part['sells']} ({part['buys']} buys, {part['sells']} sells)")
        lines.append(f"   PnL: {gain_text(part['pnl'], quote)} realized, after fees")
        lines += _price_lines(part, quote)
    lines.append(f"   Round trips: {part['round_trips']}, of which {part['wins']} won")
    lines.append(f"   Volume: {money_text(part['volume'], quote)}")
    if part["position"]:
        lines.append(f"   Open: {part['position']:+,f} {part['base']}{_mark_phrase(part)}")
    unvalued = ", ".join(f"{fee:,f} {asset}" for asset, fee in part["unvalued_fees"].items())
    if unvalued:
        lines.append(f"   Not in the PnL, no price known: fees of {unvalued}")
    return lines


def _mark_phrase(part: Mapping[str, Any]) -> str:
    if part["mark_price"] is None:
        return ", no price to value it"
    mark, gain = money_text(part["mark_price"], part["quote"]), gain_text(part["unrealized"], part["quote"])
    return f", unrealized {gain} at {mark}"


def _reconciliation_lines(found: JsonObject | None) -> list[str]:
    if found is None:
        return []
    if found["is_exact"]:
        return ["   Books: balances and trades agree to the last unit"]
    lines = ["   Books: balances and trades disagree (a deposit, a withdrawal, or a missed trade):"]
    return lines + [f"      {asset}: {row['difference']:+,f}" for asset, row in found["differences"].items()]


def _day_line(day: JsonObject, quote: str | None) -> str:
    if day["state"] == "missing":
        return f"   {day['date']}  missing"
    if day["state"] == "damaged":
        return f"   {day['date']}  damaged: {day['reason']}"
    phrases = [f"{day['trades']} trades ({day['buys']} buys, {day['sells']} sells)"]
    if day["win_rate"] is not None:
        phrases.append(f"win rate {percent_text(day['win_rate'])}")
    if day["is_reconciled"] is False:
        phrases.append("books disagree")
    return f"   {day['date']}  {gain_text(day['pnl'], quote):>12}  {', '.join(phrases)}"


def _days_phrase(total: Mapping[str, Any]) -> str:
    phrases = [f"{total['days_reported']} of 7 days reported"]
    phrases += [f"{total[f'days_{state}']} {state}" for state in ("missing", "damaged") if total[f"days_{state}"]]
    return ", ".join(phrases)


def _round_trips_phrase(total: Mapping[str, Any]) -> str:
    return f" ({total['wins']} of {total['round_trips']} round trips)" if total["round_trips"] else ""


def _ranked_phrase(ranked: JsonObject | None, quote: str | None) -> str:
    return "n/a" if ranked is None else f"{ranked['date']} ({gain_text(ranked['pnl'], quote)})"


def _only(values: set[str]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None
