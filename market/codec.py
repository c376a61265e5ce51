"""The plain codec: messages to msgpack bytes and back, for everybody who is not on the hot path.

A frame, and the byte stream of a TCP client, is any number of messages one after the other: msgpack is self-delimiting.
"""

from collections.abc import Iterable, Iterator
from operator import le
from typing import Any, Final, NamedTuple

import msgpack

from market.commands import Command
from market.events import Event
from market.messages import SPEC_BY_TAG, TAG_BY_MESSAGE, FieldSpec, Message, MessageSpec

_INTEGER_BYTES_MAX = 9


def _field_bytes_max(field: FieldSpec) -> int:
    return 5 + 4 * field.bounds.high if field.kind is str else _INTEGER_BYTES_MAX  # a character has up to 4 bytes


_FIELDS_MAX = max(len(spec.fields) for spec in SPEC_BY_TAG.values())
MESSAGE_BYTES_MAX = max(
    5 + _INTEGER_BYTES_MAX + sum(map(_field_bytes_max, spec.fields)) for spec in SPEC_BY_TAG.values()
)
# A byte can make msgpack build a tuple of 56: it gets so many at a time, and what they begin must soon be whole.
_SLICE_BYTES = 4_096
_ALIKE_BYTES_LEAST = 64  # below it there is nothing to be won
# What an Unpacker may build before we look at it: an array of integers and short texts, nothing else.
_STRICT: dict[str, Any] = {
    "max_buffer_size": _SLICE_BYTES + MESSAGE_BYTES_MAX,
    "max_array_len": _FIELDS_MAX + 1,
    "max_str_len": MESSAGE_BYTES_MAX,  # of bytes; the field's own bound is of characters
    "max_map_len": 0,
    "max_bin_len": 0,
    "max_ext_len": 0,
    "use_list": False,
}


class _Integers(NamedTuple):
    """A kind of message that has integers alone: how few fields it may have, and the bounds of each in a column."""

    message: type[Any]
    required_count: int
    lows: tuple[int, ...]
    highs: tuple[int, ...]


_INTEGERS: Final = {
    tag: _Integers(
        spec.message,
        spec.required_count,
        tuple(field.bounds.low for field in spec.fields),
        tuple(field.bounds.high for field in spec.fields),
    )
    for tag, spec in SPEC_BY_TAG.items()
    if not spec.has_text
}
_INTEGERS_ALONE: Final = {int}


class MalformedMessageError(ValueError):
    """The bytes are not a message of the protocol; the text says what was expected and what was there."""


def encode(message: Message) -> bytes:
    """Return the msgpack bytes of one message, without the trailing fields that hold their default."""
    spec = SPEC_BY_TAG[TAG_BY_MESSAGE[type(message)]]
    count = len(message)
    while count > spec.required_count and message[count - 1] == spec.fields[count - 1].default:
        count -= 1
    values = map(_plain, message[:count]) if spec.has_text else map(int, message[:count])  # an IntEnum as its integer
    packed: bytes = msgpack.packb((int(spec.tag), *values))
    return packed


def encode_all(messages: Iterable[Message]) -> bytes:
    """Return the bytes of several messages, one after the other."""
    return b"".join(map(encode, messages))


def decode(frame: bytes) -> list[Message]:
    """Return the messages of a whole frame.

    Raises:
        MalformedMessageError: if anything in the frame is not a message, or the last one is cut short.
    """
    alike = _decode_alike(frame)
    if alike is not None:
        return alike
    decoder = StreamDecoder()
    messages = list(decoder.feed(frame))
    if decoder.pending_bytes:
        raise MalformedMessageError(
            f"expected whole messages, the last {decoder.pending_bytes} bytes are a part of one"
        )
    return messages


