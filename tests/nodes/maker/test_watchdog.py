"""The watchdog: when it acts, and what it does."""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from desk.decisions_file import DecisionsFile, decisions_from, last_decisions
from desk.run_dir import WATCHDOG, LockFile, NodeError, holder_pid
from desk.settings import load_settings
from market.account import VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time, utc_date
from market.codes import Side
from market.exact_json import JsonObject
from nodes.maker import watching
from nodes.maker.decisions import WatchdogDecisions
from nodes.maker.ids import SENT_FILE, Note, SentOrder, SentOrders, write_note
from nodes.maker.node import clean_up
from nodes.maker.watchdog import BEAT, OUT, STOPPING, Watchdog, end_earlier
from nodes.maker.watching import LOOK_NS, PATIENT_PAUSE_NS_MAX, Silence, await_end, take_away
from nodes.node import Node
from tests.desk.desk_process import PATIENCE_S, until
from tests.nodes.maker.makers import AWAY, PREFIX, Told, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from venues.venue import ARRIVAL_MS_MAX, VenueBusyError, VenueError, VenueKeysError, VenueRefusedError

LONG_S = 3_600.0
SHORT_S = 0.01


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The line between a maker and its watchdog: the maker's end, the watchdog's."""
    ours, its = socket.socketpair()
    with ours, its:
        yield ours, its


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What is killed, instead of killing it."""
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("nodes.maker.watching.os.kill", lambda *what: told.append(what))
    monkeypatch.setattr(watching, "DEATH_S_MAX", SHORT_S)
    return told


def _order(order_id: str, name: str, symbol: str = "BTCUSDT") -> VenueOrder:
    return VenueOrder(order_id, name, symbol, Side.BUY, Decimal(3_000), Decimal(1), Decimal(0), "NEW", 0)


def _take_away(venue: ScriptedVenue, run_dir: Path = Path("none"), *, is_closed: bool = False) -> None:
    log = structlog.get_logger()
    sent = SentOrders(run_dir, PREFIX, "BTCUSDT", "scripted", log)
    decisions = WatchdogDecisions(run_dir, "it was silent", log, lambda: 10**18)
    take_away(venue, sent, log, lambda: is_closed, decisions.cancelled, venue.clock, venue.wait)


def test_silence_counts_only_time_in_which_something_could_be_heard() -> None:
    """A watchdog that was stopped, or a machine that slept, must not kill a maker that was held up as well."""
    silence = Silence(0)
    for now_ns in (LOOK_NS, 2 * LOOK_NS, 1_000 * LOOK_NS):
        silence.look(now_ns)
    assert silence.ns == 4 * LOOK_NS


@pytest.mark.parametrize(
    ("said", "is_heir", "cause"),
    [
        ([], False, ""),
        ([], True, "it has ended"),
        ([BEAT], False, "it has ended"),
        ([BEAT, STOPPING], False, "it has ended"),
        ([BEAT, STOPPING, OUT], False, ""),
        ([OUT], True, ""),
    ],
)
def test_it_acts_when_the_maker_ends_unless_nothing_is_open(
    ends: tuple[socket.socket, socket.socket], said: list[bytes], is_heir: bool, cause: str
) -> None:
    """Before its first beat a maker has entered nothing, but what a watchdog that was at work had to do remains."""
    ours, its = ends
    for word in said:
        ours.send(word)
    ours.close()
    assert await_end(its.fileno(), os.getppid(), LONG_S, LONG_S, is_heir=is_heir) == cause


def test_it_kills_a_silent_maker(ends: tuple[socket.socket, socket.socket], kills: list[tuple[int, int]]) -> None:
    """What hangs must not go on with an old quote once it is awake."""
    ours, its = ends
    ours.send(BEAT)
    assert "silent" in await_end(its.fileno(), os.getppid(), SHORT_S, LONG_S, is_heir=False)
    assert kills == [(os.getppid(), signal.SIGKILL)]


def test_it_gives_a_stop_its_time(ends: tuple[socket.socket, socket.socket], kills: list[tuple[int, int]]) -> None:
    """A maker that stops waits for a venue that may be slow, and says nothing meanwhile."""
    ours, its = ends
    ours.send(BEAT + STOPPING)
    assert f"for {2 * SHORT_S:g} s" in await_end(its.fileno(), os.getppid(), LONG_S, 2 * SHORT_S, is_heir=False)
    assert kills


