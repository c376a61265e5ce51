"""Fills in integers, and the lots that they are: what arrived, what it cost, and the fee that goes with it.

Fees: in the quote asset they are what they are. In the base asset they also change the quantity, so that the lot is
what arrived in the account, and cost the fill's own price. In a third asset they cost what the caller says, its mid at
that time; without a value they stay out of the result.
"""

from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from fractions import Fraction
from math import gcd
from typing import NamedTuple

from market.account import VenueTrade
from market.codes import Side
from reports.exact_sum import UNIT, VALUE, ExactSum, divided, units_of


class FillUnits(NamedTuple):
    """A fill in integers.

    Attributes:
        qty, money: what was traded, base and quote, in 10^-60.
        fee: what was charged, in its own asset, in 10^-60.
        fee_value: what that cost in quote, None where nobody knows.
        fee_units: the same in 10^-120, `fee_divisor` times as much where it is no decimal.
    """

    qty: int
    money: int
    fee: int
    fee_value: Fraction | Decimal | None
    fee_units: int
    fee_divisor: int

    @property
    def price(self) -> tuple[int, int]:
        """What one unit cost, see `Lot`: the price, unless the venue rounded `quote_qty`, the money that moved."""
        money = self.money * UNIT
        whole, rest = divmod(money, self.qty)
        if not rest:
            return whole, 1
        common = gcd(money, self.qty)
        return money // common, self.qty // common


def fill_units(trade: VenueTrade, fee_value: Fraction | Decimal | None) -> FillUnits:
    """Return a fill, whose fee cost `fee_value`, in integers.

    Raises:
        ValueError: if it has no quantity.
    """
    qty = units_of(trade.qty)
    if qty <= 0:
        raise ValueError(f"qty of trade {trade.trade_id} must be positive, was {trade.qty}")
    money, fee = units_of(trade.quote_qty), units_of(trade.fee)
    if fee_value is trade.fee:  # it is in quote, as nearly all are
        return FillUnits(qty, money, fee, fee_value, fee * UNIT, 1)
    return FillUnits(qty, money, fee, fee_value, *_value_units(fee_value))


class Lot:
    """A fill that closes older lots, and then stays open with what is left of it.

    Attributes:
        trade: the fill; `fee_value` is what its fee cost in quote, None where nobody knows.
        sign: 1 of what was bought, -1 of what was sold.
        size_units: what arrived of it, in units of 10^-60; `left_units` of these are not matched, and `opened_units`
            opened a lot: all, but for a fill that has closed older ones.
        price_units: what one unit cost, in 10^-60, `price_divisor` times as much where the venue has rounded its money.
        fee_units: what the fee cost, in 10^-120, `fee_divisor` times as much where that is no decimal.
        gross_units, fees_units: what its closed part has brought so far, and the fees of both its legs, in quote, in
            whole units of 10^-120; `gross_shares` and `fees_shares` are what comes to that beside, None without any.
    """

    __slots__ = (
        "fee_divisor",
        "fee_units",
        "fee_value",
        "fees_shares",
        "fees_units",
        "gross_shares",
        "gross_units",
        "is_unvalued",
        "left_units",
        "opened_units",
        "price_divisor",
        "price_units",
        "sign",
        "size_units",
        "trade",
    )

    def __init__(self, trade: VenueTrade, sign: int, size_units: int, fill: FillUnits) -> None:
        qty, money, _, fee_value, self.fee_units, self.fee_divisor = fill
        self.trade, self.sign = trade, sign
        self.fee_value, self.is_unvalued = fee_value, fee_value is None
        self.size_units = self.left_units = size_units
        self.opened_units = self.gross_units = self.fees_units = 0
        self.price_units, rest = divmod(money * UNIT, qty)
        self.price_divisor = 1
        if rest:
            self.price_units, self.price_divisor = fill.price
        self.gross_shares: ExactSum | None = None
        self.fees_shares: ExactSum | None = None

    @property
    def side(self) -> Side:
        """What the fill did."""
        return Side.BUY if self.sign > 0 else Side.SELL

    @property
    def left(self) -> Fraction:
        """What is not matched."""
        return Fraction(self.left_units, UNIT)

    @property
    def opened(self) -> Fraction:
        """How much of it opened a lot."""
        return Fraction(self.opened_units, UNIT)

    @property
    def price(self) -> Fraction:
        """What one unit cost."""
        return Fraction(self.price_units, self.price_divisor * UNIT)

    @property
    def fee_per_unit(self) -> Fraction:
        """What the fee of one unit cost."""
        return Fraction(self.fee_units, self.fee_divisor * self.size_units * UNIT)

    @property
    def gross(self) -> Fraction:
        """What its closed part has brought."""
        return self.gross_sum.value

    @property
    def fees(self) -> Fraction:
        """The fees of both legs of its closed part."""
        return self.fees_sum.value

    @property
    def gross_sum(self) -> ExactSum:
        """`gross`, to reckon with."""
        return _together(self.gross_units, self.gross_shares)

    @property
    def fees_sum(self) -> ExactSum:
        """`fees`, to reckon with."""
        return _together(self.fees_units, self.fees_shares)

    def set_closed(self, gross: Decimal, fees: Decimal) -> None:
        """Take what the closed part is said to have brought, and its fees, for what they are."""
        self.gross_units, self.fees_units = units_of(gross) * UNIT, units_of(fees) * UNIT
        self.gross_shares = self.fees_shares = None

    def add_gross(self, whole: int, part: int, divisor: int) -> None:
        """Add to what the closed part has brought, see `ExactSum.add`."""
        self.gross_units += whole
        if part:
            self.gross_shares = self.gross_shares or ExactSum()
            self.gross_shares.add(0, part, divisor)

    def add_fee_share(self, part: int, divisor: int) -> None:
        """Add to the fees what comes to the whole units of a share, see `ExactSum.add`."""
        if self.fees_shares is None:
            self.fees_shares = ExactSum()
        self.fees_shares.add(0, part, divisor)

    def cost_of(self, units: int) -> tuple[int, int, int]:
        """Return what so much of it cost, see `ExactSum.add`."""
        return divided(units * self.price_units, self.price_divisor)

    def fee_of(self, units: int) -> tuple[int, int, int]:
        """Return what the fee of so much of it cost, see `ExactSum.add`."""
        if units == self.size_units:  # as most are, and whole
            return (self.fee_units, 0, 1) if self.fee_divisor == 1 else divided(self.fee_units, self.fee_divisor)
        return divided(units * self.fee_units, self.fee_divisor * self.size_units)

    def copied(self) -> "Lot":
        """Return the same lot for another book, which will change it."""
        lot = copy(self)
        lot.gross_shares, lot.fees_shares = _copied(self.gross_shares), _copied(self.fees_shares)
        return lot


