"""How large a market order is, and what it may cost, read from the book as it stands when the order arrives."""

from collections.abc import Sequence
from typing import Final

from market.depth import Level
from market.limits import PRICE_TICKS_MAX
from paper.errors import ErrorKind, ExchangeError
from paper.units import Symbol

LEVELS_MAX: Final = 1_000  # how deep a market order looks

_SLIP_DIVISOR: Final = 20  # a market buy pays up to 1/20 more than the book asks when it arrives, or than what wakes it


def price_cap_ticks(symbol: Symbol, asks: Sequence[Level], qty_lots: int, free_units: int) -> int:
    """Return the most that a market buy of `qty_lots` may pay, so that it can never cost more than `free_units`.

    Raises:
        ExchangeError: NO_DEPTH on an empty book, INSUFFICIENT_BALANCE if the book asks for more than there is.
    """
    if not asks:
        raise ExchangeError(ErrorKind.NO_DEPTH)
    cost, left_lots, worst_ticks = 0, qty_lots, 0
    for worst_ticks, level_lots in asks:
        taken_lots = min(level_lots, left_lots)
        cost += worst_ticks * taken_lots
        left_lots -= taken_lots
        if left_lots == 0:
            break
    cost += worst_ticks * left_lots
    if cost * symbol.notional_units > free_units:
        raise ExchangeError(ErrorKind.INSUFFICIENT_BALANCE)
    affordable_ticks = free_units // (qty_lots * symbol.notional_units)
    return min(worst_ticks + worst_ticks // _SLIP_DIVISOR, affordable_ticks, PRICE_TICKS_MAX)


def stop_cap_ticks(stop_ticks: int, trailing_bps: int = 0) -> int:
    """Return the most that a buy without a limit may pay when a last price of `stop_ticks` has woken it.

    One that trails from there wakes when the price has risen by `trailing_bps` more at the latest.
    """
    stop_ticks += stop_ticks * trailing_bps // 10_000
    return min(stop_ticks + stop_ticks // _SLIP_DIVISOR, PRICE_TICKS_MAX)


def buy_for(symbol: Symbol, asks: Sequence[Level], quote_units: int) -> tuple[int, int]:
    """Return the lots that `quote_units` buy, and the most that they may pay each, in ticks.

    It is the largest quantity that stays within `quote_units` even if all of it trades at its worst price.

    Raises:
        ExchangeError: NO_DEPTH on an empty book.
    """
    if not asks:
        raise ExchangeError(ErrorKind.NO_DEPTH)
    best_lots, best_ticks, offered_lots = 0, asks[0].price_ticks, 0
    for price_ticks, level_lots in asks:
        offered_lots += level_lots
        lots = min(offered_lots, quote_units // symbol.notional(price_ticks, 1))
        if lots > best_lots:
            best_lots, best_ticks = lots, price_ticks
    return best_lots, best_ticks


def sell_for(symbol: Symbol, bids: Sequence[Level], quote_units: int) -> int:
    """Return the lots to sell to earn as much of `quote_units` as whole lots and the book allow.

    Raises:
        ExchangeError: NO_DEPTH on an empty book.
    """
    if not bids:
        raise ExchangeError(ErrorKind.NO_DEPTH)
    lots, left_units = 0, quote_units
    for price_ticks, level_lots in bids:
        wanted_lots = left_units // symbol.notional(price_ticks, 1)
        lots += min(wanted_lots, level_lots)
        if wanted_lots <= level_lots:
            break
        left_units -= symbol.notional(price_ticks, level_lots)
    return lots
