"""The end of a maker, and its successor's beginning."""

import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from desk.run_dir import NodeError
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from nodes.maker import ids
from nodes.maker.ids import client_order_ids, forget_out, out_since, own_prefix
from nodes.maker.node import check_weight
from tests.desk.desk_process import until
from tests.nodes.maker.makers import AWAY, LOST, PREFIX, ScriptedLine, ScriptedMaker, Told, a_maker, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.actions import Action, Move, Place
from trading.spending import QUOTING_MAX, START_WEIGHT, WINDOW_NS
from venues.polling_line import PollingLine
from venues.venue import (
    ARRIVAL_MS_MAX,
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
)


def test_stop_cancels_everything_of_ours_and_says_why(
    quoting: ScriptedMaker, venue: ScriptedVenue, told: Told, run_dir: Path
) -> None:
    """A maker that is told to stop leaves nothing, says so of both sides, and notes it for whoever asks later."""
    quoting.cycle()
    assert [(each["side"], each["rule"]) for each in figures(quoting)["quotes"]] == [
        ("BUY", "WANTED"),
        ("SELL", "WANTED"),
    ]
    assert out_since(run_dir) == ""
    quoting.stop()
    assert venue.orders == {}
    shown = figures(quoting)
    assert [shown[name] for name in ("quotes", "bid", "ask", "bid_rule")] == [[], None, None, "STOPPING"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", out_since(run_dir))
    forget_out(run_dir)
    assert out_since(run_dir) == ""
    assert [line["why"] for line in lines(told, "cancelled")] == ["the maker stops"] * 2


@pytest.mark.parametrize("arrives_after_s", [0.0, 0.3, 5.5])
def test_stop_waits_for_an_order_in_flight_and_cancels_it(
    quoting: ScriptedMaker,
    venue: ScriptedVenue,
    now: list[int],
    monkeypatch: pytest.MonkeyPatch,
    arrives_after_s: float,
) -> None:
    """Its reply was lost, and it arrives after everything else was cancelled: a clean stop left it there."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    arrives_ns = now[0] + int(arrives_after_s * NS_PER_SECOND)

    def wait(_: socket.socket, wait_ns: int | None) -> None:
        now[0] += wait_ns or 0
        if now[0] >= arrives_ns:
            venue.arrive()

    monkeypatch.setattr("nodes.maker.maker.wait_for", wait)
    quoting.stop()
    assert venue.late == []
    assert venue.orders == {}
    assert venue.ended["1"].status == "CANCELED"


def test_stop_ends_when_an_order_in_flight_can_no_longer_arrive(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]
) -> None:
    """It was lost on its way there."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    before_ns = now[0]
    quoting.stop()
    assert venue.orders == {}
    assert ARRIVAL_MS_MAX * NS_PER_MS < now[0] - before_ns < 2 * ARRIVAL_MS_MAX * NS_PER_MS


def test_no_order_is_entered_once_the_stop_is_asked_for(
    venue: ScriptedVenue, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes while the venue is slow to take the first of two quotes; that one is cancelled."""
    is_stopping = threading.Event()
    venue.before["place"] = partial(is_stopping.wait, 60)
    with a_maker(run_dir, venue, make_line=PollingLine) as one:
        line = one.maker._line

        def take_back(of: Callable[[], Sequence[Action]] = line.take_back) -> Sequence[Action]:
            taken = of()
            is_stopping.set()
            return taken

        monkeypatch.setattr(line, "take_back", take_back)
        until("the first quote is on its way", lambda: one.maker.step() and venue.places == 1)
        one.stop()
    assert (venue.places, venue.orders) == (1, {})
    assert venue.ended["1"].status == "CANCELED"


@pytest.mark.parametrize("error", [VenueRefusedError("internal error", -1001), AWAY, VenueBusyError("slow down", 1.0)])
def test_stop_tries_again_while_the_venue_is_away(
    quoting: ScriptedMaker, venue: ScriptedVenue, error: VenueError
) -> None:
    """The exchange may be coming back from a restart just then: orders were left there at the first error."""
    quoting.cycle()
    venue.fates["cancel"] = [error, error]
    quoting.stop()
    assert venue.orders == {}


def test_stop_tries_again_after_a_call_that_had_no_answer_for_long(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int]
) -> None:
    """A time-out is longer than it tried: on a busy machine one cancel without an answer left all to the next."""
    quoting.cycle()

    def hang() -> None:
        now[0] += 5 * NS_PER_SECOND
        del venue.before["cancel"]

    venue.before["cancel"] = hang
    venue.fates["cancel"] = [AWAY]
    quoting.stop()
    assert venue.orders == {}


@pytest.mark.parametrize(("error", "calls"), [(AWAY, 11), (VenueBusyError("no", 60.0), 1), (VenueKeysError("no"), 1)])
def test_stop_that_cannot_cancel_says_what_is_left(
    quoting: ScriptedMaker, venue: ScriptedVenue, now: list[int], run_dir: Path, error: VenueError, calls: int
) -> None:
    """Whoever stops it must hear that orders are left; a venue that bans us is not asked again and again."""
    quoting.cycle()
    venue.calls.clear()
    venue.fates["open_orders"] = [error] * 1_000
    before_ns = now[0]
    with pytest.raises(NodeError, match=rf"own orders \({PREFIX}\.\.\.\) may be left at the venue: {error}"):
        quoting.stop()
    assert now[0] - before_ns <= 3 * NS_PER_SECOND
    assert venue.calls.count("open_orders") <= calls
    assert out_since(run_dir) == "", "some may be"


def test_successor_of_a_killed_maker_takes_over_its_orders(
    venue: ScriptedVenue, now: list[int], run_dir: Path, told: Told
) -> None:
    """They are known by its note, and by their client order ids; what was filled is told once, meanwhile too."""
    with a_maker(run_dir, venue) as killed:
        killed.cycle()
        venue.fill("1", Decimal("0.003"))
        killed.cycle()
    venue.fill("1", Decimal("0.002"))
    with a_maker(run_dir, venue) as successor:
        successor.cycle()
        assert (venue.places, venue.cancels) == (2, [])
        venue.fill("1", Decimal("0.001"))
        successor.cycle()
    assert [line["qty"] for line in lines(told, "filled")] == ["0.003", "0.002", "0.001"]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("call", ["find_order", "open_orders", "depth", "cancel", "place", "balances"])
@pytest.mark.parametrize("does_arrive", [True, False])
def test_maker_killed_at_any_call_leaves_none_that_its_successor_doubles(
    venue: ScriptedVenue, now: list[int], run_dir: Path, call: str, does_arrive: bool
) -> None:
    """An order on its way when the maker dies is in no list of open orders; its note tells the successor to ask."""
    with a_maker(run_dir, venue) as first:
        venue.fates["place"] = [LOST] if call == "find_order" else []
        first.cycle()
        assert venue.mid_ticks is not None
        venue.mid_ticks += 10_000
        venue.does_arrive = does_arrive
        venue.fill(max(venue.orders), Decimal("0.001"))
        venue.fates[call] = [Killed()]
        with pytest.raises(Killed):
            first.cycle()
    most = []
    with a_maker(run_dir, venue) as successor:
        for step in range(40):
            successor.cycle()
            if step == 2:
                venue.arrive()
            sides = [order.side for order in venue.orders.values()]
            most.append(max(sides.count(side) for side in Side))
            now[0] += NS_PER_SECOND // 4
    assert max(most) == 1
    assert sorted(venue.prices()) == [Side.BUY, Side.SELL]


def test_an_order_is_noted_before_it_leaves(venue: ScriptedVenue, now: list[int], run_dir: Path) -> None:
    """A maker that died between the two left an order that nobody knew of: the note came after it; moves likewise."""
    left: list[str] = []

    class Witness(ScriptedLine):
        def act(self, actions: Sequence[Action]) -> None:
            noted = {each.name for each in ids.read_note(run_dir / ids.SENT_FILE).orders}
            places = [each.place if isinstance(each, Move) else each for each in actions]
            names = {each.client_order_id for each in places if isinstance(each, Place)}
            assert names <= noted
            left.extend(names)
            super().act(actions)

    with a_maker(run_dir, venue, make_line=Witness) as one:
        one.cycle()
        venue.mid_ticks = 9_138_500 + 10_000
        one.cycle()
    assert len(left) == 4


def test_a_successor_sends_no_more_than_one_maker_may(venue: ScriptedVenue, run_dir: Path) -> None:
    """The venue goes on counting; each life of a maker that was killed had all of the limit."""
    limits: dict[str, Any] = {"limits.orders_in_10_s": 3}
    with a_maker(run_dir, venue, **limits) as one:
        one.cycle()
    with a_maker(run_dir, venue, **limits) as successor:
        rate = successor.maker._trader.guard.rate
        assert (rate.room(venue.clock()), rate.day_count) == (1, 2)
    other = ids.SentOrders(run_dir, PREFIX, "BTCUSDT", "other", successor.maker._log)
    assert other.lately.day_count == 0, "each account is counted apart"


def test_starts_of_a_maker_that_is_killed_wait_for_request_weight(venue: ScriptedVenue, run_dir: Path) -> None:
    """Each asks for the open orders of all pairs, which weighs as much as forty quotes: fifty a minute are a ban."""

    def note() -> ids.SentOrders:
        return ids.SentOrders(run_dir, PREFIX, "BTCUSDT", "scripted", structlog.get_logger())

    count = 0
    while sum(weight for _, weight in note().lately.spent) + START_WEIGHT <= QUOTING_MAX:
        check_weight(note().lately, venue.clock())
        with a_maker(run_dir, venue) as one:
            one.cycle()
        count += 1
    with pytest.raises(NodeError, match="request weight"):
        check_weight(note().lately, venue.clock())
    assert QUOTING_MAX / (2 * START_WEIGHT) < count < QUOTING_MAX / START_WEIGHT, "with what they asked"
    check_weight(note().lately, venue.clock() + WINDOW_NS)


def test_note_of_sent_orders_that_cannot_be_written_does_not_end_the_maker(
    quoting: ScriptedMaker, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    """A full disk: it goes on quoting, and says once what that costs."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ids, "write_note", fail)
    quoting.cycle()
    assert len(venue.orders) == 2
    assert len([line for line in told if "No space left" in line.get("why", "")]) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '[{"id": 1}]', '{"id": 1}', '{"orders": [], "lately": {"scripted": 1}}']
)
def test_damaged_note_of_sent_orders_does_not_end_the_start(
    venue: ScriptedVenue, now: list[int], run_dir: Path, told: Told, text: str
) -> None:
    """It is a help, not a condition."""
    (run_dir / "maker_sent.json").write_text(text)
    with a_maker(run_dir, venue) as one:
        one.cycle()
    assert len(venue.orders) == 2
    assert any("not kept" in line["event"] for line in told)


