"""What a venue asks of an order, and whether the quotes that the settings want can be orders there at all."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from market.instrument import Instrument, format_decimal
from trading.quoting import bid_and_ask, lots_for

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class OrderRules:
    """The bounds of a limit order in one instrument; None where the venue names none.

    Attributes:
        price_min, price_max: quote per base.
        qty_min, qty_max: base.
        notional_min, notional_max: price x quantity, quote.
        bid_reach, ask_reach: the least and the most of a price on that side, as multiples of the market's mean price.
        position_max: the most of the base asset that an account may come to own by buying.
    """

    price_min: Decimal = Decimal(0)
    price_max: Decimal | None = None
    qty_min: Decimal = Decimal(0)
    qty_max: Decimal | None = None
    notional_min: Decimal = Decimal(0)
    notional_max: Decimal | None = None
    bid_reach: tuple[Decimal, Decimal] | None = None
    ask_reach: tuple[Decimal, Decimal] | None = None
    position_max: Decimal | None = None


def obstacle(
    instrument: Instrument, rules: OrderRules, mid_ticks_x2: int, half_spread: Decimal, notional: Decimal
) -> str | None:
    """Return why a venue with these rules would refuse every pair of quotes around this mid, None if it would not.

    The text names the setting, and the value of it that comes closest to what is there and works.
    """
    bid_ticks, ask_ticks = bid_and_ask(mid_ticks_x2, half_spread)
    return _price_obstacle(instrument, rules, bid_ticks, ask_ticks, mid_ticks_x2, half_spread) or _size_obstacle(
        instrument, rules, bid_ticks, ask_ticks, mid_ticks_x2, notional
    )


def _price_obstacle(
    instrument: Instrument, rules: OrderRules, bid_ticks: int, ask_ticks: int, mid_ticks_x2: int, half_spread: Decimal
) -> str | None:
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
    instrument: Instrument, rules: OrderRules, bid_ticks: int, ask_ticks: int, mid_ticks_x2: int, notional: Decimal
) -> str | None:
    lot, tick = instrument.lot_size, instrument.tick_size
    lots = lots_for(instrument, mid_ticks_x2, notional)
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
