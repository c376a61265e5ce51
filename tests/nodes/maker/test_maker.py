"""The maker against a venue that does what the test says, on a clock that the test moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from desk.halted_file import HaltedFile
from desk.run_dir import NodeError
from desk.settings import load_settings
from market.account import VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from nodes.maker import node as maker
from nodes.maker.ids import SENT_FILE, SentOrders, client_order_ids, own_prefix
from nodes.maker.node import BACKOFF_NS_MAX, REFUSED_PAUSE_NS, MakerNode
from nodes.node import Node
from tests.desk.desk_process import short_directory
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.order_rules import OrderRules
from trading.quoting import Quote
from venues.venue import (
    ARRIVAL_MS_MAX,
    VenueBusyError,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueUnavailableError,
    VenueUnknownError,
)

PREFIX = "tb-mine-"
RULES = OrderRules(notional_min=Decimal(5))
LOST = VenueUnknownError("lost")
AWAY = VenueUnavailableError("out of reach")
Told = list[Any]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The monotonic clock, in a list that the test may change; to sleep moves it."""
    at = [10**15]
    monkeypatch.setattr(maker, "monotonic_ns", lambda: at[0])
    monkeypatch.setattr(
        "nodes.maker.node.time.sleep", lambda wait_s: at.__setitem__(0, at[0] + int(wait_s * NS_PER_SECOND))
    )
    monkeypatch.setattr("nodes.maker.node.random.uniform", lambda _, most: most)
    return at


@pytest.fixture
def venue() -> ScriptedVenue:
    """A venue without orders."""
    return ScriptedVenue()


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """The run directory of every maker of the test."""
    with short_directory() as path:
        yield path


@contextmanager
def a_maker(run_dir: Path, venue: ScriptedVenue, rules: OrderRules = RULES, **settings: Any) -> Iterator[MakerNode]:
    """Make a maker at that venue."""
    options = {f"maker.{name}": value for name, value in settings.items()}
    settings_of_maker = load_settings({"run_dir": run_dir, **options}).settings
    node = Node(settings_of_maker.plan.named(["maker"])[0], settings_of_maker)
    yield MakerNode(node, venue, PREFIX, rules)
    node.close()


@pytest.fixture
def quoting(venue: ScriptedVenue, now: list[int], run_dir: Path) -> Iterator[MakerNode]:
    """A maker at that venue."""
    with a_maker(run_dir, venue) as one:
        yield one


@pytest.fixture
def told() -> Iterator[Told]:
    """Every line of the log."""
    with capture_logs() as lines:
        yield lines


def lines(told: Told, event: str) -> Told:
    """Return the lines of one event."""
    return [line for line in told if line["event"] == event]


def figures(one: MakerNode) -> dict[str, Any]:
    """Return what `status` shows."""
    return one._node._figures


# --- where the quotes stand ---


