"""Both codecs behind one face, and bytes that are almost messages."""

from collections.abc import Iterable
from typing import Any

import msgpack
import numpy as np
from hypothesis import strategies as st

from engine.wire.codec import PieceDecoder, RowEncoder
from engine.wire.refusals import MalformedBytesError
from engine.wire.table import ROW_MESSAGES
from market.codec import MalformedMessageError, StreamDecoder, decode, encode_all
from market.commands import CancelOrder
from market.feed_messages import InstrumentDefinition
from market.kernels.rows import ROW_WIDTH, Int64Array
from market.messages import MESSAGES, SPEC_BY_TAG, TAG_BY_MESSAGE, Message
from tests.bus.messages import SAMPLES, messages_of

ROW_SPECS = [spec for spec in MESSAGES if not spec.has_text]
ROW_MESSAGE: st.SearchStrategy[Message] = st.one_of([messages_of(spec) for spec in ROW_SPECS])
ROW_SAMPLES = tuple(message for message in SAMPLES if not isinstance(message, InstrumentDefinition))
CANCEL = CancelOrder(300, 1, 70_000, 2**40)

SLOTS = 4_096
FRAMES = PieceDecoder(ROW_MESSAGES, SLOTS)
ENCODER_ROWS: Int64Array = np.zeros((SLOTS, ROW_WIDTH), np.int64)
ENCODER = RowEncoder(ENCODER_ROWS)


def row_of(message: Message) -> list[int]:
    """Return the message as a row."""
    values: tuple[Any, ...] = message
    row = [int(TAG_BY_MESSAGE[type(message)]), *map(int, values)]
    return row + [0] * (ROW_WIDTH - len(row))


def messages_in(rows: Int64Array) -> list[Message]:
    """Return the messages that rows hold; what lies behind a message's fields must be 0."""
    messages = []
    for tag, *values in rows.tolist():
        kind: Any = SPEC_BY_TAG[tag].message
        count = len(kind._fields)
        assert not any(values[count:]), f"expected zeros behind {count} fields, was {values}"
        messages.append(kind(*values[:count]))
    return messages


def plain_decode(frame: bytes) -> list[Message] | None:
    """Return what the plain codec reads in a frame, None if it is malformed or has a message that no row takes."""
    try:
        messages = decode(frame)
    except MalformedMessageError:
        return None
    return None if any(type(message) not in ROW_MESSAGES for message in messages) else messages


def compiled_decode(frame: bytes) -> list[Message] | None:
    """Return what the compiled codec reads in a frame, None if it is malformed."""
    messages, is_refused = compiled_pieces([frame], FRAMES)
    return None if is_refused or FRAMES.rest else messages


def compiled_encode(messages: list[Message]) -> bytes:
    """Return the bytes that the compiled codec makes of messages."""
    for slot, message in enumerate(messages):
        ENCODER_ROWS[slot] = row_of(message)
    return ENCODER.encode(0, len(messages))


def plain_pieces(pieces: Iterable[bytes]) -> tuple[list[Message], bool]:
    """Return what the plain codec reads in the pieces of a stream, and whether it refused."""
    decoder = StreamDecoder()
    messages: list[Message] = []
    try:
        for piece in pieces:
            messages.extend(decoder.feed(piece))
    except MalformedMessageError:
        return messages, True
    return messages, False


def compiled_pieces(pieces: Iterable[bytes], decoder: PieceDecoder) -> tuple[list[Message], bool]:
    """Return what the compiled codec reads in the pieces of a stream, and whether it refused."""
    messages: list[Message] = []
    rest = b""
    for piece in pieces:
        decoder.load(rest, piece)
        try:
            while len(rows := decoder.next_rows()):
                messages += messages_in(rows)
        except MalformedBytesError:
            return messages, True
        rest = decoder.rest
    return messages, False


def packed_in_width(value: int, width: int, is_signed: bool) -> bytes:
    """Return the integer in a msgpack form of 1, 2, 4 or 8 bytes, though a shorter one might do."""
    form = (0xD0 if is_signed else 0xCC) + (1, 2, 4, 8).index(width)
    return bytes([form]) + value.to_bytes(width, "big", signed=is_signed)


@st.composite
def packed_integers(draw: st.DrawFn) -> bytes:
    """Return an integer in any of msgpack's forms, the shortest or not."""
    width, is_signed = draw(st.sampled_from((1, 2, 4, 8))), draw(st.booleans())
    bits = 8 * width
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    value = draw(st.integers(0, 40) | st.integers(low, high) | st.sampled_from((low, high)))
    shortest: bytes = msgpack.packb(min(value, high))
    return draw(st.sampled_from((shortest, packed_in_width(min(value, high), width, is_signed))))


STRANGERS = st.sampled_from(
    [msgpack.packb(value) for value in (True, None, 1.0, "", "1", b"", b"1", [], [1], {}, {1: 2}, msgpack.Timestamp(1))]
    + [b"\xc1", b"\xca\x00\x00\x00\x00"]
)


@st.composite
def packed_arrays(draw: st.DrawFn) -> bytes:
    """Return an array of anything, with a header of any form: mostly integers, its tag mostly known."""
    tag = draw(st.sampled_from([bytes([spec.tag]) for spec in MESSAGES]) | packed_integers() | STRANGERS)
    field = packed_integers() if draw(st.booleans()) else packed_integers() | STRANGERS
    items = [tag, *draw(st.lists(field, max_size=15))]
    count = draw(st.just(len(items)) | st.integers(0, 20))
    headers = [b"\xdc" + count.to_bytes(2, "big"), b"\xdd" + count.to_bytes(4, "big")]
    if count < 16:
        headers.append(bytes([0x90 | count]))
    return draw(st.sampled_from(headers)) + b"".join(items)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Return a good stream of messages with some bytes changed, inserted, deleted, or its end cut off."""
    stream = bytearray(encode_all(draw(st.lists(st.sampled_from(ROW_SAMPLES) | ROW_MESSAGE, min_size=1, max_size=6))))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(stream) - 1)))
        match draw(st.sampled_from(("change", "insert", "delete", "cut"))):
            case "change" if stream:
                stream[place] = draw(st.integers(0, 255))
            case "insert":
                stream[place:place] = draw(st.binary(min_size=1, max_size=9))
            case "delete":
                del stream[place : place + draw(st.integers(1, 9))]
            case "cut":
                del stream[place:]
    return bytes(stream)


NEARLY_STREAMS = mutations() | st.lists(packed_arrays(), max_size=4).map(b"".join) | st.binary(max_size=64)
