"""The exchange's orders at one engine: what is on its way there, what comes back, and how the two agree after a break.

Each order is at the engine of its symbol. Nothing that happens at one engine touches the orders at another.

Reports of one life of the engine are lost for good if nobody takes them for so long that it keeps them no more. Then
every open order is called back. What the engine answers tells how much of it was still open; the rest is booked
(`Executions`), and what may rest is entered again, in the order of the queues.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Protocol

from market.clock import NS_PER_MS
from market.codes import RejectReason
from market.commands import AmendOrder, CancelOrder, Command, MassCancel, SetPriceRange
from market.events import Event
from market.limits import BATCH_MESSAGES_MAX
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.executions import Executions
from paper.exchange.pending import COMMANDS_PENDING_MAX, Pending, PendingCommands, Purpose
from paper.exchange.price_range import PriceRange
from paper.exchange.saves import Saves
from paper.money.ledger import Ledger
from paper.money.orders import Order, OrderStatus

_log = logging.getLogger(__name__)


class LinkEnd(Protocol):
    """What the exchange needs of its link end at an engine."""

    @property
    def is_connected(self) -> bool:
        """Whether the engine takes commands."""

    def send(self, commands: Sequence[Command]) -> int:
        """Send commands without blocking; return the link's number of the last one.

        Raises:
            ConnectionError: if the engine cannot take them now; none of them was sent.
        """


class EngineOrders:
    """The orders at one engine.

    Args:
        engine: its name.
        link: the link end at it.
        ledger: the state, with the number of the last report of this engine.
        saves: saves it; no command is sent, and none is finished, before what led to it is saved.
        executions: what the engine's events do.
        first_order_id: the id before the exchange's first.
        first_owner: the owner number of account 0.

    Attributes:
        pending: the commands on their way.
        lost_report_count: how many reports of the engine will never come.
    """

    def __init__(
        self,
        engine: str,
        link: LinkEnd,
        ledger: Ledger,
        saves: Saves,
        executions: Executions,
        *,
        first_order_id: int,
        first_owner: int,
    ) -> None:
        self.pending = PendingCommands()
        self.lost_report_count = 0
        self._engine = engine
        self._link = link
        self._ledger = ledger
        self._saves = saves
        self._executions = executions
        self._first_order_id = first_order_id
        self._first_owner = first_owner
        self._outbox: list[tuple[Command, Pending]] = []  # until what led to them is saved, and the engine listens
        self._has_connected = False
        self._lost_cancels: dict[int, str] = {}  # by order id: clients' cancels that may never be answered
        self._is_recall_due = False
        self._clearing: dict[int, int] = {}  # by account: the command after which its old orders are gone
        self._remnants_sent: set[int] = set()  # by order id: those whose cancel is on its way
        self._ranges: dict[int, PriceRange] = {}  # by symbol id, as the engine has been told since it connected
        self._to_enter: list[Order] = []  # those that the engine could not take when their turn came
        self._halted: list[Order] = []  # those that it did not take because their symbol is halted

    @property
    def is_connected(self) -> bool:
        """Whether the engine takes orders."""
        return self._link.is_connected

    # -- what clients want

    def require(self) -> None:
        """Check that a command can be sent.

        Raises:
            ExchangeError: DISCONNECTED or OVERLOADED.
        """
        if not self.is_connected:
            raise ExchangeError(ErrorKind.DISCONNECTED)
        if len(self.pending) >= COMMANDS_PENDING_MAX:
            raise ExchangeError(ErrorKind.OVERLOADED)

    def enter(self, orders: Sequence[Order], now_ns: int) -> list[Pending]:
        """Send orders that are funded, as soon as they are saved."""
        return [
            self._send(order.engine_command(self._owner(order.account), now_ns), self.pending.add(order, Purpose.ENTER))
            for order in orders
        ]

    def cancel(self, orders: Sequence[Order], now_ns: int, request_id: str) -> list[Pending]:
        """Send cancels of open orders; `request_id` empty names each request after its order."""
        return [
            self._send(
                self._cancel_command(order, now_ns),
                self.pending.add(order, Purpose.CANCEL, request_id or f"cancel-{order.order_id}"),
            )
            for order in orders
        ]

    def amend(self, orders: Sequence[Order], less_lots: int, now_ns: int) -> list[Pending]:
        """Send amends; each leaves less open, if exactly as much is open as the exchange knows of."""
        return [
            self._send(
                self._amend_command(order, less_lots, now_ns),
                self.pending.add(order, Purpose.AMEND, order.next_client_order_id),
            )
            for order in orders
        ]

    def clear_anew(self, account: int, now_ns: int) -> None:
        """Take the orders of an account that was reset just now out of the engine's book, as soon as it listens."""
        self._clearing.pop(account, None)
        self._clear_books(now_ns)

    def bound_prices(self, symbol_id: int, prices: PriceRange, now_ns: int) -> None:
        """Let the takers of a symbol trade within a range alone; if the engine takes nothing now, next time."""
        if self.is_connected and self._ranges.get(symbol_id) != prices:
            with suppress(ConnectionError):
                self._send_now([SetPriceRange(symbol_id, *prices, now_ns)])
                self._ranges[symbol_id] = prices

    def enter_resumed(self, halted: Collection[str], now_ns: int) -> None:
        """Enter what was refused by a halt, unless its symbol is one of those that are `halted` still."""
        resumed = [order for order in self._halted if order.symbol.name not in halted]
        self._halted = [order for order in self._halted if order.symbol.name in halted]
        self._enter_again(resumed, now_ns)

    def take_out_remnants(self, now_ns: int) -> None:
        """Cancel what has ended with its list while the engine may have it; if it takes nothing now, later."""
        remnants = self._ledger.remnants.at(self._engine)
        self._remnants_sent &= remnants.keys()
        order_ids = [order_id for order_id in remnants if order_id not in self._remnants_sent]
        if order_ids:
            each = ((order_id, remnants[order_id]) for order_id in order_ids)
            commands = [CancelOrder(i, at.symbol.symbol_id, self._owner(at.account), now_ns) for i, at in each]
            with suppress(ConnectionError):  # the next report or connection tries again
                self._send_now(commands)
                self._remnants_sent.update(order_ids)

    # -- what the engine says

    def on_connected(
        self, epoch: int, acknowledged: int, now_ns: int, *, report_sequence: int = 0, last_order_id: int = 0
    ) -> None:
        """Take note of the engine, and bring its book to where it was.

        An engine of another epoch has an empty book: cancels on their way are done, orders that were never accepted
        end, all other open orders of its symbols are entered again in the order in which they stood in their queues.
        The same engine after our own restart has our book: only orders whose entry may have been lost with us are
        called back and entered again. All are if reports of it are lost.

        Args:
            epoch: which life of the engine it is.
            acknowledged: the link sequence of the last command that it has handled.
            now_ns: ns since 1970 UTC.
            report_sequence: the number of the last report that it will not send again.
            last_order_id: the highest of our order ids that it has seen, 0 for none.
        """
        self._ranges.clear()
        last_epoch, last_sequence = self._ledger.last_report(self._engine)
        is_new = epoch != last_epoch
        to_enter: list[Order] = []
        if is_new:
            self._outbox.clear()  # of orders that end now, or are entered again
        with self._executions.saved():
            self._ledger.skip_order_numbers(last_order_id - self._first_order_id)
            if last_epoch == 0 and last_order_id:
                # The engine holds orders of a ledger that is gone.
                self._note_clearing(self._ledger.wallets.accounts(), is_clearing=True)
            elif is_new:
                self._note_clearing(self._ledger.records.clearing(self._engine), is_clearing=False)
            if is_new:
                self._ledger.remnants.forget(self._ledger.remnants.at(self._engine))
                to_enter = self._survivors(now_ns // NS_PER_MS)
                self._ledger.set_last_report(self._engine, epoch, report_sequence)
        if is_new:
            self._saves.save()
            self.pending.finish_all()
            self._clearing.clear()
            self._to_enter.clear()
            self._halted.clear()
        else:
            self._lose_reports(epoch, last_sequence, report_sequence)
            self._acknowledge(acknowledged)
        self._clear_books(now_ns)
        self._enter_again(to_enter, now_ns)
        self.take_out_remnants(now_ns)
        if not is_new and not self._has_connected:
            self._recall([order for order in self._open_orders() if order.engine_epoch != epoch], now_ns)
        elif self._is_recall_due:
            self._recall(list(self._open_orders()), now_ns)
        self._has_connected = True

    def on_reports(self, epoch: int, events: Sequence[Event], report_sequence: int, acknowledged: int) -> None:
        """Take what the engine reports about our orders; once it is saved, finish the commands that it has handled.

        Reports that were taken already are passed over; those that are missing before them are lost.

        Args:
            epoch: which life of the engine reports.
            events: in the engine's order; the last one is report number `report_sequence`.
            report_sequence: the number of the last event.
            acknowledged: every command with a link sequence up to this has all its events in this or an earlier call.
        """
        taken_epoch, taken_sequence = self._ledger.last_report(self._engine)
        assert epoch == taken_epoch, f"a report of epoch {epoch}, but {self._engine} connected with epoch {taken_epoch}"
        self._lose_reports(epoch, taken_sequence, report_sequence - len(events))
        fresh_count = min(max(report_sequence - taken_sequence, 0), len(events))
        if fresh_count:
            fresh = events[len(events) - fresh_count :]
            with self._executions.saved():
                for event in fresh:
                    self._executions.apply(epoch, event, self.pending)
                self._ledger.set_last_report(self._engine, epoch, report_sequence)
            self._halted += self._executions.halted
            self._enter_again(self._executions.to_enter, fresh[-1].time_ns)
            self._clear_books(fresh[-1].time_ns)
            self.take_out_remnants(fresh[-1].time_ns)
            if self._is_recall_due:
                self._recall(list(self._open_orders()), fresh[-1].time_ns)
        self._acknowledge(acknowledged)

    # -- how

    def _open_orders(self) -> Iterable[Order]:
        orders = self._ledger.open_orders.values()
        return (order for order in orders if order.symbol.engine == self._engine and not order.is_held)

    def _survivors(self, time_ms: int) -> list[Order]:
        """End the open orders that a new engine must not get; return the others, as they stood in their queues."""
        cancels = self.pending.cancels()
        for cancel in cancels:
            if cancel.order.status is OrderStatus.PENDING_NEW:
                cancel.refusal = RejectReason.UNKNOWN_ORDER  # there is nothing that it has cancelled
        cancelled = {cancel.order.order_id for cancel in cancels}
        survivors = []
        for order in self._open_orders():
            if not order.status.is_open:
                continue  # it has ended with its list just now
            if order.status is OrderStatus.PENDING_NEW:
                unavailable = RejectReason.ENGINE_UNAVAILABLE
                self._executions.end(order, OrderStatus.REJECTED, time_ms, reject_reason=unavailable)
            elif order.order_id in cancelled:
                self._executions.end(order, OrderStatus.CANCELED, time_ms)
            elif not order.may_rest and order not in self._halted:
                self._executions.end(order, OrderStatus.EXPIRED, time_ms)
            else:
                self._executions.forget_amend(order)
                survivors.append(order)
        still_open = (order for order in survivors if order.status.is_open)
        return sorted(still_open, key=lambda order: order.queue_number)

    def _enter_again(self, orders: Sequence[Order], now_ns: int) -> None:
        """Send orders of our own accord; if the engine takes no commands now, the next report tries again."""
        self._to_enter = [order for order in (*self._to_enter, *orders) if order.status.is_open]
        if self._to_enter:
            with suppress(ConnectionError):
                commands = [each.engine_command(self._owner(each.account), now_ns) for each in self._to_enter]
                sequence = self._send_now(commands)
                for order in self._to_enter:
                    self.pending.add(order, Purpose.ENTER, sequence=sequence)
                self._to_enter = []

    def _lose_reports(self, epoch: int, last_sequence: int, first_gone: int) -> None:
        """Give up the reports after `last_sequence` up to another one; if there are any, all orders are in doubt."""
        count = first_gone - last_sequence
        if count <= 0:
            return
        self.lost_report_count += count
        self._lost_cancels |= {each.order.order_id: each.request_id for each in self.pending.cancels()}
        self._is_recall_due = True
        self._to_enter.clear()  # what is called back is entered then
        self._halted.clear()
        entering = self.pending.entering()
        with self._executions.saved():
            for order in self._open_orders():
                self._executions.doubt(epoch, order, is_entering=order.order_id in entering)
            self._ledger.set_last_report(self._engine, epoch, first_gone)
        self._saves.save()
        self.pending.lose_all()
        self._remnants_sent.clear()
        _log.warning(
            "%d reports of %s are lost: every open order of its symbols is called back and entered again",
            count,
            self._engine,
        )

    def _recall(self, orders: Sequence[Order], now_ns: int) -> None:
        """Cancel orders to learn what the engine has of them; if it takes no commands now, later."""
        self._is_recall_due = bool(orders)
        if not orders:
            return
        with suppress(ConnectionError):  # the next report or connection tries again
            sequence = self._send_now([self._cancel_command(order, now_ns) for order in orders])
            for order in orders:
                request_id = self._lost_cancels.pop(order.order_id, None)
                purpose = Purpose.RECALL if request_id is None else Purpose.CANCEL
                self.pending.add(order, purpose, request_id or "", sequence)
            self._is_recall_due = False

    def _clear_books(self, now_ns: int) -> None:
        """Take orders from before a reset out of the engine's book, unless that is on its way."""
        clearing = self._ledger.records.clearing(self._engine)
        accounts = [account for account in clearing if account not in self._clearing]
        if accounts:
            commands = [MassCancel(owner=self._owner(account), time_ns=now_ns) for account in accounts]
            with suppress(ConnectionError):  # the next report or connection tries again
                self._clearing.update(dict.fromkeys(accounts, self._send_now(commands)))

    def _note_clearing(self, accounts: Iterable[int], *, is_clearing: bool) -> None:
        records = self._ledger.records
        for account in accounts:
            record, here = records.of(account), {self._engine}
            records[account] = replace(record, clearing=record.clearing - here | (here if is_clearing else set()))

    def _acknowledge(self, sequence: int) -> None:
        """Take every command up to a link sequence for completely handled."""
        if cleared := [account for account, last in self._clearing.items() if last <= sequence]:
            with self._executions.saved():
                self._note_clearing(cleared, is_clearing=False)
            for account in cleared:
                del self._clearing[account]
        self._saves.then(partial(self.pending.acknowledge, sequence))
        if self._outbox:
            self._saves.then(self._empty_outbox)

    def _send(self, command: Command, pending: Pending) -> Pending:
        """Send a client's command once all until now is saved."""
        self._outbox.append((command, pending))
        self._saves.then(self._empty_outbox)
        return pending

    def _empty_outbox(self) -> None:
        """Send what waits, as few frames as possible; if the engine has gone away meanwhile, it waits on."""
        with suppress(ConnectionError):
            while batch := self._outbox[:BATCH_MESSAGES_MAX]:
                last = self._link.send([command for command, _ in batch])
                del self._outbox[: len(batch)]
                for sequence, (_, pending) in enumerate(batch, last - len(batch) + 1):
                    pending.sequence = sequence

    def _send_now(self, commands: Sequence[Command]) -> int:
        """Send commands of our own, behind all that waits, and return the link's number of the last one.

        Raises:
            ConnectionError: as the link does.
        """
        self._saves.save()
        return self._link.send(commands)

    def _amend_command(self, order: Order, less_lots: int, now_ns: int) -> AmendOrder:
        symbol_id, owner, open_lots = order.symbol.symbol_id, self._owner(order.account), order.leaves_lots
        return AmendOrder(order.order_id, symbol_id, order.price_ticks, open_lots - less_lots, owner, now_ns, open_lots)

    def _cancel_command(self, order: Order, now_ns: int) -> CancelOrder:
        return CancelOrder(order.order_id, order.symbol.symbol_id, self._owner(order.account), now_ns)

    def _owner(self, account: int) -> int:
        return self._first_owner + account
