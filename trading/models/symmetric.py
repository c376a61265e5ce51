"""A bid and an ask at the same distance from the mid."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from market.codes import Side
from market.instrument import Instrument, format_decimal
from trading.quoting import Market, Quote

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Symmetric:
    """Quotes at mid x (1 - half_spread) and mid x (1 + half_spread), whatever we hold.

    Prices are rounded away from the mid, to whole ticks. The quantity of each side is `notional` / mid, rounded down to
    whole lots. At mid 91,385.00, half-spread 0.002 and notional 1,000: 0.01094 at 91,202.23 and at 91,567.77.

    Attributes:
        half_spread: fraction of the mid.
        notional: quote amount of each side.
    """

    half_spread: Decimal
    notional: Decimal

    def quotes(self, market: Market) -> Sequence[Quote]:
        """Return both quotes; none while there is no mid, the notional is no lot, or the bid would not be positive."""
        mid_ticks_x2 = market.depth.mid_ticks_x2
        if mid_ticks_x2 is None:
            return ()
        bid_ticks, ask_ticks = self._prices(mid_ticks_x2)
        qty_lots = self._lots(market.instrument, mid_ticks_x2)
        if bid_ticks <= 0 or qty_lots <= 0:
            return ()
        return Quote(Side.BUY, bid_ticks, qty_lots), Quote(Side.SELL, ask_ticks, qty_lots)

    def obstacle(self, market: Market) -> str | None:
        """Return which of the two settings no pair of quotes around this mid can have, None without a mid."""
        mid_ticks_x2 = market.depth.mid_ticks_x2
        if mid_ticks_x2 is None:
            return None
        bid_ticks, ask_ticks = self._prices(mid_ticks_x2)
        lots = self._lots(market.instrument, mid_ticks_x2)
        return _price_obstacle(market, bid_ticks, ask_ticks, mid_ticks_x2, self.half_spread) or _size_obstacle(
            market, bid_ticks, ask_ticks, mid_ticks_x2, lots, self.notional
        )

    def _prices(self, mid_ticks_x2: int) -> tuple[int, int]:
        """Return the prices of both quotes, rounded away from the mid; the bid may be 0."""
        mid_ticks = Decimal(mid_ticks_x2) / 2
        return _whole(mid_ticks * (1 - self.half_spread), ROUND_FLOOR), _whole(
            mid_ticks * (1 + self.half_spread), ROUND_CEILING
        )

    def _lots(self, instrument: Instrument, mid_ticks_x2: int) -> int:
        """Return how many whole lots the notional buys at the mid."""
        return int(self.notional / (Decimal(mid_ticks_x2) * instrument.tick_size / 2) / instrument.lot_size)


def _price_obstacle(
    market: Market, bid_ticks: int, ask_ticks: int, mid_ticks_x2: int, half_spread: Decimal
) -> str | None:
    instrument, rules = market.instrument, market.rules
    mid = Decimal(mid_ticks_x2) * instrument.tick_size / 2
    least = max(rules.price_min, instrument.tick_size, mid * rules.bid_reach[0] if rules.bid_reach else Decimal(0))
    most = min((*_known(rules.price_max), *((mid * rules.ask_reach[1],) if rules.ask_reach else ())), default=None)
    bid, ask = bid_ticks * instrument.tick_size, ask_ticks * instrument.tick_size
    if least <= bid and (most is None or ask <= most):
        return None
    room = mid - _up(least, instrument.tick_size)
    if most is not None:
        room = min(room, _down(most, instrument.tick_size) - mid)
    widest = (room / mid).quantize(Decimal("0.000001"), ROUND_FLOOR)
    to = f" to {format_decimal(most.normalize())}" if most is not None else " on"
    problem = (
        f"maker.half_spread is {format_decimal(half_spread)}, which at a mid of {format_decimal(mid)} quotes at "
        f"{bid} and {ask}, and {instrument.symbol} takes prices from {format_decimal(least.normalize())}{to}: "
    )
    if widest <= 0:
        return problem + "expected another symbol, its price is too near the end of that range"
    return problem + f"expected at most {format_decimal(widest)}"


def _size_obstacle(
    market: Market, bid_ticks: int, ask_ticks: int, mid_ticks_x2: int, lots: int, notional: Decimal
) -> str | None:
    instrument, rules = market.instrument, market.rules
    lot, tick = instrument.lot_size, instrument.tick_size
    bid_lot_value, ask_lot_value = bid_ticks * tick * lot, ask_ticks * tick * lot
    lots_min = max(
        1, _whole(rules.qty_min / lot, ROUND_CEILING), _whole(rules.notional_min / bid_lot_value, ROUND_CEILING)
    )
    lots_max = min(
        _whole(bound / value, ROUND_FLOOR)
        for bound, value in (
            (rules.qty_max, lot),
            (rules.position_max, lot),
            (rules.notional_max, ask_lot_value),
            (Decimal(lots + lots_min), Decimal(1)),  # so that there is one
        )
        if bound is not None
    )
    if lots_min <= lots <= lots_max:
        return None
    mid_lot_value = Decimal(mid_ticks_x2) * tick / 2 * lot
    problem = (
        f"maker.notional is {format_decimal(notional)}, which at a mid of "
        f"{format_decimal(Decimal(mid_ticks_x2) * tick / 2)} is {lots * lot:f} {instrument.base}, "
        f"{format_decimal((lots * bid_lot_value).quantize(_CENT, ROUND_FLOOR))} {instrument.quote} at the bid, and "
        f"{instrument.symbol} takes "
    )
    if lots_min > lots_max:
        return problem + "no quantity at this price: expected another symbol"
    if lots < lots_min:
        least = format_decimal((lots_min * mid_lot_value).quantize(_CENT, ROUND_CEILING))
        return f"{problem}at least {lots_min * lot:f} {instrument.base} here: expected at least {least}"
    most = format_decimal((lots_max * mid_lot_value).quantize(_CENT, ROUND_FLOOR))
    return f"{problem}at most {lots_max * lot:f} {instrument.base} here: expected at most {most}"


def _known(value: Decimal | None) -> tuple[Decimal, ...]:
    return () if value is None else (value,)


def _whole(value: Decimal, rounding: str) -> int:
    return int(value.to_integral_value(rounding))


def _up(value: Decimal, step: Decimal) -> Decimal:
    return _whole(value / step, ROUND_CEILING) * step


def _down(value: Decimal, step: Decimal) -> Decimal:
    return _whole(value / step, ROUND_FLOOR) * step
