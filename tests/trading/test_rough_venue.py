"""A trader at a venue that does all that a venue may do: what must hold however it goes; more seeds with ROUGH=all."""

import os
from collections import Counter
from decimal import Decimal
from itertools import count

import pytest

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from tests.pairs import default_instruments
from tests.trading.rough_venue import ARRIVAL_NS, RoughVenue
from trading import notes
from trading.actions import Place, apart
from trading.escalation import DAY_NS, Account, Stage
from trading.guard import NO_LIMITS
from trading.keeping import Requoting
from trading.limits import Limits
from trading.model_strategy import ModelStrategy
from trading.models import model_named
from trading.models.parameters import Parameters
from trading.order_rules import OrderRules
from trading.reasons import HALTED
from trading.terms import Terms
from trading.trader import Trader

BTCUSDT = default_instruments()[0]
IS_LONG = os.environ.get("ROUGH") == "all"
SEEDS = range(10 if IS_LONG else 4)
PREFIX = "tb-rough-"
RUN_NS = 60 * NS_PER_SECOND
CALM_NS = 30 * NS_PER_SECOND  # in which all is settled once nothing goes wrong any more


def a_trader(
    list_ns: int, lag_ns: int = 0, limits: Limits = NO_LIMITS, levels: int = 1, *, can_move: bool = True
) -> Trader:
    """Return a trader with the default model, at a venue whose answers lag by so much."""
    parameters = Parameters(Decimal("0.002"), Decimal(1_000), levels=levels)
    terms = Terms(
        Requoting(Decimal("0.0003"), Decimal("0.5")), PREFIX, 250 * NS_PER_MS, list_ns, ARRIVAL_NS + lag_ns,
        neutral_qty=Decimal(10), limits=limits, can_move=can_move,
    )  # fmt: skip
    return Trader(
        ModelStrategy(model_named("symmetric", parameters), half_life_s=300),
        BTCUSDT,
        OrderRules(),
        terms,
        (f"{PREFIX}{number}" for number in count(1)),
    )


def _fills(told: list[object]) -> Counter[str]:
    filled: Counter[str] = Counter()
    for note in told:
        if isinstance(note, notes.Filled):
            filled[note.order.client_order_id] += BTCUSDT.qty_to_lots(note.qty)
    return filled


@pytest.mark.parametrize("list_ns", [0, 5 * NS_PER_SECOND], ids=["asks always", "is told"])
@pytest.mark.parametrize("lag_ns", [0, 3 * NS_PER_SECOND], ids=["", "lags"])
@pytest.mark.parametrize("seed", SEEDS)
def test_never_doubles_an_order_nor_tells_a_fill_twice_and_settles(seed: int, lag_ns: int, list_ns: int) -> None:
    """Lost answers, late and doubled news in any order, refusals, failures, silences: two bids were open, or none."""
    venue = RoughVenue(BTCUSDT, seed, trouble=0.3, lag_ns=lag_ns)
    trader = a_trader(list_ns, lag_ns, can_move=bool(seed % 2))
    venue.live(venue.now_ns + RUN_NS)
    told = venue.run(trader, venue.now_ns + RUN_NS)
    venue.trouble = 0.0
    venue.live(venue.now_ns + CALM_NS - 2 * NS_PER_SECOND)
    told += venue.run(trader, venue.now_ns + CALM_NS)
    assert venue.most_open == 1
    assert not trader.orders.unknown
    assert _fills(told) == {
        name: BTCUSDT.qty_to_lots(order.filled_qty) for name, order in venue.orders.items() if order.filled_qty
    }
    ended = [note.order.client_order_id for note in told if isinstance(note, notes.Ended)]
    assert sorted(ended) == sorted(
        name for name, order in venue.orders.items() if not order.is_open and order.leaves_qty
    )
    assert {order.side for order in venue.open_orders()} == set(Side)
    kinds = {"OrderNews", "BookNews", "Listed", "Balances", "Failed", "Refused", "Unknown", "Found"}
    assert kinds <= venue.said.keys(), "the venue was not rough"


