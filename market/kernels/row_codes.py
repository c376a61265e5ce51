"""What kernels know of codes and messages, each as constants that the compiler sees through.

`REASONS.BAD_SIDE` is a reason's number, `NEW.symbol_id` the column of a NewOrder's symbol. numba knows no numbers of an
enum, and of a message no positions by name; a named tuple has both, as fast as plain globals.
"""

from collections import namedtuple
from enum import IntEnum
from typing import Any, Final

import numpy as np

from market.codes import CancelReason, OrderType, RejectReason, SelfTradePrevention, Side, Tag, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from market.events import Accepted, Amended, Canceled, Executed, Rejected, Rested, Trailed, Triggered
from market.feed_messages import BookOrder, BookTrade
from market.kernels.rows import column
from market.session_messages import Heartbeat, Logout


def _named(name: str, values: dict[str, int]) -> Any:
    kind: Any = namedtuple(name, values)  # type: ignore[misc] # made from a table
    return kind._make(map(np.int64, values.values()))


def constants(codes: type[IntEnum]) -> Any:
    """Return the members of an enum by their names."""
    return _named(codes.__name__, {code.name: code.value for code in codes})


def columns(message: type[Any]) -> Any:
    """Return the columns of a message's row by the names of its fields."""
    return _named(message.__name__, {field: column(message, field) for field in message._fields})


TAGS: Final = constants(Tag)
SIDES: Final = constants(Side)
TYPES: Final = constants(OrderType)
TIMES: Final = constants(TimeInForce)
TRIGGERS: Final = constants(Trigger)
PREVENTIONS: Final = constants(SelfTradePrevention)
REASONS: Final = constants(RejectReason)
ENDS: Final = constants(CancelReason)

NEW: Final = columns(NewOrder)
CANCEL: Final = columns(CancelOrder)
AMEND: Final = columns(AmendOrder)
MASS_CANCEL: Final = columns(MassCancel)
HALT: Final = columns(HaltSymbol)
PRICE_RANGE: Final = columns(SetPriceRange)
ACCEPTED: Final = columns(Accepted)
RESTED: Final = columns(Rested)
EXECUTED: Final = columns(Executed)
CANCELED: Final = columns(Canceled)
AMENDED: Final = columns(Amended)
TRIGGERED: Final = columns(Triggered)
TRAILED: Final = columns(Trailed)
REJECTED: Final = columns(Rejected)
BOOK_ORDER: Final = columns(BookOrder)
BOOK_TRADE: Final = columns(BookTrade)
HEARTBEAT: Final = columns(Heartbeat)
LOGOUT: Final = columns(Logout)