def test_prefix_is_made_up_once_for_a_run_directory(tmp_path: Path) -> None:
    """A restarted maker knows its orders again; another desk has another prefix; 36 characters hold a whole id."""
    prefix = own_prefix(tmp_path)
    assert own_prefix(tmp_path) == prefix
    other = tmp_path / "other"
    other.mkdir()
    assert own_prefix(other) != prefix
    assert len(next(client_order_ids(prefix))) <= 30


@pytest.mark.parametrize("text", ["", "\n", "Ünsinn"])
def test_prefix_that_was_not_written_whole_is_made_anew(tmp_path: Path, text: str) -> None:
    """An empty name is that of every desk that was killed at this moment: each would cancel the other's orders."""
    (tmp_path / "maker_id").write_text(text)
    assert len(own_prefix(tmp_path)) == len("tb-123456-")
    assert own_prefix(tmp_path) == own_prefix(tmp_path)


def test_every_quote_is_shown_with_its_size(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """`status` shows prices, what is left, and the counts."""
    quoting.cycle()
    venue.orders["2"] = replace(venue.orders["2"], filled_qty=Decimal("0.001"), status="PARTIALLY_FILLED")
    quoting.cycle()
    shown = figures(quoting)
    assert (shown["bid"], shown["bid_qty"]) == ("91202.23", "0.01094")
    assert (shown["ask"], shown["ask_qty"], shown["ask_idle"]) == ("91567.77", "0.00994", None)
    assert (shown["placed"], shown["cancelled"], shown["mid"]) == (2, 0, "91385")
