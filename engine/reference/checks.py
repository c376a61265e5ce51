"""What a command must satisfy whatever the state of the book: tables of broken rule and reason; the first counts."""

from typing import Final

from market.codes import OrderType, RejectReason, SelfTradePrevention, Side, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from market.limits import ICEBERG_PARTS_MAX, OWNER_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX, TRAILING_BPS_MAX

Checks = tuple[tuple[bool, RejectReason], ...]

_SIDES: Final = frozenset(Side)
_ORDER_TYPES: Final = frozenset(OrderType)
_TIMES_IN_FORCE: Final = frozenset(TimeInForce)
_TRIGGERS: Final = frozenset(Trigger)
_PREVENTIONS: Final = frozenset(SelfTradePrevention)


def first_failed(checks: Checks) -> RejectReason | None:
    """Return the reason of the first broken rule, None if all hold."""
    return next((reason for is_broken, reason in checks if is_broken), None)


def has_too_many_parts(qty_lots: int, display_lots: int) -> bool:
    """Return whether an iceberg would show too small a part of its quantity."""
    return display_lots != 0 and qty_lots > display_lots * ICEBERG_PARTS_MAX


def new_order_checks(command: NewOrder, symbol_count: int) -> Checks:
    """Return the rules for the fields of a new order."""
    is_market = command.order_type == OrderType.MARKET
    is_gtc = command.time_in_force == TimeInForce.GTC
    is_triggered, is_tracking = command.trigger != Trigger.NONE, command.trigger == Trigger.TRAIL
    return (
        (command.time_ns < 0, RejectReason.MALFORMED),
        (not 0 <= command.symbol_id < symbol_count, RejectReason.UNKNOWN_SYMBOL),
        (command.order_id < 1, RejectReason.BAD_ORDER_ID),
        (command.side not in _SIDES, RejectReason.BAD_SIDE),
        (command.order_type not in _ORDER_TYPES, RejectReason.BAD_TYPE),
        (command.time_in_force not in _TIMES_IN_FORCE, RejectReason.BAD_TIME_IN_FORCE),
        (command.order_type == OrderType.POST_ONLY and not is_gtc, RejectReason.BAD_TIME_IN_FORCE),
        (is_market and command.price_ticks != 0, RejectReason.BAD_PRICE),
        (not is_market and not 1 <= command.price_ticks <= PRICE_TICKS_MAX, RejectReason.BAD_PRICE),
        (not 1 <= command.qty_lots <= QTY_LOTS_MAX, RejectReason.BAD_QTY),
        (not 0 <= command.display_lots <= command.qty_lots, RejectReason.BAD_DISPLAY_QTY),
        (command.display_lots != 0 and (is_market or not is_gtc), RejectReason.BAD_DISPLAY_QTY),
        (has_too_many_parts(command.qty_lots, command.display_lots), RejectReason.BAD_DISPLAY_QTY),
        (command.trigger not in _TRIGGERS, RejectReason.BAD_TRIGGER),
        (not is_triggered and command.trigger_price_ticks != 0, RejectReason.BAD_TRIGGER),
        (is_triggered and not 0 <= command.trigger_price_ticks <= PRICE_TICKS_MAX, RejectReason.BAD_TRIGGER),
        (is_triggered and not is_tracking and command.trigger_price_ticks == 0, RejectReason.BAD_TRIGGER),
        (not 0 <= command.trailing_bps <= TRAILING_BPS_MAX, RejectReason.BAD_TRIGGER),
        (command.trailing_bps != 0 and not is_triggered, RejectReason.BAD_TRIGGER),
        (command.trailing_bps == 0 and is_tracking, RejectReason.BAD_TRIGGER),
        (command.self_trade_prevention not in _PREVENTIONS, RejectReason.BAD_SELF_TRADE_PREVENTION),
        (not 0 <= command.owner <= OWNER_MAX, RejectReason.BAD_OWNER),
    )


def cancel_checks(command: CancelOrder, symbol_count: int) -> Checks:
    """Return the rules for the fields of a cancel."""
    return (
        (command.time_ns < 0, RejectReason.MALFORMED),
        (not 0 <= command.symbol_id < symbol_count, RejectReason.UNKNOWN_SYMBOL),
        (command.order_id < 1, RejectReason.BAD_ORDER_ID),
        (not 0 <= command.owner <= OWNER_MAX, RejectReason.BAD_OWNER),
    )


def amend_checks(command: AmendOrder, symbol_count: int) -> Checks:
    """Return the rules for the fields of an amend; price 0 is for a waiting market order."""
    return (
        (command.time_ns < 0, RejectReason.MALFORMED),
        (not 0 <= command.symbol_id < symbol_count, RejectReason.UNKNOWN_SYMBOL),
        (command.order_id < 1, RejectReason.BAD_ORDER_ID),
        (not 0 <= command.price_ticks <= PRICE_TICKS_MAX, RejectReason.BAD_PRICE),
        (not 1 <= command.qty_lots <= QTY_LOTS_MAX, RejectReason.BAD_QTY),
        (not 0 <= command.owner <= OWNER_MAX, RejectReason.BAD_OWNER),
    )


def mass_cancel_checks(command: MassCancel, symbol_count: int) -> Checks:
    """Return the rules for the fields of a mass cancel."""
    return (
        (command.time_ns < 0, RejectReason.MALFORMED),
        (not -1 <= command.symbol_id < symbol_count, RejectReason.UNKNOWN_SYMBOL),
        (command.side != -1 and command.side not in _SIDES, RejectReason.BAD_SIDE),
        (not 0 <= command.owner <= OWNER_MAX, RejectReason.BAD_OWNER),
    )


def halt_checks(command: HaltSymbol, symbol_count: int) -> Checks:
    """Return the rules for the fields of a halt."""
    return (
        (command.time_ns < 0, RejectReason.MALFORMED),
        (not -1 <= command.symbol_id < symbol_count, RejectReason.UNKNOWN_SYMBOL),
        (command.is_halted not in (0, 1), RejectReason.MALFORMED),
    )


def price_range_checks(command: SetPriceRange, symbol_count: int) -> Checks:
    """Return the rules for the fields of a price range."""
    bounds = (command.low_ticks, command.high_ticks)
    return (
        (command.time_ns < 0, RejectReason.MALFORMED),
        (not 0 <= command.symbol_id < symbol_count, RejectReason.UNKNOWN_SYMBOL),
        (not all(0 <= price <= PRICE_TICKS_MAX for price in bounds), RejectReason.BAD_PRICE),
    )
