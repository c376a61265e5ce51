"""What follows of the account's balances in a daily file, by docs/reports.md alone: equity and the identity."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from tests.independent.daily_file_books import Book, Json, fee_in_quote, symbol_part


def moved_by(rows: Sequence[Json], symbols: Json) -> dict[str, Fraction]:
    """Return what trades moved of each asset."""
    moved: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        part, sign = symbols[row["symbol"]], 1 if row["side"] == "BUY" else -1
        moved[part["base"]] += sign * Fraction(row["qty"])
        moved[part["quote"]] -= sign * Fraction(row["quote_qty"])
        moved[row["fee_asset"]] -= Fraction(row["fee"])
    return moved


def is_held(row: Json, opening: Json) -> bool:
    """Say whether the balances of the opening hold a trade."""
    last = opening["last_trade_ids"].get(row["symbol"])
    return bool(row["id"] <= last if last is not None else row["time_ms"] <= opening["time_ms"])


def account_parts(document: Json, books: dict[str, Book], before: Json | None) -> Json:
    """Return what follows of opening and balances: `reconciliation`, `equity`, `identity`.

    Trades of a later second than the last sight are not in its balances: they were learnt of on the next day. In its
    second, which the file does not divide, as many are as it counts.
    """
    opening, rows, symbols = document["opening"], document["trade_history"], document["symbols"]
    others = [] if before is None else [row for row in before["trade_history"] if not is_held(row, opening)]
    late = moved_by(others, symbols)
    fresh = [row for row in rows if not is_held(row, opening)]
    least, most = (
        sum(row["time"][11:19] < document["time"] for row in fresh),
        sum(row["time"][11:19] <= document["time"] for row in fresh),
    )
    told = int(document["reconciliation"]["trades_since_opening"]) - len(others)
    since = fresh[: told if least <= told <= most else most]
    flows = [flow for flow in document["flows"] if flow["time_ms"] > opening["time_ms"]]
    flowed: dict[str, Fraction] = defaultdict(Fraction)
    for flow in flows:
        flowed[flow["asset"]] += Fraction(flow["amount"])

    def total(balances: Json, asset: str) -> Fraction:
        return sum((Fraction(each) for each in balances.get(asset, {}).values()), Fraction(0))

    added, moved = moved_by(since, symbols), moved_by(rows, symbols)
    held = moved_by([row for row in rows if is_held(row, opening)], symbols)
    differences = {}
    for asset in opening["balances"].keys() | document["balances"].keys() | added.keys() | late.keys() | flowed.keys():
        expected = total(opening["balances"], asset) + added[asset] + late[asset] + flowed[asset]
        actual = total(document["balances"], asset)
        if expected != actual:
            differences[asset] = {"expected": expected, "actual": actual, "difference": actual - expected}
    reconciliation = {"is_exact": not differences, "differences": differences}
    reconciliation["trades_since_opening"] = len(since) + len(others)
    (quote,) = {book.quote for book in books.values()}
    prices = {quote: (Fraction(1), Fraction(1))}
    for symbol, book in books.items():
        prices[book.base] = (book.start_mark or Fraction(0), Fraction(symbols[symbol]["mark_price"] or 0))
    balances = {}
    for asset, (first, last) in prices.items():
        start = total(opening["balances"], asset) - held[asset] + late[asset]
        gap = differences.get(asset, {}).get("difference", Fraction(0))
        end = start + moved[asset] + flowed[asset] + gap
        if asset == quote or start or end or moved[asset]:
            balances[asset] = {"start": start, "end": end, "start_price": first, "end_price": last}
    worth = {
        when: sum((each[when] * each[f"{when}_price"] for each in balances.values()), Fraction(0))
        for when in ("start", "end")
    }
    lines = {symbol: identity_of(symbols[symbol], book) for symbol, book in books.items()}
    names = ("realized_net", "unrealized_change", "open_fees_change")
    whole = {name: sum((line[name] for line in lines.values()), Fraction(0)) for name in names}
    change, elsewhere, flow_worth = held_of(document, books, prices, balances, flows)
    grown = worth["end"] - worth["start"]
    whole |= {"held_change": change, "fees_elsewhere": elsewhere, "equity_change": grown, "flows": flow_worth}
    left = whole["realized_net"] + whole["unrealized_change"] - whole["open_fees_change"] + change + elsewhere
    whole |= {"gap": left - grown + flow_worth, "first_trade": document["identity"]["all"]["first_trade"]}
    equity = worth | {"asset": quote, "change": grown, "flows": flow_worth, "fees_elsewhere": elsewhere}
    equity |= {"change_less_flows": grown - flow_worth - elsewhere, "balances": balances}
    return {
        "equity": equity,
        "identity": {"symbols": lines, "all": whole},
        "reconciliation": document["reconciliation"] | reconciliation,
    }


def identity_of(part: Json, book: Book) -> Json:
    """Return the identity of a symbol."""
    own = symbol_part(part, book, [])
    mark, first = Fraction(part["mark_price"] or 0), book.start_mark or Fraction(0)
    cost = book.carried_cost if book.carried > 0 else -book.carried_cost
    line: Json = {
        "realized_net": own["pnl"],
        "unrealized_change": own["unrealized"] - (book.carried * first - cost),
        "open_fees_change": own["open_fees"] - book.carried_fees,
        "equity_change": book.cash + book.arrived * mark + book.carried * (mark - first),
    }
    left = line["realized_net"] + line["unrealized_change"] - line["open_fees_change"]
    return line | {"gap": left - line["equity_change"]}


def held_of(
    document: Json,
    books: dict[str, Book],
    prices: dict[str, tuple[Fraction, Fraction]],
    balances: Json,
    flows: Sequence[Json],
) -> tuple[Fraction, Fraction, Fraction]:
    """Return `held_change`, `fees_elsewhere` and what the flows were worth."""
    change = elsewhere = flow_worth = Fraction(0)
    for book in books.values():
        first, last = prices[book.base]
        start = balances.get(book.base, {"start": Fraction(0)})["start"]
        change += (start - book.carried) * (last - first)
    for flow in flows:
        if flow["asset"] in prices:
            last = prices[flow["asset"]][1]
            price = last if flow["price"] is None else Fraction(flow["price"])
            change += Fraction(flow["amount"]) * (last - price)
            flow_worth += Fraction(flow["amount"]) * price
    for row in document["trade_history"]:
        part, asset = document["symbols"][row["symbol"]], row["fee_asset"]
        if asset in (part["base"], part["quote"]):
            continue
        cost = fee_in_quote(row, part["base"], part["quote"]) or Fraction(0)
        if asset in prices:
            change += cost - Fraction(row["fee"]) * prices[asset][1]
        else:
            elsewhere += cost
    return change, elsewhere, flow_worth
