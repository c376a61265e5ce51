"""The exchange: accounts give orders, the engine matches them, and money moves. No sockets, no clock.

An order is checked, funded and saved before the engine hears of it; whatever the engine reports is saved, with the
report's number, before anybody is told. So the process may die anywhere and resume after the last saved report.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from market.clock import NS_PER_MS
from market.codes import RejectReason, Side, TimeInForce
from market.commands import AmendOrder, CancelOrder, Command, MassCancel
from market.events import Event
from paper.commission import DISCOUNT_ASSET, Commission
from paper.engine_port import COMMANDS_PENDING_MAX, EnginePort, Pending, PendingCommands, Purpose
from paper.errors import ErrorKind, ExchangeError
from paper.executions import Executions
from paper.ledger import Ledger
from paper.news import AccountListener, AccountNews, DepositNews, WalletNews
from paper.order_rules import OrderRules
from paper.orders import Order, OrderKind, OrderRequest, OrderStatus
from paper.public_book import BookView
from paper.public_market import PublicMarket
from paper.sizing import price_cap_ticks
from paper.starting_assets import STARTING_ASSETS
from paper.units import UNITS_PER_ONE, Symbol


class Exchange:
    """All accounts' orders and money.

    Attributes:
        symbols: what is traded, by the venue's spelling.
        ledger: the saved state; read it freely, change it only through the exchange.
        market: what everybody sees.
        commission: what the exchange takes of every trade.
        halted: the symbols that the exchange has had halted, by the venue's spelling.
        account_listeners: who hears what happens to the accounts' orders and money.
    """

    def __init__(
        self,
        ledger: Ledger,
        port: EnginePort,
        book: BookView,
        *,
        first_order_id: int,
        first_owner: int = 0,
        commission: Commission | None = None,
    ) -> None:
        """Take up the ledger's state; order ids are `first_order_id` + 1, 2 ..., owners `first_owner` + account."""
        self.symbols: Mapping[str, Symbol] = ledger.symbols
        self.ledger = ledger
        self.commission = commission or Commission()
        self.halted: set[str] = set()
        self.account_listeners: list[AccountListener] = []
        self._port = port
        self.market = PublicMarket(ledger, book)
        self._rules = OrderRules(ledger, self.market)
        self._first_order_id = first_order_id
        self._first_owner = first_owner
        self._pending = PendingCommands()
        self._executions = Executions(ledger, self._pending, self.commission, self._bnb_price_units)
        self._is_connected = False
        self._has_connected = False
        self._clearing: dict[int, int] = {}  # by account: the command after which its old orders are gone

    @property
    def is_connected(self) -> bool:
        """Whether the engine takes orders."""
        return self._is_connected

    # -- accounts

    def open_account(self, account: int) -> None:
        """Give a new account its starting assets; one that exists stays as it is."""
        if account not in self.ledger.accounts():
            with self._change():
                self._endow(account)

    def reset_account(self, account: int, now_ns: int) -> None:
        """Forget the account's balances, orders and trades, and give it the starting assets anew."""
        time_ms = now_ns // NS_PER_MS
        before = {asset: wallet.free + wallet.locked for asset, wallet in self.ledger.wallets.of(account).items()}
        with self._change():
            self.ledger.forget_account(account, time_ms)
            self._endow(account)
        self._clearing.pop(account, None)
        if self._is_connected:
            self._clear_books(now_ns)
        for asset, wallet in self.ledger.wallets.of(account).items():
            if units := wallet.free - before.get(asset, 0):
                self._tell(DepositNews(account, asset, units, time_ms))
        self._tell(WalletNews(account, self.ledger.wallets.of(account), time_ms))

    def deposit(self, account: int, asset: str, units: int, now_ns: int) -> None:
        """Give an account units from outside."""
        with self._change():
            self.ledger.deposit(account, asset, units)
        self._tell(DepositNews(account, asset, units, now_ns // NS_PER_MS))

    def set_bnb_payer(self, account: int, is_bnb_payer: bool) -> None:
        """Let an account pay its fees in BNB, at a discount, or not."""
        with self._change():
            self.ledger.records.put(account, replace(self.ledger.records.of(account), is_bnb_payer=is_bnb_payer))

    def is_bnb_payer(self, account: int) -> bool:
        """Say whether an account pays its fees in BNB, as long as it can."""
        is_bnb_payer = self.ledger.records.of(account).is_bnb_payer
        return self.commission.is_in_bnb if is_bnb_payer is None else is_bnb_payer

    def has_bnb_price(self, symbol: Symbol) -> bool:
        """Say whether fees of a symbol can be paid in BNB now."""
        return self._bnb_price_units(symbol) is not None

    # -- orders

    def check(self, account: int, request: OrderRequest, now_ns: int) -> None:
        """Check an order as `place` would, but for funds, and do nothing.

        Raises:
            ExchangeError: what `place` would raise.
        """
        self._rules.sized(account, request, now_ns)

    def place(self, account: int, request: OrderRequest, now_ns: int) -> Pending:
        """Fund and save an order and send it to the engine; when done, its `order` tells how it went.

        Raises:
            ExchangeError: if a filter, the account's funds, or another open order forbids it; nothing has changed then.
        """
        self._require_engine()
        price_ticks, qty_lots = self._rules.sized(account, request, now_ns)
        if price_ticks == 0 and request.kind is OrderKind.MARKET and request.side is Side.BUY:
            free_units = self.ledger.wallets.free(account, request.symbol.quote)
            terms = self.commission.terms(request.symbol.name)
            spendable_units = terms.without_reserve(request.side, free_units)
            price_ticks = price_cap_ticks(request.symbol, self._rules.opposite(request), qty_lots, spendable_units)
        with self._change():
            order = self._new_order(account, request, price_ticks, qty_lots, now_ns)
            if self._is_name_taken(account, order.client_order_id):
                raise ExchangeError(ErrorKind.DUPLICATE_ORDER)
            if self.ledger.wallets.free(account, order.locked_asset) < order.locked_units():
                raise ExchangeError(ErrorKind.INSUFFICIENT_BALANCE)
            self.ledger.wallets.lock(account, order.locked_asset, order.locked_units())
        command = order.engine_command(self._owner(account), now_ns)
        try:
            sequence = self._port.send([command])
        except ConnectionError as error:
            with self._change():
                self._executions.end(order, OrderStatus.REJECTED, now_ns // NS_PER_MS)
            raise ExchangeError(ErrorKind.DISCONNECTED) from error
        return self._pending.add(order, Purpose.ENTER, sequence)

    def cancel(self, orders: Sequence[Order], now_ns: int, *, request_id: str = "") -> list[Pending]:
        """Ask the engine to cancel open orders; a `Pending` without `refusal` was cancelled when it is done.

        Args:
            orders: open orders.
            now_ns: ns since 1970 UTC.
            request_id: what the client calls this request; empty lets the exchange choose for each order.

        Raises:
            ExchangeError: DISCONNECTED or OVERLOADED; nothing was sent then.
        """
        self._require_engine()
        sequence = self._send([self._cancel_command(order, now_ns) for order in orders])
        return [
            self._pending.add(order, Purpose.CANCEL, sequence, request_id or f"cancel-{order.order_id}")
            for order in orders
        ]

    def amend(self, order: Order, qty_units: int, client_order_id: str, now_ns: int) -> Pending:
        """Ask the engine to make an open order smaller in its place; a `Pending` that `is_applied` was.

        The engine does it only if exactly as much is open as the exchange knows of: a fill on the way refuses it.

        Args:
            order: an open order.
            qty_units: the whole quantity that it is to have, what is executed among it, base units.
            client_order_id: what it is to be called then, perhaps what it is called now.
            now_ns: ns since 1970 UTC.

        Raises:
            ExchangeError: if the quantity is not smaller, a filter or another open order forbids it, or the engine
                cannot be asked; nothing has changed then.
        """
        self._require_engine()
        if self._pending.amend_of(order.order_id) is not None:
            raise ExchangeError(ErrorKind.AMEND_UNDER_WAY)
        qty_lots = self._rules.amended_lots(order, qty_units, now_ns)
        is_other = client_order_id != order.client_order_id
        if is_other and self._is_name_taken(order.account, client_order_id):
            raise ExchangeError(ErrorKind.DUPLICATE_ORDER)
        with self._change():
            self.ledger.change(order).next_client_order_id = client_order_id
        leaves_lots = qty_lots - order.filled_lots - order.prevented_lots
        symbol_id, owner = order.symbol.symbol_id, self._owner(order.account)
        command = AmendOrder(
            order.order_id, symbol_id, order.price_ticks, leaves_lots, owner, now_ns, order.leaves_lots
        )
        return self._pending.add(order, Purpose.AMEND, self._send([command]), client_order_id)

    # -- the engine

    def on_engine_connected(
        self, epoch: int, acknowledged: int, now_ns: int, *, report_sequence: int = 0, last_order_id: int = 0
    ) -> None:
        """Take note of an engine, and bring its book to where it was.

        An engine of another epoch has an empty book: cancels on their way are done, orders that were never accepted
        end, all other open orders are entered again in the order in which they stood in their queues.
        The same engine after our own restart has our book: only orders whose entry may have been lost with us are
        called back and entered again.

        Args:
            epoch: which life of the engine it is.
            acknowledged: the link sequence of the last command that it has handled.
            now_ns: ns since 1970 UTC.
            report_sequence: the number of the last report that it will not send again.
            last_order_id: the highest of our order ids that it has seen, 0 for none.
        """
        last_epoch, _ = self.ledger.last_report()
        is_new = epoch != last_epoch
        to_enter: list[Order] = []
        with self._change():
            self.ledger.skip_order_numbers(last_order_id - self._first_order_id)
            if last_epoch == 0 and last_order_id:
                # The engine holds orders of a ledger that is gone.
                self._note_clearing(self.ledger.accounts(), is_clearing=True)
            elif is_new:
                self._note_clearing(self.ledger.records.clearing(), is_clearing=False)
            if is_new:
                to_enter = self._survivors(now_ns // NS_PER_MS)
                self.ledger.set_last_report(epoch, report_sequence)
        if is_new:
            self._pending.finish_all()
            self._clearing.clear()
        else:
            self._acknowledge(acknowledged)
        self._is_connected = True
        self._clear_books(now_ns)
        self._enter(to_enter, now_ns)
        if not is_new and not self._has_connected:
            self._recall([order for order in self.ledger.open_orders.values() if order.engine_epoch != epoch], now_ns)
        self._has_connected = True

    def on_engine_disconnected(self) -> None:
        """Refuse orders and cancels until the engine is back; those on their way keep waiting."""
        self._is_connected = False

    def on_reports(self, epoch: int, events: Sequence[Event], report_sequence: int, acknowledged: int) -> None:
        """Save what the engine reports about our orders, then finish the commands that are completely handled.

        Reports that are saved already are passed over.

        Args:
            epoch: which life of the engine reports.
            events: in the engine's order; the last one is report number `report_sequence`.
            report_sequence: the number of the last event.
            acknowledged: every command with a link sequence up to this has all its events in this or an earlier call.
        """
        saved_epoch, saved_sequence = self.ledger.last_report()
        assert epoch == saved_epoch, f"a report of epoch {epoch}, but the engine connected with epoch {saved_epoch}"
        fresh_count = min(max(report_sequence - saved_sequence, 0), len(events))
        if fresh_count:
            fresh = events[len(events) - fresh_count :]
            with self._change():
                for event in fresh:
                    self._executions.apply(epoch, event)
                self.ledger.set_last_report(epoch, report_sequence)
            self._enter(self._executions.to_enter, fresh[-1].time_ns)
            self._clear_books(fresh[-1].time_ns)
        self._acknowledge(acknowledged)

    # -- how

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Save all changes made inside the block as one, then tell the accounts."""
        self._executions.begin()
        with self.ledger.transaction():
            yield
        touched: dict[int, tuple[int, set[str]]] = {}
        for news in self._executions.news:
            self._tell(news)
            _, assets = touched.get(news.account, (0, set()))
            fee_assets = {news.trade.fee_asset} if news.trade is not None else set()
            pair = {news.order.symbol.base, news.order.symbol.quote}
            touched[news.account] = news.time_ms, assets | pair | fee_assets
        for account, (time_ms, assets) in touched.items():
            self._tell(WalletNews(account, self.ledger.wallets.some_of(account, assets), time_ms))

    def _tell(self, news: AccountNews) -> None:
        for listener in self.account_listeners:
            listener(news)

    def _is_name_taken(self, account: int, client_order_id: str) -> bool:
        is_open = self.ledger.open_order_by_client_id(account, client_order_id) is not None
        return is_open or self._pending.is_name_reserved(account, client_order_id)

    def _new_order(self, account: int, request: OrderRequest, price_ticks: int, qty_lots: int, now_ns: int) -> Order:
        order_id = self._first_order_id + self.ledger.next_order_number()
        order = Order(
            order_id=order_id,
            account=account,
            symbol=request.symbol,
            client_order_id=request.client_order_id or f"tickbus-{order_id}",
            side=request.side,
            kind=request.kind,
            time_in_force=request.time_in_force,
            self_trade_prevention=request.self_trade_prevention,
            price_ticks=price_ticks,
            qty_lots=qty_lots,
            quote_order_units=request.quote_units,
            stop_ticks=request.stop_units // request.symbol.tick_units,
            display_lots=request.iceberg_units // request.symbol.lot_units,
            terms=self.commission.terms(request.symbol.name),
            time_ms=now_ns // NS_PER_MS,
            update_ms=now_ns // NS_PER_MS,
        )
        return self.ledger.change(order)

    def _survivors(self, time_ms: int) -> list[Order]:
        """End the open orders that a new engine must not get; return the others, as they stood in their queues."""
        cancelled = {pending.order.order_id for pending in self._pending.cancels()}
        survivors = []
        for order in self.ledger.open_orders.values():
            may_rest = not order.kind.is_market and order.time_in_force is TimeInForce.GTC
            if order.status is OrderStatus.PENDING_NEW:
                order.reject_reason = RejectReason.ENGINE_UNAVAILABLE
                self._executions.end(order, OrderStatus.REJECTED, time_ms)
            elif order.order_id in cancelled:
                self._executions.end(order, OrderStatus.CANCELED, time_ms)
            elif not may_rest and not order.is_waiting:
                self._executions.end(order, OrderStatus.EXPIRED, time_ms)
            else:
                survivors.append(order)
        return sorted(survivors, key=lambda order: order.queue_number)

    def _enter(self, orders: Sequence[Order], now_ns: int) -> None:
        if orders:
            self._port.send([order.engine_command(self._owner(order.account), now_ns) for order in orders])

    def _recall(self, orders: Sequence[Order], now_ns: int) -> None:
        if orders:
            sequence = self._port.send([self._cancel_command(order, now_ns) for order in orders])
            for order in orders:
                self._pending.add(order, Purpose.RECALL, sequence)

    def _clear_books(self, now_ns: int) -> None:
        """Take orders from before a reset out of the engine's book, unless that is on its way."""
        accounts = [account for account in self.ledger.records.clearing() if account not in self._clearing]
        if accounts:
            commands = [MassCancel(owner=self._owner(account), time_ns=now_ns) for account in accounts]
            with suppress(ConnectionError):  # the next report or connection tries again
                self._clearing.update(dict.fromkeys(accounts, self._port.send(commands)))

    def _note_clearing(self, accounts: Iterable[int], *, is_clearing: bool) -> None:
        records = self.ledger.records
        for account in accounts:
            records.put(account, replace(records.of(account), is_clearing=is_clearing))

    def _acknowledge(self, sequence: int) -> None:
        """Take every command up to a link sequence for completely handled."""
        if cleared := [account for account, last in self._clearing.items() if last <= sequence]:
            with self._change():
                self._note_clearing(cleared, is_clearing=False)
            for account in cleared:
                del self._clearing[account]
        self._pending.acknowledge(sequence)

    def _bnb_price_units(self, symbol: Symbol) -> int | None:
        """Return what one BNB costs in the quote asset of a symbol, by the last price of its pair; None if none."""
        if symbol.quote == DISCOUNT_ASSET:
            return UNITS_PER_ONE
        pair = self.symbols.get(DISCOUNT_ASSET + symbol.quote)
        return self.market.last_ticks(pair, 0) * pair.tick_units or None if pair is not None else None

    def _send(self, commands: Sequence[Command]) -> int:
        try:
            return self._port.send(commands)
        except ConnectionError as error:
            raise ExchangeError(ErrorKind.DISCONNECTED) from error

    def _cancel_command(self, order: Order, now_ns: int) -> CancelOrder:
        return CancelOrder(order.order_id, order.symbol.symbol_id, self._owner(order.account), now_ns)

    def _require_engine(self) -> None:
        if not self._is_connected:
            raise ExchangeError(ErrorKind.DISCONNECTED)
        if len(self._pending) >= COMMANDS_PENDING_MAX:
            raise ExchangeError(ErrorKind.OVERLOADED)

    def _owner(self, account: int) -> int:
        return self._first_owner + account

    def _endow(self, account: int) -> None:
        for asset, units in STARTING_ASSETS.items():
            self.ledger.deposit(account, asset, units)
