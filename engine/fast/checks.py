"""What a command's fields must satisfy whatever the state of the book; the first broken rule counts."""
# mypy: disable-error-code="no-any-return"

from typing import Final

from engine.kernel import argument, inlined, routine
from engine.rows.memory import SYMBOLS, Memory
from engine.rows.messages import (
    AMEND_ORDER_ID,
    AMEND_OWNER,
    AMEND_PRICE_TICKS,
    AMEND_QTY_LOTS,
    AMEND_SYMBOL_ID,
    AMEND_TIME_NS,
    CANCEL_ORDER_ID,
    CANCEL_OWNER,
    CANCEL_SYMBOL_ID,
    CANCEL_TIME_NS,
    HALT_IS_HALTED,
    HALT_SYMBOL_ID,
    HALT_TIME_NS,
    MASS_CANCEL_OWNER,
    MASS_CANCEL_SIDE,
    MASS_CANCEL_SYMBOL_ID,
    MASS_CANCEL_TIME_NS,
    NEW_DISPLAY_LOTS,
    NEW_ORDER_ID,
    NEW_ORDER_TYPE,
    NEW_OWNER,
    NEW_PRICE_TICKS,
    NEW_QTY_LOTS,
    NEW_SELF_TRADE_PREVENTION,
    NEW_SIDE,
    NEW_SYMBOL_ID,
    NEW_TIME_IN_FORCE,
    NEW_TIME_NS,
    NEW_TRIGGER,
    NEW_TRIGGER_PRICE_TICKS,
)
from market.codes import OrderType, RejectReason, SelfTradePrevention, TimeInForce, Trigger
from market.limits import ICEBERG_PARTS_MAX, OWNER_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX

FINE: Final = 0
_MALFORMED: Final = argument(RejectReason.MALFORMED)
_UNKNOWN_SYMBOL: Final = argument(RejectReason.UNKNOWN_SYMBOL)
_BAD_ORDER_ID: Final = argument(RejectReason.BAD_ORDER_ID)
_BAD_SIDE: Final = argument(RejectReason.BAD_SIDE)
_BAD_TYPE: Final = argument(RejectReason.BAD_TYPE)
_BAD_TIME_IN_FORCE: Final = argument(RejectReason.BAD_TIME_IN_FORCE)
_BAD_PRICE: Final = argument(RejectReason.BAD_PRICE)
_BAD_QTY: Final = argument(RejectReason.BAD_QTY)
_BAD_DISPLAY_QTY: Final = argument(RejectReason.BAD_DISPLAY_QTY)
_BAD_TRIGGER: Final = argument(RejectReason.BAD_TRIGGER)
_BAD_PREVENTION: Final = argument(RejectReason.BAD_SELF_TRADE_PREVENTION)
_BAD_OWNER: Final = argument(RejectReason.BAD_OWNER)

_LIMIT: Final = int(OrderType.LIMIT)
_MARKET: Final = int(OrderType.MARKET)
_POST_ONLY: Final = int(OrderType.POST_ONLY)
_GTC: Final = int(TimeInForce.GTC)
_TYPE_LAST: Final = int(max(OrderType))
_TIME_IN_FORCE_LAST: Final = int(max(TimeInForce))
_TRIGGER_NONE: Final = int(Trigger.NONE)
_TRIGGER_LAST: Final = int(max(Trigger))
_PREVENTION_LAST: Final = int(max(SelfTradePrevention))


