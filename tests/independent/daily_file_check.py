"""Make every figure of a daily file again, from its trades, by what docs/reports.md says and with no code of ours.

`python -m tests.independent.daily_file_check FILE [BEFORE]` prints each key that does not follow, and exits 1 then.
BEFORE is the file of the day before: with it carried lots are followed, too; without it they are taken as told. Of
files of `version` 1 those keys are looked at that they have, and no checksum. The standard library is all it needs.
"""

import json
import math
import re
import sys
import zlib
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

Json = dict[str, Any]
ZERO = Fraction(0)
FILL = {"id", "order_id", "time", "time_ms", "symbol", "side", "price", "qty", "quote_qty", "is_maker"}
FILL |= {"fee", "fee_asset", "fee_in_quote"}
METRICS = "spread_capture inventory_pnl fees picked_off_cost win_rate profit_factor expectancy max_drawdown maker_ratio"
METRICS += " fill_ratio order_to_trade turnover presence hold_benchmark"
EQUITY = "asset start end change flows fees_elsewhere change_less_flows"
LINE = "realized_net unrealized_change open_fees_change equity_change gap"


class Near(NamedTuple):  # a figure that is made in binary, and written with so many decimals
    value: float
    places: int = 6
    slack: float = 1e-9


def rounded(value: Fraction, places: int = 12) -> Fraction:
    return Fraction(round(value * 10**places), 10**places)


def total(values: Iterable[Any]) -> Fraction:
    return sum(map(Fraction, values), ZERO)


def arrived(row: Json, base: str) -> Fraction:
    return sign_of(row) * Fraction(row["qty"]) - (Fraction(row["fee"]) if row["fee_asset"] == base else 0)


def sign_of(row: Json) -> int:
    return 1 if row["side"] == "BUY" else -1


def fee_in_quote(row: Json, base: str, quote: str) -> Fraction | None:
    fee = Fraction(row["fee"])
    if row["fee_asset"] == quote or not fee:
        return fee
    if row["fee_asset"] == base:
        return fee * Fraction(row["quote_qty"]) / Fraction(row["qty"])
    told = row["fee_in_quote"] if "opened" in row else row.get("fee_price")  # a carried lot tells what its fee cost
    return None if told is None else Fraction(told) * (1 if "opened" in row else fee)


class Lot:
    def __init__(self, row: Json, base: str, quote: str) -> None:
        amount, self.row = arrived(row, base), row
        self.sign, self.whole = (1 if amount > 0 else -1), abs(amount)
        self.price, self.is_unvalued = Fraction(row["quote_qty"]) / Fraction(row["qty"]), row["fee_in_quote"] is None
        self.fee = fee_in_quote(row, base, quote) or ZERO
        self.left = self.opened = Fraction(row.get("left", self.whole))
        self.gross = self.fees = ZERO
        if "opened" in row:
            self.opened, self.is_unvalued = Fraction(row["opened"]), row["is_unvalued"]
            self.gross, self.fees = Fraction(row["closed_gross"]), Fraction(row["closed_fees"])

    def told(self) -> Json:
        row = {key: value for key, value in self.row.items() if key in FILL} | {"is_unvalued": self.is_unvalued}
        return row | {"opened": self.opened, "left": self.left, "closed_gross": self.gross, "closed_fees": self.fees}


