"""A bid and an ask at the same distance from the mid."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import ceil, floor

from market.codes import Side
from market.instrument import Instrument, format_decimal
from trading.quoting import Market, Quote

_CENT, _INFINITY = Decimal("0.01"), Decimal("Infinity")


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
        if (mid := market.mid) is None:
            return ()
        bid_ticks, ask_ticks = self._prices(market.instrument, mid)
        qty_lots = self._lots(market.instrument, mid)
        if bid_ticks <= 0 or qty_lots <= 0:
            return ()
        return Quote(Side.BUY, bid_ticks, qty_lots), Quote(Side.SELL, ask_ticks, qty_lots)

    def obstacle(self, market: Market) -> str | None:
        """Return which of the two settings no pair of quotes around this mid can have, None without a mid."""
        mid = market.mid
        return None if mid is None else self._price_obstacle(market, mid) or self._size_obstacle(market, mid)

    def _prices(self, instrument: Instrument, mid: Decimal) -> tuple[int, int]:
        """Return the prices of both quotes in ticks, rounded away from the mid; the bid may be 0."""
        mid_ticks = mid / instrument.tick_size
        return floor(mid_ticks * (1 - self.half_spread)), ceil(mid_ticks * (1 + self.half_spread))

    def _lots(self, instrument: Instrument, mid: Decimal) -> int:
        """Return how many whole lots the notional buys at the mid."""
        return int(self.notional / mid / instrument.lot_size)

    def _price_obstacle(self, market: Market, mid: Decimal) -> str | None:
        rules, tick = market.rules, market.instrument.tick_size
        bid, ask = (ticks * tick for ticks in self._prices(market.instrument, mid))
        least = max(rules.price_min, tick, mid * rules.bid_reach[0] if rules.bid_reach else tick)
        most = min(rules.price_max or _INFINITY, mid * rules.ask_reach[1] if rules.ask_reach else _INFINITY)
        if least <= bid and ask <= most:
            return None
        room = min(mid - ceil(least / tick) * tick, most // tick * tick - mid)
        widest = (room / mid).quantize(Decimal("0.000001"), ROUND_FLOOR)
        to = f" to {format_decimal(most.normalize())}" if most.is_finite() else " on"
        problem = (
            f"maker.half_spread is {format_decimal(self.half_spread)}, which at a mid of {format_decimal(mid)} quotes "
            f"at {bid} and {ask}, and {market.instrument.symbol} takes prices from "
            f"{format_decimal(least.normalize())}{to}: "
        )
        if widest <= 0:
            return problem + "expected another symbol, its price is too near the end of that range"
        return problem + f"expected at most {format_decimal(widest)}"

    def _size_obstacle(self, market: Market, mid: Decimal) -> str | None:
        instrument, rules = market.instrument, market.rules
        lot, lots = instrument.lot_size, self._lots(instrument, mid)
        bid_lot_value, ask_lot_value = (ticks * instrument.tick_size * lot for ticks in self._prices(instrument, mid))
        lots_min = max(1, ceil(rules.qty_min / lot), ceil(rules.notional_min / bid_lot_value))
        bounds = (rules.qty_max, lot), (rules.position_max, lot), (rules.notional_max, ask_lot_value)
        bounds_lots = (int(bound / value) for bound, value in bounds if bound is not None)
        lots_max = min(bounds_lots, default=lots + lots_min)
        if lots_min <= lots <= lots_max:
            return None
        problem = (
            f"maker.notional is {format_decimal(self.notional)}, which at a mid of {format_decimal(mid)} is "
            f"{lots * lot:f} {instrument.base}, "
            f"{format_decimal((lots * bid_lot_value).quantize(_CENT, ROUND_FLOOR))} {instrument.quote} at the bid, and "
            f"{instrument.symbol} takes "
        )
        if lots_min > lots_max:
            return problem + "no quantity at this price: expected another symbol"
        if lots < lots_min:
            least = format_decimal((lots_min * mid * lot).quantize(_CENT, ROUND_CEILING))
            return f"{problem}at least {lots_min * lot:f} {instrument.base} here: expected at least {least}"
        most = format_decimal((lots_max * mid * lot).quantize(_CENT, ROUND_FLOOR))
        return f"{problem}at most {lots_max * lot:f} {instrument.base} here: expected at most {most}"
