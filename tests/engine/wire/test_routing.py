"""Who may send a command, and who hears of an event: as the engine's node decides it, message by message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.topology import source_of_order
from engine.rows.ring import CONSUMED, Ring
from engine.wire.codec import CommandDecoder, EventRouter
from engine.wire.refusals import MalformedBytesError
from engine.wire.routing import SOURCES_MAX
from market.codec import encode_all
from market.codes import RejectReason
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from market.events import Event, Executed, Rejected
from market.kernels.rows import read_command, read_event, write_event
from market.limits import ORDER_IDS_PER_SOURCE, OWNERS_PER_SOURCE
from tests.bus.messages import EXECUTED, accepted, array
from tests.engine.wire.both import messages_in
from tests.engine.wire.market import SOURCES, WildMarket

TIME_NS = 1_764_506_729_123_456_789
ID = st.builds(lambda source, n: source * ORDER_IDS_PER_SOURCE + n, st.integers(0, 4), st.integers(1, 10**12 - 1))
OWNER = st.builds(lambda source, n: source * OWNERS_PER_SOURCE + n, st.integers(0, 4), st.integers(0, 65_535))
COMMAND: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda order_id, owner: NewOrder(order_id, 0, 1, 100, 5, owner=owner), ID, OWNER),
    st.builds(lambda order_id, owner: CancelOrder(order_id, 0, owner), ID, OWNER),
    st.builds(lambda order_id, owner: AmendOrder(order_id, 0, 100, 5, owner), ID, OWNER),
    OWNER.map(lambda owner: MassCancel(owner=owner)),
    st.just(HaltSymbol(0, 1)),
    st.just(SetPriceRange(0, 1, 2)),
)


def refusal(command: Command, source: int) -> RejectReason | None:
    """Return why the source may not send the command."""
    if isinstance(command, HaltSymbol | SetPriceRange):
        return None
    if not isinstance(command, MassCancel) and source_of_order(command.order_id) != source:
        return RejectReason.BAD_ORDER_ID
    return None if command.owner // OWNERS_PER_SOURCE == source else RejectReason.BAD_OWNER


def sources_of(event: Event) -> set[int]:
    """Return which sources hear of the event."""
    if isinstance(event, Executed):
        return {source_of_order(event.taker_order_id), source_of_order(event.maker_order_id)}
    if isinstance(event, Rejected) and event.order_id == 0:
        return {event.owner // OWNERS_PER_SOURCE} if event.owner else set()
    order_id = getattr(event, "order_id", 0)
    return {source_of_order(order_id)} if order_id else set()


# --- commands


@given(st.lists(COMMAND, max_size=8), st.integers(1, 3), st.integers(0, 4))
def test_admits_what_is_the_sources_own(commands: list[Command], source: int, skip: int) -> None:
    """The others are refused by name; what is kept stays in order and close together."""
    ring = Ring(8)
    ring.publish(5)
    ring.consume(5)  # so that the rows go on at the ring's beginning
    decoder = CommandDecoder(ring)
    kept_count, refused_count, last_order_id = decoder.admit(encode_all(commands), source, TIME_NS, skip)
    fresh = commands[skip:]
    kept = [command for command in fresh if refusal(command, source) is None]
    read = [read_command(ring.rows[(5 + index) & 7]) for index in range(len(ring))]
    assert (read, kept_count) == (kept, len(kept))
    assert last_order_id == max((command.order_id for command in kept if isinstance(command, NewOrder)), default=0)
    tags = {NewOrder: 1, CancelOrder: 2, AmendOrder: 3, MassCancel: 4}
    expected = [
        Rejected(0, TIME_NS, -1, getattr(command, "order_id", 0), 0, tags[type(command)], reason)
        for command in fresh
        if (reason := refusal(command, source)) is not None and not isinstance(command, HaltSymbol)
    ]
    assert messages_in(decoder.refusals[:refused_count]) == expected


def test_turns_a_new_order_away_whose_book_is_elsewhere() -> None:
    """Of the last symbol that there can be, too, and of one that nobody has; what else names a symbol passes."""
    ring = Ring(8)
    decoder = CommandDecoder(ring, {0, 62})
    first, owner = ORDER_IDS_PER_SOURCE, OWNERS_PER_SOURCE
    orders = [NewOrder(first + symbol, symbol, 0, 10, 1, owner=owner) for symbol in (62, 0, 63, 1)]
    others: list[Command] = [CancelOrder(first + 1, 63, owner), MassCancel(1, owner=owner)]
    assert decoder.admit(encode_all([*orders, *others]), 1, TIME_NS) == (4, 2, first + 62)
    assert [read_command(ring.rows[index]) for index in range(4)] == [*orders[:2], *others]
    reason = RejectReason.UNKNOWN_SYMBOL
    assert messages_in(decoder.refusals[:2]) == [
        Rejected(0, TIME_NS, -1, order.order_id, 0, 1, reason) for order in orders[2:]
    ]


def test_admits_nothing_of_a_malformed_frame() -> None:
    """Nor does a refusal of ours hide it."""
    ring = Ring(8)
    own = CancelOrder(ORDER_IDS_PER_SOURCE + 1, 0, OWNERS_PER_SOURCE)
    for frame in (encode_all([own]) + array(9), encode_all([own, EXECUTED]), encode_all([own])[:-1]):
        with pytest.raises(MalformedBytesError):
            CommandDecoder(ring).admit(frame, 1, TIME_NS)
        assert len(ring) == 0


# --- events


@pytest.mark.parametrize("seed", range(3))
def test_reports_to_each_source_what_concerns_it(seed: int) -> None:
    """Byte for byte what message-by-message routing sends, an execution to both sides, or once if both are one."""
    market = WildMarket(seed)
    ring = market.engine.events
    router = EventRouter(ring)
    both_count = 0
    for _ in range(100):
        market.send_batch()
        while len(market.engine.commands):
            market.engine.match()
            first, count = int(ring.positions[CONSUMED]), len(ring)
            events = [read_event(ring.rows[(first + index) & ring.slot_count - 1]) for index in range(count)]
            found = router.route(first, count)
            assert set(found) == set().union(*map(sources_of, events))
            assert len(found) == len(set(found))
            for source in (*SOURCES, 4):
                own = [event for event in events if source in sources_of(event)]
                frames = list(router.reports(source, first, count))
                assert b"".join(payload for payload, _ in frames) == encode_all(own)
                assert sum(count for _, count in frames) == len(own)
            both_count += sum(len(sources_of(event)) == 2 for event in events)
            ring.consume(count)
    assert both_count > 10


def test_tells_the_owner_of_a_refusal_that_names_no_order() -> None:
    """A mass cancel has no order id."""
    ring = Ring(4)
    write_event(ring.rows, 0, Rejected(1, TIME_NS, -1, 0, 3 * OWNERS_PER_SOURCE + 9, 4, 3))
    write_event(ring.rows, 1, Rejected(2, TIME_NS, -1, 0, 0, 5, 3))
    assert EventRouter(ring).route(0, 2) == [3]


def test_stops_at_more_sources_than_there_can_be() -> None:
    """Ids are admitted by source, so it would be a bug of ours; nobody's report may be dropped silently."""
    ring = Ring(128)
    for slot in range(SOURCES_MAX + 1):
        write_event(ring.rows, slot, accepted((slot + 1) * ORDER_IDS_PER_SOURCE))
    router = EventRouter(ring)
    assert len(router.route(0, SOURCES_MAX)) == SOURCES_MAX
    with pytest.raises(AssertionError, match="expected at most 64 sources"):
        router.route(0, SOURCES_MAX + 1)
