"""The books of a daily file: lots, average cost and results of each symbol, by docs/reports.md alone."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

Json = dict[str, Any]
_OF_A_FILL = {"id", "order_id", "time", "time_ms", "symbol", "side", "price", "qty", "quote_qty", "is_maker"} | {
    "fee",
    "fee_asset",
    "fee_in_quote",
}


def rounded(value: Fraction, places: int = 12) -> Fraction:
    """Round half to even."""
    return Fraction(round(value * 10**places), 10**places)


@dataclass
class Lot:
    """A lot, with what its closed part has brought."""

    fill: Json
    sign: int
    price: Fraction
    arrived: Fraction
    fee: Fraction
    left: Fraction
    is_unvalued: bool
    opened: Fraction
    gross: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)

    @property
    def open_fee(self) -> Fraction:
        """What of the fill's fee is not realized."""
        return self.fee * self.left / self.arrived

    def told(self) -> Json:
        """Return the lot as the next day's document carries it."""
        row = {key: value for key, value in self.fill.items() if key in _OF_A_FILL}
        row |= {"opened": self.opened, "left": self.left, "closed_gross": self.gross, "closed_fees": self.fees}
        return row | {"is_unvalued": self.is_unvalued}


@dataclass
class Book:
    """What the trades of one symbol come to."""

    base: str
    quote: str
    start_mark: Fraction | None
    lots: deque[Lot]
    gross: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)  # in quote, of all fills
    cash: Fraction = Fraction(0)  # money in less money out less fees that are not in base
    arrived: Fraction = Fraction(0)
    trips: list[tuple[Fraction, bool]] = field(default_factory=list)  # net, undecided
    average_realized: Fraction = Fraction(0)
    capture: Fraction = Fraction(0)
    inventory: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        self.carried = sum((lot.sign * lot.left for lot in self.lots), Fraction(0))
        self.carried_fees = sum((lot.open_fee for lot in self.lots), Fraction(0))
        self.carried_cost = self.cost = sum((lot.left * lot.price for lot in self.lots), Fraction(0))
        self.average_fees, self.mark = self.carried_fees, self.start_mark

    @property
    def position(self) -> Fraction:
        """What is open, signed."""
        return self.carried + self.arrived

    def move_mark(self, mark: Decimal | Fraction | None) -> None:
        """Value what is open at another mid."""
        if mark is not None:
            self.inventory += self.position * (Fraction(mark) - (Fraction(mark) if self.mark is None else self.mark))
            self.mark = Fraction(mark)

    def result(self) -> Fraction:
        """What the trades and carried lots have moved until now, at the mark."""
        moved = self.position * (self.mark or 0) - self.carried * (self.start_mark or 0)
        return self.cash + moved

    def take(self, row: Json) -> Fraction:
        """Apply a fill; return what it realized."""
        sign = 1 if row["side"] == "BUY" else -1
        money, fee = Fraction(row["quote_qty"]), fee_in_quote(row, self.base, self.quote) or Fraction(0)
        amount = sign * Fraction(row["qty"]) - (Fraction(row["fee"]) if row["fee_asset"] == self.base else 0)
        price = money / Fraction(row["qty"])
        mid = row.get("mid")
        self.move_mark(price if mid is None else mid)
        if mid is not None:
            self.capture += amount * (Fraction(mid) - price)
        self._take_average(amount, price, fee)
        self.fees += fee
        self.cash -= sign * money + (fee if row["fee_asset"] != self.base else 0)
        self.arrived += amount
        if not amount:
            return -fee
        return self._take_fifo(row, amount, price, fee)

    def _take_fifo(self, row: Json, amount: Fraction, price: Fraction, fee: Fraction) -> Fraction:
        side, left, realized = (1 if amount > 0 else -1), abs(amount), Fraction(0)
        is_unvalued = row["fee_in_quote"] is None
        while left and self.lots and self.lots[0].sign != side:
            lot = self.lots[0]
            units = min(left, lot.left)
            gross = units * lot.sign * (price - lot.price)
            fees = fee * units / abs(amount) + lot.fee * units / lot.arrived
            lot.left, left = lot.left - units, left - units
            lot.gross, lot.fees, lot.is_unvalued = lot.gross + gross, lot.fees + fees, lot.is_unvalued or is_unvalued
            self.gross, realized = self.gross + gross, realized + gross - fees
            if not lot.left:
                net = lot.gross - lot.fees
                self.trips.append((net, lot.is_unvalued and net > 0))
                self.lots.popleft()
        if left:
            self.lots.append(Lot(row, side, price, abs(amount), fee, left, is_unvalued, left))
        return realized

    def _take_average(self, amount: Fraction, price: Fraction, fee: Fraction) -> None:
        held = self.position
        if not amount:
            self.average_realized -= fee
            return
        worth = abs(amount) * price
        if held * amount < 0:
            units = min(abs(held), abs(amount))
            cost, fees = (rounded(each * units / abs(held)) for each in (self.cost, self.average_fees))
            sold, paid = (rounded(each * units / abs(amount)) for each in (worth, fee))
            if units == abs(amount):
                sold, paid = worth, fee
            if units == abs(held):
                cost, fees = self.cost, self.average_fees
            self.average_realized += (1 if held > 0 else -1) * (sold - cost) - fees - paid
            self.cost, self.average_fees, worth, fee = (
                self.cost - cost,
                self.average_fees - fees,
                worth - sold,
                fee - paid,
            )
        self.cost, self.average_fees = self.cost + worth, self.average_fees + fee