class Book:  # what the trades of one symbol come to
    def __init__(self, part: Json, start: Any) -> None:
        self.base, self.quote, self.start = part["base"], part["quote"], None if start is None else Fraction(start)
        self.lots = deque(Lot(row, self.base, self.quote) for row in part.get("carried", {}).get("lots", ()))
        self.carried = self.held = total(lot.sign * lot.left for lot in self.lots)
        self.carried_cost = self.cost = total(lot.left * lot.price for lot in self.lots)
        self.carried_fees = self.average_fees = self.open_fees
        self.mark, self.trips, self.rows = self.start, list[Json](), list[Json]()
        self.gross = self.fees = self.cash = self.average_net = self.capture = self.inventory = self.area = ZERO

    @property
    def open_fees(self) -> Fraction:
        return total(lot.fee * lot.left / lot.whole for lot in self.lots)

    def move_mark(self, mark: Any) -> None:
        if mark is not None:
            self.inventory += self.held * (Fraction(mark) - (Fraction(mark) if self.mark is None else self.mark))
            self.mark = Fraction(mark)

    def result(self) -> Fraction:  # what trades and carried lots have moved until now, at the mark
        return self.cash + self.held * (self.mark or 0) - self.carried * (self.start or 0)

    def take(self, row: Json) -> Fraction:  # returns what the fill realized
        fill, amount, mid = Lot(row, self.base, self.quote), arrived(row, self.base), row.get("mid")
        self.move_mark(fill.price if mid is None else mid)
        self.capture += 0 if mid is None else amount * (Fraction(mid) - fill.price)
        self.area += abs(self.held) * int(row["time_ms"] - self.rows[-1]["time_ms"]) if self.rows else 0
        self.average(amount, abs(amount) * fill.price, fill.fee)
        self.fees, self.held = self.fees + fill.fee, self.held + amount
        self.cash -= sign_of(row) * Fraction(row["quote_qty"]) + (fill.fee if row["fee_asset"] != self.base else 0)
        self.rows.append(row)
        return self.fifo(fill) if amount else -fill.fee

    def fifo(self, fill: Lot) -> Fraction:
        realized = ZERO
        while fill.left and self.lots and self.lots[0].sign != fill.sign:
            lot = self.lots[0]
            units = min(fill.left, lot.left)
            gross = units * lot.sign * (fill.price - lot.price)
            fees = units * (fill.fee / fill.whole + lot.fee / lot.whole)
            lot.left, fill.left, lot.is_unvalued = (
                lot.left - units,
                fill.left - units,
                lot.is_unvalued | fill.is_unvalued,
            )
            lot.gross, lot.fees = lot.gross + gross, lot.fees + fees
            self.gross, realized = self.gross + gross, realized + gross - fees
            if not lot.left:
                self.lots.popleft()
                trip = {"opened_ms": lot.row["time_ms"], "closed_ms": fill.row["time_ms"], "symbol": fill.row["symbol"]}
                trip |= {"side": "BUY" if lot.sign > 0 else "SELL", "qty": lot.opened, "gross": lot.gross}
                net = lot.gross - lot.fees
                self.trips.append(trip | {"fees": lot.fees, "net": net, "undecided": lot.is_unvalued and net > 0})
        if fill.left:
            fill.opened = fill.left
            self.lots.append(fill)
        return realized

    def average(self, amount: Fraction, worth: Fraction, fee: Fraction) -> None:
        if not amount:
            self.average_net -= fee
            return
        if self.held * amount < 0:
            units = min(abs(self.held), abs(amount))
            cost, fees = (rounded(each * units / abs(self.held)) for each in (self.cost, self.average_fees))
            sold, paid = (rounded(each * units / abs(amount)) for each in (worth, fee))
            sold, paid = (worth, fee) if units == abs(amount) else (sold, paid)
            cost, fees = (self.cost, self.average_fees) if units == abs(self.held) else (cost, fees)
            self.average_net += (1 if self.held > 0 else -1) * (sold - cost) - fees - paid
            self.cost, self.average_fees, worth, fee = (
                self.cost - cost,
                self.average_fees - fees,
                worth - sold,
                fee - paid,
            )
        self.cost, self.average_fees = self.cost + worth, self.average_fees + fee


def by_asset(rows: Sequence[Json], sign: int = 0) -> Json:
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        if row["fee"] and row["fee"] * sign >= 0:
            sums[row["fee_asset"]] += Fraction(row["fee"])
    return dict(sums)


def sides(rows: Sequence[Json], part: Json | None) -> Json:
    found: Json = {}
    for name, past, sign in (("buy", "bought", 1), ("sell", "sold", -1)):
        own = [row for row in rows if sign_of(row) == sign]
        money, qty = (total(row[key] for row in own) for key in ("quote_qty", "qty"))
        places = max(0, -part["tick_size"].normalize().as_tuple().exponent) if part else 0
        found |= {f"{name}s": len(own), f"avg_{name}_price": rounded(money / qty, places) if own and part else None}
        found |= {f"{past}_qty": qty, f"{past}_quote": money}
    return found