def _decode_alike(frame: bytes) -> list[Message] | None:
    """Return the messages of a frame whose messages are all of one kind, integers alone, none of them left out.

    Else None. Checked by columns: a tenth of the time that one message after the other takes.
    """
    spec = SPEC_BY_TAG.get(frame[1]) if len(frame) > _ALIKE_BYTES_LEAST else None
    if spec is None or frame[0] != 0x90 + 1 + len(spec.fields) or any(field.kind is not int for field in spec.fields):
        return None
    unpacker = msgpack.Unpacker(**_STRICT)
    messages: list[Message] = []
    try:
        for start in range(0, len(frame), _SLICE_BYTES):
            unpacker.feed(frame[start : start + _SLICE_BYTES])
            values = list(unpacker)
            if values and not _are_alike(spec, values):
                return None
            messages.extend([spec.message(*value[1:]) for value in values])
        unpacker.feed(b"\x01")  # stands alone if nothing was cut short
        return messages if list(unpacker) == [1] else None
    except (ValueError, msgpack.UnpackException):
        return None


def _are_alike(spec: MessageSpec, values: list[Any]) -> bool:
    """Return whether every value is a good message of the kind."""
    if set(map(type, values)) != {tuple} or set(map(len, values)) != {1 + len(spec.fields)}:
        return False
    tags, *columns = zip(*values, strict=True)
    return (
        set(map(type, tags)) == {int}
        and set(tags) == {int(spec.tag)}
        and all(
            set(map(type, column)) == {int} and field.bounds.low <= min(column) and max(column) <= field.bounds.high
            for field, column in zip(spec.fields, columns, strict=True)
        )
    )


def decode_commands(frame: bytes) -> list[Command]:
    """Return the commands of a whole frame.

    Raises:
        MalformedMessageError: as `decode`, and if a message is not a command.
    """
    return [_expect(message, Command) for message in decode(frame)]


def decode_events(frame: bytes) -> list[Event]:
    """Return the events of a whole frame.

    Raises:
        MalformedMessageError: as `decode`, and if a message is not an event.
    """
    return [_expect(message, Event) for message in decode(frame)]


def decode_first(piece: bytes) -> tuple[Message, int] | None:
    """Return the message that a stream begins with, and how many bytes it has; None while it is not whole.

    Raises:
        MalformedMessageError: if it begins with something else.
    """
    size = _size_of_first(piece[: MESSAGE_BYTES_MAX + 1])
    if size is None:
        return None
    try:
        value = msgpack.unpackb(piece[:size], use_list=False)
    except ValueError as error:  # of a text that is not UTF-8
        raise MalformedMessageError(f"expected a msgpack array of integers and texts: {error}") from None
    return _checked(value), size


def _size_of_first(piece: bytes) -> int | None:
    """Return how many bytes the first message has, None while it is not whole.

    An Unpacker looks at a length only when all that it announces has come; here it is refused as soon as it is read.
    """
    reader = _HeaderReader(piece)
    try:
        for _ in range(reader.array()):
            reader.skip_item()
    except IndexError:
        return None
    return reader.at


class _HeaderReader:
    """Walks over the first message of `piece`; IndexError where it ends too soon."""

    def __init__(self, piece: bytes) -> None:
        self._piece = piece
        self.at = 0

    def array(self) -> int:
        first = self._number(1)
        if first & 0xF0 == 0x90:
            count = first & 0x0F
        elif first in (0xDC, 0xDD):
            count = self._number(2 if first == 0xDC else 4)
        else:
            raise MalformedMessageError(f"expected an array that starts with a tag, was byte {first:#04x}")
        if count > _FIELDS_MAX + 1:
            raise MalformedMessageError(f"expected an array of at most {_FIELDS_MAX + 1} items, was {count}")
        return count

    def skip_item(self) -> None:
        first = self._number(1)
        if first < 0x80 or first >= 0xE0:
            return
        if 0xCC <= first <= 0xD3:
            size = 1 << (first & 3)
        elif 0xA0 <= first <= 0xBF:
            size = first & 0x1F
        elif 0xD9 <= first <= 0xDB:
            size = self._number(1 << (first - 0xD9))
        else:
            raise MalformedMessageError(f"expected integers and texts, was byte {first:#04x}")
        if self.at + size > MESSAGE_BYTES_MAX:
            raise MalformedMessageError(f"expected messages of at most {MESSAGE_BYTES_MAX} bytes")
        if self.at + size > len(self._piece):
            raise IndexError(size)
        self.at += size

    def _number(self, size: int) -> int:
        if self.at + size > len(self._piece):
            raise IndexError(size)
        self.at += size
        return int.from_bytes(self._piece[self.at - size : self.at], "big")


