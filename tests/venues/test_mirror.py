"""The mirror against a gateway that does what the test says, on a clock that the test moves."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import CancelReason, OrderType, RejectReason, Side, Tag
from market.commands import AmendOrder, CancelOrder, NewOrder
from market.events import Accepted, Amended, Canceled, Executed, Rejected
from market.messages import Message
from tests.pairs import default_instruments
from venues.gateway import GatewayError
from venues.mirror import ANSWER_NS_MAX, RETRY_NS, RETRY_NS_MAX, GatewayMirror

BTCUSDT = default_instruments()[0]
BID_TICKS, BID_LOTS = 9_120_223, 1_094


class ScriptedGateway:
    """A gateway's end of one connection.

    Attributes:
        sent: every command, in order.
        answers: what the next `receive` returns.
        is_gone: whether it hangs up at the next call.
    """

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.answers: list[Message] = []
        self.is_gone = False
        self.connection_count = 0

    def __call__(self, *_: object) -> "ScriptedGateway":
        """Connect: stands in for the client's class."""
        if self.is_gone:
            raise GatewayError("no gateway")
        self.connection_count += 1
        return self

    def send(self, commands: Sequence[Message]) -> None:
        """Take commands."""
        self._check()
        self.sent.extend(commands)

    def receive(self) -> list[Message]:
        """Return the answers."""
        self._check()
        answers, self.answers = self.answers, []
        return answers

    def close(self) -> None:
        """Hang up."""

    def take_sent(self) -> list[Message]:
        """Return the commands since the last call."""
        sent, self.sent = self.sent, []
        return sent

    def _check(self) -> None:
        if self.is_gone:
            raise GatewayError("the gateway hung up")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> ScriptedGateway:
    """The gateway."""
    one = ScriptedGateway()
    monkeypatch.setattr("venues.mirror.GatewayClient", one)
    return one


@pytest.fixture
def now() -> list[int]:
    """The clock, in a list."""
    return [10**15]


@pytest.fixture
def mirror(gateway: ScriptedGateway, now: list[int]) -> GatewayMirror:
    """A mirror at that gateway."""
    return GatewayMirror(BTCUSDT, "127.0.0.1", 1, clock=lambda: now[0])


def order(order_id: str = "a", filled: str = "0") -> VenueOrder:
    """Return a bid at the venue."""
    return VenueOrder(
        order_id,
        f"tb-x-{order_id}",
        "BTCUSDT",
        Side.BUY,
        Decimal("91202.23"),
        Decimal("0.01094"),
        Decimal(filled),
        "NEW",
        0,
    )


def new(order_id: int, lots: int = BID_LOTS) -> NewOrder:
    return NewOrder(order_id, 0, Side.BUY, BID_TICKS, lots, order_type=OrderType.POST_ONLY)


def accepted(order_id: int, lots: int = BID_LOTS) -> Accepted:
    return Accepted(1, 1, 0, order_id, 1, Side.BUY, BID_TICKS, lots, OrderType.POST_ONLY, 0, lots)


def refused(order_id: int, command: Tag, reason: RejectReason) -> Rejected:
    return Rejected(0, 1, 0, order_id, 1, command, reason)


def canceled(order_id: int, reason: CancelReason) -> Canceled:
    return Canceled(1, 1, 0, order_id, 1, Side.BUY, BID_TICKS, BID_LOTS, 0, reason)


def shown(mirror: GatewayMirror, gateway: ScriptedGateway) -> None:
    """Bring the mirror to where the bid stands in the local book."""
    mirror.sync([order()])
    gateway.answers = [accepted(1)]
    mirror.sync([order()])
    assert gateway.take_sent() == [new(1)]
    assert mirror.figures()["mirror_drift"] == 0


def test_enters_what_is_open_once_and_shows_a_drift_until_it_stands(
    mirror: GatewayMirror, gateway: ScriptedGateway
) -> None:
    """That it was sent does not mean that the book has it."""
    mirror.sync([order()])
    mirror.sync([order()])
    assert gateway.take_sent() == [new(1)]
    assert mirror.figures() == {"mirror_drift": 1, "mirror_refused": 0, "mirror_why": None}
    gateway.answers = [accepted(1)]
    mirror.sync([order()])
    assert mirror.figures()["mirror_drift"] == 0
    assert gateway.take_sent() == []


