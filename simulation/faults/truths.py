"""What must hold whatever has happened to a desk, once all that was on its way has arrived."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Final

from bus.feed import Topic
from bus.order_link import Connected, SourceEnd
from bus.topology import Source, source_of_order
from journal.checkpoint import checkpoint_paths, sequence_of
from journal.format import JournalMode
from journal.journal import Journal
from market.clock import NS_PER_MS, utc_date
from market.codes import CancelReason, Tag
from market.events import Canceled, Event, Executed, Rejected
from nodes.engine.command_record import COMMANDS, journal_epoch
from nodes.engine.core import EngineCore
from nodes.engine.making import engine_figures
from paper.access.accounts import FIRST_ACCOUNT
from paper.money.history import Span
from paper.money.ledger import TRADE_IDS_PER_EPOCH
from paper.money.order_list import ListStatus
from paper.money.orders import NO_LIST, Order, OrderStatus
from paper.units import UNITS_PER_ONE
from reports.folder import ReportsFolder
from reports.performance import history_of, is_sound
from simulation.faults.client import TraderProcess
from simulation.faults.crowd import Crowd
from simulation.faults.desk import MortalDesk
from simulation.faults.gateway import GATEWAY
from simulation.faults.nodes import ACCOUNTS, ENGINE, EngineProcess, PaperProcess, new_core

_ALL: Final = Span(1_000_000)
_OPEN: Final = {str(status) for status in OrderStatus if status.is_open}
_ASKED_FOR: Final = CancelReason.REQUESTED, CancelReason.MASS_CANCEL
_CANCEL: Final = Tag.CANCEL_ORDER
_CHECKPOINTS_TRIED: Final = 2
_WHO: Final = b"a source that has kept nothing"


def check(desk: MortalDesk) -> None:
    """Check all of it.

    Raises:
        AssertionError: naming what does not hold.
    """
    engine, paper, trader = desk.engine, desk.paper, desk.trader
    assert desk.is_whole, "all are alive again"
    assert engine is not None
    assert paper is not None
    assert trader is not None
    assert paper.exchange.is_connected, "the exchange has its engine again"
    reports = _check_journal(desk, engine)
    _check_book(desk, engine, paper)
    _check_tape(desk, engine, paper)
    _check_ledger(desk, engine, paper, reports)
    _check_lists(paper)
    _check_trader(desk, paper, trader)
    for crowd in desk.crowds:
        _check_crowd(desk, paper, crowd)
    _check_bots(desk, engine)
    _check_reports(desk, paper)


def _check_journal(desk: MortalDesk, engine: EngineProcess) -> list[Event]:
    """Replays of the journal, whole and behind its checkpoints, are in the engine's state; return all reports."""
    if desk.mode is JournalMode.NONE:
        return []
    with TemporaryDirectory(dir=desk.folder) as name:
        folder = Path(name) / "journal"
        copytree(desk.journal_folder, folder)
        assert journal_epoch(folder) == engine.core.epoch, "the journal's epoch is the engine's"
        for path in [*reversed(checkpoint_paths(folder))][:_CHECKPOINTS_TRIED]:
            begun = _begun_again(desk, folder, engine.core.epoch)
            assert begun.checkpoint_sequence == sequence_of(path), "a checkpoint is good"
            assert _state(begun) == _state(engine.core), "a replay behind a checkpoint gives the same state"
            path.unlink()
        for path in checkpoint_paths(folder):
            path.unlink()
        whole = _begun_again(desk, folder, engine.core.epoch)
    assert _state(whole) == _state(engine.core), "a replay gives the same state"
    return list(_reports_of(whole))


def _begun_again(desk: MortalDesk, folder: Path, epoch: int) -> EngineCore:
    journal = Journal(folder, COMMANDS, engine_figures(desk.settings, ENGINE), epoch, JournalMode.WRITE)
    with journal:
        again = new_core(desk.settings, journal, epoch, epoch + 1, book="reference")
        again.recover(lambda _: None)
    return again


