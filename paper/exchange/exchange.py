"""The exchange: accounts give orders, engines match them, and money moves. No sockets, no clock.

An order is checked, funded and saved before its symbol's engine hears of it; whatever an engine reports is saved, with
the report's number, before anybody is told (`saves`). So the process may die anywhere and resume after the last saved
reports.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.engine_orders import EngineOrders, LinkEnd
from paper.exchange.executions import Executions
from paper.exchange.fees import Fees
from paper.exchange.filters import OPEN_LISTS_MAX
from paper.exchange.news import DepositNews, WalletNews
from paper.exchange.order_lists import NewList, check_prices, lock_together
from paper.exchange.order_rules import OrderRules
from paper.exchange.pending import Pending, Purpose
from paper.exchange.public_market import BookView, PublicMarket
from paper.exchange.saves import Action, Saves, at_once
from paper.exchange.sizing import price_cap_ticks
from paper.money.commission import DISCOUNT_ASSET, Commission
from paper.money.ledger import Ledger
from paper.money.order_list import Contingency, OrderList
from paper.money.orders import Order, OrderKind, Reserve
from paper.money.starting_assets import STARTING_ASSETS
from paper.money.wallets import OUTSIDE
from paper.units import UNITS_PER_ONE, Symbol


class Exchange:
    """All accounts' orders and money.

    Attributes:
        symbols: what is traded, by the venue's spelling.
        ledger: the state, of which the latest may not be saved yet; change it only through the exchange.
        saves: saves it, and lets the outside know only then.
        engines: the orders at each engine, by its name.
        market: what everybody sees.
        commission: what the exchange takes of every trade.
        halted: the symbols that the exchange has had halted, by the venue's spelling.
        account_listeners: who hears what happens to the accounts' orders and money.
    """

    def __init__(
        self,
        ledger: Ledger,
        links: Mapping[str, LinkEnd],
        book: BookView,
        *,
        first_order_id: int,
        first_owner: int = 0,
        first_update_id: int = 1,
        commission: Commission | None = None,
        soon: Callable[[Action], object] = at_once,
    ) -> None:
        """Take up the ledger's state; order ids are `first_order_id` + 1, 2 ..., owners `first_owner` + account.

        Changes of the public books are numbered from `first_update_id` on.
        `links` are the link ends by engine, one for each that has a symbol.
        `soon` is given each save to do; what has changed until it does it is saved together.
        """
        self.symbols: Mapping[str, Symbol] = ledger.symbols
        self.ledger = ledger
        self.saves = Saves(ledger, soon)
        self.commission = commission or Commission()
        self.halted: set[str] = set()
        self.market = PublicMarket(ledger, book, first_update_id)
        self._rules = OrderRules(ledger, self.market)
        self._first_order_id = first_order_id
        self._second = 0
        fees = Fees(ledger, self.commission, self._bnb_price_of_payer)
        self._executions = Executions(ledger, self.saves, fees, self._admit)
        self.account_listeners = self._executions.listeners
        self.engines: Mapping[str, EngineOrders] = {
            engine: EngineOrders(
                engine,
                links[engine],
                ledger,
                self.saves,
                self._executions,
                first_order_id=first_order_id,
                first_owner=first_owner,
            )
            for engine in ledger.engines
        }

    @property
    def is_connected(self) -> bool:
        """Whether every engine takes orders."""
        return all(engine.is_connected for engine in self.engines.values())

    # -- accounts

    def open_account(self, account: int) -> None:
        """Give a new account its starting assets; one that exists stays as it is."""
        if not self.ledger.wallets.of(account):
            with self._executions.saved():
                self._endow(account)

    def reset_account(self, account: int, now_ns: int) -> None:
        """Forget the account's balances, orders and trades, and give it the starting assets anew."""
        time_ms = now_ns // NS_PER_MS
        before = {asset: wallet.free + wallet.locked for asset, wallet in self.ledger.wallets.of(account).items()}
        self.saves.save()
        with self._executions.saved():
            self.ledger.forget_account(account, time_ms)
            self._endow(account)
        for engine in self.engines.values():
            engine.clear_anew(account, now_ns)
        for asset, wallet in self.ledger.wallets.of(account).items():
            if units := wallet.free - before.get(asset, 0):
                self._executions.tell(DepositNews(account, asset, units, time_ms))
        self._executions.tell(WalletNews(account, self.ledger.wallets.of(account), time_ms))

    def deposit(self, account: int, asset: str, units: int, now_ns: int) -> None:
        """Give an account units from outside."""
        with self._executions.saved():
            self.ledger.wallets.transfer(OUTSIDE, account, asset, units)
        self._executions.tell(DepositNews(account, asset, units, now_ns // NS_PER_MS))

    def set_bnb_payer(self, account: int, is_bnb_payer: bool) -> None:
        """Let an account pay its fees in BNB, at a discount, or not."""
        with self._executions.saved():
            self.ledger.records[account] = replace(self.ledger.records.of(account), is_bnb_payer=is_bnb_payer)

    def is_bnb_payer(self, account: int) -> bool:
        """Say whether an account pays its fees in BNB, as long as it can."""
        is_bnb_payer = self.ledger.records.of(account).is_bnb_payer
        return self.commission.is_in_bnb if is_bnb_payer is None else is_bnb_payer

    def has_bnb_price(self, symbol: Symbol) -> bool:
        """Say whether fees of a symbol can be paid in BNB now."""
        return self._bnb_price_units(symbol) is not None

    # -- orders

    def check(self, order: Order, now_ns: int) -> None:
        """Check a new order as `place` would, but for funds, and do nothing.

        Raises:
            ExchangeError: what `place` would raise.
        """
        self._rules.size(order, now_ns)

    def place(self, order: Order, now_ns: int) -> Pending:
        """Fund a new order; it is saved and sent to the engine, and when done, it tells how it went.

        Raises:
            ExchangeError: if a filter, the account's funds, or another open order forbids it; nothing has changed then.
        """
        engine = self._engine(order.symbol)
        order.terms = self.commission.terms(order.symbol.name)
        self._admit(order, now_ns)
        with self._executions.saved():
            self._number([order], now_ns)
            lock_together(self.ledger.wallets, [order])
        (pending,) = engine.enter([order], now_ns)
        return pending

    def place_list(self, new: NewList, now_ns: int) -> tuple[OrderList, list[Pending]]:
        """Fund the legs of a new order list; they are saved, and those sent that do not wait for another.

        Raises:
            ExchangeError: if a filter, the prices, the account's funds, or an open order or list forbids it; nothing
                has changed then.
        """
        symbol, account = new.legs[0].symbol, new.legs[0].account
        engine = self._engine(symbol)
        held = new.legs[1:] if new.contingency is Contingency.OTO else ()
        at_work = new.legs[: len(new.legs) - len(held)]
        pair = held or at_work
        if len(pair) > 1:
            check_prices(pair, None if held else self.market.tapes[symbol.symbol_id].last_ticks)
        for count, leg in enumerate(new.legs):
            leg.terms = self.commission.terms(symbol.name)  # for good: whatever they are when the leg's turn comes
            if leg in held:
                leg.reserve = Reserve.HELD
                self._rules.filter(leg, now_ns, beside=new.legs[:count])
            else:
                self._admit(leg, now_ns, beside=new.legs[:count])
        if len(self.ledger.open_lists_of(account, symbol)) >= OPEN_LISTS_MAX:
            raise ExchangeError(ErrorKind.FILTER_FAILURE, name="MAX_NUM_ORDER_LISTS")
        with self._executions.saved():
            list_id = self.ledger.next_list_number()
            for leg in new.legs:
                leg.list_id = list_id
            self._number(new.legs, now_ns)
            names = {each.client_list_id for each in self.ledger.open_lists_of(account)}
            name = new.client_list_id or _other_than(f"tickbus-list-{list_id}", names.__contains__)
            if name in names:
                raise ExchangeError(ErrorKind.DUPLICATE_ORDER)
            time_ms = now_ns // NS_PER_MS
            placed = OrderList(list_id, account, symbol, name, new.contingency, new.legs, time_ms)
            self.ledger.open_lists[list_id] = placed
            lock_together(self.ledger.wallets, at_work)
        # The leg that may be refused first: then nothing of the list was ever at work.
        return placed, engine.enter(sorted(at_work, key=lambda leg: leg.has_trigger), now_ns)

    def each_second(self, now_ns: int) -> None:
        """Tell the engines each price range that has changed, and enter what waited for a resume; at most each second.

        An engine does not say that a symbol is resumed. One that is halted after all refuses what is entered once more.
        """
        second = now_ns // NS_PER_SECOND
        if second != self._second:
            self._second = second
            for engine in self.engines.values():
                engine.enter_resumed(self.halted, now_ns)
            for symbol in self.symbols.values():
                prices = self.market.price_range(symbol, now_ns // NS_PER_MS)
                self.engines[symbol.engine].bound_prices(symbol.symbol_id, prices, now_ns)

    def cancel(self, orders: Sequence[Order], now_ns: int, *, request_id: str = "") -> list[Pending]:
        """Ask the engine to cancel open orders; a `Pending` without `refusal` was cancelled when it is done.

        A leg of an order list ends the whole list; where it is held, its list's working leg is cancelled.

        Args:
            orders: open orders of one symbol, at least one; of each list the legs that one cancel is to be sent for.
            now_ns: ns since 1970 UTC.
            request_id: what the client calls this request; empty lets the exchange choose for each order.

        Raises:
            ExchangeError: DISCONNECTED or OVERLOADED; nothing was sent then.
        """
        assert len({order.symbol.name for order in orders}) == 1, f"expected orders of one symbol, were {orders}"
        return self._engine(orders[0].symbol).cancel([*map(self._anchor, orders)], now_ns, request_id)

    def amend(self, order: Order, qty_lots: int, client_order_id: str, now_ns: int) -> Pending:
        """Ask the engine to make an open order smaller in its place; a `Pending` that `is_applied` was.

        The engine does it only if exactly as much is open as the exchange knows of: a fill on the way refuses it.
        Of a pair that cancel each other both legs are amended; what is held is not at the engine, and amended at once.

        Args:
            order: an open order.
            qty_lots: the whole quantity that it is to have, what is executed among it.
            client_order_id: what it is to be called then, perhaps what it is called now.
            now_ns: ns since 1970 UTC.

        Raises:
            ExchangeError: if the quantity is not smaller, a filter or another open order forbids it, or the engine
                cannot be asked; nothing has changed then.
        """
        engine = self._engine(order.symbol)
        orders = self._executions.lists.same_size(order)
        if any(engine.pending.amend_of(each.order_id) is not None for each in orders):
            raise ExchangeError(ErrorKind.AMEND_UNDER_WAY)
        self._rules.check_amend(order, qty_lots, now_ns)
        is_other = client_order_id != order.client_order_id
        if is_other and self._is_name_taken(order.account, client_order_id):
            raise ExchangeError(ErrorKind.DUPLICATE_ORDER)
        less_lots = order.qty_lots - qty_lots
        with self._executions.saved():
            for each in orders:
                name = client_order_id if each is order else each.client_order_id
                self.ledger.change(each).next_client_order_id = name
                if each.is_held:
                    self._executions.shrink(each, less_lots, now_ns // NS_PER_MS)
        if order.is_held:
            return Pending(order, Purpose.AMEND, 0, client_order_id, is_applied=True, is_done=True)
        pending = engine.amend(orders, less_lots, now_ns)
        return next(each for each in pending if each.order is order)

    # -- how

    def _admit(self, order: Order, now_ns: int, beside: Sequence[Order] = ()) -> None:
        """Size and price an order that is to work now, and check it, `beside` other new legs of its own list.

        Raises:
            ExchangeError: if a filter, the state of the book or, for a purchase at market, the funds refuse it.
        """
        self._rules.size(order, now_ns, beside=beside)
        if order.price_ticks == 0 and order.kind is OrderKind.MARKET and order.side is Side.BUY:
            free_units = self.ledger.wallets.free(order.account, order.locked_asset)
            spendable_units = order.terms.without_reserve(order.side, free_units)
            asks = self._rules.opposite(order)
            order.price_ticks = price_cap_ticks(order.symbol, asks, order.qty_lots, spendable_units)

    def _anchor(self, order: Order) -> Order:
        """Return the order that is to be cancelled in the engine so that an open order ends."""
        order_list = self.ledger.open_lists.of(order) if order.is_held else None
        return order if order_list is None or order_list.working is None else order_list.working

    def _number(self, orders: Sequence[Order], now_ns: int) -> None:
        """Give new orders their ids, names and times, in the transaction that saves them.

        Raises:
            ExchangeError: DUPLICATE_ORDER, if one is called as another that is open.
        """
        given = {order.client_order_id for order in orders}
        account = orders[0].account

        def is_taken(name: str) -> bool:
            return name in given or self._is_name_taken(account, name)

        for order in orders:
            order.order_id = self._first_order_id + self.ledger.next_order_number()
            order.client_order_id = order.client_order_id or _other_than(f"tickbus-{order.order_id}", is_taken)
            order.time_ms = order.update_ms = now_ns // NS_PER_MS
            self.ledger.change(order)
        names = [order.client_order_id for order in orders]
        is_doubled = len(set(names)) < len(names)
        if is_doubled or any(self._is_name_taken(account, name) for name in names):
            raise ExchangeError(ErrorKind.DUPLICATE_ORDER)

    def _engine(self, symbol: Symbol) -> EngineOrders:
        """Return the orders at the engine of a symbol.

        Raises:
            ExchangeError: DISCONNECTED or OVERLOADED, if it can be sent no command.
        """
        engine = self.engines[symbol.engine]
        engine.require()
        return engine

    def _is_name_taken(self, account: int, client_order_id: str) -> bool:
        is_open = self.ledger.open_order_by_client_id(account, client_order_id) is not None
        return is_open or any(each.pending.is_name_reserved(account, client_order_id) for each in self.engines.values())

    def _bnb_price_units(self, symbol: Symbol) -> int | None:
        """Return what one BNB costs in the quote asset of a symbol, by the last price of its pair; None if none."""
        if symbol.quote == DISCOUNT_ASSET:
            return UNITS_PER_ONE
        pair = self.symbols.get(DISCOUNT_ASSET + symbol.quote)
        return self.market.last_ticks(pair, 0) * pair.tick_units or None if pair is not None else None

    def _bnb_price_of_payer(self, account: int, symbol: Symbol) -> int | None:
        return self._bnb_price_units(symbol) if self.is_bnb_payer(account) else None

    def _endow(self, account: int) -> None:
        for asset, units in STARTING_ASSETS.items():
            self.ledger.wallets.transfer(OUTSIDE, account, asset, units)


def _other_than(name: str, is_taken: Callable[[str], bool]) -> str:
    """Return a name that nobody has, though clients may use any: as it is, or with as many more strokes as it takes."""
    while is_taken(name):
        name += "-"
    return name