def test_quotes_both_sides_around_the_mid_of_others(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """Its own orders do not move its mid, however often it looks."""
    for _ in range(3):
        quoting.cycle()
    assert venue.prices() == {Side.BUY: Decimal("91202.23"), Side.SELL: Decimal("91567.77")}
    assert venue.places == 2


def test_requotes_only_beyond_the_tolerance(quoting: MakerNode, venue: ScriptedVenue, told: Told) -> None:
    """3 bps of 91,385 are 27.41: a move of 27 leaves the orders, one of 28 replaces both, and the log says why."""
    quoting.cycle()
    venue.mid_ticks = 9_138_500 + 2_700
    quoting.cycle()
    assert venue.cancels == []
    venue.mid_ticks += 100
    quoting.cycle()
    assert sorted(venue.cancels) == ["1", "2"]
    assert len(venue.orders) == 2
    assert [line["why"] for line in lines(told, "cancelled")] == [
        "requote: 2794 ticks off, 2742 are tolerated",
        "requote: 2806 ticks off, 2742 are tolerated",
    ]


def test_orders_of_others_on_the_account_are_not_touched(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """Only a client order id with the desk's own prefix is ours."""
    foreign = VenueOrder("x", "by-hand", "BTCUSDT", Side.BUY, Decimal(91_000), Decimal(1), Decimal(0), "NEW", 0)
    venue.orders["x"] = foreign
    quoting.cycle()
    quoting.stop()
    assert list(venue.orders.values()) == [foreign]


def test_empty_side_pulls_the_quotes_and_says_so_once(quoting: MakerNode, venue: ScriptedVenue, told: Told) -> None:
    """Without a mid there is no price to believe in; the way back is told by the quotes themselves."""
    quoting.cycle()
    venue.mid_ticks = None
    for _ in range(3):
        quoting.cycle()
    assert venue.orders == {}
    assert [line["side"] for line in lines(told, "not quoting")] == ["BUY", "SELL"]
    assert "no mid" in figures(quoting)["bid_idle"]
    assert figures(quoting)["mid"] is None
    venue.mid_ticks = 9_138_500
    quoting.cycle()
    assert len(venue.orders) == 2
    assert figures(quoting)["bid_idle"] is None


def test_order_without_an_answer_is_not_taken_for_the_market(
    quoting: MakerNode, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may rest already and be the best price there is: a maker that took it for another's would chase itself."""
    venue.fates["place"], venue.does_arrive = [LOST, LOST], True
    quoting.cycle()
    monkeypatch.setattr(venue, "find_order", lambda *_: None)
    venue.hidden |= {"1", "2"}
    venue.mid_ticks = None
    quoting.cycle()
    assert figures(quoting)["mid"] is None


# --- fills and sizes ---


def test_fill_is_told_with_its_price_and_the_side_is_quoted_again(
    quoting: MakerNode, venue: ScriptedVenue, told: Told
) -> None:
    """No log told of a fill; the other side stays where it is in its queue."""
    venue.totals = {"BTC": "1"}
    quoting.cycle()
    venue.fill("1")
    venue.totals = {"BTC": "1.01094"}
    quoting.cycle()
    assert venue.cancels == []
    assert sorted(venue.orders) == ["2", "3"]
    (line,) = lines(told, "filled")
    assert (line["side"], line["price"], line["qty"], line["left"]) == ("BUY", "91202.23", "0.01094", "0.00000")
    shown = figures(quoting)
    assert (shown["filled"], shown["last_fill"], shown["position"]) == (1, "BUY 0.01094 at 91202.23", "1.01094")
    assert lines(told, "cancelled") == []


def test_partly_filled_order_stays_while_half_of_it_is_left(
    quoting: MakerNode, venue: ScriptedVenue, told: Told
) -> None:
    """Topping up loses its place in the queue; but one lot was kept for ever, and quoted next to nothing."""
    quoting.cycle()
    venue.fill("1", Decimal("0.00547"))
    quoting.cycle()
    assert (venue.places, venue.cancels) == (2, [])
    venue.fill("1", Decimal("0.00001"))
    quoting.cycle()
    assert venue.cancels == ["1"]
    assert venue.orders["3"].qty == Decimal("0.01094")
    assert [line["qty"] for line in lines(told, "filled")] == ["0.00547", "0.00001"]
    assert lines(told, "cancelled")[0]["why"] == "too little is left: 546 of 1094 lots"


def test_what_is_filled_on_the_way_of_a_cancel_is_told(quoting: MakerNode, venue: ScriptedVenue, told: Told) -> None:
    """Between the look and the cancel an order may trade, in part or wholly."""
    quoting.cycle()
    assert venue.mid_ticks is not None
    venue.mid_ticks += 10_000
    partly = [lambda: venue.fill("1", Decimal("0.001")), lambda: venue.fill("2")]
    venue.before["cancel"] = lambda: partly.pop(0)() if partly else None
    quoting.cycle()
    quoting.cycle()
    assert [(line["side"], line["qty"]) for line in lines(told, "filled")] == [("BUY", "0.001"), ("SELL", "0.01094")]
    assert [(line["side"], line["left"]) for line in lines(told, "cancelled")] == [("BUY", "0.00994")]
    assert len(venue.orders) == 2


def test_order_that_somebody_else_cancelled_is_told(quoting: MakerNode, venue: ScriptedVenue, told: Told) -> None:
    """A person at the venue's page, or the kill switch."""
    quoting.cycle()
    venue.end("1", "CANCELED")
    quoting.cycle()
    assert [line["why"] for line in lines(told, "cancelled")] == ["CANCELED at the venue, not by this desk"]
    assert len(venue.orders) == 2


def test_account_that_begins_anew_forgets_orders_and_is_told(
    quoting: MakerNode, venue: ScriptedVenue, told: Told
) -> None:
    """The testnet wipes all orders about monthly."""
    quoting.cycle()
    venue.orders.clear()
    quoting.cycle()
    assert len(lines(told, "an order is gone: the venue has forgotten it")) == 2
    assert len(venue.orders) == 2
    quoting.cycle()
    assert len(lines(told, "an order is gone: the venue has forgotten it")) == 2


def test_list_that_lags_behind_makes_no_second_bid(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """The list of open orders may come from a database that has not heard of an order just taken."""
    quoting.cycle()
    venue.hidden.add("1")
    quoting.cycle()
    assert venue.places == 2
    assert venue.cancels == []


# --- orders without an answer ---


@pytest.mark.parametrize("does_arrive", [True, False])
def test_unknown_order_is_never_sent_again_blindly(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int], told: Told, does_arrive: bool
) -> None:
    """It may be there, or arrive until its window closes: until then nothing more on its side."""
    venue.fates["place"], venue.does_arrive = [LOST], does_arrive
    quoting.cycle()
    quoting.cycle()
    assert venue.places == 2, "the side of unknown fate was quoted again"
    assert len(venue.orders) == (2 if does_arrive else 1)
    now[0] += ARRIVAL_MS_MAX * NS_PER_MS
    quoting.cycle()
    assert venue.places == 2, "its window is still open"
    now[0] += 1
    quoting.cycle()
    assert sorted(venue.prices()) == [Side.BUY, Side.SELL]
    assert len(venue.orders) == 2, "an order was doubled"
    assert [line["arrived"] for line in lines(told, "fate settled")] == [does_arrive]


def test_unknown_order_that_arrives_between_two_questions_makes_no_second_bid(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int]
) -> None:
    """Open orders were read before the unknown ones settled: one that arrived in between was in neither."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    now[0] += ARRIVAL_MS_MAX * NS_PER_MS + 1
    venue.before["find_order"] = venue.arrive
    quoting.cycle()
    assert venue.places == 2
    assert len(venue.orders) == 2


def test_unknown_order_that_was_filled_at_once_is_told_as_a_fill(
    quoting: MakerNode, venue: ScriptedVenue, told: Told
) -> None:
    """It was never among the open orders that the maker saw."""
    venue.fates["place"], venue.does_arrive = [LOST], True
    quoting.cycle()
    venue.fill("1")
    quoting.cycle()
    assert [line["qty"] for line in lines(told, "filled")] == ["0.01094"]
    assert len(venue.orders) == 2


# --- refusals and failures ---


def test_refused_quote_pauses_its_side_alone_and_longer_each_time(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int], told: Told
) -> None:
    """No funds for one side is no reason to leave the other, nor to ask four times a second for ever."""
    refused = VenueRefusedError("insufficient balance", -2010)
    venue.fates["place"] = [refused, None, refused, None]
    for _ in range(3):
        quoting.cycle()
    assert list(venue.prices()) == [Side.SELL]
    assert figures(quoting)["bid_idle"] == "refused: insufficient balance"
    assert len(lines(told, "not quoting")) == 1
    now[0] += REFUSED_PAUSE_NS
    quoting.cycle()
    assert venue.places == 3
    now[0] += 2 * REFUSED_PAUSE_NS - 1
    quoting.cycle()
    assert venue.places == 3, "the second pause is twice as long"
    now[0] += 1
    quoting.cycle()
    assert len(venue.orders) == 2
    assert [line["wait_s"] for line in lines(told, "a quote was refused")] == [2.0, 4.0]


def test_fill_on_the_other_side_ends_a_pause(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """A sale brings the money that the bid lacked."""
    venue.fates["place"] = [VenueRefusedError("insufficient balance", -2010)]
    quoting.cycle()
    venue.fill("2")
    quoting.cycle()
    assert sorted(venue.prices()) == [Side.BUY, Side.SELL]


def test_back_off_doubles_and_begins_anew_after_a_good_cycle(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int], told: Told
) -> None:
    """Fail, fail, good, fail: a back-off that is not reset survived every test."""
    venue.fates["open_orders"] = [AWAY, AWAY, None, AWAY]
    for _ in range(4):
        quoting._on_time()
        now[0] = max(now[0], quoting._backoff.until_ns)
    assert [line["wait_s"] for line in lines(told, "the venue failed")] == [0.5, 1.0, 0.5]


def test_back_off_has_an_end_and_nothing_is_asked_meanwhile(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int]
) -> None:
    """A venue that is away for an hour is asked every ten seconds."""
    venue.fates["open_orders"] = [AWAY] * 40
    for _ in range(40):
        quoting._on_time()
        asked = len(venue.calls)
        now[0] = quoting._backoff.until_ns - 1
        quoting._on_time()
        assert len(venue.calls) == asked
        now[0] += 1
    assert now[0] - 10**15 <= 40 * BACKOFF_NS_MAX
    quoting._on_time()
    assert len(venue.orders) == 2


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(7.0, 7.0), (0.0, 0.5)])
def test_busy_venue_is_left_alone_for_as_long_as_it_says(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int], retry_after_s: float, wait_s: float
) -> None:
    """And not asked at once when it names no time."""
    venue.fates["place"] = [VenueBusyError("slow down", retry_after_s)]
    quoting._on_time()
    assert quoting._backoff.until_ns - now[0] == int(wait_s * NS_PER_SECOND)
    assert venue.orders == {}


def test_venue_that_fails_is_told_in_status(quoting: MakerNode, venue: ScriptedVenue, now: list[int]) -> None:
    """The quotes of before, which may be traded by now, looked like those that are there: for days, if it has to be."""
    quoting._on_time()
    assert figures(quoting)["failing"] is None
    venue.fates["open_orders"] = [VenueBusyError("paper has banned this address, for 120 s", 120)]
    quoting._on_time()
    assert figures(quoting)["failing"] == "paper has banned this address, for 120 s"
    now[0] += 120 * NS_PER_SECOND
    quoting._on_time()
    assert figures(quoting)["failing"] is None


def test_keys_that_are_refused_end_the_maker(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """A person must act; a quote that was refused for it is no quote to pause."""
    for call in ("open_orders", "place"):
        venue.fates[call] = [VenueKeysError("not our keys")]
        with pytest.raises(VenueKeysError):
            quoting._on_time()


# --- settings that no venue takes ---


def test_notional_too_small_for_the_venue_ends_the_start_and_names_the_least(
    venue: ScriptedVenue, now: list[int], run_dir: Path
) -> None:
    """5 rounds down to 4.57 at this price: ready, then -1013 every two seconds for ever."""
    with a_maker(run_dir, venue, notional=5) as one, pytest.raises(NodeError, match=r"expected at least 5\.49"):
        one._on_time()
    assert venue.places == 0
    with a_maker(run_dir, venue, notional="5.49") as one:
        one._on_time()
    assert len(venue.orders) == 2


def test_mid_that_makes_the_quote_too_small_pulls_it_until_it_moves_back(
    venue: ScriptedVenue, now: list[int], run_dir: Path, told: Told
) -> None:
    """The least notional moves with the mid: no order is sent that must be refused, and the maker stays up."""
    with a_maker(run_dir, venue, notional="5.49") as one:
        one._on_time()
        venue.mid_ticks = 9_438_500
        one._on_time()
        assert venue.orders == {}
        assert "maker.notional" in figures(one)["bid_idle"]
        assert venue.places == 2
        venue.mid_ticks = 9_138_500
        one._on_time()
        assert len(venue.orders) == 2


# --- the end, and the next beginning ---


def test_stop_cancels_everything_of_ours_and_says_why(quoting: MakerNode, venue: ScriptedVenue, told: Told) -> None:
    """A maker that is told to stop leaves nothing."""
    quoting.cycle()
    quoting.stop()
    assert venue.orders == {}
    assert [line["why"] for line in lines(told, "cancelled")] == ["the maker stops"] * 2


@pytest.mark.parametrize("arrives_after_s", [0.0, 0.3, 5.5])
def test_stop_waits_for_an_order_in_flight_and_cancels_it(
    quoting: MakerNode,
    venue: ScriptedVenue,
    now: list[int],
    monkeypatch: pytest.MonkeyPatch,
    arrives_after_s: float,
) -> None:
    """Its reply was lost, and it arrives after everything else was cancelled: a clean stop left it there."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    arrives_ns = now[0] + int(arrives_after_s * NS_PER_SECOND)

    def sleep(wait_s: float) -> None:
        now[0] += int(wait_s * NS_PER_SECOND)
        if now[0] >= arrives_ns:
            venue.arrive()

    monkeypatch.setattr("nodes.maker.node.time.sleep", sleep)
    quoting.stop()
    assert venue.late == []
    assert venue.orders == {}
    assert venue.ended["1"].status == "CANCELED"


def test_stop_ends_when_an_order_in_flight_can_no_longer_arrive(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int]
) -> None:
    """It was lost on its way there."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    before_ns = now[0]
    quoting.stop()
    assert venue.orders == {}
    assert ARRIVAL_MS_MAX * NS_PER_MS < now[0] - before_ns < 2 * ARRIVAL_MS_MAX * NS_PER_MS


def test_no_order_is_entered_once_the_stop_is_asked_for(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """The signal comes while a cycle waits for the venue."""
    venue.before["depth"] = quoting._hurry
    quoting.cycle()
    assert venue.places == 0


@pytest.mark.parametrize("error", [VenueRefusedError("internal error", -1001), AWAY, VenueBusyError("slow down", 1.0)])
def test_stop_tries_again_while_the_venue_is_away(quoting: MakerNode, venue: ScriptedVenue, error: VenueError) -> None:
    """The exchange may be coming back from a restart just then: orders were left there at the first error."""
    quoting.cycle()
    venue.fates["cancel"] = [error, error]
    quoting.stop()
    assert venue.orders == {}


@pytest.mark.parametrize(("error", "calls"), [(AWAY, 11), (VenueBusyError("no", 60.0), 1), (VenueKeysError("no"), 1)])
def test_stop_that_cannot_cancel_says_what_is_left(
    quoting: MakerNode, venue: ScriptedVenue, now: list[int], error: VenueError, calls: int
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


def test_successor_of_a_killed_maker_takes_over_its_orders(
    venue: ScriptedVenue, now: list[int], run_dir: Path, told: Told
) -> None:
    """They are known by their client order ids; what was filled before is no news."""
    with a_maker(run_dir, venue) as killed:
        killed.cycle()
    venue.fill("1", Decimal("0.002"))
    with a_maker(run_dir, venue) as successor:
        successor.cycle()
        assert (venue.places, venue.cancels) == (2, [])
        venue.fill("1", Decimal("0.001"))
        successor.cycle()
    assert [line["qty"] for line in lines(told, "filled")] == ["0.001"]


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


def test_note_of_sent_orders_that_cannot_be_written_does_not_end_the_maker(
    quoting: MakerNode, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    """A full disk: it goes on quoting, and says once what that costs."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(quoting._sent, "write", fail)
    quoting.cycle()
    assert len(venue.orders) == 2
    assert len([line for line in told if "No space left" in line.get("why", "")]) == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"id": 1}]', '{"id": 1}'])
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