def _state(core: EngineCore) -> tuple[object, ...]:
    """Return what does not depend on who has acknowledged which report."""
    state = core.state()
    links = [peer._replace(unacknowledged=()) for peer in state.links]
    return core.engine.state_hash(), links, [each.tolist() for each in state.trades], state[3:]


def _reports_of(core: EngineCore) -> Iterator[Event]:
    """Yield all that the exchange is told by an engine, as if it had kept nothing of it."""
    end = SourceEnd(Source.PAPER, 1 << 62, (core.epoch, 0))
    for frames in end.outgoing():
        assert core.links.receive(_WHO, frames) is None, "a HELLO has no commands"
    for _, frames in core.links.outgoing():
        for told in end.receive(frames):
            if isinstance(told, Connected):
                assert not told.is_new_epoch, "the engine has all of its reports"
            else:
                yield from told.events


def _check_book(desk: MortalDesk, engine: EngineProcess, paper: PaperProcess) -> None:
    """The book is sound and not crossed; whoever follows the feed has the same."""
    book = engine.core.engine
    book.check_invariants()
    now_ns = desk.heap.now_ns
    for instrument in desk.settings.instruments:
        best = book.best(instrument.symbol_id)
        is_crossed = 0 < best.ask_price_ticks <= best.bid_price_ticks
        assert not is_crossed, f"the book is not crossed: {best}"
        topic = Topic.BOOK.of(instrument.symbol)
        assert paper.subscriber.is_live(now_ns, [topic]), "the feed is followed"
        seen = [tuple(order) for order in paper.subscriber.replicas[topic].book.state()]
        there = [tuple(row[:4]) for row in book.orders(instrument.symbol_id).tolist()]
        assert seen == there, "the replica is the book"


def _check_tape(desk: MortalDesk, engine: EngineProcess, paper: PaperProcess) -> None:
    """The public trades are those of the engine, each once, in their order."""
    symbol = paper.ledger.symbols[desk.settings.symbol]
    first_id = paper.ledger.trade_id(engine.core.epoch, 0)
    told = [
        (each.trade_id - first_id, each.price_ticks, each.qty_lots, int(each.taker_side))
        for each in paper.exchange.market.tapes[symbol.symbol_id].trades
        if each.trade_id > first_id
    ]
    there = [tuple(each[:4]) for each in engine.core.feed.recent_trades(symbol.symbol_id)]
    assert told == there, f"the tape has the engine's trades: {set(told) ^ set(there) or 'in another order'}"


def _check_ledger(desk: MortalDesk, engine: EngineProcess, paper: PaperProcess, reports: list[Event]) -> None:
    """No money is made or lost; every fill is booked once; what is open is what rests at the engine."""
    ledger, symbol = paper.ledger, paper.ledger.symbols[desk.settings.symbol]
    ledger.check()
    assert len(paper.exchange.engines[ENGINE].pending) == 0, "no command waits for its answer"
    history = ledger.history
    orders = {each.order_id: each for account in ACCOUNTS for each in history.orders(account, symbol, _ALL)}
    names = Counter((each.account, each.client_order_id) for each in orders.values())
    assert set(names.values()) <= {1}, f"each client order id is there once: {names.most_common(1)}"
    trades = [trade for account in ACCOUNTS for trade in history.trades(account, symbol, None, _ALL)]
    booked = sorted((each.trade_id % TRADE_IDS_PER_EPOCH, each.order_id, each.qty_lots) for each in trades)
    told = sorted(
        (event.trade_id, order_id, event.qty_lots)
        for event in reports
        if isinstance(event, Executed)
        for order_id in (event.maker_order_id, event.taker_order_id)
        if source_of_order(order_id) == Source.PAPER
    )
    if desk.mode is not JournalMode.NONE:
        unbooked = Counter(told) - Counter(booked)
        taken_out = {each.order_id for each in reports if isinstance(each, Rejected) and each.command == _CANCEL}
        are_nobody_s = all(
            _has_ended_with_a_list(orders[order_id]) if order_id in orders else order_id in taken_out
            for _, order_id, _ in unbooked
        )
        assert Counter(booked) <= Counter(told), f"nothing is booked that was not told: {set(booked) - set(told)}"
        assert are_nobody_s, f"every fill is booked: {unbooked}"
    filled: defaultdict[int, int] = defaultdict(int)
    for _, order_id, qty_lots in booked:
        filled[order_id] += qty_lots
    for order_id, order in orders.items():
        assert order.filled_lots == filled[order_id] <= order.qty_lots, f"an order is filled by its fills: {order}"
    rows = engine.core.engine.orders(symbol.symbol_id).tolist()
    resting = {row[0]: (row[1], row[2], row[4]) for row in rows if source_of_order(row[0]) == Source.PAPER}
    working = {
        each.order_id: (int(each.side), each.price_ticks, each.leaves_lots)
        for each in ledger.open_orders.values()
        if not (each.is_waiting or each.is_held)
    }
    assert resting == working, f"what is open rests at the engine: {dict(resting.items() ^ working.items())}"
    queues: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for order_id, (side, price_ticks, _) in resting.items():
        queues[side, price_ticks].append(ledger.open_orders[order_id].queue_number)
    disordered = {at: numbers for at, numbers in queues.items() if numbers != sorted(set(numbers))}
    assert not disordered, f"who came first is first in the queue: {disordered}"


