"""What a command's fields must satisfy whatever the state of the book; the first broken rule counts."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.rows import memory as at
from engine.rows.memory import Memory
from market.codes import OrderType, SelfTradePrevention, TimeInForce, Trigger
from market.kernels.compiling import inlined, routine
from market.kernels.row_codes import AMEND, CANCEL, HALT, MASS_CANCEL, NEW, PRICE_RANGE, REASONS, TIMES, TRIGGERS, TYPES
from market.kernels.rows import Int64Array
from market.limits import ICEBERG_PARTS_MAX, OWNER_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX, TRAILING_BPS_MAX

FINE: Final = 0

_TYPE_LAST: Final = int(max(OrderType))
_TIME_IN_FORCE_LAST: Final = int(max(TimeInForce))
_TRIGGER_LAST: Final = int(max(Trigger))
_PREVENTION_LAST: Final = int(max(SelfTradePrevention))


@inlined
def new_order_reason(memory: Memory, base: int) -> int:
    """Return why the new order in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + NEW.time_ns] < 0:
        return REASONS.MALFORMED
    if not 0 <= rows[base + NEW.symbol_id] < memory.state[at.SYMBOLS]:
        return REASONS.UNKNOWN_SYMBOL
    if rows[base + NEW.order_id] < 1:
        return REASONS.BAD_ORDER_ID
    if not 0 <= rows[base + NEW.side] <= 1:
        return REASONS.BAD_SIDE
    rare = (
        rows[base + NEW.order_type]
        | rows[base + NEW.time_in_force]
        | rows[base + NEW.self_trade_prevention]
        | rows[base + NEW.display_lots]
        | rows[base + NEW.trigger]
        | rows[base + NEW.trigger_price_ticks]
        | rows[base + NEW.trailing_bps]
    )
    if rare != 0:
        return _special_order_reason(memory, base)
    if not 1 <= rows[base + NEW.price_ticks] <= PRICE_TICKS_MAX:
        return REASONS.BAD_PRICE
    if not 1 <= rows[base + NEW.qty_lots] <= QTY_LOTS_MAX:
        return REASONS.BAD_QTY
    if not 0 <= rows[base + NEW.owner] <= OWNER_MAX:
        return REASONS.BAD_OWNER
    return FINE


@routine
def _special_order_reason(memory: Memory, base: int) -> int:
    """Go on behind the side, for an order that is more than a plain limit order."""
    rows = memory.commands
    order_type = rows[base + NEW.order_type]
    time_in_force = rows[base + NEW.time_in_force]
    price = rows[base + NEW.price_ticks]
    qty = rows[base + NEW.qty_lots]
    display = rows[base + NEW.display_lots]
    if not 0 <= order_type <= _TYPE_LAST:
        return REASONS.BAD_TYPE
    if not 0 <= time_in_force <= _TIME_IN_FORCE_LAST:
        return REASONS.BAD_TIME_IN_FORCE
    if order_type == TYPES.POST_ONLY and time_in_force != TIMES.GTC:
        return REASONS.BAD_TIME_IN_FORCE
    if order_type == TYPES.MARKET and price != 0:
        return REASONS.BAD_PRICE
    if order_type != TYPES.MARKET and not 1 <= price <= PRICE_TICKS_MAX:
        return REASONS.BAD_PRICE
    if not 1 <= qty <= QTY_LOTS_MAX:
        return REASONS.BAD_QTY
    if not 0 <= display <= qty or has_too_many_parts(qty, display):
        return REASONS.BAD_DISPLAY_QTY
    if display != 0 and (order_type == TYPES.MARKET or time_in_force != TIMES.GTC):
        return REASONS.BAD_DISPLAY_QTY
    if _has_bad_trigger(rows, base):
        return REASONS.BAD_TRIGGER
    if not 0 <= rows[base + NEW.self_trade_prevention] <= _PREVENTION_LAST:
        return REASONS.BAD_SELF_TRADE_PREVENTION
    if not 0 <= rows[base + NEW.owner] <= OWNER_MAX:
        return REASONS.BAD_OWNER
    return FINE


