"""The reports that are kept to be sent again."""

import random

import pytest

from engine.wire.codec import PieceDecoder
from market.codec import decode, encode, encode_all
from market.events import Accepted, Event
from market.messages import EVENT_BY_TAG
from sessions.report_stream import CHUNK_BYTES, PIECE_BYTES_MAX, ReportStream

DECODER = PieceDecoder(EVENT_BY_TAG.values(), piece_bytes_max=PIECE_BYTES_MAX)


def report(sequence: int) -> Event:
    """Return the first report of the order with the id of its sequence; sizes differ."""
    return Accepted(sequence, 2**40, 0, sequence, 0, 0, sequence % 70_000, 5, 0, 0, sequence % 300)


def filled(count: int, bytes_max: int, batch_max: int = 50) -> ReportStream:
    """Return a stream of reports from 1 on, added in batches of different sizes."""
    stream, dice, sequence = ReportStream(bytes_max), random.Random(1), 0
    while sequence < count:
        size = min(dice.randint(1, batch_max), count - sequence)
        data = encode_all([report(n) for n in range(sequence + 1, sequence + size + 1)])
        stream.add(data, size, sequence + size)
        sequence += size
    return stream


def read(stream: ReportStream, place: int) -> list[int]:
    """Return the sequences of the reports from `place` on."""
    pieces = []
    while place < stream.end:
        pieces.append(bytes(stream.read(place)))
        place += len(pieces[-1])
    assert stream.read(stream.end) == b""
    return [message.sequence for message in decode(b"".join(pieces)) if isinstance(message, Accepted)]


@pytest.mark.parametrize("batch_max", [1, 50, 4_096])
def test_goes_on_after_every_sequence(batch_max: int) -> None:
    """Whatever a client has seen, it gets exactly the rest."""
    count = 9_000
    stream = filled(count, 1 << 30, batch_max)
    assert (stream.first_sequence, stream.last_sequence) == (1, count)
    for after in [*range(0, 200, 7), *range(4_000, 4_100, 9), count - 1, count, count + 1]:
        assert read(stream, stream.place_after(after)) == list(range(after + 1, count + 1)), after


def test_forgets_the_oldest_and_says_so() -> None:
    """The kept bytes are bounded; who has missed more gets what there is."""
    stream = filled(50_000, 3 * CHUNK_BYTES)
    assert stream.end - stream.start <= 3 * CHUNK_BYTES
    first = stream.first_sequence
    assert 40_000 < first < 50_000
    for after in (0, first - 2, first - 1):
        assert read(stream, stream.place_after(after)) == list(range(first, 50_001))
    assert read(stream, stream.place_after(first)) == list(range(first + 1, 50_001))


def test_can_be_read_from_every_byte() -> None:
    """A socket may take any part of what it is given."""
    stream = filled(200, 1 << 20)
    whole = encode_all([report(n) for n in range(1, 201)])
    for place in range(0, stream.end, 7):
        assert bytes(stream.read(place)) == whole[place:]


def test_finds_the_first_reply_of_an_order_that_it_keeps() -> None:
    """By the order's id, in any chunk; none of an id that has none, or whose reply is forgotten."""
    stream = filled(50_000, 3 * CHUNK_BYTES)
    for order_id in (stream.first_sequence, 49_000, 49_999, 50_000):
        reply = stream.first_reply(order_id, DECODER)
        assert reply is not None
        assert encode(reply) == encode(report(order_id))
    assert stream.first_reply(stream.first_sequence - 1, DECODER) is None
    assert stream.first_reply(50_001, DECODER) is None
    assert ReportStream(1_000).first_reply(1, DECODER) is None


def test_keeps_nothing_before_the_first_report() -> None:
    """An empty stream has a next report, and nothing to read."""
    stream = ReportStream(1_000)
    assert (stream.first_sequence, stream.last_sequence, stream.start, stream.end) == (1, 0, 0, 0)
    assert stream.place_after(0) == stream.place_after(9) == 0
    assert stream.read(0) == b""