def test_refused_order_is_sent_again_with_pauses_that_grow(
    mirror: GatewayMirror, gateway: ScriptedGateway, now: list[int]
) -> None:
    """It was never sent again, and its count was shown nowhere."""
    mirror.sync([order()])
    gateway.take_sent()
    for count, pause_ns in ((1, RETRY_NS), (2, 2 * RETRY_NS), (3, 4 * RETRY_NS)):
        gateway.answers = [refused(count, Tag.NEW_ORDER, RejectReason.SYMBOL_HALTED)]
        mirror.sync([order()])
        assert mirror.figures() == {"mirror_drift": 1, "mirror_refused": count, "mirror_why": "SYMBOL_HALTED"}
        now[0] += pause_ns - 1
        mirror.sync([order()])
        assert gateway.take_sent() == []
        now[0] += 1
        mirror.sync([order()])
        assert gateway.take_sent() == [new(count + 1)], "it has an id of its own each time: ids must rise"
    gateway.answers = [accepted(4)]
    mirror.sync([order()])
    assert mirror.figures() == {"mirror_drift": 0, "mirror_refused": 3, "mirror_why": None}


def test_pause_has_an_end(mirror: GatewayMirror, gateway: ScriptedGateway, now: list[int]) -> None:
    """A halt of an hour, and then half a minute at most."""
    for count in range(1, 50):
        mirror.sync([order()])
        assert gateway.take_sent() == [new(count)]
        gateway.answers = [refused(count, Tag.NEW_ORDER, RejectReason.SYMBOL_HALTED)]
        mirror.sync([order()])
        now[0] += RETRY_NS_MAX


@pytest.mark.parametrize("end", ["traded", "cancelled"])
def test_copy_that_ended_in_the_local_book_is_entered_again(
    mirror: GatewayMirror, gateway: ScriptedGateway, now: list[int], end: str
) -> None:
    """A client traded with it, or the kill switch took it; at the venue it stands."""
    shown(mirror, gateway)
    gateway.answers = [
        Executed(1, 1, 0, 1, BID_TICKS, BID_LOTS, Side.SELL, 0, 0, 0, 1, 1, 0, 0)
        if end == "traded"
        else canceled(1, CancelReason.MASS_CANCEL)
    ]
    mirror.sync([order()])
    assert mirror.figures()["mirror_drift"] == 1
    assert str(mirror.figures()["mirror_why"]).startswith(f"it was {end} here")
    now[0] += RETRY_NS
    mirror.sync([order()])
    assert gateway.take_sent() == [new(2)]


def test_copy_that_traded_in_part_is_given_its_size_again(mirror: GatewayMirror, gateway: ScriptedGateway) -> None:
    """The venue's order is whole."""
    shown(mirror, gateway)
    gateway.answers = [Executed(1, 1, 0, 1, BID_TICKS, 94, Side.SELL, 0, 0, 0, 1, 1, 1_000, 1_000)]
    mirror.sync([order()])
    assert gateway.take_sent() == [AmendOrder(1, 0, BID_TICKS, BID_LOTS)]


def test_fill_at_the_venue_is_followed_and_a_refused_amend_asked_again(
    mirror: GatewayMirror, gateway: ScriptedGateway, now: list[int]
) -> None:
    """An amend that was refused was taken for done."""
    shown(mirror, gateway)
    part = order(filled="0.00094")
    mirror.sync([part])
    assert gateway.take_sent() == [AmendOrder(1, 0, BID_TICKS, 1_000)]
    assert mirror.figures()["mirror_drift"] == 1
    gateway.answers = [refused(1, Tag.AMEND_ORDER, RejectReason.RATE_LIMIT)]
    mirror.sync([part])
    now[0] += RETRY_NS
    mirror.sync([part])
    assert gateway.take_sent() == [AmendOrder(1, 0, BID_TICKS, 1_000)]
    gateway.answers = [Amended(1, 1, 0, 1, 1, Side.BUY, BID_TICKS, 1_000, 1_000)]
    mirror.sync([part])
    assert mirror.figures()["mirror_drift"] == 0