def test_it_kills_nobody_who_is_not_its_parent(
    ends: tuple[socket.socket, socket.socket], kills: list[tuple[int, int]]
) -> None:
    """A pid may be somebody else's by now."""
    ours, its = ends
    ours.send(BEAT)
    assert await_end(its.fileno(), os.getppid() + 1, SHORT_S, LONG_S, is_heir=False)
    assert kills == []


def test_it_cancels_in_every_pair_what_is_the_makers_and_nothing_else(venue: ScriptedVenue, told: Told) -> None:
    """Two desks and a person may share the account."""
    own = _order("1", f"{PREFIX}1"), _order("2", f"{PREFIX}2", "ETHUSDT")
    others = _order("3", "tb-other-1"), _order("4", "by-hand")
    venue.orders = {each.order_id: each for each in (*own, *others)}
    _take_away(venue)
    assert list(venue.orders) == ["3", "4"]
    assert [line["order_id"] for line in lines(told, "cancelled")] == ["1", "2"]


def test_it_cancels_what_the_maker_has_noted_as_taken_though_no_list_shows_it(
    run_dir: Path, venue: ScriptedVenue, told: Told
) -> None:
    """It said that nothing was left of an order that was acknowledged just before the maker died, as lists lagged."""
    here, elsewhere = _order("1", f"{PREFIX}1"), _order("2", f"{PREFIX}2", "ETHUSDT")
    ended = replace(_order("3", f"{PREFIX}3"), status="FILLED")
    venue.orders = {each.order_id: each for each in (here, elsewhere)}
    venue.hidden = set(venue.orders)
    left = [SentOrder(each.client_order_id, each.symbol, "scripted", each) for each in (here, ended, elsewhere)]
    of_other = replace(left[0], name=f"{PREFIX}4", account="other", order=replace(here, order_id="4"))
    write_note(run_dir / SENT_FILE, Note([*left, of_other], {}))
    venue.fates["cancel_in"] = [AWAY]
    _take_away(venue, run_dir)
    assert (venue.orders, venue.cancels) == ({}, ["1", "2"])
    assert [line["order_id"] for line in lines(told, "cancelled")] == ["1", "2"]


def test_what_it_cancels_stands_among_the_decisions(run_dir: Path, venue: ScriptedVenue, told: Told) -> None:
    """An order of which a placing was told was gone without a word, or as if somebody else had ended it.

    A disk that takes nothing keeps no order in the book.
    """
    venue.orders = {"1": _order("1", f"{PREFIX}1")}
    _take_away(venue, run_dir)
    (line,) = last_decisions(run_dir, 9)
    names = "action", "symbol", "side", "price", "qty", "client_order_id", "rule"
    assert [line[name] for name in names] == ["cancel", "BTCUSDT", "BUY", 3_000, 1, f"{PREFIX}1", "WATCHDOG"]
    assert line["why"].endswith("it was silent")
    venue.orders = {"2": _order("2", f"{PREFIX}2")}
    _take_away(venue, run_dir / "is not there")
    assert venue.orders == {}
    assert len(lines(told, "a decision is not kept")) == 1


def test_an_order_has_one_end_however_long_a_list_has_it_and_whoever_else_had_cancelled_it(
    run_dir: Path, venue: ScriptedVenue, told: Told
) -> None:
    """The maker's cancel was on its way as it died; a list that lags had both of them again and again."""
    orders = [_order("1", f"{PREFIX}1"), _order("2", f"{PREFIX}2")]
    venue.orders = {each.order_id: each for each in orders}
    sent = [SentOrder(each.client_order_id, each.symbol, "scripted", each) for each in orders]
    write_note(run_dir / SENT_FILE, Note(sent, {}))
    cancel = {"symbol": "BTCUSDT", "side": "BUY", "action": "cancel", "price": 3_000, "qty": 1, "rule": "TOLERANCE"}
    names: JsonObject = {"client_order_id": f"{PREFIX}1", "why": "off", "numbers": {}, "level": None, "model": None}
    DecisionsFile(run_dir).write([{"time": iso_time(0), **cancel, **names}], 0)
    looks: list[None] = []

    def look() -> None:
        looks.append(None)
        if len(looks) > 3:
            venue.orders.clear()
        elif len(looks) > 1:
            venue.orders |= {each.order_id: each for each in orders}

    venue.before["all_open_orders"] = look
    _take_away(venue, run_dir)
    assert len(looks) > 3
    assert [line["order_id"] for line in lines(told, "cancelled")] == ["1", "2"]
    assert [line["cancelled"] for line in lines(told, "nothing is left at the venue")] == [2]
    found = [(each["client_order_id"], each["rule"]) for day in (0, 10**18) for each in _decisions(run_dir, day)]
    assert found == [(f"{PREFIX}1", "TOLERANCE"), (f"{PREFIX}2", "WATCHDOG")]


