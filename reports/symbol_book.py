"""One symbol's figures of a day, kept up trade by trade; amounts in its quote asset but for quantities."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from market.account import VenueTrade
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.average_cost import AverageCost
from reports.curve import Line
from reports.exact import EXACT, FIGURE_PLACES, amount, decimals_of, figure, rounded
from reports.exact_sum import VALUE, units_of
from reports.pnl import FifoBook, Lot, fee_in_quote
from reports.trade_history import HistoryRow

_ZERO = Fraction(0)
_NOTHING = Decimal(0)


class SymbolBook:
    """One symbol.

    Args:
        lots: what was carried over midnight, for this book alone.
        mark: the mid at the opening, None where it is not known.

    Attributes:
        fifo: lots and what they earned.
        average: the same by average cost.
        spread: what the spread has brought, and how much was held.
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
        self._worth_units = self.fifo.worth_units(units_of(mark or _NOTHING))
        self.spread = Spread()
        self._foreign_fees: dict[str, tuple[Decimal, Decimal]] = {}
        self.volumes = {side: Volume() for side in Side}
        self._fees: dict[str, Decimal] = {}

    def add(self, row: HistoryRow) -> Fraction:
        """Take the next fill; return what it realized after fees."""
        trade, value = row.trade, _fee_cost(row, self.instrument)
        paid = _NOTHING
        if trade.fee:
            paid = trade.fee if trade.fee_asset == self.instrument.quote else _decimal(value)
            self._fees[trade.fee_asset] = EXACT.add(self._fees.get(trade.fee_asset, _NOTHING), trade.fee)
            if trade.fee_asset not in (self.instrument.base, self.instrument.quote):
                fee, worth = self._foreign_fees.get(trade.fee_asset, (_NOTHING, _NOTHING))
                self._foreign_fees[trade.fee_asset] = (
                    EXACT.add(fee, trade.fee),
                    EXACT.add(worth, row.fee_in_quote or _NOTHING),
                )
        qty, cost = self._moved(trade, paid)
        self.spread.look(self.average.position, trade.time_ms)
        if row.detail is not None and row.detail.mid is not None:
            self.spread.add(qty, cost, row.detail.mid)
        self.average.add(qty, cost, paid)
        self.volumes[trade.side].add(trade)
        return self.fifo.apply(trade, value)

    def mark_late(self, row: HistoryRow) -> None:
        """Take the mid of a fill that was taken without one."""
        assert row.detail is not None, row.key
        assert row.detail.mid is not None, row.key
        trade, paid = row.trade, _NOTHING
        if trade.fee and trade.fee_asset == self.instrument.base:
            paid = _decimal(_fee_cost(row, self.instrument))
        self.spread.add(*self._moved(trade, paid), row.detail.mid)

    def _moved(self, trade: VenueTrade, paid: Decimal) -> tuple[Decimal, Decimal]:
        """Return what arrived of a fill (negative: left), less a fee of base that cost `paid`, and for what money."""
        is_buy = trade.side is Side.BUY
        qty, cost = trade.qty if is_buy else trade.qty.copy_negate(), trade.quote_qty
        if trade.fee and trade.fee_asset == self.instrument.base:
            qty = EXACT.subtract(qty, trade.fee)
            cost = EXACT.subtract(cost if is_buy else cost.copy_negate(), paid).copy_abs()
        return qty, cost

    @property
    def foreign_fees(self) -> dict[str, tuple[Fraction, Fraction]]:
        """Fees paid in assets that are neither base nor quote, by asset: how much, and its value in quote."""
        return {asset: (Fraction(fee), Fraction(worth)) for asset, (fee, worth) in self._foreign_fees.items()}

    @property
    def has_opening(self) -> bool:
        """Whether it is known what the carried lots were worth at the opening."""
        return not self.carried_qty or self.opening_mark is not None

    @property
    def count(self) -> int:
        """How many fills."""
        return sum(volume.count for volume in self.volumes.values())

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
        units = self.worth_units(units_of(mark))
        return Fraction(units.numerator, units.denominator * VALUE)

    def worth_units(self, mark_units: int) -> int | Fraction:
        """Return `worth` in units of 10^-120, of a mark in units of 10^-60."""
        assert self.has_opening, self.instrument.symbol
        return self.fifo.worth_units(mark_units) - self._worth_units

    @property
    def worth_line(self) -> Line | None:
        """What `worth_units` is made of: it is the first + the second x the mark; None without an opening."""
        if not self.has_opening:
            return None
        cash, position = self.fifo.moved_units
        return cash - self._worth_units, position

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
            "bought_qty": figure(Fraction(buys.base)),
            "sold_qty": figure(Fraction(sells.base)),
            "bought_quote": figure(Fraction(buys.quote)),
            "sold_quote": figure(Fraction(sells.quote)),
            "avg_buy_price": buys.average_price(places),
            "avg_sell_price": sells.average_price(places),
            "volume": figure(Fraction(buys.quote) + Fraction(sells.quote)),
            "maker_volume": figure(Fraction(buys.maker_quote) + Fraction(sells.maker_quote)),
            "fees": {asset: figure(Fraction(fee)) for asset, fee in self._fees.items()},
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