def _has_ended_with_a_list(order: Order) -> bool:
    """Say whether the engine may have traded an order after its list had ended it, which is nobody's trade.

    So it is with a leg that was refused with its list: nothing is kept of that, but that the exchange took it out.
    """
    return order.list_id != NO_LIST and not order.status.is_open


def _check_lists(paper: PaperProcess) -> None:
    """No order list is half done: it has all that it ties together, or ties nothing any more."""
    assert not paper.ledger.remnants, "no leg that has ended is left at the engine"
    for each in (each for account in ACCOUNTS for each in paper.ledger.history.order_lists(account, _ALL)):
        open_legs = [leg for leg in each.pair if leg.status.is_open]
        held_count = sum(leg.is_held for leg in open_legs)
        if each.status is ListStatus.ALL_DONE:
            assert len(open_legs) <= 1, f"one leg has ended the other: {each}"
            assert not held_count, f"nothing waits for a list that is done: {each}"
        else:
            has_begun = each.working is None or each.working.status is OrderStatus.FILLED
            assert len(open_legs) == len(each.pair), f"a list that executes has its legs: {each}"
            assert held_count == (0 if has_begun else len(each.pair)), f"legs wait for a working one alone: {each}"
            assert has_begun or (each.working is not None and each.working.status.is_open), f"they can begin: {each}"


def _check_crowd(desk: MortalDesk, paper: PaperProcess, crowd: Crowd) -> None:
    """What other accounts were told holds."""
    symbol, instrument = paper.ledger.symbols[desk.settings.symbol], desk.settings.instrument
    orders = {each.order_id: each for each in paper.ledger.history.orders(crowd.account, symbol, _ALL)}
    for order_id, filled in crowd.filled.items():
        assert order_id in orders, f"an order that was acknowledged is there: {order_id}"
        order = orders[order_id]
        assert instrument.lots_to_qty(order.filled_lots) >= filled, f"a fill that was told is there: {order}"
        assert not (order_id in crowd.ended and order.status.is_open), f"what has ended stays so: {order}"
    taken = crowd.refused & {each.client_order_id for each in orders.values()}
    assert not taken, f"what was refused is no order: {taken}"


