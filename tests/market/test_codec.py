"""The plain codec: every message survives it, nothing else does, and a stranger cannot make it hold much."""

import random
import tracemalloc
from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.codec import (
    MESSAGE_BYTES_MAX,
    MalformedMessageError,
    StreamDecoder,
    decode,
    decode_commands,
    decode_events,
    decode_first,
    encode,
    encode_all,
)
from market.codes import OrderType, Side, Tag
from market.commands import MassCancel, NewOrder
from market.feed_messages import BookChecksum, BookOrder
from market.limits import FRAME_BYTES_MAX, ID_MAX
from market.messages import MESSAGES, Message, MessageSpec
from market.session_messages import Logon
from tests.bus.messages import (
    ACCEPTED,
    BEST,
    DEFINITION,
    EXECUTED,
    MESSAGE,
    ORDER,
    SAMPLES,
    SIX_FIELDS,
    array,
    messages_of,
)

ROWS = pytest.mark.parametrize("spec", MESSAGES, ids=lambda spec: spec.name)


def drain(decoder: StreamDecoder, pieces: list[bytes]) -> list[Message]:
    """Feed the pieces one after the other; return all messages."""
    return [message for piece in pieces for message in decoder.feed(piece)]


# --- what it writes


@given(MESSAGE)
def test_round_trips_every_message(message: Message) -> None:
    """Any values within the table's bounds come back, as the same class."""
    (back,) = decode(encode(message))
    assert back == message
    assert type(back) is type(message)


@given(st.lists(MESSAGE, max_size=20))
def test_round_trips_a_frame_of_messages(messages: list[Message]) -> None:
    """msgpack is self-delimiting: messages need nothing between them."""
    frame = encode_all(messages)
    assert decode(frame) == messages
    assert len(frame) <= MESSAGE_BYTES_MAX * len(messages)


@given(MESSAGE)
def test_writes_each_message_in_one_way(message: Message) -> None:
    """Canonical: what was decoded is encoded to the same bytes, and no trailing default is among them."""
    packed = encode(message)
    assert encode(decode(packed)[0]) == packed
    tag, *values = msgpack.unpackb(packed)
    spec = next(spec for spec in MESSAGES if spec.tag == tag)
    assert spec.required_count <= len(values) <= len(spec.fields)
    if len(values) > spec.required_count:
        assert values[-1] != spec.fields[len(values) - 1].default


@given(MESSAGE)
def test_reads_defaults_that_were_sent_all_the_same(message: Message) -> None:
    """A sender may, but need not, leave defaults out."""
    tag = msgpack.unpackb(encode(message))[0]
    assert decode(array(tag, *message)) == [message]


def test_takes_few_bytes_for_an_order() -> None:
    """A client's order of six fields: array, tag, id, symbol, side, price (5), quantity (3), type."""
    assert encode(SIX_FIELDS) == bytes.fromhex("97 01 01 00 01 ce008b29df cd0446 02")
    assert len(encode(SIX_FIELDS)) == 14
    assert len(encode(SIX_FIELDS._replace(order_id=2**32 - 1))) == 18
    assert encode(MassCancel()) == b"\x91\x04"


def test_writes_an_enum_as_its_integer() -> None:
    """IntEnum members are convenient in commands; on the wire they are plain integers."""
    plain = NewOrder(1, 0, 1, 100, 5, 2)
    assert encode(NewOrder(1, 0, Side.SELL, 100, 5, OrderType.POST_ONLY)) == encode(plain)


def test_keeps_texts_of_any_script() -> None:
    """The bound of a text counts characters; 64 of them may be 256 bytes."""
    definition = DEFINITION._replace(symbol="\U0001f4c8" * 64)
    assert decode(encode(definition)) == [definition]


# --- what it refuses

