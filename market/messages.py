"""The one table of messages.

A message is a msgpack array `[tag, field, field, ...]` of integers (and text where said). Its class, in `market/`, is
one row: fields in wire order with unit, bounds and defaults. Fields are only ever appended, with a default; a sender
may leave out trailing fields that hold their default. docs/protocol.md explains each exchange.
"""

from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from market.codes import Tag
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder
from market.events import Accepted, Amended, Canceled, Event, Executed, Halted, Rejected, Rested, Triggered
from market.feed_messages import (
    BestPrices,
    BookChecksum,
    BookOrder,
    BookTrade,
    DepthLevel,
    EngineHealth,
    FeedMessage,
    InstrumentDefinition,
    ReferencePrice,
)
from market.fields import Bounds
from market.session_messages import Heartbeat, LoggedOn, Logon, Logout, SessionMessage

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
    """One row of the table: a message, who sends it, and its fields."""

    tag: Tag
    message: type[Any]
    sender: str
    fields: tuple[FieldSpec, ...]

    @property
    def name(self) -> str:
        """The name of the message."""
        return self.message.__name__

    @property
    def required_count(self) -> int:
        """How many fields a sender may not leave out."""
        return sum(field.default is None for field in self.fields)

    @property
    def has_text(self) -> bool:
        """Whether a field is no integer, so that the message has no row."""
        return any(field.kind is str for field in self.fields)


def _spec(tag: Tag, message: type[Any], sender: str) -> MessageSpec:
    fields = []
    for name, hint in get_type_hints(message, include_extras=True).items():
        assert get_origin(hint) is Annotated, f"{message.__name__}.{name} has no bounds"
        kind, bounds = get_args(hint)
        fields.append(FieldSpec(name, kind, bounds, message._field_defaults.get(name)))
    return MessageSpec(tag, message, sender, tuple(fields))


_CLIENT, _SOURCE = "client, gateway, paper, flow", "gateway, paper, flow"
_ENGINE, _FEED = "engine, gateway", "engine's feed"

MESSAGES: tuple[MessageSpec, ...] = (
    _spec(Tag.NEW_ORDER, NewOrder, _CLIENT),
    _spec(Tag.CANCEL_ORDER, CancelOrder, _CLIENT),
    _spec(Tag.AMEND_ORDER, AmendOrder, _CLIENT),
    _spec(Tag.MASS_CANCEL, MassCancel, _CLIENT),
    _spec(Tag.HALT_SYMBOL, HaltSymbol, _SOURCE),
    _spec(Tag.ACCEPTED, Accepted, _ENGINE),
    _spec(Tag.RESTED, Rested, _ENGINE),
    _spec(Tag.EXECUTED, Executed, _ENGINE),
    _spec(Tag.CANCELED, Canceled, _ENGINE),
    _spec(Tag.AMENDED, Amended, _ENGINE),
    _spec(Tag.TRIGGERED, Triggered, _ENGINE),
    _spec(Tag.REJECTED, Rejected, _ENGINE),
    _spec(Tag.HALTED, Halted, "engine"),
    _spec(Tag.BOOK_ORDER, BookOrder, _FEED),
    _spec(Tag.BOOK_TRADE, BookTrade, _FEED),
    _spec(Tag.BEST_PRICES, BestPrices, _FEED),
    _spec(Tag.INSTRUMENT_DEFINITION, InstrumentDefinition, "gateway, engine's feed"),
    _spec(Tag.DEPTH_LEVEL, DepthLevel, _FEED),
    _spec(Tag.BOOK_CHECKSUM, BookChecksum, _FEED),
    _spec(Tag.ENGINE_HEALTH, EngineHealth, _FEED),
    _spec(Tag.REFERENCE_PRICE, ReferencePrice, _FEED),
    _spec(Tag.LOGON, Logon, "client"),
    _spec(Tag.LOGGED_ON, LoggedOn, "gateway"),
    _spec(Tag.HEARTBEAT, Heartbeat, "client, gateway"),
    _spec(Tag.LOGOUT, Logout, "client, gateway"),
)
SPEC_BY_TAG: dict[int, MessageSpec] = {spec.tag: spec for spec in MESSAGES}
TAG_BY_MESSAGE: dict[type[Any], Tag] = {spec.message: spec.tag for spec in MESSAGES}
assert len(SPEC_BY_TAG) == len(MESSAGES), "a tag stands twice in the table of messages"

COMMAND_BY_TAG: dict[int, type[Command]] = {
    spec.tag: spec.message for spec in MESSAGES if spec.message in get_args(Command)
}
EVENT_BY_TAG: dict[int, type[Event]] = {spec.tag: spec.message for spec in MESSAGES if spec.message in get_args(Event)}