def symbol_of(part: Json, book: Book) -> Json:
    mark, held, rows = part["mark_price"], book.held, book.rows
    realized_fees = book.carried_fees + book.fees - book.open_fees
    cost = total(lot.sign * lot.left * lot.price for lot in book.lots)
    unrealized, average = (
        None if mark is None else held * Fraction(mark) - each for each in (cost, book.cost * direction(held))
    )
    pnl, counted = book.gross - realized_fees, sides(rows, part)
    found = counted | {"volume": counted["bought_quote"] + counted["sold_quote"], "fees": by_asset(rows), "pnl": pnl}
    found |= {"maker_volume": total(row["quote_qty"] for row in rows if row["is_maker"]), "gross": book.gross}
    found |= {"unvalued_fees": by_asset([row for row in rows if row["fee_in_quote"] is None]), "position": held}
    found |= {"realized_fees": realized_fees, "open_fees": book.open_fees, "unrealized": unrealized, "identity_gap": 0}
    found |= {"marked_pnl": None if unrealized is None else pnl + unrealized - book.open_fees}
    undecided = sum(trip["undecided"] for trip in book.trips)
    wins = sum(trip["net"] > 0 for trip in book.trips) - undecided
    found |= {"round_trips": len(book.trips), "wins": wins, "undecided": undecided}
    if part.get("carried", {}).get("qty") is not None:
        known = {"qty": book.carried, "cost": book.carried_cost, "fees": book.carried_fees}
        found["carried"] = part["carried"] | known
    result = None if average is None else book.average_net + average - book.average_fees
    told = {"position": held, "avg_price": book.cost / abs(held) if held else None, "realized_net": book.average_net}
    found["average_cost"] = told | {"open_fees": book.average_fees, "unrealized": average, "total": result}
    return part | found


def direction(held: Fraction) -> int:
    return (held > 0) - (held < 0)


def moved_by(rows: Sequence[Json], symbols: Json) -> dict[str, Fraction]:
    moved: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        moved[symbols[row["symbol"]]["base"]] += sign_of(row) * Fraction(row["qty"])
        moved[symbols[row["symbol"]]["quote"]] -= sign_of(row) * Fraction(row["quote_qty"])
        moved[row["fee_asset"]] -= Fraction(row["fee"])
    return moved


def line_of(part: Json, book: Book) -> Json:  # the identity of a symbol
    matters, mark = bool(book.rows or book.carried), part["mark_price"]
    if matters and (mark is None or (book.carried and book.start is None)):
        return dict.fromkeys(LINE.split())
    mark, first, cost = (
        Fraction(mark or 0),
        book.start or ZERO,
        total(lot.sign * lot.left * lot.price for lot in book.lots),
    )
    unrealized = book.held * mark - cost - book.carried * first + direction(book.carried) * book.carried_cost
    net, fees = book.gross - book.carried_fees - book.fees + book.open_fees, book.open_fees - book.carried_fees
    change = book.cash + book.held * mark - book.carried * first
    return dict(zip(LINE.split(), (net, unrealized, fees, change, net + unrealized - fees - change), strict=True))


