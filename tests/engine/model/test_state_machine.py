"""Hypothesis looks for the shortest sequence of commands after which the engines differ."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from market.commands import AmendOrder, CancelOrder, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from tests.engine.model.pair import Pair

PRICES = st.one_of(st.integers(95, 105), st.sampled_from([1, 4_095, 4_096, 4_097, 262_143, 16_777_216, 100_000_000]))
LOTS = st.integers(1, 12)
LEAVES = st.one_of(st.just(0), LOTS)
OWNERS = st.integers(0, 2)
IDS = st.integers(1, 25)
SYMBOLS = st.integers(0, 1)


class EnginesAgree(RuleBasedStateMachine):
    """`Pair.step` compares events, depth, orders, hash and invariants after each command."""

    @initialize(
        orders_max=st.sampled_from([4, 30]), pages_max=st.sampled_from([3, 20]), event_slots=st.sampled_from([8, 64])
    )
    def start(self, orders_max: int, pages_max: int, event_slots: int) -> None:
        """Begin with empty engines."""
        self.pair = Pair(2, orders_max, pages_max, event_slots)
        self.time_ns = 0

    def _step(self, command: Any) -> None:
        self.time_ns += 1
        self.pair.step(command._replace(time_ns=self.time_ns))

    @rule(
        order_id=IDS,
        symbol=SYMBOLS,
        side=st.integers(0, 1),
        price=PRICES,
        qty=LOTS,
        owner=OWNERS,
        mode=st.integers(0, 4),
    )
    def limit(self, order_id: int, symbol: int, side: int, price: int, qty: int, owner: int, mode: int) -> None:
        """Enter a plain limit order."""
        self._step(NewOrder(order_id, symbol, side, price, qty, 0, 0, mode, owner=owner))

    @rule(order_id=IDS, side=st.integers(0, 1), price=PRICES, qty=LOTS, owner=OWNERS, display=st.integers(1, 4))
    def iceberg(self, order_id: int, side: int, price: int, qty: int, owner: int, display: int) -> None:
        """Enter an order that shows a part."""
        self._step(NewOrder(order_id, 0, side, price, qty, display_lots=min(display, qty), owner=owner))

    @rule(
        order_id=IDS,
        side=st.integers(0, 1),
        price=PRICES,
        qty=LOTS,
        force=st.integers(1, 2),
        owner=OWNERS,
        mode=st.integers(0, 4),
    )
    def immediate(self, order_id: int, side: int, price: int, qty: int, force: int, owner: int, mode: int) -> None:
        """Enter an order that never rests."""
        self._step(NewOrder(order_id, 0, side, price, qty, 0, force, mode, owner=owner))

    @rule(order_id=IDS, side=st.integers(0, 1), qty=LOTS, force=st.integers(0, 2))
    def market(self, order_id: int, side: int, qty: int, force: int) -> None:
        """Enter a market order."""
        self._step(NewOrder(order_id, 0, side, 0, qty, 1, force))

    @rule(
        order_id=IDS,
        side=st.integers(0, 1),
        price=PRICES,
        qty=LOTS,
        kind=st.integers(0, 2),
        trigger=st.integers(1, 2),
        at=PRICES,
        owner=OWNERS,
    )
    def triggered(
        self, order_id: int, side: int, price: int, qty: int, kind: int, trigger: int, at: int, owner: int
    ) -> None:
        """Enter an order that waits."""
        price = 0 if kind == 1 else price
        self._step(NewOrder(order_id, 0, side, price, qty, kind, 0, 1, 0, trigger, at, owner))

    @rule(
        order_id=IDS,
        side=st.integers(0, 1),
        price=PRICES,
        kind=st.integers(0, 2),
        trigger=st.integers(1, 3),
        at=st.one_of(PRICES, st.just(0)),
        bps=st.sampled_from([1, 100, 200, 300, 9_999]),
    )
    def trailing(self, order_id: int, side: int, price: int, kind: int, trigger: int, at: int, bps: int) -> None:
        """Enter an order that trails the price; those that wait for price 0 are refused."""
        price = 0 if kind == 1 else price
        command = NewOrder(order_id, 0, side, price, 5, kind, trigger=trigger, trigger_price_ticks=at, trailing_bps=bps)
        self._step(command)

    @rule(symbol=SYMBOLS, low=st.one_of(PRICES, st.just(0)), high=st.one_of(PRICES, st.just(0)))
    def price_range(self, symbol: int, low: int, high: int) -> None:
        """Bound the prices at which takers trade, or no more."""
        self._step(SetPriceRange(symbol, low, high))

    @rule(order_id=IDS, symbol=SYMBOLS, side=st.integers(0, 1), price=PRICES, qty=LOTS)
    def post_only(self, order_id: int, symbol: int, side: int, price: int, qty: int) -> None:
        """Enter an order that must not take."""
        self._step(NewOrder(order_id, symbol, side, price, qty, 2))

    @rule(order_id=IDS, symbol=SYMBOLS, owner=OWNERS)
    def cancel(self, order_id: int, symbol: int, owner: int) -> None:
        """Cancel."""
        self._step(CancelOrder(order_id, symbol, owner))

    @rule(order_id=IDS, symbol=SYMBOLS, price=st.one_of(PRICES, st.just(0)), qty=LOTS, owner=OWNERS, left=LEAVES)
    def amend(self, order_id: int, symbol: int, price: int, qty: int, owner: int, left: int) -> None:
        """Amend, perhaps only if so much is still open."""
        self._step(AmendOrder(order_id, symbol, price, qty, owner, expected_leaves_lots=left))

    @rule(symbol=st.integers(-1, 1), side=st.integers(-1, 1), owner=OWNERS)
    def mass_cancel(self, symbol: int, side: int, owner: int) -> None:
        """Cancel many."""
        self._step(MassCancel(symbol, side, owner))

    @rule(symbol=st.integers(-1, 1), is_halted=st.booleans())
    def halt(self, symbol: int, is_halted: bool) -> None:
        """Halt or resume."""
        self._step(HaltSymbol(symbol, int(is_halted)))


EnginesAgree.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestEnginesAgree = EnginesAgree.TestCase
