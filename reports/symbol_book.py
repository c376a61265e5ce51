"""One symbol's figures of a day, kept up trade by trade; amounts in its quote asset but for quantities."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.average_cost import AverageCost
from reports.exact import amount, decimals_of, figure, rounded
from reports.pnl import FifoBook, Lot, arrived
from reports.trade_history import HistoryRow, fee_value

_ZERO = Fraction(0)


class SymbolBook:
    """One symbol.

    Args:
        lots: what was carried over midnight, for this book alone.
        mark: the mid at the opening, None where it is not known.

    Attributes:
        fifo: lots and what they earned.
        average: the same by average cost.
        attribution: what came of the spread, and what of the inventory.
        foreign_fees: fees paid in assets that are neither base nor quote, by asset: how much, and its value in quote.
    """

    def __init__(self, instrument: Instrument, lots: Iterable[Lot] = (), mark: Decimal | None = None) -> None:
        self.instrument = instrument
        self.fifo = FifoBook(instrument.base)
        self.average = AverageCost()
        for lot in lots:
            self.average.carry(lot)
            self.fifo.carry(lot)
        self.carried_qty = self.fifo.position
        self.opening_mark = mark
        self._unrealized = self.fifo.unrealized(mark) if mark is not None else _ZERO
        self._open_fees = self.fifo.open_fees
        self.attribution = Attribution(self.fifo.position, mark)
        self.foreign_fees: dict[str, tuple[Fraction, Fraction]] = {}
        self.volumes = {side: Volume() for side in Side}
        self._fees: dict[str, Fraction] = {}
        self._moved_quote = self._moved_base = _ZERO

    def add(self, row: HistoryRow) -> Fraction:
        """Take the next fill; return what it realized after fees."""
        trade, value = row.trade, fee_value(row, self.instrument)
        qty, paid = arrived(trade, self.instrument.base), value or _ZERO
        price = Fraction(trade.quote_qty) / Fraction(trade.qty)
        self.attribution.add(qty, price, row.detail.mid if row.detail else None, trade.time_ms)
        self.average.add(qty, price, paid)
        self.volumes[trade.side].add(trade)
        self._moved_base += qty
        self._moved_quote -= Fraction(trade.quote_qty) * (1 if trade.side is Side.BUY else -1)
        if trade.fee:
            self._fees[trade.fee_asset] = self._fees.get(trade.fee_asset, _ZERO) + Fraction(trade.fee)
        if trade.fee_asset != self.instrument.base:
            self._moved_quote -= paid
        if trade.fee_asset not in (self.instrument.base, self.instrument.quote):
            fee, worth = self.foreign_fees.get(trade.fee_asset, (_ZERO, _ZERO))
            self.foreign_fees[trade.fee_asset] = fee + Fraction(trade.fee), worth + paid
        return self.fifo.apply(trade, value)

    @property
    def has_opening(self) -> bool:
        """Whether it is known what the carried lots were worth at the opening."""
        return not self.carried_qty or self.opening_mark is not None

    def changes(self, mark: Decimal) -> dict[str, Fraction]:
        """Return what the day has brought at `mark`: the parts by lots, and the whole by what moved alone."""
        fifo = self.fifo
        return {
            "realized_net": fifo.realized_net,
            "unrealized_change": fifo.unrealized(mark) - self._unrealized,
            "open_fees_change": fifo.open_fees - self._open_fees,
            "equity_change": self.worth(mark),
        }

    def worth(self, mark: Decimal) -> Fraction:
        """Return by how much the fills, and the carried lots, have changed the account's worth since the opening."""
        moved = self._moved_quote + self._moved_base * Fraction(mark)
        if not self.carried_qty:
            return moved
        assert self.opening_mark is not None, self.instrument.symbol
        return moved + self.carried_qty * (Fraction(mark) - Fraction(self.opening_mark))

    def to_json(self, mark: Decimal | None, carried: JsonObject) -> JsonObject:
        """Return the symbol's part of the daily document."""
        instrument, fifo, buys, sells = self.instrument, self.fifo, self.volumes[Side.BUY], self.volumes[Side.SELL]
        places = decimals_of(instrument.tick_size)
        return {
            "base": instrument.base,
            "quote": instrument.quote,
            "tick_size": instrument.tick_size,
            "lot_size": instrument.lot_size,
            "buys": buys.count,
            "sells": sells.count,
            "bought_qty": figure(buys.base),
            "sold_qty": figure(sells.base),
            "bought_quote": figure(buys.quote),
            "sold_quote": figure(sells.quote),
            "avg_buy_price": buys.average_price(places),
            "avg_sell_price": sells.average_price(places),
            "volume": figure(buys.quote + sells.quote),
            "maker_volume": figure(buys.maker_quote + sells.maker_quote),
            "fees": {asset: figure(fee) for asset, fee in self._fees.items()},
            "carried": carried,
            "gross": figure(fifo.realized_gross),
            "realized_fees": figure(fifo.realized_fees),
            "pnl": figure(fifo.realized_net),
            "round_trips": fifo.round_trips,
            "wins": fifo.wins,
            "undecided": fifo.undecided,
            "position": figure(fifo.position),
            "open_fees": figure(fifo.open_fees),
            "mark_price": None if mark is None else amount(mark),
            "unrealized": None if mark is None else figure(fifo.unrealized(mark)),
            "marked_pnl": None if mark is None else figure(fifo.marked(mark)),
            "identity_gap": figure(fifo.identity_gap(Decimal(0) if mark is None else mark)),
            "average_cost": self.average.to_json(mark),
            "unvalued_fees": {asset: figure(fee) for asset, fee in fifo.unvalued_fees.items()},
        }