def _copied(shares: ExactSum | None) -> ExactSum | None:
    if shares is None:
        return None
    found = ExactSum()
    found.add_sum(shares)
    return found


def _together(units: int, shares: ExactSum | None) -> ExactSum:
    """Return whole units of 10^-120 and shares as one number."""
    found = ExactSum(units)
    if shares is not None:
        found.add_sum(shares)
    return found


def lot_of(trade: VenueTrade, base: str, fee_value: Fraction | Decimal | None) -> Lot | None:
    """Return the lot that a fill opens where there is none to close; None if its fee in base has taken all of it.

    Raises:
        ValueError: if the fill has no quantity.
    """
    fill = fill_units(trade, fee_value)
    units = fill.qty if trade.side is Side.BUY else -fill.qty
    if trade.fee_asset == base:
        units -= fill.fee
    if units > 0:
        return Lot(trade, 1, units, fill)
    return Lot(trade, -1, -units, fill) if units else None


def arrived(trade: VenueTrade, base: str) -> Fraction:
    """Return by how much the fill changed what the account holds of the base asset, its fee in base included."""
    qty = Fraction(trade.qty) if trade.side is Side.BUY else -Fraction(trade.qty)
    return qty - Fraction(trade.fee) if trade.fee_asset == base else qty


def fee_in_quote(trade: VenueTrade, base: str, quote: str, mids: Mapping[str, Decimal]) -> Fraction | None:
    """Return what the fee of `trade` cost in quote, or None for a third asset without a mid.

    Args:
        mids: the price in quote of third assets that fees are paid in, by asset.
    """
    if trade.fee_asset == quote or not trade.fee:
        return Fraction(trade.fee)
    if trade.fee_asset == base:
        price_units, divisor = fill_units(trade, None).price
        return Fraction(units_of(trade.fee) * price_units, divisor * VALUE)
    mid = mids.get(trade.fee_asset)
    return None if mid is None else Fraction(trade.fee) * Fraction(mid)


def _value_units(value: Fraction | Decimal | None) -> tuple[int, int]:
    """Return an amount in units of 10^-120, and by what that is to be divided."""
    if not value:
        return 0, 1
    numerator, denominator = value.as_integer_ratio()
    factor, rest = divmod(VALUE, denominator)
    return (numerator * VALUE, denominator) if rest else (numerator * factor, 1)
