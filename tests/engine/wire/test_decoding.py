"""The compiled decoder of frames: it reads what the plain one reads, refuses what that refuses, and says why."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rows.ring import Ring
from engine.wire.codec import CommandDecoder, PieceDecoder
from engine.wire.refusals import MalformedBytesError
from engine.wire.table import (
    DEFAULT,
    ENTRY_SIZE,
    HIGH,
    ITEMS_LEAST,
    ITEMS_MAX,
    ITEMS_MOST,
    LOW,
    ROW_BYTES_MAX,
    ROW_MESSAGES,
    TAG_COUNT,
    wire_table,
)
from market.codec import MESSAGE_BYTES_MAX, encode, encode_all
from market.codes import Tag
from market.commands import Command, MassCancel
from market.kernels.rows import ROW_WIDTH
from market.limits import FRAME_BYTES_MAX
from market.messages import MESSAGES, Message, MessageSpec
from tests.bus.messages import DEFINITION, EXECUTED, ORDER, array, order
from tests.engine.wire.both import (
    CANCEL,
    ROW_MESSAGE,
    ROW_SAMPLES,
    ROW_SPECS,
    compiled_decode,
    messages_in,
    packed_in_width,
)
from tests.market.test_codec import REFUSED

ROWS = pytest.mark.parametrize("spec", ROW_SPECS, ids=lambda spec: spec.name)


def refusal_of(frame: bytes) -> str:
    """Return how the engine's decoder refuses the frame."""
    ring = Ring(16)
    with pytest.raises(MalformedBytesError) as caught:
        CommandDecoder(ring).admit(frame, 0, 0)
    assert len(ring) == 0
    return str(caught.value)


def stream_refusal_of(piece: bytes) -> str:
    """Return how a decoder of all messages refuses the piece of a stream."""
    decoder = PieceDecoder(ROW_MESSAGES)
    decoder.load(b"", piece)
    with pytest.raises(MalformedBytesError) as caught:
        decoder.next_rows()
    return str(caught.value)


# --- the table


def test_knows_every_message_as_the_plain_table_does() -> None:
    """Both codecs take counts, bounds and defaults from the same annotations; a text message alone is unknown."""
    table = wire_table().reshape(TAG_COUNT, ENTRY_SIZE)
    for spec in ROW_SPECS:
        entry = table[spec.tag].tolist()
        assert (entry[ITEMS_LEAST], entry[ITEMS_MOST]) == (1 + spec.required_count, 1 + len(spec.fields))
        assert entry[DEFAULT] == spec.tag
        for column, field in enumerate(spec.fields, 1):
            assert (entry[LOW + column], entry[HIGH + column]) == field.bounds[1:]
            assert entry[DEFAULT + column] == (field.default or 0)
    known = {int(tag) for tag in np.flatnonzero(table[:, ITEMS_MOST])}
    assert known == {int(spec.tag) for spec in MESSAGES if not spec.has_text}
    assert max(len(spec.fields) for spec in MESSAGES) == ITEMS_MAX - 1


def test_needs_no_more_bytes_for_a_row_than_it_says() -> None:
    """The encoder stops when fewer are left."""
    for spec in ROW_SPECS:
        largest = [field.bounds.high for field in spec.fields]
        assert len(array(spec.tag, *largest)) <= ROW_BYTES_MAX <= MESSAGE_BYTES_MAX


# --- what it reads


@given(st.lists(ROW_MESSAGE, max_size=30))
def test_reads_every_message_that_the_plain_codec_writes(messages: list[Message]) -> None:
    """Any values within the table's bounds, any number of messages in a frame."""
    assert compiled_decode(encode_all(messages)) == messages


@given(ROW_MESSAGE)
def test_reads_defaults_that_were_sent_all_the_same(message: Message) -> None:
    """A sender may, but need not, leave defaults out."""
    assert compiled_decode(array(encode(message)[1], *message)) == [message]


@ROWS
def test_fills_in_what_was_left_out(spec: MessageSpec) -> None:
    """A message with any number of trailing fields left out has their defaults."""
    values = [field.bounds.high for field in spec.fields]
    for count in range(spec.required_count, len(values) + 1):
        defaults = [field.default for field in spec.fields[count:]]
        assert compiled_decode(array(spec.tag, *values[:count])) == [spec.message(*values[:count], *defaults)]


