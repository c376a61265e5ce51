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
from fractions import Fraction
from functools import cache
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple, Self

Json = dict[str, Any]
ZERO = Fraction(0)
FILL = {"id", "order_id", "time", "time_ms", "symbol", "side", "price", "qty", "quote_qty", "is_maker"}
FILL |= {"fee", "fee_asset", "fee_in_quote"}
EQUITY = ("asset", "start", "end", "change", "flows", "fees_elsewhere", "change_less_flows")
LINE = ("realized_net", "unrealized_change", "open_fees_change", "equity_change", "gap")
METRICS = {"spread_capture", "inventory_pnl", "fees", "picked_off_cost", "win_rate", "profit_factor", "expectancy"}
METRICS |= {"max_drawdown", "maker_ratio", "fill_ratio", "order_to_trade", "turnover", "presence", "hold_benchmark"}


class Number(Fraction):  # as the file spells it
    text: str

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made.text = text
        return made


class Near(NamedTuple):  # a figure that is made in binary, and written with so many decimals
    value: float
    places: int = 6
    slack: float = 1e-9


class Sums(defaultdict[str, Fraction]):  # by asset
    def __init__(self, *parts: Iterable[tuple[str, Fraction]]) -> None:
        super().__init__(Fraction)
        for asset, amount in (each for part in parts for each in part):
            self[asset] += amount


def total(values: Iterable[Fraction | int]) -> Fraction:
    return Fraction(sum(values))


def rounded(value: Fraction, places: int = 12) -> Fraction:
    return round(value, places) if 10**places % value.denominator else value


