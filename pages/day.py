"""A day as a page: what it earned, how it went, how good its fills were."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from market.exact_json import JsonObject
from market.words import counted
from pages.day_charts import how_good_the_fills_were, how_it_went
from pages.day_tables import tables
from pages.markup import Html, element
from pages.parts import Tile, grid, page, section, tiles, words
from pages.words import rate_text
from reports.curves import day_curves
from reports.exact import figure
from reports.totals import paid_fees
from screens.market import market_text
from screens.money import gain_text, money_text, percent_text


def day_page(
    document: JsonObject, source: str, warnings: Iterable[str] = (), by_order: JsonObject | None = None
) -> str:
    """Return the page of a daily document.

    Args:
        source: where the document is, for the foot of the page.
        warnings: what is to be read before any figure, besides what the document says.
        by_order: what its fills have realized, see `reports/by_order.py`; made anew without.

    Raises:
        ValueError: naming what is wrong in the document.
    """
    curves = day_curves(document)
    quote = quote_of(document)
    head = [element("p", text, class_="soft") for text in _about(document)]
    body = [
        *words([*warnings, *_warnings(document)]),
        tiles(day_tiles(document, quote)),
        section("How it went", _charts(how_it_went(document, curves, quote), document)),
        section("How good the fills were", _charts(how_good_the_fills_were(document, quote), document), kind="next"),
        section("Figures", grid("tables", tables(document, quote, by_order))),
    ]
    foot = f"Made from {source}. Times are UTC. What each figure means: docs/reports.md."
    of = f", {document['symbol']}" if "symbol" in document else ""
    return page(f"Performance {document['date']}{of}", head, body, foot)


def quote_of(document: JsonObject) -> str | None:
    """Return the quote asset of all amounts; None where there are several."""
    symbols = document.get("symbols", {})
    traded = [part for part in symbols.values() if part["buys"] + part["sells"]]
    quotes = {part["quote"] for part in traded or symbols.values()}
    return quotes.pop() if len(quotes) == 1 else None


def day_tiles(document: JsonObject, quote: str | None) -> list[Tile]:
    """Return the figures that are read first; what the document does not hold is left out."""
    trades, parts = document["trades"], list(document.get("symbols", {}).values())
    metrics: Mapping[str, Any] = document.get("metrics") or {}
    found = [
        Tile("PnL realized", gain_text(trades.get("pnl"), quote), "after fees, first in, first out"),
        Tile(
            "Fills",
            f"{document['total_trades']:,}",
            f"{counted(trades['total_buys'], 'buy')}, {counted(trades['total_sells'], 'sell')}",
        ),
    ]
    equity: Mapping[str, Any] = document.get("equity") or {}
    if (change := equity.get("change_less_flows")) is not None:
        of = f"with what was held before; {money_text(equity['end'], equity['asset'])} at last"
        found.insert(1, Tile("Change of equity", gain_text(change, equity["asset"]), of))
    if parts and quote is not None:
        volume = sum((part["volume"] for part in parts), Decimal(0))
        made = sum((part["maker_volume"] for part in parts), Decimal(0))
        fees = figure(sum(map(paid_fees, parts), Fraction(0)))
        share = f"{percent_text(made / volume)} of it as maker" if volume else ""
        cost = f"{fees / volume * 10_000:.2f} bps of the volume" if volume else ""
        found += [Tile("Volume", money_text(volume, quote), share), Tile("Fees", money_text(fees, quote), cost)]
    trips = sum(part["round_trips"] - part.get("undecided", 0) for part in parts)
    if trips:
        value, of = rate_text(sum(part["wins"] for part in parts), trips, metrics.get("win_rate"))
        found.append(Tile("Round trips won", value, of or "closed lots: too few for a rate"))
    if (fall := metrics.get("max_drawdown") or {}).get("value") is not None:
        of = f"below the highest until then; n {fall['n']:,}"
        found.append(Tile("Largest drawdown", money_text(fall["value"], quote), of))
    if quoting := document.get("quoting"):
        of = f"of {counted(quoting['minutes'], 'minute')}; {quoting['minutes_on_target']:,} on target"
        found.append(Tile("Two-sided presence", percent_text(Decimal(quoting["presence"])), of))
    return found


def _charts(charts: list[Html], document: JsonObject) -> Html:
    if charts:
        return grid("charts", charts)
    if document["total_trades"]:
        return element("p", "The file has no trades to draw: it was made by other hands.", class_="none")
    return element("p", "No fills on this day.", class_="none")


def _about(document: JsonObject) -> Iterable[str]:
    if document.get("is_seen") is False:
        yield "Made of its trades; nobody saw the account on that day."
    else:
        yield f"As of {document['time']} UTC"
    if market := market_text(document.get("market", {})):
        yield market[:1].upper() + market[1:]


def _warnings(document: JsonObject) -> Iterable[str]:
    whole = (document.get("identity") or {}).get("all") or {}
    if gap := whole.get("gap"):
        trade = whole.get("first_trade")
        since = f", from trade {trade['id']} of {trade['symbol']} on ({trade['time']})" if trade else ""
        yield f"The figures do not add up to the balances by {gap:+,f} {document['equity']['asset']}{since}."
    elif whole.get("gap", 0) is None and document.get("is_seen") is not False:
        yield f"The figures were not compared with the balances: {whole.get('why', 'it is not known why')}."
    for symbol, part in document.get("symbols", {}).items():
        if gap := part.get("identity_gap"):
            yield f"The figures of {symbol} are wrong by {gap:+,f}: they are not what the trades moved."
        if unvalued := part.get("unvalued_fees"):
            fees = ", ".join(f"{fee:,f} {asset}" for asset, fee in unvalued.items())
            yield f"Fees of {fees} in {symbol} have no price, and are in no result."
    found = document.get("reconciliation")
    if found and not found["is_exact"]:
        differences = ", ".join(f"{asset} {row['difference']:+,f}" for asset, row in found["differences"].items())
        yield f"Balances and trades disagree (a deposit, a withdrawal, or a missed trade): {differences}."
    for reset in document.get("resets", ()):
        yield f"The account was reset ({reset['reason']}), noticed at {reset['time']}; the figures are those since."
