"""Money, driven by random accounts, orders, deaths: never made, never lost, never negative, locked as needed."""

import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from market.codes import SelfTradePrevention, Side, TimeInForce, Trigger
from paper.commission import Commission
from paper.errors import ErrorKind, ExchangeError
from paper.history import Span
from paper.orders import Order, OrderKind, OrderRequest
from paper.starting_assets import STARTING_ASSETS
from tests.paper.desk import ALICE, BOB, Desk

ACCOUNTS = st.sampled_from([ALICE, BOB])
SIDES = st.sampled_from(Side)
PRICES = st.integers(89_990, 90_010).map(str)
QTYS = st.integers(1, 40).map(lambda hundredths: str(Decimal(hundredths) / 100))
REFUSALS = {
    ErrorKind.INSUFFICIENT_BALANCE,
    ErrorKind.NO_DEPTH,
    ErrorKind.FILTER_FAILURE,
    ErrorKind.WOULD_TRIGGER,
}


class Market(RuleBasedStateMachine):
    """Two accounts, strangers, and an engine; each of them may do anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name), commission=Commission(Decimal("0.001"), Decimal("0.0015"))).connect()

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
            iceberg="0.01" if is_iceberg else "0",
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
        is_handled: bool,
    ) -> None:
        if kind.is_market:
            price, time_in_force = "0", TimeInForce.GTC
        request = self.desk.request(side, price, qty, kind=kind, time_in_force=time_in_force, stop=stop)
        self._place(account, request, is_handled=is_handled)

    @rule(account=ACCOUNTS, side=SIDES, qty=QTYS, is_quote=st.booleans())
    def market(self, account: int, side: Side, qty: str, is_quote: bool) -> None:
        size = {"quote": str(Decimal(qty) * 10_000)} if is_quote else {"qty": qty}
        self._place(account, self.desk.request(side, kind=OrderKind.MARKET, **size), is_handled=True)  # type: ignore[arg-type]

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

    @rule()
    def engine_catches_up(self) -> None:
        self.desk.engine.pump(self.desk.exchange)

    @rule(is_taken=st.booleans())
    def exchange_dies(self, is_taken: bool) -> None:
        if is_taken:
            self.desk.engine.handle()
        self.desk.kill()
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
        self.desk.engine.pump(self.desk.exchange)
        self.desk.exchange.reset_account(account, self.desk.engine.time_ns)
        self.desk.engine.pump(self.desk.exchange)
        wallets = self.desk.ledger.wallets.of(account)
        assert {asset: wallet.free for asset, wallet in wallets.items()} == STARTING_ASSETS

    @invariant()
    def money_is_conserved_and_locked_as_needed(self) -> None:
        self.desk.ledger.check()

    @invariant()
    def balances_are_what_the_trades_made_them(self) -> None:
        for account in (ALICE, BOB):
            owned = {"BTC": STARTING_ASSETS["BTC"], "USDT": STARTING_ASSETS["USDT"]}
            symbol = self.desk.exchange.symbols["BTCUSDT"]
            for trade in self.desk.ledger.history.trades(account, symbol, None, Span(100_000)):
                sign = 1 if trade.side is Side.BUY else -1
                owned["BTC"] += sign * trade.qty_lots * symbol.lot_units
                owned["USDT"] -= sign * trade.quote_units
                owned[trade.fee_asset] -= trade.fee_units
            wallets = self.desk.ledger.wallets.of(account)
            assert {asset: wallets[asset].free + wallets[asset].locked for asset in owned} == owned

    @invariant()
    def the_engine_holds_the_open_orders_when_nothing_is_on_its_way(self) -> None:
        if self.desk.engine.is_idle:
            orders = self.desk.ledger.open_orders.values()
            wanted = {order.order_id: order.leaves_lots for order in orders if not order.is_waiting}
            assert self.desk.engine.own_resting_lots() == wanted
            assert self.desk.engine.own_waiting_ids() == {order.order_id for order in orders if order.is_waiting}

    def _place(self, account: int, request: OrderRequest, *, is_handled: bool) -> Order | None:
        try:
            pending = self.desk.send(account, request)
        except ExchangeError as error:
            if error.kind not in REFUSALS:
                raise
            return None
        if is_handled:
            self.desk.engine.pump(self.desk.exchange)
        return pending.order


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