@inlined
def _has_bad_trigger(rows: Int64Array, base: int) -> bool:
    trigger, price = rows[base + NEW.trigger], rows[base + NEW.trigger_price_ticks]
    trail_bps = rows[base + NEW.trailing_bps]
    if trigger == TRIGGERS.NONE:
        return price != 0 or trail_bps != 0
    if not 0 <= trigger <= _TRIGGER_LAST or not 0 <= price <= PRICE_TICKS_MAX or not 0 <= trail_bps <= TRAILING_BPS_MAX:
        return True
    return trail_bps == 0 if trigger == TRIGGERS.TRAIL else price == 0


@inlined
def has_too_many_parts(qty: int, display: int) -> bool:
    """Return whether an iceberg would show too small a part of its quantity."""
    return display != 0 and qty > display * ICEBERG_PARTS_MAX


@inlined
def cancel_reason(memory: Memory, base: int) -> int:
    """Return why the cancel in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + CANCEL.time_ns] < 0:
        return REASONS.MALFORMED
    if not 0 <= rows[base + CANCEL.symbol_id] < memory.state[at.SYMBOLS]:
        return REASONS.UNKNOWN_SYMBOL
    if rows[base + CANCEL.order_id] < 1:
        return REASONS.BAD_ORDER_ID
    if not 0 <= rows[base + CANCEL.owner] <= OWNER_MAX:
        return REASONS.BAD_OWNER
    return FINE


@inlined
def amend_reason(memory: Memory, base: int) -> int:
    """Return why the amend in the row at `base` is refused, or FINE; price 0 is for a waiting market order."""
    rows = memory.commands
    if rows[base + AMEND.time_ns] < 0:
        return REASONS.MALFORMED
    if not 0 <= rows[base + AMEND.symbol_id] < memory.state[at.SYMBOLS]:
        return REASONS.UNKNOWN_SYMBOL
    if rows[base + AMEND.order_id] < 1:
        return REASONS.BAD_ORDER_ID
    if not 0 <= rows[base + AMEND.price_ticks] <= PRICE_TICKS_MAX:
        return REASONS.BAD_PRICE
    if not 1 <= rows[base + AMEND.qty_lots] <= QTY_LOTS_MAX:
        return REASONS.BAD_QTY
    if not 0 <= rows[base + AMEND.owner] <= OWNER_MAX:
        return REASONS.BAD_OWNER
    return FINE


@inlined
def mass_cancel_reason(memory: Memory, base: int) -> int:
    """Return why the mass cancel in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + MASS_CANCEL.time_ns] < 0:
        return REASONS.MALFORMED
    if not -1 <= rows[base + MASS_CANCEL.symbol_id] < memory.state[at.SYMBOLS]:
        return REASONS.UNKNOWN_SYMBOL
    if not -1 <= rows[base + MASS_CANCEL.side] <= 1:
        return REASONS.BAD_SIDE
    if not 0 <= rows[base + MASS_CANCEL.owner] <= OWNER_MAX:
        return REASONS.BAD_OWNER
    return FINE


@inlined
def halt_reason(memory: Memory, base: int) -> int:
    """Return why the halt in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + HALT.time_ns] < 0:
        return REASONS.MALFORMED
    if not -1 <= rows[base + HALT.symbol_id] < memory.state[at.SYMBOLS]:
        return REASONS.UNKNOWN_SYMBOL
    if not 0 <= rows[base + HALT.is_halted] <= 1:
        return REASONS.MALFORMED
    return FINE


@inlined
def price_range_reason(memory: Memory, base: int) -> int:
    """Return why the price range in the row at `base` is refused, or FINE; a bound of 0 is none."""
    rows = memory.commands
    if rows[base + PRICE_RANGE.time_ns] < 0:
        return REASONS.MALFORMED
    if not 0 <= rows[base + PRICE_RANGE.symbol_id] < memory.state[at.SYMBOLS]:
        return REASONS.UNKNOWN_SYMBOL
    if not 0 <= rows[base + PRICE_RANGE.low_ticks] <= PRICE_TICKS_MAX:
        return REASONS.BAD_PRICE
    if not 0 <= rows[base + PRICE_RANGE.high_ticks] <= PRICE_TICKS_MAX:
        return REASONS.BAD_PRICE
    return FINE
