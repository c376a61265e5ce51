"""What must hold whatever has happened to a desk, once all that was on its way has arrived."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Final

from bus.feed import Topic
from bus.order_link import Connected, SourceEnd
from bus.topology import Source, first_owner
from journal.format import JournalMode
from journal.journal import Journal
from market.events import Event, Executed
from nodes.engine.command_record import COMMANDS, journal_epoch
from nodes.engine.core import EngineCore
from nodes.engine.node import engine_figures
from paper.access.accounts import FIRST_ACCOUNT
from paper.money.history import Span
from paper.money.ledger import TRADE_IDS_PER_EPOCH
from paper.money.orders import OrderStatus
from paper.units import UNITS_PER_ONE
from simulation.faults.client import TraderProcess
from simulation.faults.desk import MortalDesk
from simulation.faults.nodes import ENGINE, EngineProcess, PaperProcess, new_core

_ALL: Final = Span(1_000_000)
_OPEN: Final = {str(status) for status in OrderStatus if status.is_open}
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
    _check_ledger(desk, engine, paper, reports)
    _check_trader(desk, paper, trader)


def _check_journal(desk: MortalDesk, engine: EngineProcess) -> list[Event]:
    """A replay of the journal is in the engine's state; return all that it tells the exchange."""
    with TemporaryDirectory(dir=desk.folder) as name:
        folder = Path(name) / "journal"
        copytree(desk.journal_folder, folder)
        epoch = journal_epoch(folder)
        assert epoch == engine.core.epoch, "the journal's epoch is the engine's"
        journal = Journal(folder, COMMANDS, engine_figures(desk.settings, ENGINE), epoch, JournalMode.WRITE)
        again = new_core(desk.settings, journal, epoch, epoch + 1, book="reference")
        again.recover(lambda _: None)
        journal.close()
    assert again.engine.state_hash() == engine.core.engine.state_hash(), "a replay gives the same state"
    return list(_reports_of(again))


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


def _check_ledger(desk: MortalDesk, engine: EngineProcess, paper: PaperProcess, reports: list[Event]) -> None:
    """No money is made or lost; every fill is booked once; what is open is what rests at the engine."""
    ledger, symbol = paper.ledger, paper.ledger.symbols[desk.settings.symbol]
    ledger.check()
    assert len(paper.exchange.engines[ENGINE].pending) == 0, "no command waits for its answer"
    orders = {order.order_id: order for order in ledger.history.orders(FIRST_ACCOUNT, symbol, _ALL)}
    names = [order.client_order_id for order in orders.values()]
    assert len(names) == len(set(names)), f"each client order id is there once: {sorted(names)}"
    booked = sorted(
        (t.trade_id % TRADE_IDS_PER_EPOCH, t.order_id, t.qty_lots)
        for t in ledger.history.trades(FIRST_ACCOUNT, symbol, None, _ALL)
    )
    told = sorted(
        (event.trade_id, order_id, event.qty_lots)
        for event in reports
        if isinstance(event, Executed)
        for order_id in (event.maker_order_id, event.taker_order_id)
        if order_id in orders
    )
    assert booked == told, f"every fill is booked once: {set(booked) ^ set(told)}"
    filled: defaultdict[int, int] = defaultdict(int)
    for _, order_id, qty_lots in booked:
        filled[order_id] += qty_lots
    for order_id, order in orders.items():
        assert order.filled_lots == filled[order_id] <= order.qty_lots, f"an order is filled by its fills: {order}"
    owner = first_owner(Source.PAPER) + FIRST_ACCOUNT
    rows = engine.core.engine.orders(symbol.symbol_id).tolist()
    resting = {row[0]: (row[1], row[2], row[4]) for row in rows if row[5] == owner}
    open_ones = {
        each.order_id: (int(each.side), each.price_ticks, each.leaves_lots) for each in ledger.open_orders.values()
    }
    assert resting == open_ones, f"what is open rests at the engine: {resting} {open_ones}"


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
    own = trader.trader.orders
    unsettled = own.unsettled()
    assert not unsettled, f"the trader knows what became of every order: {unsettled}"
    theirs = {
        name: (each.side, instrument.price_to_ticks(each.price), instrument.qty_to_lots(each.leaves_qty))
        for name, each in own.open.items()
    }
    ours = {
        each.client_order_id: (each.side, each.price_ticks, each.leaves_lots) for each in ledger.open_orders.values()
    }
    assert theirs == ours, f"the trader's orders are those that are open: {theirs} {ours}"
    wallet = ledger.wallets.of(FIRST_ACCOUNT)[instrument.base]
    position, units = trader.trader.position, wallet.free + wallet.locked
    assert position is not None, "the trader knows its position"
    assert position * UNITS_PER_ONE == units, f"the trader's position is what it owns: {position} {units}"
