"""What is ours in other pairs: of a run before, whose settings named another symbol."""

import json
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from desk.decisions_file import last_decisions
from desk.halted_file import HaltedFile
from desk.run_dir import NodeError
from market.account import VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from nodes.maker.decisions import LeftDecisions
from nodes.maker.elsewhere import Elsewhere
from nodes.maker.ids import SENT_FILE, Note, SentOrder, SentOrders, read_note, write_note
from tests.desk.desk_process import until
from tests.nodes.maker.makers import AWAY, PREFIX, ScriptedMaker, Told, a_maker, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.quoting import Quote
from trading.reasons import OTHER_PAIR
from venues.venue import ARRIVAL_MS_MAX, VenueBusyError, VenueError, VenueKeysError, VenueNoSuchPairError

QUOTE = Quote(Side.BUY, 1, 1)
LATE = SentOrder(f"{PREFIX}7", "ETHUSDT", "scripted", QUOTE)
UNKNOWN_SYMBOL = VenueNoSuchPairError("Invalid symbol.", -1121)


def _order(order_id: str, name: str, symbol: str = "ETHUSDT", filled: str = "0") -> VenueOrder:
    return VenueOrder(order_id, name, symbol, Side.BUY, Decimal(3_000), Decimal(1), Decimal(filled), "NEW", 0)


def _have(venue: ScriptedVenue, *orders: VenueOrder) -> None:
    venue.orders |= {each.order_id: each for each in orders}


def _clear(run_dir: Path, venue: ScriptedVenue) -> None:
    with a_maker(run_dir, venue) as one:
        one.maker._elsewhere.clear()


def test_own_orders_in_every_other_pair_are_cancelled_and_nobody_elses(
    run_dir: Path, venue: ScriptedVenue, now: list[int], told: Told
) -> None:
    """A desk of another prefix, and a person, may have orders on the account; those in our pair the trader knows."""
    own = _order("1", f"{PREFIX}1", filled="0.25"), _order("2", f"{PREFIX}2", "XRPEUR")
    others = _order("3", "tb-other-1"), _order("4", "by-hand"), _order("5", f"{PREFIX}5", "BTCUSDT")
    _have(venue, *own, *others)
    _clear(run_dir, venue)
    assert list(venue.orders.values()) == list(others)
    (first, _) = lines(told, "cancelled what an earlier run has left in another pair")
    assert (first["symbol"], first["filled"], first["left"]) == ("ETHUSDT", "0.25", "0.75")


def test_each_order_that_is_taken_away_there_has_its_end_in_the_journal(run_dir: Path, venue: ScriptedVenue) -> None:
    """A placing was told of it, and nothing else ever; what was filled needs no end."""
    filled = replace(_order("3", f"{PREFIX}3"), filled_qty=Decimal(1), status="FILLED")
    _have(venue, _order("1", f"{PREFIX}1"))
    venue.ended["3"] = filled
    write_note(run_dir / SENT_FILE, Note([replace(LATE, name=filled.client_order_id)], {}))
    log = structlog.get_logger()
    sent = SentOrders(run_dir, PREFIX, "BTCUSDT", "scripted", log)
    tell = LeftDecisions(run_dir, OTHER_PAIR, log, venue.clock).cancelled
    Elsewhere(venue, sent, log, venue.clock, venue.wait, tell).clear()
    (line,) = last_decisions(run_dir, 9)
    told = [line[name] for name in ("action", "symbol", "client_order_id", "rule")]
    assert told == ["cancel", "ETHUSDT", f"{PREFIX}1", "ADOPTED"]


def test_the_list_of_all_pairs_is_asked_for_once_where_nothing_is(run_dir: Path, venue: ScriptedVenue) -> None:
    """It weighs as much as forty quotes."""
    _clear(run_dir, venue)
    assert venue.calls == ["all_open_orders"]


