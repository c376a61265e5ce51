"""Why a venue would take no quote of a model's settings, for a person who can change them."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import ceil, floor

from market.instrument import Instrument, format_decimal
from trading.models.parameters import Parameters
from trading.quoting import Market

_CENT, _INFINITY = Decimal("0.01"), Decimal("Infinity")


def obstacle(parameters: Parameters, market: Market) -> str | None:
    """Return which of half_spread and notional no pair of quotes around this mid can have, None without a mid.

    The quotes are those of no inventory, in a market of which nothing is known: the first ones of every model.
    """
    mid = market.mid
    return None if mid is None else _price_obstacle(parameters, market, mid) or _size_obstacle(parameters, market, mid)


def _prices(parameters: Parameters, instrument: Instrument, mid: Decimal) -> tuple[int, int]:
    """Return the prices of both quotes in ticks, rounded away from the mid; the bid may be 0."""
    mid_ticks = mid / instrument.tick_size
    return floor(mid_ticks * (1 - parameters.half_spread)), ceil(mid_ticks * (1 + parameters.half_spread))


def _lots(parameters: Parameters, instrument: Instrument, mid: Decimal) -> int:
    """Return how many whole lots the notional buys at the mid."""
    return int(parameters.notional / mid / instrument.lot_size)


def _price_obstacle(parameters: Parameters, market: Market, mid: Decimal) -> str | None:
    rules, tick = market.rules, market.instrument.tick_size
    bid, ask = (ticks * tick for ticks in _prices(parameters, market.instrument, mid))
    least = max(rules.price_min, tick, mid * rules.bid_reach[0] if rules.bid_reach else tick)
    most = min(rules.price_max or _INFINITY, mid * rules.ask_reach[1] if rules.ask_reach else _INFINITY)
    if least <= bid and ask <= most:
        return None
    room = min(mid - ceil(least / tick) * tick, most // tick * tick - mid)
    widest = (room / mid).quantize(Decimal("0.000001"), ROUND_FLOOR)
    to = f" to {format_decimal(most.normalize())}" if most.is_finite() else " on"
    problem = (
        f"maker.half_spread is {format_decimal(parameters.half_spread)}, which at a mid of {format_decimal(mid)} "
        f"quotes at {bid} and {ask}, and {market.instrument.symbol} takes prices from "
        f"{format_decimal(least.normalize())}{to}: "
    )
    if widest <= 0:
        return problem + "expected another symbol, its price is too near the end of that range"
    return problem + f"expected at most {format_decimal(widest)}"


def _size_obstacle(parameters: Parameters, market: Market, mid: Decimal) -> str | None:
    instrument, rules = market.instrument, market.rules
    lot, lots = instrument.lot_size, _lots(parameters, instrument, mid)
    bid_lot_value, ask_lot_value = (
        ticks * instrument.tick_size * lot for ticks in _prices(parameters, instrument, mid)
    )
    lots_min = max(1, ceil(rules.qty_min / lot), ceil(rules.notional_min / bid_lot_value))
    bounds = (rules.qty_max, lot), (rules.position_max, lot), (rules.notional_max, ask_lot_value)
    bounds_lots = (int(bound / value) for bound, value in bounds if bound is not None)
    lots_max = min(bounds_lots, default=lots + lots_min)
    if lots_min <= lots <= lots_max:
        return None
    problem = (
        f"maker.notional is {format_decimal(parameters.notional)}, which at a mid of {format_decimal(mid)} is "
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