def account_of(document: Json, books: dict[str, Book], before: Json | None) -> Json:
    """Return `reconciliation`, `equity` and `identity`. Trades after the last sight are in no balances."""
    rows, symbols, opening = document["trade_history"], document["symbols"], document.get("opening")
    lines = {symbol: line_of(symbols[symbol], book) for symbol, book in books.items()}
    nothing = {"equity": dict.fromkeys(EQUITY.split()) | {"balances": {}}}
    whole: Json = dict.fromkeys([*LINE.split(), "held_change", "fees_elsewhere", "flows", "first_trade"])
    nothing["identity"] = {"symbols": lines, "all": whole}
    if opening is None:
        return nothing

    def is_held(row: Json) -> bool:  # whether the balances of the opening hold a trade
        last = opening["last_trade_ids"].get(row["symbol"])
        return bool(row["id"] <= last if last is not None else row["time_ms"] <= opening["time_ms"])

    others = [] if before is None else [row for row in before["trade_history"] if not is_held(row)]
    fresh, second = [row for row in rows if not is_held(row)], document["time"]
    least, most = (
        sum(row["time"][11:19] < second for row in fresh),
        sum(row["time"][11:19] <= second for row in fresh),
    )
    told = int(document["reconciliation"]["trades_since_opening"]) - len(others)
    since = fresh[: told if least <= told <= most else most]  # within its last second the file does not say which
    flows, flowed = (
        [flow for flow in document.get("flows", ()) if flow["time_ms"] > opening["time_ms"]],
        defaultdict[str, Fraction](Fraction),
    )
    for flow in flows:
        flowed[flow["asset"]] += Fraction(flow["amount"])
    late, added, moved = moved_by(others, symbols), moved_by(since, symbols), moved_by(rows, symbols)
    held, gaps = moved_by([row for row in rows if is_held(row)], symbols), {}
    first, last = (
        {asset: total(one.values()) for asset, one in each["balances"].items()} for each in (opening, document)
    )
    for asset in first.keys() | last.keys() | added.keys() | late.keys() | flowed.keys():
        expected, actual = first.get(asset, ZERO) + added[asset] + late[asset] + flowed[asset], last.get(asset, ZERO)
        if expected != actual:
            gaps[asset] = {"expected": expected, "actual": actual, "difference": actual - expected}
    known = {"is_exact": not gaps, "differences": gaps, "trades_since_opening": len(since) + len(others)}
    found = nothing | {"reconciliation": document["reconciliation"] | known}
    prices, balances, quotes = {}, {}, {book.quote for book in books.values()}
    for symbol, book in books.items():
        if book.rows or book.carried or first.get(book.base, ZERO) or moved[book.base]:
            prices[book.base] = (book.start, symbols[symbol]["mark_price"])
    if len(quotes) != 1 or any(None in pair for pair in prices.values()):
        return found
    quote = quotes.pop()
    ends = {quote: (Fraction(1), Fraction(1))} | {
        asset: (Fraction(a or 0), Fraction(b)) for asset, (a, b) in prices.items()
    }
    for asset, pair in ends.items():
        start = first.get(asset, ZERO) - held[asset] + late[asset]
        end = start + moved[asset] + flowed[asset] + gaps.get(asset, {}).get("difference", ZERO)
        balances[asset] = {"start": start, "end": end, "start_price": pair[0], "end_price": pair[1]}
    began, ended = (total(one[end] * one[f"{end}_price"] for one in balances.values()) for end in ("start", "end"))
    change = total(
        (balances[book.base]["start"] - book.carried) * (ends[book.base][1] - ends[book.base][0])
        for book in books.values()
        if book.base in ends
    )
    elsewhere = worth = ZERO
    for flow in (flow for flow in flows if flow["asset"] in ends):
        price = ends[flow["asset"]][1] if flow["price"] is None else Fraction(flow["price"])
        change, worth = (
            change + Fraction(flow["amount"]) * (ends[flow["asset"]][1] - price),
            worth + Fraction(flow["amount"]) * price,
        )
    for row in rows:
        book, asset = books[row["symbol"]], row["fee_asset"]
        if asset not in (book.base, book.quote):
            cost = fee_in_quote(row, book.base, book.quote) or ZERO
            change += cost - Fraction(row["fee"]) * ends[asset][1] if asset in ends else 0
            elsewhere += 0 if asset in ends else cost
    sums = {name: total(line[name] for line in lines.values()) for name in LINE.split()[:3]}
    left = sums["realized_net"] + sums["unrealized_change"] - sums["open_fees_change"] + change + elsewhere
    grown, first_trade = ended - began, document.get("identity", {}).get("all", {}).get("first_trade")
    sums |= {"held_change": change, "fees_elsewhere": elsewhere, "equity_change": grown, "flows": worth}
    figures = (quote, began, ended, grown, worth, elsewhere, grown - worth - elsewhere)
    equity = dict(zip(EQUITY.split(), figures, strict=True)) | {"balances": balances}
    whole = sums | {"gap": left - grown + worth, "first_trade": first_trade}
    return found | {"equity": equity, "identity": {"symbols": lines, "all": whole}}


