"""A run again in the market of its journal."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from bus.topology import Source, first_order_id, first_owner
from desk.settings import load_settings
from engine.matching_engine import make_engine
from market.account import VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codec import encode_all
from market.codes import Side
from market.commands import CancelOrder, Command, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from nodes.engine.command_record import CommandRecord
from reports.trade_history import HistoryRow
from simulation.desk import SimulatedDesk
from simulation.journaled import OURS, STEP_MAX, JournaledFlow, Records
from simulation.whatif import BLOCKS_MAX, block_ends, pnl_of_blocks, same_fills

FLOW = first_owner(Source.FLOW)
FLOW_ID, PAPER_ID, STRANGER_ID = map(first_order_id, (Source.FLOW, Source.PAPER, Source.DESK))
BEFORE_MIDNIGHT_NS = int(datetime(2026, 1, 1, 23, 59, 30, tzinfo=UTC).timestamp()) * NS_PER_SECOND
S = NS_PER_SECOND


def test_same_run_comes_out_of_its_journal_to_the_last_byte(tmp_path: Path) -> None:
    """Every command, every event and both days' files, over a midnight, whoever sent what at one time."""
    settings = load_settings({"run_dir": tmp_path}).settings
    end_ns, records, kept = BEFORE_MIDNIGHT_NS + 60 * S, Records(), list[CommandRecord]()
    first = SimulatedDesk(
        settings, BEFORE_MIDNIGHT_NS, tmp_path / "first", keep=lambda *sent: kept.extend(records.of(*sent))
    )
    again = None
    for desk in (first, None):
        if desk is None:
            desk = again = SimulatedDesk(settings, BEFORE_MIDNIGHT_NS, tmp_path / "again", others=JournaledFlow(kept))
        desk.run(end_ns)
        desk.close_books()
    assert again is not None
    assert first.told.counts["Filled"] > 0, "nothing was filled: that shows nothing"
    assert [day.isoformat() for day in again.folder.days()] == ["2026-01-01", "2026-01-02"]
    for day in first.folder.days():
        assert again.folder.file_of(day).read_bytes() == first.folder.file_of(day).read_bytes()
    assert again.digest.hexdigest() == first.digest.hexdigest()