def test_cancel_that_was_refused_is_asked_again_until_the_copy_is_gone(
    mirror: GatewayMirror, gateway: ScriptedGateway, now: list[int]
) -> None:
    """The engine was away just then: the copy stayed in the book for ever."""
    shown(mirror, gateway)
    mirror.sync([])
    gateway.answers = [refused(1, Tag.CANCEL_ORDER, RejectReason.ENGINE_UNAVAILABLE)]
    mirror.sync([])
    assert gateway.take_sent() == [CancelOrder(1, 0)]
    assert mirror.figures()["mirror_drift"] == 1
    now[0] += RETRY_NS
    mirror.sync([])
    assert gateway.take_sent() == [CancelOrder(1, 0)]
    gateway.answers = [canceled(1, CancelReason.REQUESTED)]
    mirror.sync([])
    assert mirror.figures()["mirror_drift"] == 0
    now[0] += NS_PER_SECOND
    mirror.sync([])
    assert gateway.take_sent() == []


def test_cancel_of_a_copy_that_the_book_does_not_have_is_done(
    mirror: GatewayMirror, gateway: ScriptedGateway, now: list[int]
) -> None:
    """It ended in the same moment."""
    shown(mirror, gateway)
    mirror.sync([])
    gateway.take_sent()
    gateway.answers = [refused(1, Tag.CANCEL_ORDER, RejectReason.UNKNOWN_ORDER)]
    mirror.sync([])
    now[0] += RETRY_NS
    mirror.sync([])
    assert gateway.take_sent() == []
    assert mirror.figures()["mirror_drift"] == 0


def test_order_that_ends_at_the_venue_before_its_copy_stands_is_cancelled_when_it_does(
    mirror: GatewayMirror, gateway: ScriptedGateway
) -> None:
    """Its fate in the local book is not known yet: a cancel now might overtake nothing, or be forgotten."""
    mirror.sync([order()])
    mirror.sync([])
    assert gateway.take_sent() == [new(1)]
    gateway.answers = [accepted(1)]
    mirror.sync([])
    assert gateway.take_sent() == [CancelOrder(1, 0)]


def test_everything_is_entered_again_after_the_gateway_was_away(
    mirror: GatewayMirror, gateway: ScriptedGateway
) -> None:
    """It cancels the orders of a lost connection; until it is back the drift is all that is open."""
    shown(mirror, gateway)
    gateway.is_gone = True
    for _ in range(2):
        with pytest.raises(GatewayError):
            mirror.sync([order()])
    assert mirror.figures()["mirror_drift"] == 1
    gateway.is_gone = False
    mirror.sync([order()])
    assert gateway.take_sent() == [new(2)]
    assert gateway.connection_count == 2


def test_gateway_that_does_not_answer_is_connected_anew(
    mirror: GatewayMirror, gateway: ScriptedGateway, now: list[int]
) -> None:
    """A command that is neither done nor refused would hold its copy back for ever."""
    mirror.sync([order()])
    now[0] += ANSWER_NS_MAX
    mirror.sync([order()])
    now[0] += 1
    with pytest.raises(GatewayError, match="does not answer"):
        mirror.sync([order()])
    mirror.sync([order()])
    assert gateway.connection_count == 2
    assert gateway.take_sent() == [new(1), new(2)]


def test_order_between_the_steps_of_the_pair_is_not_copied(gateway: ScriptedGateway, mirror: GatewayMirror) -> None:
    """It is left from a run with finer ticks, and about to be cancelled; it ended the maker at each start."""
    mirror.sync([replace(order(), price=Decimal("91202.235"))])
    assert gateway.take_sent() == []
    mirror.sync([order("b")])
    assert gateway.take_sent() == [new(1)]
