"""Money, driven by random accounts, orders, fees, deaths: never made, never lost, never negative, locked as needed."""

import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from market.codes import SelfTradePrevention, Side, TimeInForce, Trigger
from market.events import Accepted
from market.feed_messages import BookTrade
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.order_lists import NewList, pair_of
from paper.money.commission import Commission, FeePlace
from paper.money.history import Span
from paper.money.order_list import Contingency
from paper.money.orders import Order, OrderKind
from paper.money.starting_assets import STARTING_ASSETS
from paper.money.wallets import FEES
from tests.cases import IS_NIGHT
from tests.paper.desk import ALICE, BNBUSDT, BOB, CAROL, Desk
from tests.paper.money_model import UNIT, MoneyModel

EVERYBODY = (ALICE, BOB, CAROL)
ACCOUNTS = st.sampled_from(EVERYBODY)
BNB_PRICES = st.integers(590, 610).map(str)
SIDES = st.sampled_from(Side)
PRICES = st.integers(89_990, 90_010).map(str)
QTYS = st.integers(1_000, 40_000).map(lambda lots: str(Decimal(lots) / 100_000))
REFUSALS = {
    ErrorKind.INSUFFICIENT_BALANCE,
    ErrorKind.NO_DEPTH,
    ErrorKind.FILTER_FAILURE,
    ErrorKind.WOULD_TRIGGER,
}
REFUSALS_OF_AMENDS = {
    ErrorKind.AMEND_TOO_LARGE,
    ErrorKind.AMEND_TOO_SMALL,
    ErrorKind.AMEND_CHANGES_NOTHING,
    ErrorKind.AMEND_UNDER_WAY,
    ErrorKind.FILTER_FAILURE,
}