class StreamDecoder:
    """Turns the pieces of a byte stream, cut anywhere, into messages.

    It keeps only the beginning of one message: at most MESSAGE_BYTES_MAX bytes of the stream.
    """

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(**_STRICT)
        self._fed_bytes = 0
        self._whole_bytes = 0  # up to the end of the last whole message; tell() runs ahead, into arrays not yet whole
        self._is_broken = False

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the rest of their message."""
        return self._fed_bytes - self._whole_bytes

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Take the next piece and yield the messages that are now complete; to be iterated to its end.

        Raises:
            MalformedMessageError: at the first thing that is not a message, and at every later call.
        """
        if self._is_broken:
            raise MalformedMessageError("expected nothing after a malformed message")
        self._is_broken = True  # until we come out at the other end
        for start in range(0, len(piece), _SLICE_BYTES):
            part = piece[start : start + _SLICE_BYTES]
            self._unpacker.feed(part)
            self._fed_bytes += len(part)
            for value in self._values():
                yield _checked(value)
            if self.pending_bytes > MESSAGE_BYTES_MAX:
                raise MalformedMessageError(f"expected messages of at most {MESSAGE_BYTES_MAX} bytes")
        self._is_broken = False

    def _values(self) -> Iterator[object]:
        try:
            for value in self._unpacker:
                self._whole_bytes = self._unpacker.tell()
                yield value
        except (ValueError, msgpack.UnpackException) as error:
            why = str(error) or type(error).__name__
            raise MalformedMessageError(f"expected a msgpack array of integers: {why}") from None


def _expect(message: Message, kind: Any) -> Any:
    if not isinstance(message, kind):
        raise MalformedMessageError(f"{type(message).__name__} does not go this way")
    return message


def _checked(value: object) -> Message:
    """Return the message that was unpacked."""
    if type(value) is tuple and set(map(type, value)) == _INTEGERS_ALONE:  # a bool is an int for isinstance
        row = _INTEGERS.get(value[0])
        if row is not None and row.required_count < len(value) <= 1 + len(row.lows):
            values = value[1:]
            if all(map(le, row.lows, values)) and all(map(le, values, row.highs)):  # as nearly all are
                message: Message = row.message(*values)
                return message
    return _checked_one_by_one(value)


def _checked_one_by_one(value: object) -> Message:
    """Return the message that was unpacked, or say what is wrong with it."""
    if type(value) is not tuple or not value or type(value[0]) is not int:
        raise MalformedMessageError(f"expected an array that starts with a tag, was {_shown(value)}")
    spec = SPEC_BY_TAG.get(value[0])
    if spec is None:
        raise MalformedMessageError(f"unknown tag {value[0]}")
    count = len(value) - 1
    if not spec.required_count <= count <= len(spec.fields):
        raise MalformedMessageError(f"{spec.name} has {spec.required_count} to {len(spec.fields)} fields, was {count}")
    _check_fields(spec, value[1:])
    message: Message = spec.message(*value[1:])
    return message


def _check_fields(spec: MessageSpec, values: tuple[object, ...]) -> None:
    for field, value in zip(spec.fields, values, strict=False):
        if type(value) is not field.kind:  # a bool is an int for isinstance
            raise MalformedMessageError(f"{spec.name}.{field.name} must be {field.kind.__name__}, was {_shown(value)}")
        extent = len(value) if isinstance(value, str) else value
        if not field.bounds.low <= extent <= field.bounds.high:  # type: ignore[operator]
            low, high = field.bounds.low, field.bounds.high
            raise MalformedMessageError(f"{spec.name}.{field.name} must be {low} to {high}, was {_shown(value)}")


def _plain(value: int | str) -> int | str:
    return value if type(value) is str else int(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
