"""What the engine's events do to orders and money: changed as one, and only when that is saved is anybody told."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

from market.clock import NS_PER_MS
from market.codes import CancelReason, RejectReason, Side, Tag
from market.events import Accepted, Amended, Canceled, Event, Executed, Halted, Rejected, Rested, Trailed, Triggered
from paper.exchange.endings import expiry_of, status_of
from paper.exchange.fees import Fees
from paper.exchange.news import AccountListener, AccountNews, ExecutionType, ListNews, OrderNews, Prevention, WalletNews
from paper.exchange.order_lists import OrderLists
from paper.exchange.pending import Pending, PendingCommands, Purpose
from paper.exchange.preventions import Preventions
from paper.exchange.saves import Saves
from paper.money.ledger import Ledger
from paper.money.orders import AccountTrade, ExpiryReason, Order, OrderStatus
from paper.money.wallets import FEES, OUTSIDE

_log = logging.getLogger(__name__)


class Executions:
    """Applies events to the ledger, inside `saved`, and tells the accounts of them when `saves` has saved them.

    `admit` checks an order whose turn in its list has come, as if it were sent at that time, in ns.

    Attributes:
        listeners: who hears what happens to the accounts' orders and money.
        to_enter: orders that must be entered, perhaps again, after the transaction.
        halted: orders that the engine did not take because their symbol is halted: they wait for its resume.
        lists: what the legs of order lists do to each other.
    """

    def __init__(self, ledger: Ledger, saves: Saves, fees: Fees, admit: Callable[[Order, int], None]) -> None:
        self._ledger = ledger
        self._saves = saves
        self._fees = fees
        self.listeners: list[AccountListener] = []
        self.to_enter: list[Order] = []
        self.halted: list[Order] = []
        self._news: list[OrderNews | ListNews] = []
        self._preventions = Preventions(ledger)
        self.lists = OrderLists(ledger, self.end, admit, self._news.append)

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Make all changes inside the block as one; they are saved with the next save, and then told the accounts."""
        self.to_enter.clear()
        self.halted.clear()
        self._news.clear()
        with self._ledger.transaction():
            yield
        news: list[AccountNews] = [*self._news]
        assets: dict[int, set[str]] = {}
        last_ms: dict[int, int] = {}
        for each in self._news:
            if isinstance(each, OrderNews):
                assets.setdefault(each.account, set()).update(each.assets)
                last_ms[each.account] = each.time_ms
        for account, time_ms in last_ms.items():
            news.append(WalletNews(account, self._ledger.wallets.some_of(account, assets[account]), time_ms))
        self.tell(*news)

    def tell(self, *news: AccountNews) -> None:
        """Tell every listener, once all changes until now are saved."""
        self._saves.then(lambda: self._tell(news))

    def _tell(self, news: Sequence[AccountNews]) -> None:
        for each in news:
            for listener in self.listeners:
                listener(each)

    def apply(self, epoch: int, event: Event, pending: PendingCommands) -> None:
        """Apply one event; events of orders that were forgotten change nothing.

        Args:
            epoch: which life of its engine tells it.
            event: what happened.
            pending: the commands on their way to that engine.
        """
        match event:
            case Accepted():
                self._accept(epoch, event)
            case Executed():
                self._execute(epoch, event)
            case Canceled():
                self._cancel(epoch, event, pending)
            case Rejected():
                self._reject(epoch, event, pending)
            case Triggered():
                self._wake(event)
            case Rested():
                self._queue(self._open_order(event.order_id, event.symbol_id))
            case Trailed():
                self._trail(event)
            case Halted():
                pass
            case Amended():
                self._amend(epoch, event, pending)
            case _:
                assert_never(event)

    def end(
        self,
        order: Order,
        status: OrderStatus,
        time_ms: int,
        *,
        request_id: str = "",
        prevention: Prevention | None = None,
        expiry_reason: ExpiryReason = ExpiryReason.EXCHANGE,
        reject_reason: RejectReason | None = None,
    ) -> None:
        """End an open order and give back what it has locked.

        Args:
            order: an open order.
            status: how it ends.
            time_ms: when.
            request_id: the client id of the request that ended it.
            prevention: what self-trade prevention has taken away just now.
            expiry_reason: why, if it expires.
            reject_reason: why, if the engine has not taken it.
        """
        assert order.status.is_open, f"the order has ended before: {order}"
        if status is OrderStatus.REJECTED and self.lists.is_begun(order):
            status, expiry_reason = OrderStatus.EXPIRED, ExpiryReason.REFUSED
        self._ledger.change(order)
        self._ledger.wallets.unlock(order.account, order.locked_asset, order.locked_units())
        order.status, order.update_ms = status, time_ms
        order.expiry_reason = str(expiry_reason) if status is OrderStatus.EXPIRED else ""
        order.reject_reason = reject_reason or 0
        is_prevented = status is OrderStatus.EXPIRED_IN_MATCH
        execution = ExecutionType.TRADE_PREVENTION if is_prevented else ExecutionType[status.name]
        self._news.append(OrderNews(order.copy(), execution, time_ms, request_id=request_id, prevention=prevention))
        self.lists.on_ended(order, time_ms, request_id)

    def doubt(self, epoch: int, order: Order, *, is_entering: bool) -> None:
        """Note that reports of an open order may be lost: the next that the engine says of it tells how it stands."""
        self._preventions.forget(order)  # of one that was called back and is not on its way there, nothing is lost
        if order.engine_epoch or (is_entering and order.was_accepted):
            self._ledger.change(order).engine_epoch = -abs(order.engine_epoch or epoch)

    def forget_amend(self, order: Order) -> None:
        """Note that no amend of an order is on its way: else a fill could be taken for one later (`_settle`)."""
        if order.next_client_order_id:
            self._ledger.change(order).next_client_order_id = ""

    def _accept(self, epoch: int, event: Accepted) -> None:
        order = self._open_order(event.order_id, event.symbol_id)
        if order is None:
            return
        self._ledger.change(order)
        assert event.qty_lots == order.leaves_lots, f"accepted {event.qty_lots} lots of {order}"
        self._confirm(epoch, order, event.time_ns // NS_PER_MS)
        if not (event.resting_lots or order.is_waiting):
            self._preventions.note_taker(order)

    def _confirm(self, epoch: int, order: Order, time_ms: int) -> None:
        is_first, order.engine_epoch = not order.was_accepted, epoch
        if is_first:
            order.status = OrderStatus.NEW
            self._queue(order)
            if not order.has_trigger:
                order.working_ms = order.update_ms
            if order.trailing_bps and not order.stop_ticks:
                order.trailing_ms = time_ms
            self._news.append(OrderNews(order.copy(), ExecutionType.NEW, time_ms))
            self.lists.on_accepted(order, time_ms)

    def _settle(self, epoch: int, order: Order, engine_leaves_lots: int, time_ms: int) -> None:
        """Bring an order of which reports were lost to what the engine has open of it.

        While nobody listens, an order that rests gets smaller by trading, as a maker and so at its own price: what is
        missing is booked as one such trade. Where that cannot be said, because an amend was on its way or the order
        has no limit, it counts as taken back.
        """
        if not order.is_doubtful:
            return
        self._ledger.change(order)
        self._confirm(epoch, order, time_ms)
        missing_lots = order.leaves_lots - engine_leaves_lots
        if missing_lots <= 0:
            return
        is_booked = order.has_known_price
        _log.warning(
            "%d lots of order %d were open that the engine no longer has, by reports that are lost: %s",
            *(missing_lots, order.order_id, "booked as traded at its limit" if is_booked else "taken back"),
        )
        if not is_booked:
            self.lists.on_working(order, time_ms)  # it may have traded
            self._ledger.free(order, missing_lots)
            order.qty_lots -= missing_lots
            return
        order.working_ms = order.working_ms or time_ms  # one that waited was woken, or it could not have traded
        trade_id = self._ledger.unheard_trade_id(epoch, order.account, order.symbol)
        self._fill(order, trade_id, order.price_ticks, missing_lots, time_ms, is_maker=True)

    def _leave(self, epoch: int, order: Order, answered: Pending, time_ms: int) -> None:
        """Decide about an order of which reports were lost and that the engine does not have any more."""
        if answered.purpose is Purpose.RECALL and order.may_rest and order.has_known_price:
            self._settle(epoch, order, 0, time_ms)
        else:
            status = OrderStatus.CANCELED if answered.purpose is Purpose.CANCEL else OrderStatus.EXPIRED
            self.end(order, status, time_ms, request_id=answered.request_id)

    def _wake(self, event: Triggered) -> None:
        order = self._open_order(event.order_id, event.symbol_id)
        if order is not None:
            self.lists.on_working(order, event.time_ns // NS_PER_MS)
            self._ledger.change(order)
            order.working_ms = order.update_ms = event.time_ns // NS_PER_MS
            self._queue(order)
            self._preventions.note_taker(order)
            self._news.append(OrderNews(order.copy(), ExecutionType.NEW, order.working_ms))

    def _trail(self, event: Trailed) -> None:
        """Keep the best price that a trailing order has seen: should it be lost, it is entered again with that."""
        order = self._open_order(event.order_id, event.symbol_id)
        if order is not None:
            self._ledger.change(order)
            order.trail_ticks = event.price_ticks
            order.trailing_ms = order.trailing_ms or event.time_ns // NS_PER_MS

    def _queue(self, order: Order | None) -> None:
        """Note that an order has gone to the back of its queue, so that a new engine's book can be as this one's."""
        if order is not None:
            self._ledger.change(order).queue_number = self._ledger.next_queue_number()

    def _execute(self, epoch: int, event: Executed) -> None:
        trade_id = self._ledger.trade_id(epoch, event.trade_id)
        sides = (
            (event.maker_order_id, event.maker_leaves_lots, True),
            (event.taker_order_id, event.taker_leaves_lots, False),
        )
        for order_id, leaves_lots, is_maker in sides:
            order = self._open_order(order_id, event.symbol_id)
            if order is not None:
                time_ms = event.time_ns // NS_PER_MS
                self._settle(epoch, order, leaves_lots + event.qty_lots, time_ms)
                self._fill(order, trade_id, event.price_ticks, event.qty_lots, time_ms, is_maker=is_maker)
                assert order.leaves_lots == leaves_lots, f"the engine has {leaves_lots} lots open of {order}"

    def _fill(
        self, order: Order, trade_id: int, price_ticks: int, qty_lots: int, time_ms: int, *, is_maker: bool
    ) -> None:
        symbol, wallets, account = order.symbol, self._ledger.wallets, order.account
        self.lists.on_working(order, time_ms)
        self._ledger.change(order)
        quote_units = symbol.notional(price_ticks, qty_lots)
        base_units = qty_lots * symbol.lot_units
        is_buy = order.side is Side.BUY
        paid_units, received_units = (quote_units, base_units) if is_buy else (base_units, quote_units)
        received_asset = symbol.base if is_buy else symbol.quote
        set_aside_units = order.locked_units() - order.locked_units(qty_lots)
        assert paid_units <= set_aside_units, f"a fill at {price_ticks} ticks costs more than is set aside: {order}"
        wallets.pay_locked(account, order.locked_asset, paid_units)
        wallets.unlock(account, order.locked_asset, set_aside_units - paid_units)
        wallets.transfer(OUTSIDE, account, received_asset, received_units)
        fee_asset, fee_units = self._fees.of(order, base_units, quote_units, is_maker=is_maker)
        wallets.transfer(account, FEES, fee_asset, fee_units)
        order.filled_lots += qty_lots
        order.filled_units += quote_units
        order.status = OrderStatus.PARTIALLY_FILLED if order.leaves_lots else OrderStatus.FILLED
        order.update_ms = time_ms
        trade = AccountTrade(
            trade_id=trade_id,
            account=account,
            symbol=symbol,
            order_id=order.order_id,
            side=order.side,
            price_ticks=price_ticks,
            qty_lots=qty_lots,
            quote_units=quote_units,
            fee_units=fee_units,
            fee_asset=fee_asset,
            time_ms=order.update_ms,
            is_maker=is_maker,
            list_id=order.list_id,
        )
        self._ledger.add_trade(trade)
        self._news.append(OrderNews(order.copy(), ExecutionType.TRADE, order.update_ms, trade))
        if order.status is OrderStatus.FILLED:
            self.to_enter += self.lists.on_filled(order, time_ms)

    def _cancel(self, epoch: int, event: Canceled, pending: PendingCommands) -> None:
        time_ms = event.time_ns // NS_PER_MS
        answered = pending.answer_cancel(event.order_id) if event.reason == CancelReason.REQUESTED else None
        if event.leaves_lots == 0:
            self._ledger.remnants.forget([event.order_id])
        order = self._open_order(event.order_id, event.symbol_id)
        if order is None:
            if answered is not None and answered.order.status is not OrderStatus.CANCELED:
                answered.refusal = RejectReason.UNKNOWN_ORDER  # its list had ended it before
            return
        self._settle(epoch, order, event.qty_lots + event.leaves_lots, time_ms)
        if answered is not None and answered.purpose is Purpose.RECALL:
            self._recalled(order, time_ms)
            return
        prevention = None
        if event.reason == CancelReason.SELF_TRADE_PREVENTION:
            self.lists.on_working(order, time_ms)
            prevention = self._preventions.take(order, event.qty_lots, time_ms)
        if event.leaves_lots:
            assert order.leaves_lots == event.leaves_lots, f"the engine has {event.leaves_lots} lots open of {order}"
            self._news.append(OrderNews(order.copy(), ExecutionType.TRADE_PREVENTION, time_ms, prevention=prevention))
        else:
            self.end(
                order,
                status_of(CancelReason(event.reason)),
                time_ms,
                request_id=answered.request_id if answered is not None else "",
                prevention=prevention,
                expiry_reason=expiry_of(order, CancelReason(event.reason)),
            )

    def _amend(self, epoch: int, event: Amended, pending: PendingCommands) -> None:
        """Give an order its smaller quantity and, perhaps, its new client id, and free what it no longer needs."""
        answered = pending.answer_amend(event.order_id)
        order = self._open_order(event.order_id, event.symbol_id)
        if answered is not None:
            answered.is_applied = order is not None
            answered.refusal = None if order is not None else RejectReason.UNKNOWN_ORDER  # its list had ended it
        if order is None:
            return
        time_ms = event.time_ns // NS_PER_MS
        self._settle(epoch, order, order.leaves_lots, time_ms)  # what it expected to be open, was
        self.shrink(order, order.leaves_lots - event.leaves_lots, time_ms)

    def shrink(self, order: Order, less_lots: int, time_ms: int) -> None:
        """Make an open order smaller, and call it as the amend wants."""
        assert less_lots > 0, f"an amend must make an order smaller, was by {less_lots}: {order}"
        earlier_id = self._ledger.change(order).client_order_id
        earlier_lots = order.qty_lots
        self._ledger.free(order, less_lots)
        order.qty_lots -= less_lots
        order.client_order_id = order.next_client_order_id or earlier_id
        order.next_client_order_id = ""
        order.update_ms = time_ms
        self._ledger.amendments.add(order, self._ledger.next_amend_number(), earlier_id, earlier_lots)
        self._news.append(OrderNews(order.copy(), ExecutionType.REPLACED, time_ms, earlier_client_id=earlier_id))
        if order.client_order_id != earlier_id:
            self.lists.on_renamed(order, time_ms)

    def _reject(self, epoch: int, event: Rejected, pending: PendingCommands) -> None:
        time_ms = event.time_ns // NS_PER_MS
        order = self._open_order(event.order_id, event.symbol_id)
        if event.command == Tag.CANCEL_ORDER:
            self._ledger.remnants.forget([event.order_id])
            answered = pending.answer_cancel(event.order_id)
            if answered is None:
                return
            answered.refusal = RejectReason(event.reason)
            if order is not None and order.engine_epoch < 0:
                self._leave(epoch, order, answered, time_ms)
            elif order is not None and answered.purpose is Purpose.RECALL:
                self._recalled(order, time_ms)
            elif order is not None and order.is_out:
                answered.refusal = None
                self._ledger.remnants.note(order)  # it may have been sent after the cancel
                self.end(order, OrderStatus.CANCELED, time_ms, request_id=answered.request_id)
        elif event.command == Tag.AMEND_ORDER:
            amend = pending.answer_amend(event.order_id)
            if amend is not None:
                amend.refusal = RejectReason(event.reason)
            if order is not None:
                self.forget_amend(order)
        elif event.command == Tag.NEW_ORDER and order is not None:
            self._refuse(epoch, order, RejectReason(event.reason), time_ms)

    def _refuse(self, epoch: int, order: Order, reason: RejectReason, time_ms: int) -> None:
        if order.status is OrderStatus.PENDING_NEW:
            self.end(order, OrderStatus.REJECTED, time_ms, reject_reason=reason)
        elif reason == RejectReason.SYMBOL_HALTED:
            self._ledger.change(order).engine_epoch = 0  # whoever dies before the resume must know
            self.halted.append(order)
        elif not order.was_accepted:
            self.end(order, OrderStatus.EXPIRED, time_ms, expiry_reason=ExpiryReason.REFUSED, reject_reason=reason)
        elif reason == RejectReason.DUPLICATE_ORDER_ID:
            self._ledger.change(order).engine_epoch = epoch  # it was in the book already
        else:
            self.end(order, OrderStatus.EXPIRED, time_ms)

    def _recalled(self, order: Order, time_ms: int) -> None:
        """Decide about an order that certainly is not in the engine: enter it again if it was ever accepted."""
        if order.status is OrderStatus.PENDING_NEW:
            self.end(order, OrderStatus.REJECTED, time_ms, reject_reason=RejectReason.ENGINE_UNAVAILABLE)
        else:
            self.forget_amend(order)
            self._ledger.change(order).engine_epoch = 0  # whoever dies before it is entered again must know
            self.to_enter.append(order)

    def _open_order(self, order_id: int, symbol_id: int) -> Order | None:
        """Return the open order of an event; of its symbol, for an engine may hold ids of a ledger that is gone."""
        order = self._ledger.open_orders.get(order_id)
        is_known = order is not None and order.status.is_open and order.symbol.symbol_id == symbol_id
        return order if is_known else None