def metrics_of(document: Json, books: dict[str, Book], results: Sequence[Fraction], balances: Json) -> Json:
    rows, quoting, fills, known = (
        document["trade_history"],
        document.get("quoting"),
        len(document["trade_history"]),
        len(results),
    )
    names, traded = METRICS.split(), [book for book in books.values() if book.rows]
    if len({book.quote for book in traded}) > 1:
        return dict.fromkeys(names, metric(None, 0))
    trips = [trip for book in books.values() for trip in book.trips]
    decided, wins = sum(not trip["undecided"] for trip in trips), sum(trip["net"] > 0 for trip in trips)
    gain, loss = (total(abs(trip["net"]) for trip in trips if trip["net"] * sign > 0) for sign in (1, -1))
    money, made = (total(row["quote_qty"] for row in some) for some in (rows, [row for row in rows if row["is_maker"]]))
    for symbol, book in books.items():
        book.move_mark(document["symbols"][symbol]["mark_price"])
    peak = fall = ZERO
    for result in [*results, total(book.result() for book in books.values())]:
        peak, fall = max(peak, result), max(fall, peak - result)
    is_marked = all(
        book.rows == [] or None not in line_of(document["symbols"][symbol], book).values()
        for symbol, book in books.items()
    )
    has_all = 0 < decided == len(trips)
    share: Json = {"value": None, "n": decided}
    if has_all:
        ends = {name: Near(value) for name, value in zip(("low", "high"), wilson(wins, decided), strict=True)}
        share = {"value": Near(wins / decided), "n": decided, **ends}
    area, span = (
        total(book.area for book in traded),
        total(book.rows[-1]["time_ms"] - book.rows[0]["time_ms"] for book in traded),
    )
    turned = rounded(total(row["qty"] for row in rows) * span / area, 6) if len(traded) == 1 and area else None
    found = {
        "spread_capture": metric(total(book.capture for book in traded) if known else None, known),
        "inventory_pnl": metric(total(book.inventory for book in traded) if known and is_marked else None, known),
        "fees": metric(total(book.fees for book in books.values()), fills),
        "win_rate": share,
        "profit_factor": {"value": rounded(gain / loss, 6) if loss and has_all else None, "n": decided},
        "expectancy": {"value": (gain - loss) / decided if has_all else None, "n": decided},
        "max_drawdown": metric(fall if known else None, known),
        "maker_ratio": metric(rounded(made / money, 6) if money else None, fills),
        "turnover": metric(turned, fills),
        "hold_benchmark": metric(total(one["start"] * one["end_price"] for one in balances.values()), len(balances)),
    }
    found["hold_benchmark"] |= {} if balances else metric(None, 0)
    for name in names[:2]:
        found[name] |= {"missing": fills - known}
    if quoting is None:
        return found | dict.fromkeys(("picked_off_cost", "presence", "fill_ratio", "order_to_trade"), metric(None, 0))
    picked, orders, filled = quoting["picked_off"], int(quoting.get("orders", 0)), int(quoting.get("orders_filled", 0))
    fills = sum(row["symbol"] == quoting.get("symbol") for row in rows)
    found["picked_off_cost"] = metric(-Fraction(picked["markout"]), int(picked["count"]))
    found["presence"] = metric(rounded(Fraction(quoting["presence"]), 6), int(quoting["minutes"]))
    found["fill_ratio"] = metric(rounded(Fraction(filled, orders), 6) if orders else None, orders)
    traded_for = metric(rounded(Fraction(orders, fills), 6), fills) if orders and fills else metric(None, 0)
    return found | {"order_to_trade": traded_for}


def metric(value: Any, n: int) -> Json:
    return {"value": value, "n": n if value is not None else 0}


def markouts_of(rows: Sequence[Json]) -> Iterator[Json]:
    for horizon in (1, 10, 60):
        for side in ("buy", "sell", "both"):
            own, after = [row for row in rows if side in ("both", row["side"].lower())], str(horizon)
            pairs = [(row, row["mids"][after]) for row in own if row.get("mid") and (row.get("mids") or {}).get(after)]
            yield {"horizon_s": horizon, "side": side} | markout(pairs, len(own), max(30, 3 * horizon))