def test_every_quote_is_shown_with_its_size(quoting: MakerNode, venue: ScriptedVenue) -> None:
    """`status` shows prices, what is left, and the counts."""
    quoting.cycle()
    venue.orders["2"] = replace(venue.orders["2"], filled_qty=Decimal("0.001"), status="PARTIALLY_FILLED")
    quoting.cycle()
    shown = figures(quoting)
    assert (shown["bid"], shown["bid_qty"]) == ("91202.23", "0.01094")
    assert (shown["ask"], shown["ask_qty"], shown["ask_idle"]) == ("91567.77", "0.00994", None)
    assert (shown["placed"], shown["cancelled"], shown["mid"]) == (2, 0, "91385.00")


# --- the operator's halt ---


def _halt(run_dir: Path, *, is_halted: bool) -> None:
    HaltedFile(run_dir, ["BTCUSDT"]).change(["BTCUSDT"], is_halted=is_halted)


def test_halted_maker_pulls_its_quotes_and_places_none(
    quoting: MakerNode, venue: ScriptedVenue, run_dir: Path, told: Told
) -> None:
    """It says so once it has none, with the word that it is about; a resume lets it quote again."""
    quoting.cycle()
    _halt(run_dir, is_halted=True)
    venue.fates["cancel"] = [AWAY]
    with pytest.raises(VenueUnavailableError):
        quoting.cycle()
    assert not figures(quoting).get("halted"), "its quotes are still there"
    for _ in range(3):
        quoting.cycle()
    assert venue.prices() == {}
    assert venue.places == 2
    assert figures(quoting)["halted"] is True
    version = figures(quoting)["halt_version"]
    assert [line["why"] for line in lines(told, "cancelled")] == ["halted", "halted"]
    _halt(run_dir, is_halted=False)
    quoting.cycle()
    assert venue.places == 4
    assert figures(quoting)["halted"] is False
    _halt(run_dir, is_halted=True)
    assert (figures(quoting)["halted"], figures(quoting)["halt_version"] == version) == (False, False)
    assert len(lines(told, "halted: no quotes until resume")) == len(lines(told, "resumed")) == 1


