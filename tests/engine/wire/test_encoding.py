"""The compiled encoder writes what the plain one writes, to the byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire.codec import RowEncoder
from engine.wire.encoding import KEYS_PER_ROW, NO_KEY, encode_rows, encode_selected
from engine.wire.table import ROW_BYTES_MAX, wire_table
from market.codec import decode, encode, encode_all
from market.kernels.rows import ROW_WIDTH
from market.messages import Message, MessageSpec
from tests.bus.messages import EXECUTED, order
from tests.engine.wire.both import ROW_MESSAGE, ROW_SPECS, compiled_encode, row_of

TABLE = wire_table()
WIDTHS = [value for bits in (5, 7, 8, 15, 16, 31, 32, 63) for value in ((1 << bits) - 1, 1 << bits, (1 << bits) + 1)]


def rows_of(messages: list[Message], slot_count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return the messages in the first slots."""
    rows = np.zeros((slot_count, ROW_WIDTH), np.int64)
    for slot, message in enumerate(messages):
        rows[slot] = row_of(message)
    return rows


@given(st.lists(ROW_MESSAGE, max_size=30))
def test_writes_every_message_as_the_plain_codec_does(messages: list[Message]) -> None:
    """Byte for byte, trailing defaults left out."""
    assert compiled_encode(messages) == encode_all(messages)


@pytest.mark.parametrize("spec", ROW_SPECS, ids=lambda spec: spec.name)
def test_writes_integers_of_every_width(spec: MessageSpec) -> None:
    """Also the negative ones that no bound allows today, on both sides of each width."""
    for value in [*WIDTHS, *(-value for value in WIDTHS)]:
        if -(2**63) <= value < 2**63:
            message = spec.message(*[value] * len(spec.fields))
            assert compiled_encode([message]) == encode(message)


@pytest.mark.parametrize("spec", ROW_SPECS, ids=lambda spec: spec.name)
def test_leaves_out_exactly_the_trailing_defaults(spec: MessageSpec) -> None:
    """A default between other values is written, one at the end is not."""
    high = [field.bounds.high for field in spec.fields]
    defaults = [field.bounds.high if field.default is None else field.default for field in spec.fields]
    for place in range(len(high)):
        for values in (high[:place] + defaults[place:], [*defaults[:place], high[place], *defaults[place + 1 :]]):
            message = spec.message(*values)
            assert compiled_encode([message]) == encode(message)


def test_goes_on_at_the_beginning_of_the_ring() -> None:
    """A slot is a sequence under a mask."""
    messages: list[Message] = [order(number) for number in range(1, 9)]
    encoder = RowEncoder(rows_of(messages, 8))
    assert decode(encoder.encode(13, 6)) == [messages[number & 7] for number in range(13, 19)]
    assert encoder.encode(5, 0) == b""


def test_stops_before_the_buffer_is_full() -> None:
    """It writes nothing behind the buffer, whatever its size, and says how far it came."""
    rows = rows_of([EXECUTED] * 8, 8).reshape(-1)
    packed = encode(EXECUTED)
    for size in range(ROW_BYTES_MAX * 3):
        buffer = np.full(size + 16, 0xEE, np.uint8)
        count, byte_count = encode_rows(TABLE, rows, 0, 8, buffer[:size], 0)
        assert buffer[:byte_count].tobytes() == packed * count
        assert byte_count == count * len(packed)
        assert (buffer[size:] == 0xEE).all()
        assert count == 8 or size - byte_count < ROW_BYTES_MAX


@pytest.mark.parametrize("tag", [0, 35, 63, 64, -1, 2**62, -(2**63)])
def test_stops_at_a_row_that_is_no_message(tag: int) -> None:
    """It would be a bug of ours: nobody must receive what follows."""
    rows = rows_of([order(1), order(2), order(3), order(4)], 4)
    rows[2, 0] = tag
    with pytest.raises(AssertionError, match="row 2 holds no message of the table"):
        RowEncoder(rows).encode(0, 4)
    with pytest.raises(AssertionError, match="row 2 holds no message of the table"):
        RowEncoder(rows).frames_of(np.full(8, 7), 7, 0, 4)


# --- a selection


@given(
    st.lists(st.tuples(ROW_MESSAGE, st.integers(0, 3), st.integers(0, 3) | st.just(NO_KEY)), max_size=16),
    st.integers(0, 100),
    st.integers(0, 4),
    st.integers(1, 16),
)
def test_writes_those_that_have_the_key(
    chosen: list[tuple[Message, int, int]], first: int, key: int, frame_messages_max: int
) -> None:
    """Each row once, in order, in as many frames as it takes."""
    rows = np.zeros((16, ROW_WIDTH), np.int64)
    keys = np.full((16, KEYS_PER_ROW), NO_KEY)
    for index, (message, *pair) in enumerate(chosen):
        rows[(first + index) & 15] = row_of(message)
        keys[(first + index) & 15] = pair
    encoder = RowEncoder(rows, frame_messages_max)
    frames = list(encoder.frames_of(keys.reshape(-1), key, first, len(chosen)))
    expected = [message for message, *pair in chosen if key in pair]
    assert b"".join(payload for payload, _ in frames) == encode_all(expected)
    assert [count for _, count in frames[:-1]] == [frame_messages_max] * (len(frames) - 1)
    assert sum(count for _, count in frames) == len(expected)
    assert all(count for _, count in frames)


def test_stops_a_selection_before_the_buffer_is_full() -> None:
    """The rows that it has not looked at are left to the next call."""
    rows = rows_of([order(1), EXECUTED, order(2), EXECUTED, order(3), EXECUTED, order(4), EXECUTED], 8).reshape(-1)
    keys = np.array([[0, NO_KEY], [1, NO_KEY]] * 4).reshape(-1)
    buffer = np.zeros(ROW_BYTES_MAX + len(encode(EXECUTED)), np.uint8)
    seen, count, size = encode_selected(TABLE, rows, keys, 1, 0, 8, 100, buffer, 0)
    assert (seen, count) == (5, 2)
    assert buffer[:size].tobytes() == encode(EXECUTED) * 2