def markout(pairs: Sequence[tuple[Json, Decimal]], count: int, block_s: int) -> Json:
    found: Json = dict.fromkeys(("mean_bps", "low_bps", "high_bps", "capture_bps", "adverse_bps"))
    found |= {"n": len(pairs), "missing": count - len(pairs), "block_s": block_s, "blocks": Near(0.0, 1)}
    if not pairs:
        return found
    times, weights = [int(row["time_ms"]) for row, _ in pairs], [float(row["price"] * row["qty"]) for row, _ in pairs]
    worth = [float(sign_of(row) * (mid - row["price"]) / row["mid"]) * 1e4 for row, mid in pairs]
    capture = [float(sign_of(row) * (row["mid"] - row["price"]) / row["mid"]) * 1e4 for row, _ in pairs]
    whole = math.fsum(weights)
    block = block_s * 1_000 * max(1.0, whole**2 / in_common(times, weights, block_s * 1_000) / 20)
    mean, at_once = (math.fsum(map(float.__mul__, weights, each)) / whole for each in (worth, capture))
    blocks = whole**2 / in_common(times, weights, block)
    found |= {"mean_bps": Near(mean, 4), "capture_bps": Near(at_once, 4), "adverse_bps": Near(at_once - mean, 4)}
    if blocks >= 5:
        errors = [weight * (each - mean) for weight, each in zip(weights, worth, strict=True)]
        error = math.sqrt(max(0.0, in_common(times, errors, block)) * blocks / (blocks - 1)) / whole
        reach, slack = student(blocks - 1) * error, 1e-9 + 5e-6 * error
        found |= {"low_bps": Near(mean - reach, 4, slack), "high_bps": Near(mean + reach, 4, slack)}
    return found | {"blocks": Near(blocks, 1), "block_s": round(block / 1_000)}


def in_common(times: Sequence[int], values: Sequence[float], block: float) -> float:
    """Return Q: the sum over all pairs of their product by the part of a block that they have in common."""
    sums, moments, pairs = [0.0], [0.0], []
    for index, (at, value) in enumerate(zip(times, values, strict=True)):
        first, since = bisect_left(times, at - block), at - times[0]
        near, moment = sums[index] - sums[first], moments[index] - moments[first]
        pairs.append(value * (near * (1 - since / block) + moment / block))
        sums.append(sums[-1] + value)
        moments.append(moments[-1] + value * since)
    return math.fsum(value * value for value in values) + 2 * math.fsum(pairs)


@cache
def student(freedom: float) -> float:
    """Return Student's t(0.975): its density over t = sqrt(freedom) tan(angle) is summed by Simpson's rule."""
    scale = 2 * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        step = math.atan(middle / math.sqrt(freedom)) / 200
        heights = [math.cos(step * index) ** (freedom - 1) for index in range(201)]
        within = scale * step / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))
        low, high = (middle, high) if within < 0.95 else (low, middle)
    return low


def wilson(wins: int, n: int) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.975)
    middle, width = wins + z * z / 2, z * math.sqrt(wins * (n - wins) / n + z * z / 4)
    return max(0.0, (middle - width) / (n + z * z)), min(1.0, (middle + width) / (n + z * z))