class Attribution:
    """What came of the spread and what of the inventory, as fills are marked to the mid just before each of them.

    A fill of which that mid is not known is marked at its own price, so that what it captured counts as inventory; the
    two together are right in any case.

    Attributes:
        capture: Σ arrived quantity x (mid - price), of the `marked_count` fills with a mid.
        inventory: Σ position x change of the mark, from the opening to the last fill.
        position_ms: Σ |position| x ms, from the first fill to the last.
    """

    def __init__(self, position: Fraction, mark: Decimal | None) -> None:
        self.is_known = not position or mark is not None
        self._position = position
        self._mark = _ZERO if mark is None else Fraction(mark)
        self._first_ms = self._last_ms = 0
        self.capture = self.inventory = self.position_ms = _ZERO
        self.count = self.marked_count = 0

    def add(self, qty: Fraction, price: Fraction, mid: Decimal | None, time_ms: int) -> None:
        """Take a fill by which `qty` arrived."""
        mark = price if mid is None else Fraction(mid)
        if self._position:
            self.inventory += self._position * (mark - self._mark)
            self.position_ms += abs(self._position) * max(0, time_ms - self._last_ms) if self.count else _ZERO
        self._mark = mark
        self._first_ms = self._first_ms if self.count else time_ms
        self._last_ms = time_ms
        self.count += 1
        if mid is not None:
            self.capture += qty * (mark - price)
            self.marked_count += 1
        self._position += qty

    def inventory_at(self, mark: Decimal) -> Fraction:
        """Return what the inventory has brought up to now."""
        return self.inventory + self._position * (Fraction(mark) - self._mark)

    @property
    def span_ms(self) -> int:
        """From the first fill to the last."""
        return self._last_ms - self._first_ms


class Curve:
    """What the day has brought, marked at every fill with a mid; the first peak is the start, where it is nothing.

    Attributes:
        count: such fills.
    """

    def __init__(self, symbols: Mapping[str, SymbolBook]) -> None:
        self._symbols = symbols
        self._marks: dict[str, Decimal] = {}
        self._peak = self._drawdown = _ZERO
        self.count = 0

    def mark(self, symbol: str, mid: Decimal) -> None:
        """Take the mid of a fill that is in the books already."""
        self._marks[symbol] = mid
        self.count += 1
        worth = self._worth(self._marks)
        self._peak = max(self._peak, worth)
        self._drawdown = max(self._drawdown, self._peak - worth)

    def drawdown(self, marks: Mapping[str, Decimal]) -> Fraction:
        """Return the largest fall below a peak of before, the last sight included."""
        return max(self._drawdown, self._peak - self._worth(self._marks | dict(marks)))

    def _worth(self, marks: Mapping[str, Decimal]) -> Fraction:
        known = (
            one.worth(marks[symbol]) for symbol, one in self._symbols.items() if symbol in marks and one.has_opening
        )
        return sum(known, _ZERO)


class Volume:
    """What was traded on one side of a symbol."""

    def __init__(self) -> None:
        self.count = 0
        self.base = self.quote = self.maker_quote = _ZERO

    def add(self, trade: VenueTrade) -> None:
        """Take a fill."""
        self.count += 1
        self.base += Fraction(trade.qty)
        self.quote += Fraction(trade.quote_qty)
        if trade.is_maker:
            self.maker_quote += Fraction(trade.quote_qty)

    def average_price(self, places: int) -> Decimal | None:
        """Return quote paid / base traded, None without any."""
        return rounded(self.quote / self.base, places) if self.base else None