def _check_trader(desk: MortalDesk, paper: PaperProcess, trader: TraderProcess) -> None:
    """What was told holds, and what the trader takes for true is so."""
    ledger, symbol = paper.ledger, paper.ledger.symbols[desk.settings.symbol]
    instrument = desk.settings.instrument
    orders = {order.client_order_id: order for order in ledger.history.orders(FIRST_ACCOUNT, symbol, _ALL)}
    for name, filled in desk.told.filled.items():
        assert name in orders, f"an order that was acknowledged is there: {name}"
        order = orders[name]
        assert instrument.lots_to_qty(order.filled_lots) >= filled, f"a fill that was told is there: {order}"
        assert not (name in desk.told.ended and order.status.is_open), f"what has ended stays so: {order}"
        told = instrument.lots_to_qty(desk.told.fills[name])
        assert told <= filled, f"a strategy is told of a fill once: {told} of {order}"
        assert told == filled or not name.startswith(trader.first_names), f"it is told of each: {told} of {order}"
    own = trader.trader.orders
    unsettled = own.unsettled()
    assert not unsettled, f"the trader knows what became of every order: {unsettled}"
    theirs = {
        name: (each.side, instrument.price_to_ticks(each.price), instrument.qty_to_lots(each.leaves_qty))
        for name, each in own.open.items()
    }
    ours = {
        each.client_order_id: (each.side, each.price_ticks, each.leaves_lots)
        for each in ledger.open_orders_of(FIRST_ACCOUNT)
    }
    assert theirs == ours, f"the trader's orders are those that are open: {theirs} {ours}"
    wallet = ledger.wallets.of(FIRST_ACCOUNT)[instrument.base]
    position, units = trader.trader.position, wallet.free + wallet.locked
    assert position is not None, "the trader knows its position"
    assert position * UNITS_PER_ONE == units, f"the trader's position is what it owns: {position} {units}"


def _check_bots(desk: MortalDesk, engine: EngineProcess) -> None:
    """Each client of the gateway has all of its reports, once each, and knows what became of every order."""
    assert desk.gateway is not None
    assert desk.gateway.link.is_connected, "the gateway has its engine again"
    source = desk.settings.plan.gateways[GATEWAY].source
    open_count = 0
    for bot in desk.bots:
        session = bot.session
        assert session.is_logged_on, f"{session.client_id} is logged on again"
        assert not session.lost_count, f"{session.client_id} has lost {session.lost_count} reports"
        assert not session.unanswered_count, f"{session.client_id} has {session.unanswered_count} orders unanswered"
        assert not session.unknown_order_ids, f"{session.client_id} knows nothing of {session.unknown_order_ids}"
        numbers = [event.sequence for event in bot.heard if event.sequence]
        assert numbers == list(range(1, len(numbers) + 1)), f"{session.client_id} has each report once"
        open_count += len(session.open_order_ids)
        canceled = {event.order_id for event in bot.heard if isinstance(event, Canceled) and event.reason in _ASKED_FOR}
        if bot.is_cancel_on_disconnect:
            stayed = bot.left & session.open_order_ids
            assert not stayed, f"{session.client_id}: no order outlives its connection: {stayed}"
        else:
            taken = canceled - bot.asked
            assert not taken, f"{session.client_id}: no order ends with its connection: {taken}"
    rows = engine.core.engine.orders(desk.settings.instrument.symbol_id).tolist()
    resting_count = sum(source_of_order(row[0]) == source for row in rows)
    assert resting_count == open_count, f"{open_count} orders of bots are open, {resting_count} rest at the engine"


def _check_reports(desk: MortalDesk, paper: PaperProcess) -> None:
    """The daily files hold each trade of the desk's account once, on its day, and today's explains the balances."""
    folder, instrument = ReportsFolder(desk.reports_folder), desk.settings.instrument
    symbol = paper.ledger.symbols[instrument.symbol]
    days = folder.days()
    documents = {day: folder.read(day) for day in days}
    assert [path.name for path in sorted(folder.path.glob("*.json"))] == [folder.file_of(day).name for day in days], (
        "no daily file was put aside"
    )
    kept = [
        (day, row.trade.trade_id, row.trade.order_id, row.trade.qty)
        for day, document in documents.items()
        for row in history_of(document)
    ]
    booked = [
        (utc_date(each.time_ms * NS_PER_MS), each.trade_id, str(each.order_id), instrument.lots_to_qty(each.qty_lots))
        for each in paper.ledger.history.trades(FIRST_ACCOUNT, symbol, None, _ALL)
    ]
    assert sorted(kept) == sorted(booked), f"the days have each trade once: {set(kept) ^ set(booked)}"
    today = documents.get(utc_date(desk.heap.now_ns))
    assert today is not None, "today has a file"
    assert is_sound(today), f"today's trades explain the balances: {today['reconciliation']}"