class Spread:
    """What the spread has brought, and how much was held meanwhile.

    Attributes:
        capture: Σ arrived quantity x (mid just before - price), of the `count` fills of which that mid is known.
        position_ms: Σ |position| x ms, from the first fill to the last.
        span_ms: from the first fill to the last.
    """

    def __init__(self) -> None:
        self.capture = self.position_ms = _NOTHING
        self.count = self.span_ms = 0
        self._last_ms: int | None = None

    def look(self, position: Decimal, time_ms: int) -> None:
        """Take what was held until a fill."""
        passed_ms = 0 if self._last_ms is None else time_ms - self._last_ms
        if passed_ms and position:
            self.position_ms = EXACT.add(self.position_ms, EXACT.multiply(position.copy_abs(), Decimal(passed_ms)))
        self.span_ms += passed_ms
        self._last_ms = time_ms

    def add(self, qty: Decimal, cost: Decimal, mid: Decimal) -> None:
        """Take a fill by which `qty` arrived (negative: left) for the money `cost`."""
        gain = EXACT.subtract(EXACT.multiply(qty, mid), cost if qty > 0 else cost.copy_negate())
        self.capture = EXACT.add(self.capture, gain)
        self.count += 1


class Volume:
    """What was traded on one side of a symbol."""

    def __init__(self) -> None:
        self.count = 0
        self.base = self.quote = self.maker_quote = _NOTHING

    def add(self, trade: VenueTrade) -> None:
        """Take a fill."""
        self.count += 1
        self.base = EXACT.add(self.base, trade.qty)
        self.quote = EXACT.add(self.quote, trade.quote_qty)
        if trade.is_maker:
            self.maker_quote = EXACT.add(self.maker_quote, trade.quote_qty)

    def average_price(self, places: int) -> Decimal | None:
        """Return quote paid / base traded, None without any."""
        return rounded(Fraction(self.quote) / Fraction(self.base), places) if self.base else None


def _fee_cost(row: HistoryRow, instrument: Instrument) -> Fraction | Decimal | None:
    """Return what `fee_value` does, and what is a decimal already as that."""
    trade = row.trade
    if not trade.fee or trade.fee_asset == instrument.quote:
        return trade.fee
    if trade.fee_asset == instrument.base:
        return fee_in_quote(trade, instrument.base, instrument.quote, {})
    return row.fee_in_quote


def _decimal(value: Fraction | Decimal | None) -> Decimal:
    """Return what a fee cost as a decimal; one that has none, of a venue that rounds its money, to 24 places."""
    return figure(Fraction(value or 0), 2 * FIGURE_PLACES)