def figures(document: Json, before: Json | None = None) -> Json:
    """Return every figure that follows from a document's trades, opening and balances."""
    rows, symbols, marks = document["trade_history"], document["symbols"], document.get("opening", {}).get("marks", {})
    books = {symbol: Book(part, marks.get(symbol)) for symbol, part in symbols.items()}
    shown, results, realized = dict.fromkeys(books, ZERO), list[Fraction](), list[Fraction]()
    for row in rows:
        realized.append(books[row["symbol"]].take(row))
        shown[row["symbol"]] = books[row["symbol"]].result()
        results += [total(shown.values())] if row.get("mid") is not None else []
    parts = {symbol: symbol_of(symbols[symbol], book) for symbol, book in books.items()}
    for symbol, lots in carried_of(before).items():
        parts[symbol]["carried"] |= {"lots": [lot.told() for lot in lots]}
    traded = [symbol for symbol, book in books.items() if book.rows]
    counted, is_one = (
        sides(rows, symbols[traded[0]] if len(traded) == 1 else None),
        len({symbols[each]["quote"] for each in traded}) <= 1,
    )
    trades: Json = {"total_buys": counted["buys"], "total_sells": counted["sells"]}
    trades |= {name: counted[name] for name in ("avg_buy_price", "avg_sell_price")}
    trades |= {name: total(part[name] for part in parts.values()) if is_one else None for name in ("pnl", "volume")}
    trades |= {"fees": by_asset(rows, 1), "rebates": by_asset(rows, -1)}
    account = account_of(document, books, before)
    last = sorted((trip for book in books.values() for trip in book.trips), key=lambda trip: trip["closed_ms"])[-100:]
    told = [{key: value for key, value in trip.items() if key != "undecided"} for trip in last]
    trips = {"n": sum(len(book.trips) for book in books.values()), "rows": told}
    history = [row | made_of(row, books[row["symbol"]], each) for row, each in zip(rows, realized, strict=True)]
    found = document | account | {"trades": trades, "total_trades": len(rows), "symbols": parts, "fees": by_asset(rows)}
    found |= {"metrics": metrics_of(document, books, results, account["equity"]["balances"])}
    found |= {
        "markouts": list(markouts_of(rows)) if any(row.get("mids") for row in rows) else document.get("markouts"),
        "trade_history": history,
    }
    return found | ({"round_trips": trips} if "round_trips" in document else {})


def carried_of(before: Json | None) -> dict[str, deque[Lot]]:
    books = {} if before is None else {symbol: Book(part, None) for symbol, part in before["symbols"].items()}
    for row in [] if before is None else before["trade_history"]:
        books[row["symbol"]].take(row)
    return {symbol: book.lots for symbol, book in books.items()}


def made_of(row: Json, book: Book, realized: Fraction) -> Json:
    at = datetime.fromtimestamp(int(row["time_ms"]) // 1_000, UTC)
    told = {"time": f"{at:%Y-%m-%dT%H:%M:%S}.{int(row['time_ms']) % 1_000:03}Z", "realized": realized}
    return told | {"fee_in_quote": fee_in_quote(row, book.base, book.quote)}


def faults(found: Any, expected: Any, name: str = "", *, has_all: bool = True) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in ((found.keys() | expected.keys()) if has_all else found.keys()) - {"why"}:
            yield from faults(
                found.get(key, "missing"), expected.get(key, "none"), f"{name}.{key}".lstrip("."), has_all=has_all
            )
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, pair in enumerate(zip(found, expected, strict=True)):
            yield from faults(*pair, f"{name}[{index}]", has_all=has_all)
    else:
        is_same = found == expected
        if isinstance(found, Decimal) and isinstance(expected, Near):
            is_same = abs(float(found) - expected.value) <= 0.5 * 10**-expected.places + expected.slack
            is_same = is_same and found == round(found, expected.places)
        elif isinstance(found, Decimal) and isinstance(expected, int | Fraction):
            is_same = Fraction(found) == rounded(Fraction(expected))
        if not is_same:
            yield f"{name} is {found}, by the trades {float(expected) if isinstance(expected, Fraction) else expected}"


def faults_of(document: Json, before: Json | None = None) -> list[str]:
    return list(faults(document, figures(document, before), has_all="schema" in document))


def reading(path: Path) -> Json:
    found: Json = json.loads(path.read_text(), parse_float=Decimal, parse_int=Decimal)
    return found


def line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {line(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(line, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)


def checksum(document: Json) -> str:
    head = {key: value for key, value in document.items() if key not in ("checksum", "trade_history")}
    text = "".join(map(line, document["trade_history"])) + line(head)
    text = re.sub(r"\.(\d*?)0+(?!\d)", lambda found: f".{found[1]}" if found[1] else "", text)
    return f"crc32:{zlib.crc32(text.encode()):08x}"


def main(paths: Sequence[str]) -> int:
    document, before = reading(Path(paths[0])), reading(Path(paths[1])) if paths[1:] else None
    found = faults_of(document, before)
    if "schema" in document and document["checksum"] != (made := checksum(document)):
        found.insert(0, f"checksum is {document['checksum']}, by the file {made}")
    print("\n".join(found) or f"{paths[0]}: all follows from {len(document['trade_history'])} trades")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