def test_a_list_that_lags_does_not_keep_it_from_the_end(
    run_dir: Path, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order is gone once its cancel was answered, whatever is listed; one that only a later list shows goes, too."""
    first, second = _order("1", f"{PREFIX}1"), _order("2", f"{PREFIX}2")
    lists: list[Sequence[VenueOrder]] = [[first], [first, second], [first, second]]
    monkeypatch.setattr(venue, "open_orders", lambda: lists.pop(0))
    _have(venue, first, second)
    _clear(run_dir, venue)
    assert (venue.orders, venue.cancels, lists) == ({}, ["1", "2"], [])


def test_an_order_that_was_on_its_way_elsewhere_is_waited_for(
    run_dir: Path, venue: ScriptedVenue, now: list[int]
) -> None:
    """Its row is kept until the venue has said, or it can no longer arrive; then it is cancelled."""
    gone = replace(LATE, name=f"{PREFIX}6")
    venue.ended["6"] = replace(_order("6", gone.name), status="FILLED")
    write_note(run_dir / SENT_FILE, Note([gone, LATE], {}))
    began_ns = now[0]

    def arrive() -> None:
        assert LATE in read_note(run_dir / SENT_FILE).orders
        if now[0] > began_ns + 3 * 10**9:
            _have(venue, _order("7", LATE.name))

    venue.before["find_in"] = arrive
    _clear(run_dir, venue)
    assert (venue.orders, venue.cancels) == ({}, ["7"])
    assert read_note(run_dir / SENT_FILE).orders == []


def test_an_order_elsewhere_that_was_taken_is_cancelled_though_nobody_shows_it(
    run_dir: Path, venue: ScriptedVenue, now: list[int]
) -> None:
    """Lists and questions lag; a cancel is answered by what matches, so that nothing need be waited for."""
    order, gone = _order("8", f"{PREFIX}8"), _order("6", f"{PREFIX}6")
    _have(venue, order)
    venue.hidden.add(order.order_id)
    venue.fates["find_in"] = [AWAY]
    write_note(
        run_dir / SENT_FILE, Note([replace(LATE, name=each.client_order_id, order=each) for each in (gone, order)], {})
    )
    began_ns = now[0]
    _clear(run_dir, venue)
    assert (venue.orders, venue.cancels, now[0]) == ({}, ["6", "8"], began_ns)
    assert read_note(run_dir / SENT_FILE).orders == []


@pytest.mark.parametrize(("refusal", "waits_ms"), [(None, ARRIVAL_MS_MAX), (UNKNOWN_SYMBOL, 0)])
def test_an_order_that_never_arrives_is_let_go(
    run_dir: Path, venue: ScriptedVenue, now: list[int], refusal: VenueError | None, waits_ms: int
) -> None:
    """Not before it can no longer arrive; at once where the venue has no such pair any more."""
    write_note(run_dir / SENT_FILE, Note([LATE], {}))
    began_ns = now[0]
    venue.fates["find_in"] = [refusal]
    _clear(run_dir, venue)
    assert waits_ms <= (now[0] - began_ns) / 10**6 <= waits_ms + 1_000
    assert read_note(run_dir / SENT_FILE).orders == []


def test_note_keeps_what_is_of_another_account(quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path) -> None:
    """A desk that trades elsewhere for a while must still ask for it when it comes back."""
    of_other = replace(LATE, account="binance-testnet 01234567", symbol="BTCUSDT")
    write_note(run_dir / SENT_FILE, Note([of_other], {}))
    with a_maker(run_dir, venue) as one:
        assert one.maker._sent.orders == {}
        one.cycle()
    assert read_note(run_dir / SENT_FILE).orders[-1] == of_other


def test_note_of_an_earlier_version_is_read(venue: ScriptedVenue, run_dir: Path) -> None:
    """Its rows named no account: they are of the one that is traded."""
    row = {"id": f"{PREFIX}1", "symbol": "BTCUSDT", "side": "SELL", "price_ticks": 5, "qty_lots": 6}
    (run_dir / SENT_FILE).write_text(json.dumps([row, {**row, "id": f"{PREFIX}2", "symbol": "ETHUSDT"}]))
    with a_maker(run_dir, venue) as one:
        assert one.maker._sent.orders == {f"{PREFIX}1": Quote(Side.SELL, 5, 6)}
        assert [each.name for each in one.maker._sent.elsewhere] == [f"{PREFIX}2"]


def test_a_halt_is_confirmed_once_nothing_is_left_in_any_pair(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """An order that a lagging list did not show at the start is found; while the venue fails, nothing is confirmed."""
    quoting.cycle()
    _have(venue, _order("9", f"{PREFIX}9"))
    is_back = threading.Event()

    def fail_until_back() -> None:
        if not is_back.wait(0.01):
            raise AWAY

    venue.before["all_open_orders"] = fail_until_back
    HaltedFile(run_dir, ["BTCUSDT"]).change(["BTCUSDT"], is_halted=True)
    for _ in range(3):
        quoting.cycle()
        quoting.maker.confirm_halt()
    assert not figures(quoting)["halted"]
    is_back.set()

    def is_confirmed() -> bool:
        quoting.maker.confirm_halt()
        return bool(figures(quoting)["halted"])

    until("the halt is confirmed", is_confirmed)
    assert venue.orders == {}


def test_a_stop_leaves_nothing_in_any_pair(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """Also where the venue fails for a moment."""
    quoting.cycle()
    _have(venue, _order("9", f"{PREFIX}9"), _order("10", "by-hand"))
    venue.fates["cancel_in"] = [AWAY]
    quoting.stop()
    assert list(venue.orders) == ["10"]


def test_a_stop_says_that_orders_may_be_left_elsewhere(quoting: ScriptedMaker, venue: ScriptedVenue) -> None:
    """It must not end as if all were well."""
    quoting.cycle()
    venue.fates["all_open_orders"] = [AWAY] * 1_000
    with capture_logs(), pytest.raises(NodeError, match=r"own orders \(tb-mine-...\) may be left at the venue"):
        quoting.stop()


def test_a_stop_asks_a_venue_that_fails_no_more_often_though_the_book_goes_on(
    quoting: ScriptedMaker, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """News of the market ended each pause: the list of all pairs was asked for in vain as fast as it could be."""
    quoting.cycle()
    monkeypatch.setattr("nodes.maker.maker.wait_for", lambda *_: None)  # there is always news
    venue.fates["all_open_orders"] = [AWAY] * 1_000
    with capture_logs(), pytest.raises(NodeError, match="may be left at the venue"):
        quoting.stop()
    assert venue.calls.count("all_open_orders") <= 12


@pytest.mark.parametrize(
    ("error", "calls", "is_left"),
    [(VenueBusyError("no", 2.0), 2, False), (VenueBusyError("no", 60.0), 1, True), (VenueKeysError("no"), 1, True)],
)
def test_a_stop_leaves_a_venue_alone_as_long_as_it_says(
    quoting: ScriptedMaker, venue: ScriptedVenue, error: VenueError, calls: int, *, is_left: bool
) -> None:
    """It bans who goes on; and there is no stop that waits for so long as to be killed."""
    quoting.cycle()
    venue.fates["all_open_orders"] = [error]
    began_ns = venue.now[0]
    with capture_logs(), pytest.raises(NodeError, match="left at the venue: no") if is_left else nullcontext():
        quoting.stop()
    assert venue.calls.count("all_open_orders") == calls
    assert venue.now[0] - began_ns == (0 if is_left else 2 * NS_PER_SECOND)
