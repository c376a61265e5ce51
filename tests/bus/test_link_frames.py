"""What no end of an order link sends, and what frames mean that are left as bytes."""

import msgpack
import pytest

from bus.order_link import Frames, Kind, LinkError, RawReports
from market.codec import encode_all
from market.limits import BATCH_MESSAGES_MAX
from tests.bus.link_pair import EPOCH, SOURCE, Link, orders, packed
from tests.bus.messages import EXECUTED, accepted

BAD_FRAMES: dict[str, Frames] = {
    "no frames": [],
    "a header alone": [msgpack.packb((Kind.HELLO, SOURCE, 0, 0, 1))],
    "three frames": [*packed(Kind.HELLO, SOURCE, 0, 0, 1), b""],
    "an empty header": [b"", b""],
    "half a header": [msgpack.packb((Kind.HELLO, SOURCE, 0, 0, 1))[:-1], b""],
    "a header and more": [msgpack.packb((Kind.HELLO, SOURCE, 0, 0, 1)) + b"\x01", b""],
    "a header that is a map": [b"\x80", b""],
    "a header that is an integer": [b"\x01", b""],
    "four integers": packed(Kind.HELLO, SOURCE, 0, 0),
    "seven integers": packed(Kind.HELLO, SOURCE, 0, 0, 1, 0, 0),
    "six integers": packed(Kind.COMMANDS, SOURCE, 0, 0, 1, 0),
    "eight integers": packed(Kind.WELCOME, EPOCH, 0, 0, 0, 0, 0, 0),
    "a float": packed(Kind.HELLO, SOURCE, 0, 0, 1.0),
    "a bool": packed(Kind.HELLO, SOURCE, 0, 0, True),
    "nil": packed(Kind.HELLO, SOURCE, 0, 0, None),
    "text": packed(Kind.HELLO, SOURCE, 0, 0, "1"),
    "a negative integer": packed(Kind.HELLO, SOURCE, 0, -1, 1),
    "an integer of 64 bits": packed(Kind.HELLO, SOURCE, 0, 0, 2**64 - 1),
    "an unknown kind": packed(9, 0, 0, 0, 0),
    "arrays in one another": [b"\x91" * 1_000_000, b""],
    "a text of 4 GB": [b"\xdb\xff\xff\xff\xff", b""],
}
BAD_UP: dict[str, Frames] = BAD_FRAMES | {
    "an unknown source": packed(Kind.HELLO, 999, 0, 0, 1),
    "source 0": packed(Kind.HELLO, 0, 0, 0, 1),
    "a welcome": packed(Kind.WELCOME, EPOCH, 0, 0, 0),
    "reports": packed(Kind.REPORTS, EPOCH, 1, 0, 0),
    "commands from number 0": packed(Kind.COMMANDS, EPOCH, 0, 1, 0, payload=encode_all(orders(1, 1))),
    "more commands than the ring takes": packed(Kind.COMMANDS, EPOCH, 1, BATCH_MESSAGES_MAX + 1, 0),
}
BAD_DOWN: dict[str, Frames] = BAD_FRAMES | {
    "a hello": packed(Kind.HELLO, SOURCE, 0, 0, 1),
    "commands": packed(Kind.COMMANDS, EPOCH, 1, 1, 0, payload=encode_all(orders(1, 1))),
    "fewer reports than it says": packed(Kind.REPORTS, EPOCH, 1, 2, 0, payload=encode_all([EXECUTED])),
    "more reports than it says": packed(Kind.REPORTS, EPOCH, 1, 1, 0, payload=encode_all([EXECUTED, EXECUTED])),
}


@pytest.mark.parametrize("frames", BAD_UP.values(), ids=BAD_UP.keys())
def test_refuses_what_no_source_sends(frames: Frames) -> None:
    """A bad frame is an error that the node catches; the link goes on as if it had never come."""
    link = Link().connected()
    with pytest.raises(LinkError, match="expected") as caught:
        link.engine.receive(link.identity, frames)
    assert len(str(caught.value)) < 200
    link.source.send(orders(11, 12))
    assert link.settle() == [11, 12]


@pytest.mark.parametrize("frames", BAD_DOWN.values(), ids=BAD_DOWN.keys())
def test_refuses_what_no_engine_sends(frames: Frames) -> None:
    """Likewise at the other end."""
    link = Link().connected()
    with pytest.raises(LinkError, match="expected") as caught:
        link.source.receive(frames)
    assert len(str(caught.value)) < 200
    link.source.send(orders(11, 12))
    assert link.settle() == [11, 12]


def test_raw_frames_and_messages_mean_the_same() -> None:
    """A source that works on bytes has the same promises: numbers, what is old, what is done."""
    link = Link().connected()
    assert link.source.send_encoded(encode_all(orders(1, 3)), 3) == 3
    assert link.handle(link.up()) == [1, 2, 3]
    frames = [frames for _, frames in link.engine.outgoing()]
    payload = encode_all([accepted(order_id) for order_id in (1, 2, 3)])
    assert link.source.receive_raw(frames[-1]) == [RawReports(EPOCH, payload, 1, 3, 0, 3, 3)]
    assert link.source.receive_raw(frames[-1]) == [], "it was there before"
    longer = payload + encode_all([accepted(4)])
    news = link.source.receive_raw(packed(Kind.REPORTS, EPOCH, 1, 4, 3, payload=longer))
    assert news == [RawReports(EPOCH, longer, 1, 4, 3, 4, 3)], "three of the four are old"
    assert (link.source.sent, link.source.acknowledged) == (3, 3)
