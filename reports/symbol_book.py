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
from reports.exact import FIGURE_PLACES, amount, decimals_of, figure, rounded
from reports.exact_sum import UNIT, VALUE, ExactSum, units_of
from reports.lots import FillUnits, Lot, fee_in_quote, fill_units
from reports.pnl import TRIPS_KEPT, FifoBook
from reports.totals import Charges
from reports.trade_history import HistoryRow

_ZERO = Fraction(0)
_NOTHING = Decimal(0)


class SymbolBook:
    """One symbol.

    Args:
        lots: what was carried over midnight, for this book alone.
        mark: the mid at the opening, None where it is not known.
        trips_kept: how many of the last round trips are kept, None: all.

    Attributes:
        charges: what was charged in each asset.
        fifo: lots and what they earned.
        average: the same by average cost.
        spread: what the spread has brought, and how much was held.
        has_opening: whether it is known what the carried lots were worth at the opening.
    """

    def __init__(
        self,
        instrument: Instrument,
        lots: Iterable[Lot] = (),
        mark: Decimal | None = None,
        trips_kept: int | None = TRIPS_KEPT,
    ) -> None:
        self.instrument = instrument
        self.fifo = FifoBook(instrument.base, trips_kept)
        self.average = AverageCost()
        for lot in lots:
            self.average.carry(lot)
            self.fifo.carry(lot)
        self.carried_qty = self.fifo.position
        self.opening_mark = mark
        self.has_opening = not self.carried_qty or mark is not None
        self._unrealized = self.fifo.unrealized(mark) if mark is not None else _ZERO
        self._open_fees = self.fifo.open_fees
        self._worth_units = self.fifo.worth_units(units_of(mark or _NOTHING))
        self.spread = Spread()
        self._foreign_fees: dict[str, tuple[Fraction, Fraction]] = {}
        self._bought, self._sold = Volume(), Volume()
        self.volumes = {Side.BUY: self._bought, Side.SELL: self._sold}
        self.charges = Charges()

    def units_of_fill(self, row: HistoryRow) -> FillUnits:
        """Return a fill in integers."""
        return fill_units(row.trade, _fee_cost(row, self.instrument))

    def add(self, row: HistoryRow, units: FillUnits, mid_units: int | None) -> ExactSum | None:
        """Take the next fill, with what it is in integers and the mid just before it in units of 10^-60.

        Returns:
            what it realized after fees; None of one that only opened a lot.
        """
        trade = row.trade
        paid = units.fee if units.fee_value is trade.fee else _paid_units(units)
        if units.fee:
            self.charges.take(trade.fee_asset, units.fee)
            if trade.fee_asset not in (self.instrument.base, self.instrument.quote):
                fee, worth = self._foreign_fees.get(trade.fee_asset, (_ZERO, _ZERO))
                self._foreign_fees[trade.fee_asset] = fee + Fraction(trade.fee), worth + Fraction(row.fee_in_quote or 0)
        qty, cost = self._moved(trade, units, paid)
        self.spread.look(self.average.position, trade.time_ms)
        if mid_units is not None:
            self.spread.add(qty, cost, mid_units)
        self.average.add(qty, cost, paid)
        (self._bought if trade.side is Side.BUY else self._sold).add(units, is_maker=trade.is_maker)
        return self.fifo.take(trade, units)

    def mark_late(self, row: HistoryRow) -> None:
        """Take the mid of a fill that was taken without one."""
        assert row.detail is not None, row.key
        assert row.detail.mid is not None, row.key
        units = self.units_of_fill(row)
        self.spread.add(*self._moved(row.trade, units, _paid_units(units)), units_of(row.detail.mid))

    def _moved(self, trade: VenueTrade, units: FillUnits, paid: int) -> tuple[int, int]:
        """Return what arrived of a fill (negative: left), less a fee of base that cost `paid`, and for what money."""
        is_buy = trade.side is Side.BUY
        qty, cost = units.qty if is_buy else -units.qty, units.money
        if trade.fee_asset == self.instrument.base and units.fee:
            qty -= units.fee
            cost = abs((cost if is_buy else -cost) - paid)
        return qty, cost

    @property
    def foreign_fees(self) -> dict[str, tuple[Fraction, Fraction]]:
        """Fees paid in assets that are neither base nor quote, by asset: how much, and its value in quote."""
        return dict(self._foreign_fees)

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
            "bought_qty": figure(buys.base),
            "sold_qty": figure(sells.base),
            "bought_quote": figure(buys.quote),
            "sold_quote": figure(sells.quote),
            "avg_buy_price": buys.average_price(places),
            "avg_sell_price": sells.average_price(places),
            "volume": figure(buys.quote + sells.quote),
            "maker_volume": figure(buys.maker_quote + sells.maker_quote),
            "fees": self.charges.together(),
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
        count: fills of which the mid just before them is known.
        span_ms: from the first fill to the last.
    """

    def __init__(self) -> None:
        self._capture = self._position_ms = 0  # in units of 10^-120, and of 10^-60
        self.count = self.span_ms = 0
        self._last_ms: int | None = None

    @property
    def capture(self) -> Fraction:
        """Σ arrived quantity x (mid just before - price) of the fills of which that mid is known, in quote."""
        return Fraction(self._capture, VALUE)

    @property
    def position_ms(self) -> Fraction:
        """Σ |position| x ms, from the first fill to the last, in base."""
        return Fraction(self._position_ms, UNIT)

    def look(self, position: int, time_ms: int) -> None:
        """Take what was held until a fill, in units of 10^-60."""
        passed_ms = 0 if self._last_ms is None else time_ms - self._last_ms
        self._position_ms += abs(position) * passed_ms
        self.span_ms += passed_ms
        self._last_ms = time_ms

    def add(self, qty: int, cost: int, mid: int) -> None:
        """Take a fill by which `qty` arrived (negative: left) for the money `cost`; all in units of 10^-60."""
        self._capture += qty * mid - (cost if qty > 0 else -cost) * UNIT
        self.count += 1


class Volume:
    """What was traded on one side of a symbol."""

    def __init__(self) -> None:
        self.count = 0
        self._base = self._quote = self._maker_quote = 0  # in units of 10^-60

    @property
    def base(self) -> Fraction:
        """The quantity."""
        return Fraction(self._base, UNIT)

    @property
    def quote(self) -> Fraction:
        """The money."""
        return Fraction(self._quote, UNIT)

    @property
    def maker_quote(self) -> Fraction:
        """The money of fills that we made."""
        return Fraction(self._maker_quote, UNIT)

    def add(self, fill: FillUnits, *, is_maker: bool) -> None:
        """Take a fill."""
        self.count += 1
        self._base += fill.qty
        self._quote += fill.money
        if is_maker:
            self._maker_quote += fill.money

    def average_price(self, places: int) -> Decimal | None:
        """Return quote paid / base traded, None without any."""
        return rounded(self.quote / self.base, places) if self.base else None


def _fee_cost(row: HistoryRow, instrument: Instrument) -> Fraction | Decimal | None:
    """Return what `fee_value` does, and what is a decimal already as that."""
    trade = row.trade
    if not trade.fee or trade.fee_asset == instrument.quote:
        return trade.fee
    if trade.fee_asset == instrument.base:
        return fee_in_quote(trade, instrument.base, instrument.quote, {})
    return row.fee_in_quote


def _paid_units(fill: FillUnits) -> int:
    """Return what a fee cost in units of 10^-60; one that has no decimal, of a venue that rounds its money, to 24."""
    if fill.fee_divisor == 1:
        units, rest = divmod(fill.fee_units, UNIT)
        if not rest:  # as nearly all are
            return units
    return units_of(figure(Fraction(fill.fee_units, fill.fee_divisor * VALUE), 2 * FIGURE_PLACES))
