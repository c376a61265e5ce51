"""Whoever connects finds an engine that has moved: in the next place, by the term that counts."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bus.channel import ELSEWHERE_NS, UNHEARD_NS, ChannelSocket
from bus.curve import gate
from bus.engine_client import LinkEnd
from bus.feed import Topic
from bus.order_link import Connected, Kind, Reports, SupersededError, header_of, link_frames
from bus.subscriber import FeedSubscriber
from bus.topology import FEED, ORDERS, SNAPSHOTS, Source
from bus.wiring import Wiring
from market.clock import NS_PER_MS, monotonic_ns
from tests.bus.engine_end import PlainEngineEnd
from tests.bus.link_pair import EPOCH, SOURCE, Link
from tests.bus.messages import order
from tests.bus.test_sockets import OrderServer
from tests.bus.test_tcp import Side, free_ports
from tests.desk.desk_process import until


def _welcome(term: int, taken: int = 0, report_sequence: int = 0) -> list[bytes]:
    return link_frames(b"", Kind.WELCOME, EPOCH, taken, report_sequence, 0, 0, term)


def test_the_term_of_an_engine_is_told_and_said_again() -> None:
    """A source goes with a higher one, with none of a lower one, and says what it knows; 0 is not told."""
    link = Link()
    assert [len(header_of(frames)) for frames in link.source.outgoing()] == [5]
    link.source.receive(_welcome(2))
    assert (link.source.term, link.source.is_connected) == (2, True)
    link.source.turn_to_another()
    assert [header_of(frames)[5] for frames in link.source.outgoing()] == [2]
    assert link.source.receive(_welcome(1)) == []
    assert (link.source.is_outdated, link.source.is_connected) == (True, False)
    (news,) = link.source.receive(_welcome(3))
    assert isinstance(news, Connected)
    assert not news.is_new_epoch
    assert (link.source.term, link.source.is_outdated) == (3, False)


def test_an_engine_that_hears_a_higher_term_is_none_any_more() -> None:
    """Whoever catches it sends nothing more."""
    engine = PlainEngineEnd(EPOCH)
    engine.term = 1
    engine.receive(b"x", link_frames(b"", Kind.HELLO, SOURCE, 0, 0, 1, 1))
    assert header_of(engine.outgoing()[0][1])[6] == 1
    with pytest.raises(SupersededError, match="with term 2"):
        engine.receive(b"x", link_frames(b"", Kind.HELLO, SOURCE, 0, 0, 2, 2))


def test_what_still_comes_of_the_former_engine_is_not_taken() -> None:
    """It may say what its standby knows nothing of; what was sent to it goes to the other one again."""
    link = Link().connected()
    link.source.send([order(1)])
    link.handle(link.up())
    late = [frames for _, frames in link.engine.outgoing()]
    assert late
    link.source.turn_to_another()
    assert [news for frames in late for news in link.source.receive(frames) if isinstance(news, Reports)] == []
    link.source.receive(_welcome(1))
    assert [header_of(frames)[0] for frames in link.source.outgoing()] == [Kind.HELLO, Kind.COMMANDS]


def test_orders_follow_an_engine_to_its_next_place(short_dir: Path) -> None:
    """Each is handled once; who was at the first place comes back there in vain, for its term is lower."""
    places = [short_dir / name for name in ("a", "b")]
    for place in places:
        place.mkdir()
    wiring = Wiring(places[0], also={"engine": (Wiring(places[1]),)})
    first = OrderServer(places[0])
    source = LinkEnd(Source.FLOW, "engine", ChannelSocket(ORDERS, wiring, "engine"))
    servers, now_ns = [first], monotonic_ns()

    def turn() -> bool:
        nonlocal now_ns
        now_ns += 20 * NS_PER_MS
        for server in servers:
            server.serve()
        source.tick(now_ns)
        list(source.receive())
        return source.is_connected

    def is_done() -> bool:
        return turn() and not source.in_flight

    try:
        until("the first answers", turn)
        source.send([order(1)])
        until("it has handled all", is_done)
        first.socket.close()
        second = servers[0] = OrderServer(places[1])
        second.link, second.handled = first.link, first.handled
        second.link.term = 1
        until("the second answers", lambda: turn() and source.socket.endpoint.endswith("/b/orders.ipc"))
        source.send([order(2)])
        until("it has handled all", is_done)
        assert second.handled == [1, 2]
        second.socket.close()
        servers[0] = OrderServer(places[0])
        with pytest.raises(SupersededError):
            until("the stale one hears of it", lambda: turn() and False)
    finally:
        source.close()
        servers[0].socket.close()


def test_readers_find_a_feed_over_tcp_with_the_key_of_its_machine(short_dir: Path) -> None:
    """From a socket of this machine to another one that has keys, and back."""
    port = free_ports()
    server = Side(short_dir / "b", port)
    client = Side(short_dir / "a", port, server.keys.public)
    server.allowed_file.write_text(f"{client.keys.public.decode()} a reader\n")
    assert client.wiring.tcp is not None
    far = replace(client.wiring, tcp=replace(client.wiring.tcp))
    near = Wiring(short_dir / "a", engine_of={"BTCUSDT": "engine"}, also={"engine": (far,)})
    reader = FeedSubscriber(near, [Topic.BOOK.of("BTCUSDT")])
    feed, snapshots = reader.sockets
    now_ns = monotonic_ns()

    def turn() -> None:
        nonlocal now_ns
        now_ns += 50 * NS_PER_MS
        reader.tick(now_ns)

    def is_found(binders: list[ChannelSocket], found: set[bytes]) -> bool:
        turn()
        asked = [binder.receive() for binder in binders]
        found.update(frames[-1] for frames in asked if frames)
        return len(found) == 2

    with ExitStack() as stack:
        stack.callback(gate.close)
        stack.callback(reader.close)
        for name in ("a", "b"):
            wiring = near if name == "a" else server.wiring
            binders = [ChannelSocket(each, wiring, "engine", is_binder=True) for each in (FEED, SNAPSHOTS)]
            found = set[bytes]()
            until(f"both are found at {name}", partial(is_found, binders, found))
            assert found == {b"\x01book.BTCUSDT", b"book.BTCUSDT"}
            assert {feed.endpoint[:3], snapshots.endpoint[:3]} == ({"ipc"} if name == "a" else {"tcp"})
            for binder in binders:
                binder.close()


def test_a_peer_that_says_nothing_is_left(short_dir: Path) -> None:
    """A connection may be taken for one to the former place; and who is there may be stopped."""
    wiring = Wiring(short_dir, also={"engine": (Wiring(short_dir / "b"),)})
    binder = ChannelSocket(ORDERS, short_dir, "engine", is_binder=True)
    socket = ChannelSocket(ORDERS, wiring, "engine")
    until("it is connected", lambda: socket.send([b"x", b""]))
    assert not socket.look_elsewhere(1, is_heard=False)
    assert not socket.look_elsewhere(UNHEARD_NS, is_heard=False)
    assert not socket.look_elsewhere(UNHEARD_NS + 1, is_heard=True)
    assert not socket.look_elsewhere(2 * UNHEARD_NS, is_heard=False)
    assert socket.look_elsewhere(3 * UNHEARD_NS + 1, is_heard=False)
    assert socket.endpoint.endswith("/b/orders.ipc")
    assert not socket.send([b"x", b""]), "nobody is there"
    socket.close()
    binder.close()


def test_without_another_place_a_socket_stays_where_it_is(short_dir: Path) -> None:
    """However long nobody is there."""
    socket = ChannelSocket(ORDERS, short_dir, "engine")
    assert [socket.look_elsewhere(number * ELSEWHERE_NS, is_heard=False) for number in range(4)] == [False] * 4
    socket.close()