def bid(number: int, price: int, owner: int = FLOW, qty: int = 10) -> NewOrder:
    """Return a buy order under a number of its owner's source."""
    return NewOrder(owner // 65_536 * 10**12 + number, 0, Side.BUY, price, qty, owner=owner)


def flow_of(*steps: tuple[int, list[Command]]) -> JournaledFlow:
    """Return what was sent at times, s, by whom its owners say."""
    return JournaledFlow(
        CommandRecord(second * S, 1, Source.FLOW, len(commands), 0, encode_all(commands)) for second, commands in steps
    )


def test_step_of_more_than_a_record_holds_is_one_step_again() -> None:
    """Else half of it would be heard before the other half is sent; a step after it at the same time is another."""
    sent = [bid(number, 100) for number in range(1, STEP_MAX + 3)]
    records = Records()
    kept = [*records.of(Source.FLOW, S, sent), *records.of(Source.FLOW, S, [bid(STEP_MAX + 3, 100)])]
    assert [(each.first_sequence, each.message_count) for each in kept] == [
        (1, STEP_MAX), (STEP_MAX + 1, 2), (STEP_MAX + 3, 1)
    ]  # fmt: skip
    flow = JournaledFlow(kept)
    assert [len(flow.step(S, (), 0)) for _ in range(2)] == [STEP_MAX + 2, 1]
    assert flow.is_finished


def test_what_the_account_itself_sent_is_left_out_and_other_accounts_have_other_numbers() -> None:
    """The exchange that trades anew hands out the same ids again, and takes orders of its range for its own."""
    theirs = OURS + 1
    flow = flow_of(
        (1, [bid(1, 100, OURS), SetPriceRange(0, 1, 2), CancelOrder(PAPER_ID + 1, 0, OURS), MassCancel(owner=OURS)]),
        (2, [bid(2, 100, theirs), CancelOrder(PAPER_ID + 2, 0, theirs), MassCancel(owner=theirs)]),
        (3, [bid(1, 101), HaltSymbol(0, 1), MassCancel()]),
    )
    assert flow.start(0) == []
    assert flow.wake_ns(0) == S
    assert flow.start(S) == []
    stranger = theirs + first_owner(Source.DESK) - first_owner(Source.PAPER)
    assert flow.step(2 * S, (), 0) == [
        bid(2, 100, theirs)._replace(order_id=STRANGER_ID + 2, owner=stranger),
        CancelOrder(STRANGER_ID + 2, 0, stranger),
        MassCancel(owner=stranger),
    ]
    assert flow.step(3 * S, (), 0) == [bid(1, 101), HaltSymbol(0, 1), MassCancel()]


def test_book_of_a_later_start_is_that_of_then_without_our_orders() -> None:
    """Ours have traded until then as they did; what rests of them goes."""
    engine = make_engine("fast", 1)
    ask = NewOrder(FLOW_ID + 3, 0, Side.SELL, 100, 4, owner=FLOW)
    flow = flow_of((1, [bid(1, 100, OURS), bid(1, 100)]), (2, [ask]), (3, [bid(2, 99, OURS)]), (4, [bid(4, 98)]))
    flow.begin_book(engine, 4 * S)
    assert engine.depth(0, 9).bids == ((100, 10),), "the ask has taken from ours, which came first"
    assert flow.wake_ns(0) == 4 * S


def row(time_s: int, side: Side, price: str, qty: str, fee: str = "0", symbol: str = "BTCUSDT") -> HistoryRow:
    """Return a fill, with a fee in quote."""
    amounts = Decimal(price), Decimal(qty), Decimal(price) * Decimal(qty), Decimal(fee)
    trade = VenueTrade(time_s, "1", symbol, side, *amounts, "USDT", time_s * S // NS_PER_MS, True)
    return HistoryRow(trade, Decimal(fee))


def test_blocks_earn_what_cash_and_position_come_to_at_their_mids() -> None:
    """By hand: 2 bought at 100 for a fee of 1; the mid goes to 103, 101; 2 sold at 102 for 1; then nothing."""
    rows = [row(5, Side.BUY, "100", "2", "1"), row(6, Side.BUY, "7", "1", symbol="ETHUSDT"),
            row(25, Side.SELL, "102", "2", "1")]  # fmt: skip
    ends_ns = [10 * S, 20 * S, 30 * S, 40 * S]
    mids = [Fraction(103), Fraction(101), Fraction(90), Fraction(80)]
    assert pnl_of_blocks(rows, "BTCUSDT", ends_ns, mids) == [5, -4, 1, 0]
    assert pnl_of_blocks(rows, "BTCUSDT", ends_ns, [mids[0], None, *mids[2:]]) == [5, None, None, 0]


def test_blocks_of_a_time_are_equal_and_no_more_than_there_may_be() -> None:
    """Of a minute at least, 48 at most; a shorter time is one."""
    assert block_ends(0, 30 * S) == [30 * S]
    assert block_ends(0, 180 * S) == [60 * S, 120 * S, 180 * S]
    assert len(block_ends(0, 86_400 * S)) == BLOCKS_MAX


def test_same_fills_are_those_of_one_side_and_price_near_in_time() -> None:
    """By hand: of 3 + 2 lots, 2 are in both; of another side, price or time none is."""
    theirs = [row(1, Side.BUY, "100", "1"), row(1, Side.BUY, "100", "1")]
    assert same_fills([row(2, Side.BUY, "100", "3")], theirs, 5_000) == Fraction(4, 5)
    for other in (row(2, Side.SELL, "100", "2"), row(2, Side.BUY, "101", "2"), row(9, Side.BUY, "100", "2")):
        assert same_fills([other], theirs, 5_000) == 0
        is_near = other.trade.side is Side.BUY and other.trade.time_ms < 9_000
        assert same_fills([other], theirs, 5_000, at_one_price=False) == int(is_near)
    assert same_fills([], [], 5_000) is None


@pytest.mark.parametrize("lost", [0, 5, -1])
def test_record_that_is_lost_makes_another_run(tmp_path: Path, lost: int) -> None:
    """What guards the promise of the same bytes can fail."""
    settings = load_settings({"run_dir": tmp_path}).settings
    records, kept = Records(), list[CommandRecord]()
    desk = SimulatedDesk(
        settings, BEFORE_MIDNIGHT_NS, tmp_path / "a", keep=lambda *sent: kept.extend(records.of(*sent))
    )
    desk.run(BEFORE_MIDNIGHT_NS + 20 * S)
    of_flow = [each for each in kept if each.source == Source.FLOW]
    kept.remove(of_flow[lost])
    again = SimulatedDesk(settings, BEFORE_MIDNIGHT_NS, tmp_path / "b", others=JournaledFlow(kept))
    again.run(BEFORE_MIDNIGHT_NS + 20 * S)
    assert again.digest.hexdigest() != desk.digest.hexdigest()