@inlined
def new_order_reason(memory: Memory, base: int) -> int:
    """Return why the new order in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + NEW_TIME_NS] < 0:
        return _MALFORMED
    if not 0 <= rows[base + NEW_SYMBOL_ID] < memory.state[SYMBOLS]:
        return _UNKNOWN_SYMBOL
    if rows[base + NEW_ORDER_ID] < 1:
        return _BAD_ORDER_ID
    if not 0 <= rows[base + NEW_SIDE] <= 1:
        return _BAD_SIDE
    rare = (
        rows[base + NEW_ORDER_TYPE]
        | rows[base + NEW_TIME_IN_FORCE]
        | rows[base + NEW_SELF_TRADE_PREVENTION]
        | rows[base + NEW_DISPLAY_LOTS]
        | rows[base + NEW_TRIGGER]
        | rows[base + NEW_TRIGGER_PRICE_TICKS]
    )
    if rare != 0:
        return _special_order_reason(memory, base)
    if not 1 <= rows[base + NEW_PRICE_TICKS] <= PRICE_TICKS_MAX:
        return _BAD_PRICE
    if not 1 <= rows[base + NEW_QTY_LOTS] <= QTY_LOTS_MAX:
        return _BAD_QTY
    if not 0 <= rows[base + NEW_OWNER] <= OWNER_MAX:
        return _BAD_OWNER
    return FINE


@routine
def _special_order_reason(memory: Memory, base: int) -> int:
    """Go on behind the side, for an order that is more than a plain limit order."""
    rows = memory.commands
    order_type = rows[base + NEW_ORDER_TYPE]
    time_in_force = rows[base + NEW_TIME_IN_FORCE]
    price = rows[base + NEW_PRICE_TICKS]
    qty = rows[base + NEW_QTY_LOTS]
    display = rows[base + NEW_DISPLAY_LOTS]
    trigger = rows[base + NEW_TRIGGER]
    trigger_price = rows[base + NEW_TRIGGER_PRICE_TICKS]
    if not 0 <= order_type <= _TYPE_LAST:
        return _BAD_TYPE
    if not 0 <= time_in_force <= _TIME_IN_FORCE_LAST:
        return _BAD_TIME_IN_FORCE
    if order_type == _POST_ONLY and time_in_force != _GTC:
        return _BAD_TIME_IN_FORCE
    if order_type == _MARKET and price != 0:
        return _BAD_PRICE
    if order_type != _MARKET and not 1 <= price <= PRICE_TICKS_MAX:
        return _BAD_PRICE
    if not 1 <= qty <= QTY_LOTS_MAX:
        return _BAD_QTY
    if not 0 <= display <= qty or has_too_many_parts(qty, display):
        return _BAD_DISPLAY_QTY
    if display != 0 and (order_type == _MARKET or time_in_force != _GTC):
        return _BAD_DISPLAY_QTY
    if not 0 <= trigger <= _TRIGGER_LAST:
        return _BAD_TRIGGER
    if trigger == _TRIGGER_NONE and trigger_price != 0:
        return _BAD_TRIGGER
    if trigger != _TRIGGER_NONE and not 1 <= trigger_price <= PRICE_TICKS_MAX:
        return _BAD_TRIGGER
    if not 0 <= rows[base + NEW_SELF_TRADE_PREVENTION] <= _PREVENTION_LAST:
        return _BAD_PREVENTION
    if not 0 <= rows[base + NEW_OWNER] <= OWNER_MAX:
        return _BAD_OWNER
    return FINE


@inlined
def has_too_many_parts(qty: int, display: int) -> bool:
    """Return whether an iceberg would show too small a part of its quantity."""
    return display != 0 and qty > display * ICEBERG_PARTS_MAX


@inlined
def cancel_reason(memory: Memory, base: int) -> int:
    """Return why the cancel in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + CANCEL_TIME_NS] < 0:
        return _MALFORMED
    if not 0 <= rows[base + CANCEL_SYMBOL_ID] < memory.state[SYMBOLS]:
        return _UNKNOWN_SYMBOL
    if rows[base + CANCEL_ORDER_ID] < 1:
        return _BAD_ORDER_ID
    if not 0 <= rows[base + CANCEL_OWNER] <= OWNER_MAX:
        return _BAD_OWNER
    return FINE


@inlined
def amend_reason(memory: Memory, base: int) -> int:
    """Return why the amend in the row at `base` is refused, or FINE; price 0 is for a waiting market order."""
    rows = memory.commands
    if rows[base + AMEND_TIME_NS] < 0:
        return _MALFORMED
    if not 0 <= rows[base + AMEND_SYMBOL_ID] < memory.state[SYMBOLS]:
        return _UNKNOWN_SYMBOL
    if rows[base + AMEND_ORDER_ID] < 1:
        return _BAD_ORDER_ID
    if not 0 <= rows[base + AMEND_PRICE_TICKS] <= PRICE_TICKS_MAX:
        return _BAD_PRICE
    if not 1 <= rows[base + AMEND_QTY_LOTS] <= QTY_LOTS_MAX:
        return _BAD_QTY
    if not 0 <= rows[base + AMEND_OWNER] <= OWNER_MAX:
        return _BAD_OWNER
    return FINE


@inlined
def mass_cancel_reason(memory: Memory, base: int) -> int:
    """Return why the mass cancel in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + MASS_CANCEL_TIME_NS] < 0:
        return _MALFORMED
    if not -1 <= rows[base + MASS_CANCEL_SYMBOL_ID] < memory.state[SYMBOLS]:
        return _UNKNOWN_SYMBOL
    if not -1 <= rows[base + MASS_CANCEL_SIDE] <= 1:
        return _BAD_SIDE
    if not 0 <= rows[base + MASS_CANCEL_OWNER] <= OWNER_MAX:
        return _BAD_OWNER
    return FINE


@inlined
def halt_reason(memory: Memory, base: int) -> int:
    """Return why the halt in the row at `base` is refused, or FINE."""
    rows = memory.commands
    if rows[base + HALT_TIME_NS] < 0:
        return _MALFORMED
    if not -1 <= rows[base + HALT_SYMBOL_ID] < memory.state[SYMBOLS]:
        return _UNKNOWN_SYMBOL
    if not 0 <= rows[base + HALT_IS_HALTED] <= 1:
        return _MALFORMED
    return FINE
