"""Strategies that make messages from the table of messages, and bytes that are not quite messages."""

from typing import Any

import msgpack
from hypothesis import strategies as st

from market.commands import Command, NewOrder
from market.events import Accepted, Event, Executed
from market.feed_messages import BestPrices, InstrumentDefinition
from market.messages import MESSAGES, FieldSpec, Message, MessageSpec


def field_values(field: FieldSpec) -> st.SearchStrategy[Any]:
    """Return values within the field's bounds, its ends and its default more often than by chance."""
    low, high = field.bounds.low, field.bounds.high
    if field.kind is str:
        return st.text(min_size=low, max_size=high)
    favourites = {low, high} if field.default is None else {low, high, field.default}
    return st.sampled_from(sorted(favourites)) | st.integers(low, high)


def messages_of(spec: MessageSpec) -> st.SearchStrategy[Any]:
    """Return messages of one row of the table."""
    return st.tuples(*map(field_values, spec.fields)).map(lambda values: spec.message(*values))


MESSAGE: st.SearchStrategy[Message] = st.one_of([messages_of(spec) for spec in MESSAGES])

SIX_FIELDS = NewOrder(1, 0, 1, 9_120_223, 1_094, 2)
ORDER = NewOrder(1_000_000_000_001, 0, 0, 9_120_223, 1_094, owner=65_536, time_ns=1_764_506_729_123_456_789)
EXECUTED = Executed(7, 8, 0, 1, 9_120_223, 1_094, 0, 11, 1, 0, 12, 2, 5, 5)
ACCEPTED = Accepted(6, 8, 0, 11, 1, 0, 9_120_223, 1_094, 0, 0, 1_094)
BEST = BestPrices(9_120_223, 1_094, 9_156_777, 1_094)
DEFINITION = InstrumentDefinition(0, "BTCUSDT", "BTC", "USDT", "0.01", "0.00001")
SAMPLES: tuple[Message, ...] = (SIX_FIELDS, ORDER, EXECUTED, ACCEPTED, BEST, DEFINITION)


def array(*items: object) -> bytes:
    """Return the msgpack bytes of an array."""
    packed: bytes = msgpack.packb(items)
    return packed


def order(order_id: int) -> Command:
    """Return some order of this id."""
    return NewOrder(order_id, 0, 0, 9_120_223, 1_094)


def accepted(order_id: int, sequence: int = 0) -> Event:
    """Return a report that the order of this id was accepted."""
    return ACCEPTED._replace(order_id=order_id, sequence=sequence)