@pytest.mark.parametrize("header", [b"\x95", b"\xdc\x00\x05", b"\xdd\x00\x00\x00\x05"])
@pytest.mark.parametrize("width", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("is_signed", [True, False])
def test_reads_longer_forms_than_needed(header: bytes, width: int, is_signed: bool) -> None:
    """msgpack allows any form that holds the number; a C program may always send 64 bits."""
    values = (int(Tag.CANCEL_ORDER), 100, 63, 7, 90)
    items = (packed_in_width(value, width, is_signed) if width else bytes([value]) for value in values)
    assert compiled_decode(header + b"".join(items)) == [type(CANCEL)(*values[1:])]


def test_leaves_out_what_it_is_told_to_skip() -> None:
    """A frame that was sent again may be old in its first part; that part is checked all the same."""
    ring = Ring(4)
    decoder = CommandDecoder(ring)
    frame = encode_all([order(number) for number in range(1, 8)])
    assert decoder.admit(frame, 0, 0, skip=4) == (3, 0, 7)
    assert messages_in(ring.readable()) == [order(5), order(6), order(7)]
    assert decoder.admit(frame, 0, 0, skip=7) == decoder.admit(frame, 0, 0, skip=100) == (0, 0, 0)
    with pytest.raises(MalformedBytesError, match="unknown tag 9"):
        decoder.admit(array(9) + frame, 0, 0, skip=6)


def test_goes_on_at_the_beginning_of_the_ring() -> None:
    """A slot is a sequence under a mask, here at every phase of a ring of eight."""
    ring = Ring(8)
    decoder = CommandDecoder(ring)
    for start in range(1, 40, 5):
        messages: list[Message] = [order(number) for number in range(start, start + 5)]
        assert decoder.admit(encode_all(messages), 0, 0).kept_count == 5
        read: list[Message] = []
        while len(rows := ring.readable()):
            read += messages_in(rows)
            ring.consume(len(rows))
        assert read == messages


# --- what it refuses


@pytest.mark.parametrize("frame", [frame for frame, _ in REFUSED.values()], ids=REFUSED.keys())
def test_refuses_what_the_plain_codec_refuses(frame: bytes) -> None:
    """And says where, in a short text; nothing of what was good before it is published."""
    good = encode(ORDER)
    why = refusal_of(good + frame)
    where = re.search(r"in message (\d+) at byte (\d+)$", why)
    assert where is not None
    assert where[1] == "1" or "cut short" in why
    assert int(where[2]) >= len(good)
    assert len(why) < 200


WORDS = {
    "an array that starts with a tag, was byte 0xc0": b"\xc0",
    "an array that starts with a tag, was byte 0xc3": array(True, 1, 0),
    "an array that starts with a tag, was an empty one": b"\x90",
    "an array of at most 15 items, was 16": array(*range(16)),
    "an array of at most 15 items, was 4294967295": b"\xdd\xff\xff\xff\xff",
    "unknown tag 99": array(99, 1),
    "unknown tag -1": array(-1),
    "unknown tag 18446744073709551615": array(2**64 - 1),
    "unknown tag 2147483647": b"\xdc\x00\x01\xce\x7f\xff\xff\xff",
    "InstrumentDefinition does not go this way": encode(DEFINITION),
    "NewOrder has 5 to 14 fields, was 4": b"\xdd\x00\x00\x00\x05\x01\x01\x00\x00\x64",
    "CancelOrder has 2 to 4 fields, was 5": array(Tag.CANCEL_ORDER, 1, 0, 0, 0, 0),
    "CancelOrder.order_id must be int, was byte 0xcb": array(Tag.CANCEL_ORDER, 1.0, 0),
    "CancelOrder.order_id must be 1 to 9223372036854775807, was 0": array(Tag.CANCEL_ORDER, 0, 0),
    "CancelOrder.order_id must be 1 to 9223372036854775807, was 9223372036854775808": array(2, 2**63, 0),
    "CancelOrder.symbol_id must be 0 to 63, was -3": b"\xdc\x00\x03\x02\x01\xd1\xff\xfd",
    "MassCancel.symbol_id must be -1 to 63, was 18446744073709551615": array(Tag.MASS_CANCEL, 2**64 - 1),
}


@pytest.mark.parametrize(("words", "frame"), WORDS.items(), ids=WORDS.keys())
def test_says_what_was_expected_and_what_was_there(words: str, frame: bytes) -> None:
    """The text is for the person who writes the other end."""
    assert words in refusal_of(frame)


def test_says_in_which_message_and_at_which_byte() -> None:
    """The offending item, not just its message."""
    good = encode_all([ORDER, CANCEL])
    why = refusal_of(good + array(Tag.MASS_CANCEL, 0, 2))
    assert why == f"MassCancel.side must be -1 to 1, was 2, in message 2 at byte {len(good) + 3}"


@ROWS
def test_refuses_values_that_are_no_integers_in_every_field(spec: MessageSpec) -> None:
    """As the plain codec: true, 1.0, nil, texts, bytes, arrays, maps."""
    good = [field.bounds.high for field in spec.fields]
    for place, field in enumerate(spec.fields):
        for stranger in (True, False, None, 1.0, "", "1", b"", b"1", [], [1], {}, {1: 1}):
            why = stream_refusal_of(array(spec.tag, *good[:place], stranger, *good[place + 1 :]))
            assert f"{spec.name}.{field.name} must be int" in why


@ROWS
def test_refuses_values_out_of_bounds_in_every_field(spec: MessageSpec) -> None:
    """One below the lowest and one above the highest are out; both ends are in."""
    good = [field.bounds.high for field in spec.fields]
    for place, field in enumerate(spec.fields):
        _, low, high = field.bounds
        for value in (low, high):
            values = [*good[:place], value, *good[place + 1 :]]
            assert compiled_decode(array(spec.tag, *values)) == [spec.message(*values)]
        for value in (low - 1, high + 1, -(2**63), 2**64 - 1):
            why = stream_refusal_of(array(spec.tag, *good[:place], value, *good[place + 1 :]))
            assert f"{spec.name}.{field.name} must be {low} to {high}, was {value}" in why


@pytest.mark.parametrize("message", ROW_SAMPLES, ids=lambda message: type(message).__name__)
def test_refuses_a_frame_that_is_cut_at_any_byte(message: Message) -> None:
    """A frame that lost its tail must not pass for a shorter one."""
    frame = encode_all([CANCEL, message])
    for cut in range(len(frame)):
        if cut in (0, len(encode(CANCEL))):
            assert compiled_decode(frame[:cut]) == [CANCEL][:cut]
        else:
            assert compiled_decode(frame[:cut]) is None
            if isinstance(message, Command):
                assert "expected whole messages" in refusal_of(frame[:cut])


def test_takes_only_the_messages_that_go_this_way() -> None:
    """A source sends commands alone."""
    assert "Executed does not go this way, in message 1" in refusal_of(encode_all([ORDER, EXECUTED]))


def test_refuses_a_frame_that_has_more_messages_than_the_ring_has_room_for() -> None:
    """What waits in the ring is not written over, and the frame may come again."""
    ring = Ring(4)
    decoder = CommandDecoder(ring)
    decoder.admit(encode_all([order(1), order(2)]), 0, 0)
    with pytest.raises(MalformedBytesError, match="expected no more messages than there is room for"):
        decoder.admit(encode_all([order(3), order(4), order(5)]), 0, 0)
    assert decoder.admit(encode_all([order(6), order(7)]), 0, 0) == (2, 0, 7)
    assert messages_in(ring.readable()) == [order(1), order(2), order(6), order(7)]


def test_refuses_a_frame_that_is_too_large_before_it_looks_at_it() -> None:
    """A frame's size has a maximum; at the maximum it is read."""
    ring = Ring(1)
    decoder = CommandDecoder(ring)
    with pytest.raises(MalformedBytesError, match=f"expected at most {FRAME_BYTES_MAX} bytes"):
        decoder.admit(bytes(FRAME_BYTES_MAX + 1), 0, 0)
    small = encode(MassCancel())
    count = FRAME_BYTES_MAX // len(small)
    assert decoder.admit(small * count, 0, 0, skip=count - 1).kept_count == 1


def test_keeps_no_more_of_a_stream_than_the_longest_message() -> None:
    """However long the forms are that a stranger chooses, 15 items end or are refused within 140 bytes."""
    longest = b"\xdd\x00\x00\x00\x0f" + b"".join(
        packed_in_width(value, 8, True) for value in (Tag.EXECUTED, *(int(value) for value in EXECUTED))
    )
    decoder = PieceDecoder(slot_count=1, messages=(type(EXECUTED),))
    decoder.load(longest[:-1], b"")
    assert len(decoder.next_rows()) == 0
    decoder.load(decoder.rest, longest[-1:])
    assert messages_in(decoder.next_rows()) == [EXECUTED]
    assert len(longest) == ROW_BYTES_MAX + 4
    assert decoder.rows.shape == (1, ROW_WIDTH)
