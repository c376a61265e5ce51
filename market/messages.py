"""The one table of messages.

A message is a msgpack array `[tag, field, field, ...]` of integers (and text where said). Its class, in `market/`, is
one row: fields in wire order with unit, bounds and defaults. Fields are only ever appended, with a default; a sender
may leave out trailing fields that hold their default. docs/protocol.md explains each exchange.
"""

from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from market import commands, events, feed_messages, session_messages
from market.codes import Tag
from market.commands import Command
from market.events import Event
from market.feed_messages import FeedMessage
from market.fields import Bounds
from market.session_messages import SessionMessage

Message = Command | Event | FeedMessage | SessionMessage


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a message: its name, Python type, bounds, and its default (None: it must be sent)."""

    name: str
    kind: type
    bounds: Bounds
    default: int | str | None


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One row of the table: a message, who sends it, and its fields.

    Attributes:
        required_count: how many fields a sender may not leave out.
        has_text: whether a field is no integer, so that the message has no row.
    """

    tag: Tag
    message: type[Any]
    sender: str
    fields: tuple[FieldSpec, ...]
    required_count: int
    has_text: bool

    @property
    def name(self) -> str:
        """The name of the message."""
        return self.message.__name__


def _spec(tag: Tag, message: type[Any], sender: str) -> MessageSpec:
    fields = []
    for name, hint in get_type_hints(message, include_extras=True).items():
        assert get_origin(hint) is Annotated, f"{message.__name__}.{name} has no bounds"
        kind, bounds = get_args(hint)
        fields.append(FieldSpec(name, kind, bounds, message._field_defaults.get(name)))
    required_count = sum(field.default is None for field in fields)
    has_text = any(field.kind is str for field in fields)
    return MessageSpec(tag, message, sender, tuple(fields), required_count, has_text)


_CLIENT, _SOURCE = "client, gateway, paper, flow", "gateway, paper, flow"
_ENGINE, _FEED = "engine, gateway", "engine's feed"

MESSAGES: tuple[MessageSpec, ...] = (
    _spec(Tag.NEW_ORDER, commands.NewOrder, _CLIENT),
    _spec(Tag.CANCEL_ORDER, commands.CancelOrder, _CLIENT),
    _spec(Tag.AMEND_ORDER, commands.AmendOrder, _CLIENT),
    _spec(Tag.MASS_CANCEL, commands.MassCancel, _CLIENT),
    _spec(Tag.HALT_SYMBOL, commands.HaltSymbol, _SOURCE),
    _spec(Tag.SET_PRICE_RANGE, commands.SetPriceRange, "paper"),
    _spec(Tag.ACCEPTED, events.Accepted, _ENGINE),
    _spec(Tag.RESTED, events.Rested, _ENGINE),
    _spec(Tag.EXECUTED, events.Executed, _ENGINE),
    _spec(Tag.CANCELED, events.Canceled, _ENGINE),
    _spec(Tag.AMENDED, events.Amended, _ENGINE),
    _spec(Tag.TRIGGERED, events.Triggered, _ENGINE),
    _spec(Tag.REJECTED, events.Rejected, _ENGINE),
    _spec(Tag.HALTED, events.Halted, "engine"),
    _spec(Tag.TRAILED, events.Trailed, _ENGINE),
    _spec(Tag.BOOK_ORDER, feed_messages.BookOrder, _FEED),
    _spec(Tag.BOOK_TRADE, feed_messages.BookTrade, _FEED),
    _spec(Tag.BEST_PRICES, feed_messages.BestPrices, _FEED),
    _spec(Tag.INSTRUMENT_DEFINITION, feed_messages.InstrumentDefinition, "gateway, engine's feed"),
    _spec(Tag.DEPTH_LEVEL, feed_messages.DepthLevel, _FEED),
    _spec(Tag.BOOK_CHECKSUM, feed_messages.BookChecksum, _FEED),
    _spec(Tag.ENGINE_HEALTH, feed_messages.EngineHealth, _FEED),
    _spec(Tag.REFERENCE_PRICE, feed_messages.ReferencePrice, _FEED),
    _spec(Tag.LOGON, session_messages.Logon, "client"),
    _spec(Tag.LOGGED_ON, session_messages.LoggedOn, "gateway"),
    _spec(Tag.HEARTBEAT, session_messages.Heartbeat, "client, gateway"),
    _spec(Tag.LOGOUT, session_messages.Logout, "client, gateway"),
)
SPEC_BY_TAG: dict[int, MessageSpec] = {spec.tag: spec for spec in MESSAGES}
TAG_BY_MESSAGE: dict[type[Any], Tag] = {spec.message: spec.tag for spec in MESSAGES}
assert len(SPEC_BY_TAG) == len(MESSAGES), "a tag stands twice in the table of messages"

COMMAND_BY_TAG: dict[int, type[Command]] = {
    spec.tag: spec.message for spec in MESSAGES if spec.message in get_args(Command)
}
EVENT_BY_TAG: dict[int, type[Event]] = {spec.tag: spec.message for spec in MESSAGES if spec.message in get_args(Event)}