class Market(RuleBasedStateMachine):
    """Three accounts, strangers, and an engine; each of them may do anything at any time.

    Fees are high, so that accounts that pay in BNB run out of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()

    @initialize(place=st.sampled_from(FeePlace), is_in_bnb=st.booleans())
    def exchange_opens(self, place: FeePlace, is_in_bnb: bool) -> None:
        commission = Commission(
            Decimal("0.05000007"),
            Decimal("0.10050003"),
            {"BNBUSDT": (Decimal("0.00000007"), Decimal("0.3"))},
            place=place,
            is_in_bnb=is_in_bnb,
        )
        self.desk = Desk(Path(self.folder.name), commission=commission).connect()
        self.desk.exchange.open_account(CAROL)
        self.model = MoneyModel(commission, EVERYBODY)
        self.epoch, self.applied = self.desk.ledger.last_report("engine")
        for side in (Side.BUY, Side.SELL):
            self.desk.engine.flow(self.desk.exchange, side, "600", "0.001", symbol_id=BNBUSDT.symbol_id)

    def teardown(self) -> None:
        self.desk.ledger.close()
        self.folder.cleanup()

    @rule(
        account=ACCOUNTS,
        side=SIDES,
        price=PRICES,
        qty=QTYS,
        kind=st.sampled_from([OrderKind.LIMIT, OrderKind.LIMIT_MAKER]),
        time_in_force=st.sampled_from(TimeInForce),
        prevention=st.sampled_from(SelfTradePrevention),
        is_iceberg=st.booleans(),
        is_handled=st.booleans(),
    )
    def limit(
        self,
        account: int,
        side: Side,
        price: str,
        qty: str,
        kind: OrderKind,
        time_in_force: TimeInForce,
        prevention: SelfTradePrevention,
        is_iceberg: bool,
        is_handled: bool,
    ) -> None:
        if kind is OrderKind.LIMIT_MAKER or is_iceberg:
            time_in_force = TimeInForce.GTC
        request = self.desk.request(
            side,
            price,
            qty,
            kind=kind,
            time_in_force=time_in_force,
            self_trade_prevention=prevention,
            iceberg="0.02" if is_iceberg else "0",
        )
        self._place(account, request, is_handled=is_handled)

    @rule(
        account=ACCOUNTS,
        side=SIDES,
        price=PRICES,
        stop=PRICES,
        qty=QTYS,
        kind=st.sampled_from([kind for kind in OrderKind if kind.trigger is not Trigger.NONE]),
        time_in_force=st.sampled_from(TimeInForce),
        trailing=st.sampled_from([0, 0, 10, 100, 2_000]),
        tracks_at_once=st.booleans(),
        is_handled=st.booleans(),
    )
    def stop(
        self,
        account: int,
        side: Side,
        price: str,
        stop: str,
        qty: str,
        kind: OrderKind,
        time_in_force: TimeInForce,
        trailing: int,
        tracks_at_once: bool,
        is_handled: bool,
    ) -> None:
        if kind.is_market:
            price, time_in_force = "0", TimeInForce.GTC
        stop = "0" if trailing and tracks_at_once else stop
        request = self.desk.request(
            side, price, qty, kind=kind, time_in_force=time_in_force, stop=stop, trailing=trailing
        )
        self._place(account, request, is_handled=is_handled)

    @rule(
        account=ACCOUNTS,
        side=SIDES,
        low=PRICES,
        high=PRICES,
        limit=PRICES,
        qty=QTYS,
        kind=st.sampled_from(["oco", "oto", "otoco"]),
        aim_kind=st.sampled_from([OrderKind.LIMIT_MAKER, OrderKind.TAKE_PROFIT_LIMIT]),
        trailing=st.sampled_from([0, 0, 10]),
        is_handled=st.booleans(),
    )
    def order_list(
        self,
        account: int,
        side: Side,
        low: str,
        high: str,
        limit: str,
        qty: str,
        kind: str,
        aim_kind: OrderKind,
        trailing: int,
        is_handled: bool,
    ) -> None:
        low, high = sorted((low, high))
        at, stop_at = (high, low) if side is Side.SELL else (low, high)
        stop_kind = OrderKind.STOP_LOSS_LIMIT
        stop = self.desk.request(side, limit, qty, kind=stop_kind, stop=stop_at, trailing=trailing)
        aim = self.desk.request(side, at, qty, kind=aim_kind, stop=at if aim_kind.trigger else "0")
        pair = pair_of(aim, stop) if side is Side.SELL else pair_of(stop, aim)
        working = self.desk.request(Side(1 - side), limit, qty)
        legs = {"oco": pair, "oto": (working, stop), "otoco": (working, *pair)}[kind]
        for leg in legs:
            leg.account = account
        contingency = Contingency.OCO if kind == "oco" else Contingency.OTO
        try:
            self.desk.exchange.place_list(NewList(contingency, "", legs), self.desk.engine.time_ns)
        except ExchangeError as error:
            if error.kind not in REFUSALS | {ErrorKind.BAD_LIST_PRICES}:
                raise
            return
        self.model.placed_list(legs, is_triggering=kind != "oco")
        if is_handled:
            self.desk.engine.pump(self.desk.exchange)

    @rule(account=ACCOUNTS, side=SIDES, qty=QTYS, is_quote=st.booleans())
    def market(self, account: int, side: Side, qty: str, is_quote: bool) -> None:
        size = {"quote": str(Decimal(qty) * 10_000)} if is_quote else {"qty": qty}
        self._place(account, self.desk.request(side, kind=OrderKind.MARKET, **size), is_handled=True)  # type: ignore[arg-type]

    @rule(account=ACCOUNTS, side=SIDES, price=BNB_PRICES, qty=st.sampled_from(["0.01", "0.2", "0.7"]))
    def bnb(self, account: int, side: Side, price: str, qty: str) -> None:
        self._place(account, self.desk.request(side, price, qty, symbol="BNBUSDT"), is_handled=True)

    @rule(side=SIDES, price=BNB_PRICES, qty=st.sampled_from(["0.01", "0.2", "0.7"]))
    def stranger_in_bnb(self, side: Side, price: str, qty: str) -> None:
        self.desk.engine.flow(self.desk.exchange, side, price, qty, symbol_id=BNBUSDT.symbol_id)

    @rule(account=ACCOUNTS, is_bnb_payer=st.booleans())
    def pay_in_bnb(self, account: int, is_bnb_payer: bool) -> None:
        self.desk.exchange.set_bnb_payer(account, is_bnb_payer)
        self.model.bnb_payers[account] = is_bnb_payer

    @rule(side=SIDES, price=PRICES, qty=QTYS)
    def stranger(self, side: Side, price: str, qty: str) -> None:
        self.desk.engine.flow(self.desk.exchange, side, price, qty)

    @rule(data=st.data(), is_handled=st.booleans())
    def cancel(self, data: st.DataObject, is_handled: bool) -> None:
        orders = list(self.desk.ledger.open_orders.values())
        if orders:
            self.desk.exchange.cancel([data.draw(st.sampled_from(orders))], self.desk.engine.time_ns)
        if is_handled:
            self.desk.engine.pump(self.desk.exchange)

    @rule(data=st.data(), lots=st.integers(1_000, 20_000), is_handled=st.booleans())
    def amend(self, data: st.DataObject, lots: int, is_handled: bool) -> None:
        orders = list(self.desk.ledger.open_orders.values())
        if orders:
            order = data.draw(st.sampled_from(orders))
            try:
                self.desk.exchange.amend(order, lots, order.client_order_id, self.desk.engine.time_ns)
                if order.is_held:
                    of_list = self.model.orders[order.order_id].of_list
                    assert of_list is not None
                    for order_id in of_list.pair:
                        self.model.orders[order_id].leaves_lots = lots
            except ExchangeError as error:
                if error.kind not in REFUSALS_OF_AMENDS:
                    raise
        if is_handled:
            self.desk.engine.pump(self.desk.exchange)

    @rule()
    def engine_catches_up(self) -> None:
        self.desk.engine.pump(self.desk.exchange)

    @rule(is_taken=st.booleans())
    def exchange_dies(self, is_taken: bool) -> None:
        if is_taken:
            self.desk.engine.handle()
        self.desk.kill()
        self._tell_last_bnb_trade()
        self.desk.connect()
        self.desk.engine.report(self.desk.exchange)
        self.desk.engine.pump(self.desk.exchange)

    @rule()
    def engine_dies(self) -> None:
        self.desk.engine.restart()
        self.desk.connect()

    @rule()
    def both_die(self) -> None:
        self.desk.engine.restart()
        self.desk.engine.connect(self.desk.exchange)
        self.exchange_dies(is_taken=True)

    @rule(account=ACCOUNTS)
    def account_is_reset(self, account: int) -> None:
        self.desk.exchange.reset_account(account, self.desk.engine.time_ns)
        wallets = self.desk.ledger.wallets.of(account)
        assert {asset: wallet.free for asset, wallet in wallets.items()} == STARTING_ASSETS
        self.model.reset(account)

    @invariant()
    def money_is_where_the_model_has_it(self) -> None:
        ledger = self.desk.ledger
        self._let_the_model_catch_up()
        ledger.check()
        assert {order.order_id: order.leaves_lots for order in ledger.open_orders.values()} == {
            order_id: order.leaves_lots for order_id, order in self.model.orders.items()
        }
        locked = self.model.locked()
        for account in EVERYBODY:
            for asset, wallet in ledger.wallets.of(account).items():
                key = account, asset
                assert wallet.locked * UNIT == locked.pop(key, 0), key
                assert (wallet.free + wallet.locked) * UNIT == self.model.owned[key], key
        assert not locked
        assert {asset: wallet.free * UNIT for asset, wallet in ledger.wallets.of(FEES).items() if wallet.free} == {
            asset: fee for asset, fee in self.model.fees.items() if fee
        }

    @invariant()
    def balances_are_what_the_trades_made_them(self) -> None:
        for account in EVERYBODY:
            owned = {asset: STARTING_ASSETS[asset] for asset in ("BTC", "BNB", "USDT")}
            for symbol in self.desk.exchange.symbols.values():
                for trade in self.desk.ledger.history.trades(account, symbol, None, Span(100_000)):
                    sign = 1 if trade.side is Side.BUY else -1
                    owned[symbol.base] += sign * trade.qty_lots * symbol.lot_units
                    owned["USDT"] -= sign * trade.quote_units
                    owned[trade.fee_asset] -= trade.fee_units
            wallets = self.desk.ledger.wallets.of(account)
            assert {asset: wallets[asset].free + wallets[asset].locked for asset in owned} == owned

    @invariant()
    def the_engine_holds_the_open_orders_when_nothing_is_on_its_way(self) -> None:
        if self.desk.engine.is_idle:
            assert dict(self.desk.ledger.remnants) == {}
            orders = [order for order in self.desk.ledger.open_orders.values() if not order.is_held]
            wanted = {order.order_id: order.leaves_lots for order in orders if not order.is_waiting}
            assert self.desk.engine.own_resting_lots() == wanted
            assert self.desk.engine.own_waiting_ids() == {order.order_id for order in orders if order.is_waiting}

    def _let_the_model_catch_up(self) -> None:
        """Tell the model what the exchange has saved of the engine's reports since the last time."""
        open_ids = self.desk.ledger.open_orders.keys()
        epoch, saved = self.desk.ledger.last_report("engine")
        events = self.desk.engine.reports_since(0)[:saved]
        if epoch == self.epoch:
            events = events[self.applied :]
        else:  # the orders that the exchange has not entered into the new engine have ended with the old one
            entered = {event.order_id for event in events if isinstance(event, Accepted)} | open_ids
            self.model.end_all_but(entered)
        self.epoch, self.applied = epoch, saved
        entered_at = {event.order_id: place for place, event in enumerate(events) if isinstance(event, Accepted)}
        for place, event in enumerate(events):
            later = {order_id for order_id, at in entered_at.items() if at > place}
            self.model.apply(event, open_ids | later)
        self.bnb_ticks = self.desk.exchange.market.tapes[BNBUSDT.symbol_id].trades[-1].price_ticks
        self.model.bnb_price = self.bnb_ticks * Fraction(BNBUSDT.tick_size)

    def _tell_last_bnb_trade(self) -> None:
        """Let a new exchange know the price of BNB from the start, as the feed soon would."""
        trade = BookTrade(1, self.bnb_ticks, 1, Side.BUY)
        self.desk.exchange.market.on_trades(
            self.desk.engine.epoch, BNBUSDT.symbol_id, [trade], self.desk.engine.time_ns
        )

    def _place(self, account: int, order: Order, *, is_handled: bool) -> Order | None:
        try:
            pending = self.desk.send(account, order)
        except ExchangeError as error:
            if error.kind not in REFUSALS:
                raise
            return None
        self.model.placed(pending.order)
        if is_handled:
            self.desk.engine.pump(self.desk.exchange)
        return pending.order


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=400 if IS_NIGHT else 20, stateful_step_count=40, deadline=None)