def _decisions(run_dir: Path, now_ns: int) -> list[JsonObject]:
    return decisions_from(run_dir, utc_date(now_ns), 0)[0]


def test_it_looks_until_nothing_can_arrive_any_more(venue: ScriptedVenue) -> None:
    """An order that had left when the maker died may come after the first look; lists of all pairs weigh much."""
    began_ns = venue.now[0]

    def arrive() -> None:
        if venue.now[0] >= began_ns + ARRIVAL_MS_MAX * NS_PER_MS:
            venue.orders["9"] = _order("9", f"{PREFIX}9")
            del venue.before["all_open_orders"]

    venue.before["all_open_orders"] = arrive
    _take_away(venue)
    assert (venue.orders, venue.cancels) == ({}, ["9"])
    assert venue.calls.count("all_open_orders") <= 7


def test_it_tries_a_venue_that_fails_again_and_leaves_it_alone_as_long_as_it_says(venue: ScriptedVenue) -> None:
    """An exchange that is down for a moment, and one that has had enough of us."""
    venue.orders["1"] = _order("1", f"{PREFIX}1")
    venue.fates["all_open_orders"] = [AWAY, VenueBusyError("too much", 20.0), None]
    venue.fates["cancel_in"] = [AWAY]
    began_ns = venue.now[0]
    _take_away(venue)
    assert venue.orders == {}
    assert venue.now[0] - began_ns > 20 * NS_PER_SECOND


@pytest.mark.parametrize("is_noted", [False, True])
def test_what_it_has_cancelled_is_told_though_the_venue_fails_at_the_next(
    run_dir: Path, venue: ScriptedVenue, told: Told, *, is_noted: bool
) -> None:
    """An order was gone from the book, and nobody heard who had cancelled it."""
    orders = [_order(str(number), f"{PREFIX}{number}") for number in (1, 2)]
    venue.orders |= {order.order_id: order for order in orders}
    if is_noted:
        noted = [SentOrder(order.client_order_id, "BTCUSDT", "scripted", order) for order in orders]
        write_note(run_dir / SENT_FILE, Note(noted, {}))
    venue.fates["cancel_in"] = [None, AWAY]
    _take_away(venue, run_dir)
    assert venue.orders == {}
    assert [line["order_id"] for line in lines(told, "cancelled")] == ["1", "2"]