@pytest.mark.parametrize("lag_ns", [0, 3 * NS_PER_SECOND], ids=["", "lags"])
@pytest.mark.parametrize("seed", SEEDS)
def test_is_out_only_when_nothing_is_there_and_nothing_comes(seed: int, lag_ns: int) -> None:
    """A halt in the midst of trouble; then a resume."""
    venue = RoughVenue(BTCUSDT, seed, trouble=0.3, lag_ns=lag_ns)
    trader = a_trader(5 * NS_PER_SECOND, lag_ns)
    end_ns = venue.now_ns + RUN_NS + CALM_NS
    venue.live(end_ns - 2 * NS_PER_SECOND)
    venue.run(trader, venue.now_ns + 10 * NS_PER_SECOND + seed * 37 * NS_PER_MS)
    trader.leave(HALTED, venue.now_ns, venue.take_back())
    for _ in range(1_000):
        action_count = len(venue.actions)
        venue.run(trader, venue.now_ns + 20 * NS_PER_MS)
        assert not any(isinstance(action, Place) for action in apart(venue.actions[action_count:]))
        if trader.is_out:
            break
    assert trader.is_out
    order_count = len(venue.orders)
    venue.run(trader, venue.now_ns + ARRIVAL_NS)
    assert venue.open_orders() == []
    assert len(venue.orders) == order_count, "an order came after all was said to be out"
    trader.come_back()
    venue.trouble = 0.0
    venue.run(trader, end_ns)
    assert {order.side for order in venue.open_orders()} == set(Side)


@pytest.mark.parametrize("lag_ns", [0, 3 * NS_PER_SECOND], ids=["", "lags"])
@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_never_can_hold_more_than_its_limit_whatever_fills_or_is_lost(seed: int, levels: int, lag_ns: int) -> None:
    """All that is open, on its way, of unknown fate or just cancelled may fill, and balances may not know of it."""
    limit = Decimal("0.012")
    venue = RoughVenue(BTCUSDT, seed, trouble=0.3, lag_ns=lag_ns)
    trader = a_trader(5 * NS_PER_SECOND, lag_ns, Limits(position=limit), levels)
    venue.live(venue.now_ns + RUN_NS)
    told = venue.run(trader, venue.now_ns + RUN_NS)
    assert max(venue.most_out.values()) <= limit, f"seed {seed}"
    assert max(venue.most_out.values()) > limit * Decimal("0.9"), "the limit was never near"
    assert any(isinstance(note, notes.Limited) for note in told)
    assert min(sum(order.side == side for order in venue.orders.values()) for side in Side) > 3, "it has stopped"


@pytest.mark.parametrize("lag_ns", [0, 3 * NS_PER_SECOND], ids=["", "lags"])
@pytest.mark.parametrize("held", ["0.05", "-0.05"])
@pytest.mark.parametrize("seed", SEEDS)
def test_position_that_is_to_go_goes_in_slices_and_never_beyond_nothing(seed: int, held: str, lag_ns: int) -> None:
    """Answers that are lost, slices that trade in part, balances that lag: what was sold twice would be short."""
    venue, qty = RoughVenue(BTCUSDT, seed, trouble=0.3, lag_ns=lag_ns), Decimal(held)
    trader = a_trader(5 * NS_PER_SECOND, lag_ns, Limits(order=Decimal(1_000)))
    venue.hold(qty)
    trader.guard.escalation.account = Account(
        venue.now_ns // DAY_NS, Decimal(10), Decimal(0), Decimal(0), Stage.FLATTENS, "a loss", venue.now_ns
    )
    venue.live(venue.now_ns + 2 * RUN_NS)
    least = most = qty
    end_ns = venue.now_ns + 2 * RUN_NS
    while venue.now_ns < end_ns:
        venue.run(trader, venue.now_ns + NS_PER_SECOND // 10)
        least, most = min(least, venue.position), max(most, venue.position)
    venue.trouble = 0.0
    venue.live(venue.now_ns + 2 * RUN_NS)
    venue.run(trader, venue.now_ns + 2 * RUN_NS)
    assert venue.position == 0, f"seed {seed}"
    assert (least, most) == (min(qty, Decimal(0)), max(qty, Decimal(0)))
    assert all(order.qty <= Decimal("0.0115") for order in venue.orders.values())
    assert venue.open_orders() == []
