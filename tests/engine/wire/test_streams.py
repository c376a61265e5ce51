"""Streams in pieces: however they are cut, the same rows come out, and little is kept."""

import socket
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire.codec import PIECE_BYTES_MAX, PieceDecoder
from engine.wire.refusals import MalformedBytesError
from engine.wire.table import ROW_BYTES_MAX, ROW_MESSAGES
from market.codec import encode, encode_all
from market.messages import Message
from market.session_messages import Logon
from tests.bus.messages import DEFINITION, EXECUTED, ORDER, array, order
from tests.engine.wire.both import ROW_MESSAGE, ROW_SAMPLES, compiled_pieces, messages_in

DECODER = PieceDecoder(ROW_MESSAGES, slot_count=4)


def test_reads_a_stream_that_is_split_at_every_byte() -> None:
    """One byte at a time, and in two at every place."""
    stream = encode_all(ROW_SAMPLES)
    assert compiled_pieces([bytes([byte]) for byte in stream], DECODER) == (list(ROW_SAMPLES), False)
    for cut in range(len(stream) + 1):
        assert compiled_pieces([stream[:cut], stream[cut:]], DECODER) == (list(ROW_SAMPLES), False)


def test_reads_each_message_with_its_last_byte() -> None:
    """Not later; and what it keeps is the beginning of one message."""
    rest = b""
    for message in ROW_SAMPLES:
        packed = encode(message)
        for end in range(1, len(packed)):
            DECODER.load(rest, packed[end - 1 : end])
            assert len(DECODER.next_rows()) == 0
            rest = DECODER.rest
            assert rest == packed[:end]
        DECODER.load(rest, packed[-1:])
        assert messages_in(DECODER.next_rows()) == [message]
        assert len(DECODER.next_rows()) == 0
        rest = DECODER.rest
        assert rest == b""


@given(st.lists(ROW_MESSAGE, min_size=1, max_size=12), st.data())
def test_reads_a_stream_that_is_split_anywhere(messages: list[Message], data: st.DataObject) -> None:
    """Also if a piece holds more messages than there are rows."""
    stream = encode_all(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    assert compiled_pieces(pieces, DECODER) == (messages, False)


def test_serves_many_streams_in_turn() -> None:
    """What a stream left over is handed back to it, so sessions need no decoder of their own."""
    streams = [encode_all([order(source * 100 + number) for number in range(1, 20)]) for source in range(1, 4)]
    rests, read = [b"", b"", b""], [[], [], []]  # type: list[bytes], list[list[Message]]
    for start in range(0, max(map(len, streams)), 7):
        for number, stream in enumerate(streams):
            DECODER.load(rests[number], stream[start : start + 7])
            while len(rows := DECODER.next_rows()):
                read[number] += messages_in(rows)
            rests[number] = DECODER.rest
    assert read == [[order(source * 100 + number) for number in range(1, 20)] for source in range(1, 4)]


def test_receives_from_a_socket_without_a_copy() -> None:
    """The socket writes behind what is left of the piece before."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = encode_all([ORDER, EXECUTED])
        read: list[Message] = []
        rest = b""
        for start in range(0, len(stream), 11):
            theirs.sendall(stream[start : start + 11])
            DECODER.received(ours.recv_into(DECODER.space(rest)))
            while len(rows := DECODER.next_rows()):
                read += messages_in(rows)
            rest = DECODER.rest
    assert read == [ORDER, EXECUTED]


def test_yields_what_was_good_before_what_is_malformed() -> None:
    """The rows first; then the refusal, as often as it is asked."""
    DECODER.load(b"", encode_all([order(number) for number in range(1, 7)]) + array(9) + encode(ORDER))
    assert messages_in(DECODER.next_rows()) == [order(number) for number in range(1, 5)]
    assert messages_in(DECODER.next_rows()) == [order(5), order(6)]
    for _ in range(2):
        at = len(encode_all([order(number) for number in range(1, 7)])) + 1
        with pytest.raises(MalformedBytesError, match=f"unknown tag 9, in message 6 at byte {at}"):
            DECODER.next_rows()


def test_takes_a_piece_of_the_largest_size_behind_the_largest_rest() -> None:
    """The memory is taken once, large enough for both."""
    packed = encode(ORDER)
    piece = (packed * (PIECE_BYTES_MAX // len(packed) + 1))[:PIECE_BYTES_MAX]
    decoder = PieceDecoder(ROW_MESSAGES)
    assert len(decoder.space(bytes(ROW_BYTES_MAX + 3))) >= PIECE_BYTES_MAX
    messages, is_refused = compiled_pieces([packed[:-1], packed[-1:] + piece[: -len(packed)]], decoder)
    assert not is_refused
    assert messages == [ORDER] * (1 + (PIECE_BYTES_MAX - len(packed)) // len(packed))


def test_refuses_to_count_more_than_it_has_space_for() -> None:
    """It would be a bug of ours."""
    size = len(DECODER.space(b""))
    with pytest.raises(AssertionError, match="expected to be within the space"):
        DECODER.received(size + 1)


def test_yields_messages_with_texts_in_their_place() -> None:
    """Between the rows before and behind them; one that is not whole is the rest; no other text goes this way."""
    decoder = PieceDecoder((*ROW_MESSAGES, Logon), slot_count=4)
    logon = Logon("näme", "token", 3)
    stream = encode_all([*(order(number) for number in range(1, 7)), logon, logon, order(7)])
    for cut in range(len(stream)):
        found: list[Any] = []
        rest = b""
        for piece in (stream[:cut], stream[cut:]):
            decoder.load(rest, piece)
            for one in decoder.messages():
                found += [one] if isinstance(one, Logon) else messages_in(one)
            rest = decoder.rest
        assert found == [*(order(number) for number in range(1, 7)), logon, logon, order(7)]
    for bad, why in ((encode(DEFINITION), "does not go this way, in message 1 at byte"), (b"\x91\x30", "Logon has")):
        decoder.load(b"", encode(order(1)) + bad)
        with pytest.raises(MalformedBytesError, match=why):
            list(decoder.messages())