REFUSED = {
    "not an array: an integer": (b"\x01", "an array that starts with a tag, was 1"),
    "not an array: nil": (b"\xc0", "an array that starts with a tag, was None"),
    "not an array: text": (b"\xa3abc", "an array that starts with a tag, was 'abc'"),
    "not an array: an empty map": (b"\x80", "an array that starts with a tag, was {}"),
    "an empty array": (b"\x90", r"an array that starts with a tag, was \(\)"),
    "a tag of nil": (array(None), "an array that starts with a tag"),
    "a tag of true": (array(True, 1, 0), "an array that starts with a tag"),
    "a tag of 1.0": (array(1.0, 1, 0), "an array that starts with a tag"),
    "a tag of text": (array("1", 1, 0), "an array that starts with a tag"),
    "a tag that is an array": (array([1], 1, 0), "an array that starts with a tag"),
    "an unknown tag": (array(99, 1), "unknown tag 99"),
    "tag 0": (array(0), "unknown tag 0"),
    "a negative tag": (array(-1), "unknown tag -1"),
    "a tag of 64 bits": (array(2**64 - 1), "unknown tag 18446744073709551615"),
    "too few fields": (array(Tag.NEW_ORDER, 1, 0, 0, 100), "NewOrder has 5 to 14 fields, was 4"),
    "too many fields": (array(Tag.CANCEL_ORDER, 1, 0, 0, 0, 0), "CancelOrder has 2 to 4 fields, was 5"),
    "no fields": (array(Tag.EXECUTED), "Executed has 14 to 14 fields, was 0"),
    "more items than any message": (array(*range(16)), "16 exceeds max_array_len"),
    "a map": (b"\x81\x01\x02", "1 exceeds max_map_len"),
    "a map as field": (b"\x93\x02\x01\x81\x01\x02", "1 exceeds max_map_len"),
    "an empty map as field": (array(Tag.CANCEL_ORDER, {}, 0), "CancelOrder.order_id must be int, was {}"),
    "a nested array": (array(Tag.CANCEL_ORDER, [1], 0), r"CancelOrder.order_id must be int, was \(1,\)"),
    "bytes": (b"\xc4\x01\x00", "1 exceeds max_bin_len"),
    "empty bytes as field": (array(Tag.CANCEL_ORDER, b"", 0), "CancelOrder.order_id must be int, was b''"),
    "an extension": (b"\xd4\x01\x00", "exceeds max_ext_len"),
    "a timestamp": (b"\xd6\xff\x00\x00\x00\x00", "exceeds max_ext_len"),
    "the byte that msgpack never uses": (b"\xc1", "FormatError"),
    "text that is not UTF-8": (b"\x92\x01\xa1\xff", "invalid start byte"),
    "a text too long for its field": (encode(DEFINITION._replace(symbol="x" * 65)), "symbol must be 0 to 64, was 'x"),
    "a text too long for any field": (array(35, 0, "x" * 2_000), "2000 exceeds max_str_len"),
    "an array of 4 billion": (b"\xdd\xff\xff\xff\xff", "4294967295 exceeds max_array_len"),
    "a map of 4 billion": (b"\xdf\xff\xff\xff\xff", "4294967295 exceeds max_map_len"),
    "bytes of 4 billion": (b"\xc6\xff\xff\xff\xff", "expected whole messages"),
    "a text of 4 billion": (b"\xdb\xff\xff\xff\xff", "expected whole messages"),
    "an extension of 4 billion": (b"\xc9\xff\xff\xff\xff\x01", "exceeds max_ext_len"),
    "5,000 arrays in one another": (b"\x91" * 5_000, "StackError"),
    "200 arrays in one another": (b"\x91" * 200 + b"\x01", "was "),
}


