"""Defects to plant in a desk: each breaks one promise that a death must not break."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from _pytest.monkeypatch import MonkeyPatch

from bus.engine_link import CommandBatch, EngineEnd
from bus.feed import TopicReplica
from bus.order_link import SourceEnd
from market.account import VenueOrder
from market.clock import NS_PER_MS
from market.feed_messages import BookTrade
from paper.exchange.engine_orders import EngineOrders
from paper.exchange.public_market import PublicMarket
from paper.money.ledger import Ledger
from paper.money.order_list import Remnants
from sessions.session_table import Session
from simulation.faults.disk import MortalJournal
from simulation.faults.tracker import Account, MortalFolder
from trading.own_orders import Heard, OwnOrders


def drop_a_commit(monkeypatch: MonkeyPatch) -> None:
    """One transaction in twenty is in memory and not on disk."""
    write, counts = Ledger._write, [0]

    def write_most(ledger: Ledger) -> None:
        counts[0] += 1
        if counts[0] % 20:
            write(ledger)

    monkeypatch.setattr(Ledger, "_write", write_most)


def forget_the_other_leg(monkeypatch: MonkeyPatch) -> None:
    """A leg that ends with its list stays in the engine's book."""
    monkeypatch.setattr(Remnants, "note", lambda _, __: None)


def take_a_resend_for_new(monkeypatch: MonkeyPatch) -> None:
    """The engine handles again what it has had."""
    take = EngineEnd._take

    def take_all(end: EngineEnd, source: int, first: int, count: int, payload: bytes) -> CommandBatch | None:
        peer = end._peers[source]
        if count and first <= peer.taken:
            first = peer.taken + 1
        return take(end, source, first, count, payload)

    monkeypatch.setattr(EngineEnd, "_take", take_all)


def skip_a_sync(monkeypatch: MonkeyPatch) -> None:
    """The journal says that the disk has what it has not."""

    def lie(journal: MortalJournal) -> None:
        journal.synced_sequence = journal.sequence
        journal._unsynced_since_ns = None

    monkeypatch.setattr(MortalJournal, "sync", lie)


def journal_nothing_of_a_batch(monkeypatch: MonkeyPatch) -> None:
    """The engine acts on a second frame of a batch that its journal does not have."""
    append = MortalJournal.append
    monkeypatch.setattr(MortalJournal, "append", lambda journal, records, now_ns: append(journal, records[:1], now_ns))


def overlook_a_gap(monkeypatch: MonkeyPatch) -> None:
    """A replica applies whatever comes."""
    monkeypatch.setattr(TopicReplica, "on_frame", _apply)


def _apply(replica: TopicReplica, frame: Any) -> None:
    if not replica.is_synchronised:
        replica._waiting.append(frame)
    elif frame.messages and frame.sequence > replica.sequence:
        replica.sequence = frame.next_sequence - 1
        replica._absorb(frame.messages, frame.time_ns)


def acknowledge_before_saving(monkeypatch: MonkeyPatch) -> None:
    """A source that starts again says that it has one report more than it has."""
    start = SourceEnd.__init__

    def boast(end: SourceEnd, source: int, started_ns: int, resume: tuple[int, int]) -> None:
        epoch, sequence = resume
        start(end, source, started_ns, (epoch, sequence + (sequence > 0)))

    monkeypatch.setattr(SourceEnd, "__init__", boast)


def overlook_what_was_traded_before(monkeypatch: MonkeyPatch) -> None:
    """A tracker that starts again knows nothing of the trades while it was dead."""
    answer = Account._answer

    def answer_of_now(account: Account, method: str, path: str, given: Mapping[str, object]) -> Any:
        said = answer(account, method, path, given)
        since_ms = vars(account).setdefault("since_ms", account.life.time_ns() // NS_PER_MS)
        return [trade for trade in said if trade["time"] >= since_ms] if path == "myTrades" else said

    monkeypatch.setattr(Account, "_answer", answer_of_now)


def write_a_report_in_place(monkeypatch: MonkeyPatch) -> None:
    """A daily file is there in half while it is written."""
    write = MortalFolder.write_bytes

    def write_twice(folder: MortalFolder, day: date, content: bytes) -> Path:
        folder.file_of(day).write_bytes(content[: len(content) // 2])
        return write(folder, day, content)

    monkeypatch.setattr(MortalFolder, "write_bytes", write_twice)


def let_orders_outlive_their_connection(monkeypatch: MonkeyPatch) -> None:
    """The gateway cancels nothing when a client is lost."""
    monkeypatch.setattr(Session, "outlives_connection", property(lambda session: bool(session.name)))


def end_orders_with_their_connection(monkeypatch: MonkeyPatch) -> None:
    """The gateway cancels the orders of a client that has asked it not to."""
    monkeypatch.setattr(Session, "outlives_connection", property(lambda _: False))


def tell_a_fill_twice(monkeypatch: MonkeyPatch) -> None:
    """A strategy is told again of a fill when its order is heard of once more; the position is asked for anew."""
    hear, told = OwnOrders.hear, dict[str, Decimal]()

    def hear_again(orders: OwnOrders, order: VenueOrder, now_ns: int) -> Heard:
        heard = hear(orders, order, now_ns)
        filled_qty = heard.filled_qty or told.pop(order.client_order_id, Decimal(0))
        if heard.filled_qty:
            told[order.client_order_id] = filled_qty
        return heard._replace(filled_qty=filled_qty)

    monkeypatch.setattr(OwnOrders, "hear", hear_again)


def quote_beside_a_lost_order(monkeypatch: MonkeyPatch) -> None:
    """An order whose answer was lost counts as refused."""

    def drop(orders: OwnOrders, client_order_id: str, _: int) -> bool:
        orders.drop(client_order_id)
        return False

    monkeypatch.setattr(OwnOrders, "lose", drop)


def enter_again_as_it_comes(monkeypatch: MonkeyPatch) -> None:
    """A new engine gets the open orders in another order than that of their queues."""
    survivors = EngineOrders._survivors
    monkeypatch.setattr(EngineOrders, "_survivors", lambda orders, time_ms: survivors(orders, time_ms)[::-1])


def lose_a_trade_at_a_start(monkeypatch: MonkeyPatch) -> None:
    """The first public trade that an exchange hears of after its start is on no tape."""
    begin = PublicMarket.__init__
    on_trades = PublicMarket.on_trades

    def begin_late(market: PublicMarket, *given: Any) -> None:
        begin(market, *given)
        vars(market)["is_late"] = True

    def pass_over(market: PublicMarket, epoch: int, symbol_id: int, trades: Sequence[BookTrade], now_ns: int) -> None:
        on_trades(market, epoch, symbol_id, trades[1:] if vars(market).pop("is_late", False) else trades, now_ns)

    monkeypatch.setattr(PublicMarket, "__init__", begin_late)
    monkeypatch.setattr(PublicMarket, "on_trades", pass_over)


PLANTED: tuple[Callable[[MonkeyPatch], None], ...] = (
    drop_a_commit,
    forget_the_other_leg,
    take_a_resend_for_new,
    skip_a_sync,
    journal_nothing_of_a_batch,
    overlook_a_gap,
    acknowledge_before_saving,
    let_orders_outlive_their_connection,
    end_orders_with_their_connection,
    tell_a_fill_twice,
    quote_beside_a_lost_order,
    enter_again_as_it_comes,
    lose_a_trade_at_a_start,
)
PLANTED_IN_TRACKER: tuple[Callable[[MonkeyPatch], None], ...] = (
    overlook_what_was_traded_before,
    write_a_report_in_place,
)