def direction(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def share_of(value: Fraction, share: Fraction) -> Fraction:
    return value if share == 1 else rounded(value * share)


def ratio(value: Any, whole: Any) -> Fraction | None:
    return rounded(Fraction(value) / whole, 6) if whole else None


def sign_of(row: Json) -> int:
    return 1 if row["side"] == "BUY" else -1


def fee_in_quote(row: Json, base: str, quote: str) -> Fraction | None:
    if row["fee_asset"] == quote or not row["fee"]:
        return Fraction(row["fee"])
    if row["fee_asset"] == base:
        return Fraction(row["fee"] * row["quote_qty"] / row["qty"])
    if "opened" in row:  # a carried lot tells what its fee cost
        return None if row["fee_in_quote"] is None else Fraction(row["fee_in_quote"])
    price = row.get("fee_price")
    return None if price is None else Fraction(row["fee"] * price)


class Lot:
    def __init__(self, row: Json, base: str, quote: str) -> None:
        self.row, self.amount = row, sign_of(row) * row["qty"] - (row["fee"] if row["fee_asset"] == base else 0)
        self.sign, self.whole, self.price = direction(self.amount), abs(self.amount), row["quote_qty"] / row["qty"]
        self.fee = fee_in_quote(row, base, quote) or ZERO
        self.is_unvalued = row.get("is_unvalued", row["fee_in_quote"] is None)
        self.left, self.opened = row.get("left", self.whole), row.get("opened", self.whole)
        self.gross, self.fees = row.get("closed_gross", ZERO), row.get("closed_fees", ZERO)

    def told(self) -> Json:
        row = {key: value for key, value in self.row.items() if key in FILL} | {"is_unvalued": self.is_unvalued}
        return row | {"opened": self.opened, "left": self.left, "closed_gross": self.gross, "closed_fees": self.fees}

    def trip(self, last: Json) -> Json:
        side, net = "BUY" if self.sign > 0 else "SELL", self.gross - self.fees
        ends = {"opened_ms": self.row["time_ms"], "closed_ms": last["time_ms"], "symbol": last["symbol"], "side": side}
        return ends | {"qty": self.opened, "gross": self.gross, "fees": self.fees, "net": net}


class Book:  # what the trades of one symbol come to
    def __init__(self, part: Json, start: Fraction | None) -> None:
        self.part, self.base, self.quote, self.start, self.mark = part, part["base"], part["quote"], start, start
        self.lots = deque(Lot(row, self.base, self.quote) for row in part.get("carried", {}).get("lots", ()))
        self.carried = self.held = total(lot.sign * lot.left for lot in self.lots)
        self.carried_cost = self.cost = abs(self.lots_cost)
        self.carried_fees = self.average_fees = self.open_fees
        self.gross = self.fees = self.cash = self.average_net = self.capture = self.inventory = self.area = ZERO
        self.rows, self.trips, self.undecided = list[Json](), list[Json](), 0

    @property
    def lots_cost(self) -> Fraction:
        return total(lot.sign * lot.left * lot.price for lot in self.lots)

    @property
    def open_fees(self) -> Fraction:
        return total(lot.fee * lot.left / lot.whole for lot in self.lots)

    @property
    def result(self) -> Fraction:  # what trades and carried lots have moved until now, at the mark
        return self.cash + self.held * (self.mark or 0) - self.carried * (self.start or 0)

    @property
    def span(self) -> Fraction:
        return Fraction(self.rows[-1]["time_ms"] - self.rows[0]["time_ms"])

    def move_mark(self, mark: Fraction | None) -> None:
        if mark is not None:
            self.inventory += self.held * (mark - (mark if self.mark is None else self.mark))
            self.mark = mark

    def take(self, row: Json) -> Fraction:  # returns what the fill realized
        fill, mid = Lot(row, self.base, self.quote), row.get("mid")
        self.move_mark(fill.price if mid is None else mid)
        self.capture += 0 if mid is None else fill.amount * (mid - fill.price)
        self.area += abs(self.held) * (row["time_ms"] - self.rows[-1]["time_ms"]) if self.rows else 0
        self.average(fill.amount, fill.whole * fill.price, fill.fee)
        self.fees, self.held = self.fees + fill.fee, self.held + fill.amount
        self.cash -= sign_of(row) * row["quote_qty"] + (fill.fee if row["fee_asset"] != self.base else 0)
        self.rows.append(row)
        return self.fifo(fill) if fill.amount else -fill.fee

    def fifo(self, fill: Lot) -> Fraction:
        realized = ZERO
        while fill.left and self.lots and self.lots[0].sign != fill.sign:
            lot = self.lots[0]
            units = min(fill.left, lot.left)
            gross = units * lot.sign * (fill.price - lot.price)
            fees = units * (fill.fee / fill.whole + lot.fee / lot.whole)
            lot.left, fill.left = lot.left - units, fill.left - units
            lot.gross, lot.fees = lot.gross + gross, lot.fees + fees
            lot.is_unvalued |= fill.is_unvalued
            self.gross, realized = self.gross + gross, realized + gross - fees
            if not lot.left:
                self.trips.append(self.lots.popleft().trip(fill.row))
                self.undecided += lot.is_unvalued and lot.gross > lot.fees
        if fill.left:
            fill.opened = fill.left
            self.lots.append(fill)
        return realized

    def average(self, amount: Fraction, worth: Fraction, fee: Fraction) -> None:
        if not amount:
            self.average_net -= fee
            return
        if self.held * amount < 0:
            of_held, of_fill = (min(abs(self.held), abs(amount)) / abs(each) for each in (self.held, amount))
            cost, fees = share_of(self.cost, of_held), share_of(self.average_fees, of_held)
            sold, paid = share_of(worth, of_fill), share_of(fee, of_fill)
            self.average_net += direction(self.held) * (sold - cost) - fees - paid
            worth, fee = worth - sold - cost, fee - paid - fees
        self.cost, self.average_fees = self.cost + worth, self.average_fees + fee

    def line(self) -> Json:  # of the identity
        mark, start, held = self.part["mark_price"], self.start, self.rows or self.carried
        if held and (mark is None or (self.carried and start is None)):
            return dict.fromkeys(LINE)
        mark, start = mark or ZERO, start or ZERO
        unrealized = self.held * mark - self.lots_cost
        unrealized -= self.carried * start - direction(self.carried) * self.carried_cost
        net, fees = self.gross - self.carried_fees - self.fees + self.open_fees, self.open_fees - self.carried_fees
        change = self.cash + self.held * mark - self.carried * start
        return dict(zip(LINE, (net, unrealized, fees, change, net + unrealized - fees - change), strict=True))

    def told(self) -> Json:
        mark, held, rows, open_fees = self.part["mark_price"], self.held, self.rows, self.open_fees
        fees = self.carried_fees + self.fees - open_fees
        costs = self.lots_cost, self.cost * direction(held)
        unrealized, average = (None if mark is None else held * mark - cost for cost in costs)
        counted, wins = sides(rows, self.part), sum(trip["net"] > 0 for trip in self.trips) - self.undecided
        found = self.part | counted | {"volume": counted["bought_quote"] + counted["sold_quote"]}
        found |= {"maker_volume": total(row["quote_qty"] for row in rows if row["is_maker"]), "fees": by_asset(rows)}
        found |= {"unvalued_fees": by_asset([row for row in rows if row["fee_in_quote"] is None]), "position": held}
        found |= {"gross": self.gross, "realized_fees": fees, "pnl": self.gross - fees, "open_fees": open_fees}
        found |= {"unrealized": unrealized, "identity_gap": 0, "round_trips": len(self.trips), "wins": wins}
        marked = None if unrealized is None else self.gross - fees + unrealized - open_fees
        found |= {"marked_pnl": marked, "undecided": self.undecided}
        if self.part.get("carried", {}).get("qty") is not None:
            known = {"qty": self.carried, "cost": self.carried_cost, "fees": self.carried_fees}
            found["carried"] = self.part["carried"] | known
        whole = None if average is None else self.average_net + average - self.average_fees
        told = {"position": held, "avg_price": self.cost / abs(held) if held else None, "unrealized": average}
        told |= {"realized_net": self.average_net, "open_fees": self.average_fees, "total": whole}
        return found | {"average_cost": told}


def by_asset(rows: Sequence[Json], sign: int = 0) -> Json:
    return Sums((row["fee_asset"], row["fee"]) for row in rows if row["fee"] and row["fee"] * sign >= 0)


def sides(rows: Sequence[Json], part: Json | None) -> Json:
    found: Json = {}
    places = len(part["tick_size"].text.rstrip("0").partition(".")[2]) if part else 0
    for name, past, sign in (("buy", "bought", 1), ("sell", "sold", -1)):
        own = [row for row in rows if sign_of(row) == sign]
        money, qty = (total(row[key] for row in own) for key in ("quote_qty", "qty"))
        found |= {f"{name}s": len(own), f"avg_{name}_price": rounded(money / qty, places) if own and part else None}
        found |= {f"{past}_qty": qty, f"{past}_quote": money}
    return found


def held_of(balances: Json) -> Iterator[tuple[str, Fraction]]:
    for asset, each in balances.items():
        yield asset, each["free"] + each["locked"]


def moved_by(rows: Iterable[Json], symbols: Json) -> Iterator[tuple[str, Fraction]]:
    for row in rows:
        yield symbols[row["symbol"]]["base"], sign_of(row) * row["qty"]
        yield symbols[row["symbol"]]["quote"], -sign_of(row) * row["quote_qty"]
        yield row["fee_asset"], -row["fee"]


def account_of(document: Json, books: dict[str, Book], before: Json | None) -> Json:
    """Return `reconciliation`, `equity` and `identity`. Trades after the last sight are in no balances."""
    rows, symbols, opening = document["trade_history"], document["symbols"], document.get("opening")
    lines = {symbol: book.line() for symbol, book in books.items()}
    whole: Json = dict.fromkeys([*LINE, "held_change", "fees_elsewhere", "flows", "first_trade"])
    nothing = {"equity": dict.fromkeys(EQUITY) | {"balances": {}}, "identity": {"symbols": lines, "all": whole}}
    if opening is None:
        return nothing

    def is_held(row: Json) -> bool:  # whether the balances of the opening hold a trade
        last = opening["last_trade_ids"].get(row["symbol"])
        return bool(row["id"] <= last if last is not None else row["time_ms"] <= opening["time_ms"])

    others = [row for row in (before or {}).get("trade_history", ()) if not is_held(row)]
    fresh, second = [row for row in rows if not is_held(row)], document["time"]
    told = int(document["reconciliation"]["trades_since_opening"]) - len(others)
    least, most = sum(row["time"][11:19] < second for row in fresh), sum(row["time"][11:19] <= second for row in fresh)
    since = fresh[: told if least <= told <= most else most]  # within its last second the file does not say which
    flows = [flow for flow in document.get("flows", ()) if flow["time_ms"] > opening["time_ms"]]
    first, last = (Sums(held_of(one["balances"])) for one in (opening, document))
    late, flowed = Sums(moved_by(others, symbols)), [(flow["asset"], flow["amount"]) for flow in flows]
    due = Sums(first.items(), moved_by([*others, *since], symbols), flowed)
    traded = Sums(moved_by(rows, symbols))
    moved = Sums(traded.items(), flowed)
    held, gaps = Sums(moved_by([row for row in rows if is_held(row)], symbols)), {}
    for asset in due.keys() | last.keys():
        if missing := last[asset] - due[asset]:
            gaps[asset] = {"expected": due[asset], "actual": last[asset], "difference": missing}
    known = {"is_exact": not gaps, "differences": gaps, "trades_since_opening": len(since) + len(others)}
    found = nothing | {"reconciliation": document["reconciliation"] | known}
    quotes = {book.quote for book in books.values()}
    has_some = [one for one in books.values() if one.rows or one.carried or first[one.base] or traded[one.base]]
    prices = {book.base: (book.start, book.part["mark_price"]) for book in has_some}
    if len(quotes) != 1 or any(None in pair for pair in prices.values()):
        return found
    prices = {(quote := quotes.pop()): (Fraction(1), Fraction(1))} | prices
    balances = {}
    for asset, (at_start, at_end) in prices.items():
        start = first[asset] - held[asset] + late[asset]
        end = start + moved[asset] + gaps.get(asset, {}).get("difference", ZERO)
        balances[asset] = {"start": start, "end": end, "start_price": at_start, "end_price": at_end}
    began, ended = (total(one[end] * one[f"{end}_price"] for one in balances.values()) for end in ("start", "end"))
    rises = {asset: at_end - at_start for asset, (at_start, at_end) in prices.items()}
    change = total((balances[one.base]["start"] - one.carried) * rises[one.base] for one in has_some)
    elsewhere = worth = ZERO
    for flow in (flow for flow in flows if flow["asset"] in prices):
        price = prices[flow["asset"]][1] if flow["price"] is None else flow["price"]
        change += flow["amount"] * (prices[flow["asset"]][1] - price)
        worth += flow["amount"] * price
    for row in rows:
        book, asset = books[row["symbol"]], row["fee_asset"]
        if asset not in (book.base, book.quote):
            cost = fee_in_quote(row, book.base, book.quote) or ZERO
            change += cost - row["fee"] * prices[asset][1] if asset in prices else 0
            elsewhere += 0 if asset in prices else cost
    sums = {name: total(line[name] for line in lines.values()) for name in LINE[:3]}
    left = sums["realized_net"] + sums["unrealized_change"] - sums["open_fees_change"] + change + elsewhere
    grown, first_trade = ended - began, document.get("identity", {}).get("all", {}).get("first_trade")
    equity = dict(zip(EQUITY, (quote, began, ended, grown, worth, elsewhere, grown - worth - elsewhere), strict=True))
    sums |= {"held_change": change, "fees_elsewhere": elsewhere, "equity_change": grown, "flows": worth}
    whole = sums | {"gap": left - grown + worth, "first_trade": first_trade}
    return found | {"equity": equity | {"balances": balances}, "identity": {"symbols": lines, "all": whole}}


def metric(value: Any, n: int, **more: Any) -> Json:
    return {"value": value, "n": n if value is not None else 0, **more}


def metrics_of(document: Json, books: Iterable[Book], results: Sequence[Fraction], balances: Json) -> Json:
    books, rows, known = list(books), document["trade_history"], len(results)
    traded, count = [book for book in books if book.rows], len(rows)
    if len({book.quote for book in traded}) > 1:
        return {name: metric(None, 0) for name in METRICS}
    nets = [trip["net"] for book in books for trip in book.trips]
    decided, wins = len(nets) - sum(book.undecided for book in books), sum(net > 0 for net in nets)
    gain, loss = total(max(net, 0) for net in nets), total(max(-net, 0) for net in nets)
    money, made = total(row["quote_qty"] for row in rows), total(row["quote_qty"] for row in rows if row["is_maker"])
    has_all = 0 < decided == len(nets)
    share = wilson(wins, decided) if has_all else {"value": None, "n": decided}
    for book in books:
        book.move_mark(book.part["mark_price"])
    peak = fall = ZERO
    for result in [*results, total(book.result for book in books)]:
        peak, fall = max(peak, result), max(fall, peak - result)
    is_marked = all(None not in book.line().values() for book in traded)
    turned = [ratio(total(row["qty"] for row in rows) * one.span, one.area) for one in traded]
    missing, inventory = count - known, total(book.inventory for book in traded)
    hold = total(one["start"] * one["end_price"] for one in balances.values()) if balances else None
    quoting, found = document.get("quoting"), {name: metric(None, 0) for name in METRICS}
    found |= {
        "spread_capture": metric(total(book.capture for book in traded) if known else None, known, missing=missing),
        "inventory_pnl": metric(inventory if known and is_marked else None, known, missing=missing),
        "fees": metric(total(book.fees for book in books), count),
        "win_rate": share,
        "profit_factor": {"value": ratio(gain, loss) if has_all else None, "n": decided},
        "expectancy": {"value": (gain - loss) / decided if has_all else None, "n": decided},
        "max_drawdown": metric(fall if known else None, known),
        "maker_ratio": metric(ratio(made, money), count),
        "turnover": metric(turned[0] if len(turned) == 1 else None, count),
        "hold_benchmark": metric(hold, len(balances)),
    }
    if quoting is None:
        return found
    picked, orders = quoting["picked_off"], quoting.get("orders", 0)
    fills = sum(row["symbol"] == quoting.get("symbol") for row in rows)
    found["picked_off_cost"] = metric(-picked["markout"], picked["count"])
    found["presence"] = metric(rounded(quoting["presence"], 6), quoting["minutes"])
    found["fill_ratio"] = metric(ratio(quoting.get("orders_filled", 0), orders), orders)
    return found | {"order_to_trade": metric(ratio(orders, fills) if orders else None, fills)}


def markouts_of(rows: Sequence[Json]) -> Iterator[Json]:
    for horizon in (1, 10, 60):
        for side in ("buy", "sell", "both"):
            own = [row for row in rows if side in ("both", row["side"].lower())]
            pairs = [(row, (row.get("mids") or {}).get(str(horizon))) for row in own if row.get("mid")]
            pairs = [pair for pair in pairs if pair[1]]
            found = {"horizon_s": horizon, "side": side, "n": len(pairs), "missing": len(own) - len(pairs)}
            yield found | markout(pairs, max(30, 3 * horizon))


def markout(pairs: Sequence[tuple[Json, Any]], block_s: int) -> Json:
    found: Json = dict.fromkeys(("mean_bps", "low_bps", "high_bps", "capture_bps", "adverse_bps"))
    if not pairs:
        return found | {"block_s": block_s, "blocks": Near(0.0, 1)}
    signs, times = [sign_of(row) for row, _ in pairs], [int(row["time_ms"]) for row, _ in pairs]
    prices, mids = [float(row["price"]) for row, _ in pairs], [float(row["mid"]) for row, _ in pairs]
    weights = [price * float(row["qty"]) for price, (row, _) in zip(prices, pairs, strict=True)]
    worth, capture = (
        [sign * (mid - price) / base * 1e4 for sign, mid, price, base in zip(signs, each, prices, mids, strict=True)]
        for each in ([float(mid) for _, mid in pairs], mids)
    )
    whole, least = math.fsum(weights), block_s * 1_000
    mean, at_once = (math.fsum(map(float.__mul__, weights, each)) / whole for each in (worth, capture))
    block = least * max(1.0, whole**2 / in_common(times, weights, least) / 20)
    blocks = whole**2 / in_common(times, weights, block)
    found |= {"mean_bps": Near(mean, 4), "capture_bps": Near(at_once, 4), "adverse_bps": Near(at_once - mean, 4)}
    if blocks >= 5:
        errors = [weight * (each - mean) for weight, each in zip(weights, worth, strict=True)]
        error = math.sqrt(max(0.0, in_common(times, errors, block)) * blocks / (blocks - 1)) / whole
        reach, slack = student(blocks - 1) * error, 1e-9 + 5e-6 * error
        found |= {"low_bps": Near(mean - reach, 4, slack), "high_bps": Near(mean + reach, 4, slack)}
    return found | {"block_s": round(block / 1_000), "blocks": Near(blocks, 1)}


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


def wilson(wins: int, n: int) -> Json:
    z = NormalDist().inv_cdf(0.975)
    middle, width = wins + z * z / 2, z * math.sqrt(wins * (n - wins) / n + z * z / 4)
    low, high = max(0.0, (middle - width) / (n + z * z)), min(1.0, (middle + width) / (n + z * z))
    return {"value": Near(wins / n), "n": n, "low": Near(low), "high": Near(high)}


def played(document: Json) -> tuple[dict[str, Book], list[Json], list[Fraction]]:
    """Return the books of a document's trades, these with their figures, and the result after each with a mid."""
    marks = document.get("opening", {}).get("marks", {})
    books = {symbol: Book(part, marks.get(symbol)) for symbol, part in document["symbols"].items()}
    shown, history, results = dict.fromkeys(books, ZERO), list[Json](), list[Fraction]()
    for row in document["trade_history"]:
        book, at_ms = books[row["symbol"]], int(row["time_ms"])
        time = f"{datetime.fromtimestamp(at_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ms % 1_000:03}Z"
        made = {"time": time, "realized": rounded(book.take(row))}
        if (fee := fee_in_quote(row, book.base, book.quote)) is not None:
            fee = rounded(fee)
        history.append(row | made | {"fee_in_quote": fee})
        shown[row["symbol"]] = book.result
        results += [total(shown.values())] if row.get("mid") is not None else []
    return books, history, results


def figures(document: Json, before: Json | None = None) -> Json:
    """Return every figure that follows from a document's trades, opening and balances."""
    rows, (books, history, results) = document["trade_history"], played(document)
    parts = {symbol: book.told() for symbol, book in books.items()}
    for symbol, book in (played(before)[0] if before else {}).items():
        parts[symbol]["carried"] |= {"lots": [lot.told() for lot in book.lots]}
    traded = [book for book in books.values() if book.rows]
    counted, is_one = sides(rows, traded[0].part if len(traded) == 1 else None), len({one.quote for one in traded}) <= 1
    trades: Json = {"total_buys": counted["buys"], "total_sells": counted["sells"]}
    trades |= {name: counted[name] for name in ("avg_buy_price", "avg_sell_price")}
    trades |= {name: total(part[name] for part in parts.values()) if is_one else None for name in ("pnl", "volume")}
    trades |= {"fees": by_asset(rows, 1), "rebates": by_asset(rows, -1)}
    trips = sorted((trip for book in books.values() for trip in book.trips), key=lambda trip: trip["closed_ms"])
    found = document | account_of(document, books, before)
    found |= {"trades": trades, "total_trades": len(rows), "symbols": parts, "fees": by_asset(rows)}
    found |= {"metrics": metrics_of(document, books.values(), results, found["equity"]["balances"])}
    found |= {"trade_history": history}
    found |= {"markouts": list(markouts_of(rows))} if any(row.get("mids") for row in rows) else {}
    return found | ({"round_trips": {"n": len(trips), "rows": trips[-100:]}} if "round_trips" in document else {})


def faults(found: Any, expected: Any, name: str = "", *, has_all: bool = True) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in ((found.keys() | expected.keys()) if has_all else found.keys()) - {"why"}:
            pair = found.get(key, "missing"), expected.get(key, "none")
            yield from faults(*pair, f"{name}.{key}".lstrip("."), has_all=has_all)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        differ = [index for index, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1]]
        for index in differ:  # most are equal as they stand
            pair = found[index], expected[index]
            yield from faults(*pair, f"{name}[{index}]", has_all=has_all)
    elif isinstance(found, Fraction) and isinstance(expected, Near):
        is_near = abs(float(found) - expected.value) <= 0.5 * 10**-expected.places + expected.slack
        if not is_near or found != round(found, expected.places):
            yield f"{name} is {float(found)}, by the trades {expected.value}"
    elif found != (rounded(expected) if isinstance(expected, Fraction) else expected):
        yield f"{name} is {found}, by the trades {expected}"


def faults_of(document: Json, before: Json | None = None) -> list[str]:
    return list(faults(document, figures(document, before), has_all="schema" in document))


def reading(path: Path) -> Json:
    number = cache(Number)  # many are the same
    found: Json = json.loads(path.read_text(), parse_float=number, parse_int=number)
    return found


def line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {line(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(line, value)) + "]"
    return value.text if isinstance(value, Number) else json.dumps(value)


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