@pytest.mark.parametrize(("frame", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_and_says_why(frame: bytes, why: str) -> None:
    """Every way of not being a message has a text that names it, and the text is short."""
    with pytest.raises(MalformedMessageError, match=why) as caught:
        decode(frame)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("frame", [frame for frame, _ in REFUSED.values()], ids=REFUSED.keys())
def test_refuses_after_a_good_message_too(frame: bytes) -> None:
    """A frame is good as a whole or not at all; a stream yields what was good first."""
    good = encode(ORDER)
    with pytest.raises(MalformedMessageError):
        decode(good + frame)
    messages = StreamDecoder().feed(good + frame + good * 1_000)  # which ends the wait for a text of 4 billion
    assert next(messages) == ORDER
    with pytest.raises(MalformedMessageError):
        next(messages)


@ROWS
def test_refuses_values_that_are_no_integers_in_every_field(spec: MessageSpec) -> None:
    """True is an int for Python and 1.0 equals 1; on the wire neither is an integer."""
    good = [field.bounds.high if field.kind is int else "x" for field in spec.fields]
    assert decode(array(spec.tag, *good))
    for place, field in enumerate(spec.fields):
        strangers = [True, False, None, 1.0, float("nan"), b"", (), 1 if field.kind is str else "1"]
        for stranger in strangers:
            with pytest.raises(MalformedMessageError, match=f"{spec.name}.{field.name} must be {field.kind.__name__}"):
                decode(array(spec.tag, *good[:place], stranger, *good[place + 1 :]))


@ROWS
def test_refuses_values_out_of_bounds_in_every_field(spec: MessageSpec) -> None:
    """One below the lowest and one above the highest are out; both ends are in."""
    good = [field.bounds.low if field.kind is int else "x" * field.bounds.low for field in spec.fields]
    for place, field in enumerate(spec.fields):
        low, high = field.bounds.low, field.bounds.high
        if field.kind is str:
            inside: list[object] = ["x" * low, "x" * high]
            outside: list[object] = ["x" * (high + 1), *([""] if low else [])]
        else:
            inside, outside = [low, high], [low - 1, high + 1, -(2**63), 2**64 - 1]
        for value in inside:
            assert decode(array(spec.tag, *good[:place], value, *good[place + 1 :]))[0][place] == value
        for value in outside:
            with pytest.raises(MalformedMessageError, match=f"{spec.name}.{field.name} must be {low} to {high}"):
                decode(array(spec.tag, *good[:place], value, *good[place + 1 :]))


def test_tells_commands_from_events() -> None:
    """A source sends commands alone, the engine reports events alone."""
    assert decode_commands(encode(ORDER)) == [ORDER]
    assert decode_events(encode(EXECUTED)) == [EXECUTED]
    for decoder, stranger in ((decode_commands, EXECUTED), (decode_commands, BEST), (decode_events, ORDER)):
        with pytest.raises(MalformedMessageError, match=f"{type(stranger).__name__} does not go this way"):
            decoder(encode(ORDER if decoder is decode_commands else EXECUTED) + encode(stranger))


# --- pieces


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_refuses_a_frame_that_is_cut_at_any_byte(message: Message) -> None:
    """A frame that lost its tail must not pass for a shorter one, wherever it is cut."""
    frame = encode(ACCEPTED) + encode(message)
    whole = {0, len(encode(ACCEPTED)), len(frame)}
    for cut in range(len(frame) + 1):
        if cut in whole:
            assert decode(frame[:cut]) == [ACCEPTED, message][: sorted(whole).index(cut)]
        else:
            with pytest.raises(MalformedMessageError, match=r"expected whole messages, the last \d+ bytes"):
                decode(frame[:cut])


def test_reads_a_stream_that_is_split_at_every_byte() -> None:
    """TCP cuts where it likes: one byte at a time, and in two at every place."""
    stream = encode_all(SAMPLES)
    decoder = StreamDecoder()
    yielded = [(end, message) for end in range(len(stream)) for message in decoder.feed(stream[end : end + 1])]
    assert [message for _, message in yielded] == list(SAMPLES)
    ends = [len(encode_all(SAMPLES[:count])) - 1 for count in range(1, len(SAMPLES) + 1)]
    assert [end for end, _ in yielded] == ends, "each message is yielded with its last byte, not later"
    assert decoder.pending_bytes == 0
    for cut in range(len(stream) + 1):
        assert drain(StreamDecoder(), [stream[:cut], stream[cut:]]) == list(SAMPLES)


@given(st.lists(MESSAGE, min_size=1, max_size=12), st.data())
def test_reads_a_stream_that_is_split_anywhere(messages: list[Message], data: st.DataObject) -> None:
    """However a stream is cut, the same messages come out, and what waits is counted."""
    stream = encode_all(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    decoder = StreamDecoder()
    assert drain(decoder, pieces) == messages
    assert decoder.pending_bytes == 0


def test_counts_the_bytes_that_wait() -> None:
    """Also those of an array whose first items are there already."""
    packed, decoder = encode(EXECUTED), StreamDecoder()
    for end in range(len(packed) - 1):
        assert list(decoder.feed(packed[end : end + 1])) == []
        assert decoder.pending_bytes == end + 1
    assert list(decoder.feed(packed[-1:])) == [EXECUTED]
    assert decoder.pending_bytes == 0


def test_reads_a_frame_larger_than_it_takes_at_a_time() -> None:
    """Messages lie across the places where it pauses."""
    messages = [ORDER._replace(order_id=n) for n in range(1, 5_001)]
    assert decode(encode_all(messages)) == messages


def test_stays_broken_after_a_malformed_message() -> None:
    """After one bad byte nobody knows where the next message starts: nothing more may be yielded."""
    decoder = StreamDecoder()
    with pytest.raises(MalformedMessageError):
        list(decoder.feed(b"\xc1"))
    with pytest.raises(MalformedMessageError, match="expected nothing after a malformed message"):
        list(decoder.feed(encode(ORDER)))


@given(st.binary(max_size=200))
def test_yields_messages_or_refuses(noise: bytes) -> None:
    """Whatever the bytes, the outcome is messages of the table or MalformedMessageError."""
    try:
        messages = decode(noise)
    except MalformedMessageError:
        return
    assert decode(encode_all(messages)) == messages


@given(MESSAGE, st.data())
def test_never_yields_a_message_that_the_table_forbids(message: Message, data: st.DataObject) -> None:
    """A damaged message is refused, or is another one that the table allows."""
    packed = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        messages = decode(bytes(packed))
    except MalformedMessageError:
        return
    for changed in messages:
        assert decode(encode(changed)) == [changed]


# --- memory


def nested(depth: int, leaf: bytes) -> bytes:
    """Return an array of 15 arrays of 15 ..., `depth` deep."""
    return leaf if depth == 0 else b"\x9f" + nested(depth - 1, leaf) * 15


BOMBS = {
    "empty arrays": b"\x90" * FRAME_BYTES_MAX,
    "arrays in one another": b"\x91" * FRAME_BYTES_MAX,
    "an array of arrays of one-item arrays": nested(3, b"\x91" * 200 + b"\x01"),
    "an array of arrays that never ends": nested(5, b"\x90")[:-1],
    "a text that never ends": b"\xdb\x00\x10\x00\x00" + b"x" * (FRAME_BYTES_MAX - 5),
    "a text of 4 GB": b"\xdb\xff\xff\xff\xff" + b"x" * (FRAME_BYTES_MAX - 5),
    "bytes of 4 GB": b"\xc6\xff\xff\xff\xff" + b"x" * (FRAME_BYTES_MAX - 5),
    "a message of long texts": nested(3, b"\xd9\x40" + b"x" * 64),
}


def fed_until_refused(bomb: bytes, piece_bytes: int) -> int:
    """Return how many bytes a decoder took before it refused; nothing may be yielded."""
    decoder = StreamDecoder()
    for start in range(0, len(bomb), piece_bytes):
        try:
            assert list(decoder.feed(bomb[start : start + piece_bytes])) == []
        except MalformedMessageError:
            return start + piece_bytes
    raise AssertionError("all of the bomb was taken")


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize("piece_bytes", [1_000, 65_536, FRAME_BYTES_MAX])
def test_holds_little_whatever_a_stranger_sends(bomb: bytes, piece_bytes: int) -> None:
    """One byte can become a tuple of 56: it must be refused long before a megabyte of it has been taken apart."""
    tracemalloc.start()
    try:
        fed_bytes = fed_until_refused(bomb, piece_bytes)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes - min(piece_bytes, len(bomb)) < FRAME_BYTES_MAX // 2
    assert fed_bytes <= max(piece_bytes, 8_000)


def test_holds_no_more_of_a_stream_than_the_beginning_of_one_message() -> None:
    """A client that sends a message and stops in the middle of the next costs a few hundred bytes."""
    decoder = StreamDecoder()
    assert list(decoder.feed(encode(ORDER) * 1_000 + encode(ORDER)[:-1])) == [ORDER] * 1_000
    assert decoder.pending_bytes == len(encode(ORDER)) - 1 < MESSAGE_BYTES_MAX


@given(st.data())
def test_fits_every_message_into_its_largest_size(data: st.DataObject) -> None:
    """MESSAGE_BYTES_MAX is what the table allows: a message never looks like a bomb."""
    spec = data.draw(st.sampled_from(MESSAGES))
    largest = [ID_MAX if field.kind is int else "\U0010ffff" * field.bounds.high for field in spec.fields]
    assert len(array(spec.tag, *largest)) <= MESSAGE_BYTES_MAX
    message = data.draw(messages_of(spec))
    assert drain(StreamDecoder(), [encode(message)]) == [message]


def test_first_message_of_a_stream_is_found_at_every_cut() -> None:
    """None while it is cut short; then the message and its size, whatever follows."""
    logon = Logon("naïve bot", "a token", 2**40, 1)
    data = encode(logon)
    for cut in range(len(data)):
        assert decode_first(data[:cut]) is None
    assert decode_first(data + b"\xc1") == (logon, len(data))


@pytest.mark.parametrize(
    "begin",
    [b"\xdd\xff\xff\xff\xff", b"\x92\x30\xdb\xff\xff\xff\xff", b"\x92\x30\xc6", b"\x92\x30\xca", b"\x92\xdf", b"\xc1"],
)
def test_first_message_is_refused_by_what_its_length_announces(begin: bytes) -> None:
    """Huge arrays and texts, and what is neither integer nor text, are not waited for."""
    with pytest.raises(MalformedMessageError, match="expected"):
        decode_first(begin)


def test_decodes_many_of_one_kind_as_it_does_one_by_one() -> None:
    """What is checked by columns is the same, and whatever is not quite alike is refused or read as before."""
    dice = random.Random(11)
    orders = [BookOrder(dice.randint(1, ID_MAX), dice.randrange(2), dice.randint(1, 10**8), n) for n in range(2_000)]
    frame = encode_all(orders)
    assert decode(frame) == orders
    assert decode(frame + encode(BookChecksum(7))) == [*orders, BookChecksum(7)]
    for cut in range(1, len(encode(orders[-1]))):
        with pytest.raises(MalformedMessageError):
            decode(frame[:-cut])


@pytest.mark.parametrize(
    "bad",
    [[32, 1, 2, 5, 5], [32, 0, 1, 5, 5], [32, 1, True, 5, 5], [32, 1, 1, 5, -1], [32, 1, 1, 5.0, 5], [32, 1, 1, 5]],
)
def test_refuses_one_bad_message_among_many(bad: list[object]) -> None:
    """A check by columns must not let a single one through."""
    good = encode_all([BookOrder(n, 0, 5, 5) for n in range(1, 300)])
    with pytest.raises(MalformedMessageError):
        decode(good + msgpack.packb(bad) + good)
