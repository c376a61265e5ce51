"""Damaged streams: both codecs agree on what is a message, and the compiled one stays within its memory.

The whole file also runs with bounds checking compiled in; see tests/engine/model/kernels_checked.py.
"""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.wire.codec import PieceDecoder
from engine.wire.decoding import decode_rows
from engine.wire.refusals import refusal_text
from engine.wire.table import ROW_MESSAGES, wire_table
from market.codec import MalformedMessageError, StreamDecoder, encode, encode_all
from market.commands import CancelOrder
from market.kernels.integers import Ending
from market.kernels.rows import ROW_WIDTH
from market.messages import Message
from tests.engine.wire.both import (
    CANCEL,
    NEARLY_STREAMS,
    ROW_SAMPLES,
    compiled_decode,
    compiled_pieces,
    messages_in,
    packed_in_width,
    plain_decode,
    plain_pieces,
)

_EXAMPLES = 200 if os.environ.get("BITS") == "all" else 50
TABLE = wire_table()
PIECES = PieceDecoder(ROW_MESSAGES, slot_count=4)
CANARY = -81_985_529_216_486_896


@settings(max_examples=6 * _EXAMPLES)
@given(NEARLY_STREAMS)
def test_agrees_with_the_plain_codec_on_every_frame(frame: bytes) -> None:
    """Accepted by both with the same values, or refused by both."""
    assert compiled_decode(frame) == plain_decode(frame)


@pytest.mark.parametrize("message", ROW_SAMPLES, ids=lambda message: type(message).__name__)
def test_agrees_on_every_byte_in_every_place(message: Message) -> None:
    """Each byte of a message set to each of 256 values."""
    frame = encode(message)
    for place in range(len(frame)):
        for byte in range(256):
            changed = frame[:place] + bytes([byte]) + frame[place + 1 :]
            assert compiled_decode(changed) == plain_decode(changed), changed.hex()


def test_agrees_wherever_a_byte_is_missing_or_doubled() -> None:
    """What follows is then read from the wrong place."""
    frame = encode_all(ROW_SAMPLES)
    for place in range(len(frame)):
        for changed in (frame[:place] + frame[place + 1 :], frame[:place] + frame[place : place + 1] + frame[place:]):
            assert compiled_decode(changed) == plain_decode(changed), changed.hex()


@settings(max_examples=4 * _EXAMPLES)
@given(NEARLY_STREAMS, st.data())
def test_agrees_with_the_plain_codec_on_every_stream(stream: bytes, data: st.DataObject) -> None:
    """The same messages come first. Where one is malformed the compiled codec may see it earlier, never later."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    read, is_refused = compiled_pieces(pieces, PIECES)
    expected, is_plainly_refused = plain_pieces(pieces)
    if is_refused and not is_plainly_refused:
        _assert_hopeless(stream, expected)
    expected = expected[: len(read)] if is_refused else expected
    assert read == expected
    assert is_refused or not is_plainly_refused


def _assert_hopeless(stream: bytes, expected: list[Message]) -> None:
    """Whatever follows, the plain decoder will yield nothing more: it only waits for the end of something."""
    for filler in (b"\x00", b"\x90", b"\xc0"):
        decoder = StreamDecoder()
        assert len(list(decoder.feed(stream))) == len(expected)
        with pytest.raises(MalformedMessageError):
            list(decoder.feed(filler * 8_192))


@settings(max_examples=4 * _EXAMPLES)
@given(NEARLY_STREAMS, st.binary(max_size=20), st.integers(0, 20), st.integers(0, 4), st.integers(0, 3))
def test_stays_within_its_bytes_and_its_rows(stream: bytes, behind: bytes, first: int, room: int, skip: int) -> None:
    """What lies behind the end changes nothing; nothing but the free slots is written to."""
    outcomes = []
    for buffer in (stream, stream + behind):
        memory = np.full((8 + 2) * ROW_WIDTH, CANARY)
        rows = memory[ROW_WIDTH:-ROW_WIDTH]
        packed = np.frombuffer(bytearray(buffer) or bytearray(1), np.uint8)
        outcome = decode_rows(TABLE, packed, 0, len(stream), rows, first, room, skip)
        free = {(first + index) & 7 for index in range(room)}
        kept = [slot for slot in range(8) if slot not in free]
        assert (rows.reshape(8, ROW_WIDTH)[kept] == CANARY).all()
        assert (memory[:ROW_WIDTH] == CANARY).all()
        assert (memory[-ROW_WIDTH:] == CANARY).all()
        outcomes.append((outcome, rows.tolist()))
    assert outcomes[0] == outcomes[-1]
    (ending, count, consumed, at, item), _ = outcomes[0]
    assert 0 <= consumed <= at <= len(stream)
    assert max(0, count - skip) <= room
    if Ending(ending).is_malformed:
        assert refusal_text(Ending(ending), memoryview(stream), consumed, at, item)


@pytest.mark.parametrize("header", [b"\x93", b"\xdc\x00\x03", b"\xdd\x00\x00\x00\x03"])
@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("behind", [b"\x00" * 16, b"\xff" * 16, b"\x93\x02\x01\x00" * 4])
def test_does_not_read_on_behind_the_end(header: bytes, width: int, behind: bytes) -> None:
    """A message that is cut in a header or a number is not made whole by what lies in memory behind it."""
    whole = header + b"".join(packed_in_width(value, width, False) for value in (2, 100, 7))
    rows = np.zeros(ROW_WIDTH, np.int64)
    for cut in range(1, len(whole) + 1):
        packed = np.frombuffer(bytearray(whole[:cut] + behind), np.uint8)
        ending, count, *_ = decode_rows(TABLE, packed, 0, cut, rows, 0, 1, 0)
        assert (ending, count) == ((Ending.ALL_READ, 1) if cut == len(whole) else (Ending.CUT_SHORT, 0)), cut
    assert messages_in(rows.reshape(1, ROW_WIDTH)) == [CancelOrder(100, 7)]


@settings(max_examples=_EXAMPLES)
@given(NEARLY_STREAMS)
def test_reads_the_same_from_anywhere_in_a_buffer(stream: bytes) -> None:
    """Streams lie behind one another in memory; what is before the start is not looked at."""
    rows = np.zeros(16 * ROW_WIDTH, np.int64)
    outcomes = []
    for before in (b"", encode(CANCEL), b"\xdd\xff"):
        packed = np.frombuffer(bytearray(before + stream) or bytearray(1), np.uint8)
        start = len(before)
        ending, count, consumed, at, item = decode_rows(TABLE, packed, start, len(packed), rows, 0, 16, 0)
        if not stream and not before:
            continue
        outcomes.append((ending, count, consumed, at - start, item, messages_in(rows.reshape(16, ROW_WIDTH)[:count])))
    assert all(outcome == outcomes[0] for outcome in outcomes)