def test_an_order_that_the_venue_does_not_cancel_keeps_no_other_in_the_book(
    run_dir: Path, venue: ScriptedVenue, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One noted in a pair that takes no cancels was tried again for a minute, and none behind it at all."""
    noted, listed = _order("1", f"{PREFIX}1", "ETHUSDT"), _order("2", f"{PREFIX}2")
    venue.orders = {each.order_id: each for each in (noted, listed)}
    write_note(run_dir / SENT_FILE, Note([SentOrder(noted.client_order_id, "ETHUSDT", "scripted", noted)], {}))
    cancel_in, opens_ns = venue.cancel_in, venue.now[0] + 600 * NS_PER_SECOND

    def refuse_in_one_pair(symbol: str, order_id: str) -> VenueOrder | None:
        if symbol == "ETHUSDT" and venue.now[0] < opens_ns:
            raise VenueRefusedError("Market is closed.", -1013)
        return cancel_in(symbol, order_id)

    monkeypatch.setattr(venue, "cancel_in", refuse_in_one_pair)
    _take_away(venue, run_dir)
    assert venue.orders == {}
    assert [line["order_id"] for line in lines(told, "cancelled")] == ["2", "1"]
    tries = lines(told, "the venue failed, own orders may be open: tries on")
    assert {line["why"] for line in tries} == {"Market is closed."}


def test_it_gives_up_where_the_exchange_is_gone_for_good_and_says_so(venue: ScriptedVenue, told: Told) -> None:
    """Nothing of a desk stays for ever, where there is nobody to ask."""
    venue.fates["all_open_orders"] = [AWAY] * 10_000
    _take_away(venue, is_closed=True)
    assert venue.calls.count("all_open_orders") == 1
    assert [line["prefix"] for line in lines(told, "own orders may be left at the venue")] == [PREFIX]


@pytest.mark.parametrize("failure", [AWAY, VenueKeysError("no such key"), VenueRefusedError("Market is closed.")])
def test_it_tries_for_as_long_as_the_venue_fails(venue: ScriptedVenue, told: Told, failure: VenueError) -> None:
    """After a minute it had ended, with orders in the book and nobody left to take them away."""
    venue.orders["1"] = _order("1", f"{PREFIX}1")
    venue.fates["all_open_orders"] = [failure] * 300
    began_ns = venue.now[0]
    _take_away(venue)
    assert venue.orders == {}
    assert venue.now[0] - began_ns > 3_600 * NS_PER_SECOND
    waits_s = [line["wait_s"] for line in lines(told, "the venue failed, own orders may be open: tries on")]
    assert len(waits_s) == 300
    assert waits_s == sorted(waits_s)
    assert max(waits_s) * NS_PER_SECOND == PATIENT_PAUSE_NS_MAX
    assert len(lines(told, "nothing is left at the venue")) == 1


def test_no_quotes_where_it_does_not_start(run_dir: Path) -> None:
    """Here there are no keys, so that it could do nothing."""
    watchdog = Watchdog(run_dir, PREFIX)
    try:
        with pytest.raises(NodeError, match="the watchdog does not start"):
            watchdog.await_ready()
        watchdog._process.wait(PATIENCE_S)
        assert not watchdog.beat()
        assert watchdog.has_failed
    finally:
        watchdog.close()


def test_no_earlier_one_is_ended_where_there_is_none(run_dir: Path) -> None:
    """A lock that nobody holds is no watchdog."""
    LockFile(run_dir / f"{WATCHDOG}.lock", "nobody").release()
    assert not end_earlier(run_dir)


def test_who_cleans_up_cancels_while_its_watchdog_comes_up(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine that took all of the time that a stop has, and then nothing was cancelled."""
    calls: list[str] = []

    class Recorded:
        def __init__(self, *_: object) -> None:
            pass

        def __getattr__(self, name: str) -> Callable[[], None]:
            return lambda: calls.append(name)

    monkeypatch.setattr("nodes.maker.node.Watchdog", Recorded)
    monkeypatch.setattr("nodes.maker.node._maker", lambda *_: Recorded())
    settings = load_settings({"run_dir": run_dir}).settings
    with contextlib.closing(Node(settings.plan.named(["maker"])[0], settings)) as node:
        clean_up(node)
    assert calls == ["stopping", "stop", "release", "close"]


def test_what_a_killed_maker_has_left_is_not_given_up_by_who_cleans_up(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A stop in the midst of an outage ended the watchdog that was trying, and then itself: nobody tried on."""
    elsewhere = {"NAME": "binance-testnet", "URL": "http://127.0.0.1:9", "API_KEY": "key", "SECRET": "secret"}
    for name, value in elsewhere.items():
        monkeypatch.setenv(f"TICKBUS_VENUE__{name}", value)
    made: list[Watchdog] = []

    class Made(Watchdog):
        def __init__(self, run_dir: Path, prefix: str) -> None:
            super().__init__(run_dir, prefix)
            made.append(self)

    monkeypatch.setattr("nodes.maker.node.Watchdog", Made)
    settings = load_settings({"run_dir": run_dir}).settings
    node = Node(settings.plan.named(["maker"])[0], settings)
    with contextlib.closing(node), pytest.raises(NodeError, match="may be left at the venue"):
        clean_up(node)
    said: list[str] = []

    def has_heard_of_the_end() -> bool:
        said.extend(capfd.readouterr())
        return "takes the maker's orders away" in "".join(said) or made[0]._process.poll() is not None

    until("it has heard that who cleans up has ended", has_heard_of_the_end)
    is_at_work = holder_pid(run_dir / f"{WATCHDOG}.lock")
    end_earlier(run_dir)
    assert [each._process.wait(PATIENCE_S) for each in made] == [-signal.SIGKILL]
    assert is_at_work == made[0]._process.pid