def fee_in_quote(row: Json, base: str, quote: str) -> Fraction | None:
    """Return what a fee cost in quote, None if no price is known."""
    fee = Fraction(row["fee"])
    if row["fee_asset"] == quote:
        return fee
    if row["fee_asset"] == base:
        return fee * Fraction(row["quote_qty"]) / Fraction(row["qty"])
    if row.get("fee_price") is not None:
        return fee * Fraction(row["fee_price"])
    is_lot = "opened" in row  # a carried lot has no price of its fee, only what it cost
    return Fraction(row["fee_in_quote"]) if is_lot and row["fee_in_quote"] is not None else None if fee else Fraction(0)


def lot_of(row: Json, base: str, quote: str) -> Lot:
    """Return a lot as a document carries it."""
    sign = 1 if row["side"] == "BUY" else -1
    arrived = sign * Fraction(row["qty"]) - (Fraction(row["fee"]) if row["fee_asset"] == base else 0)
    numbers = [Fraction(row[name]) for name in ("opened", "closed_gross", "closed_fees")]
    price, fee = Fraction(row["quote_qty"]) / Fraction(row["qty"]), fee_in_quote(row, base, quote) or Fraction(0)
    side, left = (1 if arrived > 0 else -1), Fraction(row["left"])
    return Lot(row, side, price, abs(arrived), fee, left, row["is_unvalued"], *numbers)


def books_of(document: Json) -> tuple[dict[str, Book], list[Fraction], list[tuple[str, Fraction]]]:
    """Return the books of a day, what each trade realized, and the result after each fill with a mid, by quote."""
    marks = document.get("opening", {}).get("marks", {})
    books, results, realized = {}, [], []
    for symbol, part in document["symbols"].items():
        lots = deque(lot_of(row, part["base"], part["quote"]) for row in part["carried"]["lots"])
        mark = Fraction(marks[symbol]) if symbol in marks else None
        books[symbol] = Book(part["base"], part["quote"], mark, lots)
    shown = dict.fromkeys(books, Fraction(0))
    total = Fraction(0)
    for row in document["trade_history"]:
        book = books[row["symbol"]]
        realized.append(book.take(row))
        now = book.result()
        total, shown[row["symbol"]] = total + now - shown[row["symbol"]], now
        if row.get("mid") is not None:
            results.append((book.quote, total))
    return books, realized, results


def by_asset(rows: Sequence[Json], keep: Callable[[Json], bool] = lambda _: True) -> dict[str, Fraction]:
    """Return the sums of the fees by asset."""
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        if row["fee"] and keep(row):
            sums[row["fee_asset"]] += Fraction(row["fee"])
    return dict(sums)


def sides(rows: Sequence[Json], part: Json | None) -> Json:
    """Return what is counted by side; average prices have the decimals of the tick of `part`."""
    found: Json = {}
    for name, side in (("buy", "BUY"), ("sell", "SELL")):
        own = [row for row in rows if row["side"] == side]
        money, qty = (sum((Fraction(row[key]) for row in own), Fraction(0)) for key in ("quote_qty", "qty"))
        places = -part["tick_size"].normalize().as_tuple().exponent if part else 0
        average = rounded(money / qty, max(0, places)) if own and part else None
        found |= {f"{name}s": len(own), f"avg_{name}_price": average}
        past = "bought" if side == "BUY" else "sold"
        found |= {f"{past}_qty": qty, f"{past}_quote": money}
    return found


def symbol_part(part: Json, book: Book, rows: Sequence[Json]) -> Json:
    """Return the figures of a symbol."""
    mark = None if part["mark_price"] is None else Fraction(part["mark_price"])
    open_fees = sum((lot.open_fee for lot in book.lots), Fraction(0))
    realized_fees = book.carried_fees + book.fees - open_fees
    pnl, held = book.gross - realized_fees, book.position
    cost = sum((lot.sign * lot.left * lot.price for lot in book.lots), Fraction(0))
    direction = (held > 0) - (held < 0)
    unrealized = None if mark is None and held else held * (mark or 0) - cost
    average = None if mark is None and held else held * (mark or 0) - direction * book.cost
    total = None if average is None else book.average_realized + average - book.average_fees
    counted = sides(rows, part)
    return counted | {
        "volume": counted["bought_quote"] + counted["sold_quote"],
        "maker_volume": sum((Fraction(row["quote_qty"]) for row in rows if row["is_maker"]), Fraction(0)),
        "fees": by_asset(rows),
        "unvalued_fees": by_asset(rows, lambda row: row["fee_in_quote"] is None),
        "gross": book.gross,
        "realized_fees": realized_fees,
        "pnl": pnl,
        "round_trips": len(book.trips),
        "wins": sum(net > 0 and not undecided for net, undecided in book.trips),
        "undecided": sum(undecided for _, undecided in book.trips),
        "position": held,
        "open_fees": open_fees,
        "unrealized": unrealized,
        "marked_pnl": None if unrealized is None else pnl + unrealized - open_fees,
        "identity_gap": Fraction(0),
        "carried": part["carried"]
        | {
            "qty": book.carried,
            "cost": book.carried_cost,
            "fees": book.carried_fees,
        },
        "average_cost": {
            "position": held,
            "avg_price": book.cost / abs(held) if held else None,
            "realized_net": book.average_realized,
            "open_fees": book.average_fees,
            "unrealized": average,
            "total": total,
        },
    }