def test_halted_maker_waits_for_an_order_that_may_still_arrive(
    quoting: MakerNode, venue: ScriptedVenue, run_dir: Path, now: list[int]
) -> None:
    """Until the fate of an order is known nobody is told `halted`."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    _halt(run_dir, is_halted=True)
    quoting.cycle()
    assert venue.prices() == {}
    assert figures(quoting)["halted"] is False
    now[0] += (ARRIVAL_MS_MAX + 1) * NS_PER_MS
    quoting.cycle()
    assert figures(quoting)["halted"] is True
    assert venue.places == 2


def test_a_halt_does_not_wait_for_the_back_off(
    quoting: MakerNode, venue: ScriptedVenue, run_dir: Path, now: list[int]
) -> None:
    """But a venue that stays away is not asked ten times a second on its account."""
    quoting.cycle()
    quoting._backoff.until_ns = now[0] + NS_PER_SECOND
    quoting._on_look()
    assert len(venue.prices()) == 2, "nothing was said"
    _halt(run_dir, is_halted=True)
    venue.fates["open_orders"] = [AWAY]
    quoting._on_look()
    quoting._on_look()
    assert len(venue.prices()) == 2, "it waits for the venue"
    now[0] += BACKOFF_NS_MAX
    quoting._on_time()
    assert venue.prices() == {}


def test_a_maker_that_starts_halted_quotes_nothing(venue: ScriptedVenue, run_dir: Path, now: list[int]) -> None:
    """And takes away what a killed one has left."""
    with a_maker(run_dir, venue) as killed:
        killed.cycle()
    _halt(run_dir, is_halted=True)
    with a_maker(run_dir, venue) as one:
        one.cycle()
        assert (venue.places, venue.prices()) == (2, {})
        assert figures(one)["halted"] is True


def test_note_of_another_symbol_is_left_alone(venue: ScriptedVenue, now: list[int], run_dir: Path) -> None:
    """The desk quoted another pair before: to ask for that order here would hold a side for nothing."""
    SentOrders(run_dir / SENT_FILE).write("ETHUSDT", {f"{PREFIX}1": Quote(Side.BUY, 1, 1)})
    with a_maker(run_dir, venue) as one:
        one.cycle()
    assert venue.places == 2
