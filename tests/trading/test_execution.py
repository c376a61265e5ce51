"""How little motion gets the book to hold what is wanted."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import permutations

import pytest

from market.codes import Side
from market.depth import Depth, Level
from tests.trading.markets import BTCUSDT
from trading.execution import Execution, plan
from trading.keeping import Keeping, Requoting
from trading.quoting import Quote
from trading.reasons import NO_MID
from trading.refills import Refilling
from trading.strategy import OwnOrder

BOOK = Depth((Level(9_138_000, 5),), (Level(9_139_000, 5),))
BID, ASK = Quote(Side.BUY, 9_120_223, 1_094), Quote(Side.SELL, 9_156_777, 1_094)


def planned(
    wanted: Sequence[Quote],
    live: Mapping[str, Quote],
    tolerance_ticks: int = 23,
    replace_below: str = "0",
    held: Collection[Side] = (),
) -> tuple[Mapping[str, str], Sequence[Quote]]:
    """Return what to cancel, each with the text of its reason, and what to place."""
    orders = [OwnOrder(name, each.side, each.price_ticks, each.qty_lots) for name, each in live.items()]
    why_none = dict.fromkeys(Side, NO_MID)
    requoting = Requoting(Decimal(tolerance_ticks), Decimal(replace_below))
    keeping = Keeping(requoting, BTCUSDT, 0, 2, Depth((), ()), wanted)  # of a mid of one tick
    cancels, places, _ = plan(wanted, orders, keeping, held, why_none)
    return {name: why.text for name, why in cancels.items()}, places


def test_nothing_moves_while_prices_are_within_the_tolerance() -> None:
    """An order keeps its place in the queue."""
    live = {"1": Quote(Side.BUY, 9_120_200, 500), "2": Quote(Side.SELL, 9_156_800, 1_094)}
    assert planned((BID, ASK), live) == ({}, [])


def test_only_the_side_that_is_off_is_replaced() -> None:
    """One tick beyond the tolerance, and that order alone is cancelled and placed again."""
    live = {"1": Quote(Side.BUY, 9_120_199, 1_094), "2": Quote(Side.SELL, 9_156_777, 1_094)}
    assert planned((BID, ASK), live) == ({"1": "requote: 0.24 USDT off, 0.23 are tolerated"}, [BID])


def test_doubled_orders_are_reduced_to_the_closest() -> None:
    """After an unknown fate two orders may stand on one side."""
    live = {"1": Quote(Side.BUY, 9_120_210, 1_094), "2": Quote(Side.BUY, 9_120_222, 1_094)}
    assert planned((BID,), live, 100) == ({"1": "another one on this side is closer"}, [])


def test_everything_is_cancelled_when_nothing_is_wanted() -> None:
    """No mid, no quotes."""
    live = {"1": Quote(Side.BUY, 1, 1), "2": Quote(Side.SELL, 2, 1)}
    assert planned((), live, 0) == (dict.fromkeys("12", NO_MID.text), [])


@pytest.mark.parametrize(
    ("leaves_lots", "is_kept"), [(547, True), (546, False), (1, False), (1_641, True), (1_642, False)]
)
def test_what_is_left_of_a_quote_is_replaced_when_its_size_is_far_off(leaves_lots: int, is_kept: bool) -> None:
    """One lot was kept for ever; and after a smaller notional was set, the larger order of before."""
    cancels, places = planned((BID,), {"1": replace(BID, qty_lots=leaves_lots)}, 23, "0.5")
    assert (list(cancels), places) == (([], []) if is_kept else (["1"], [BID]))


@pytest.mark.parametrize(("room", "cancelled"), [(None, "12"), (2, "12"), (1, "1"), (0, "")])
def test_an_order_whose_successor_has_no_room_stays(room: int | None, cancelled: str) -> None:
    """With room for one of two new orders both old ones left, and a side stood empty until there was more."""
    orders = [OwnOrder("1", Side.BUY, BID.price_ticks, 1), OwnOrder("2", Side.SELL, ASK.price_ticks, 1)]
    execution = Execution(Requoting(Decimal("0.0001"), Decimal("0.5")), Refilling(), Decimal(0), BTCUSDT)
    todo = execution.plan(0, BOOK, (BID, ASK), orders, (), {}, room)
    assert "".join(todo.cancels) == cancelled
    assert [quote.side for quote in todo.places] == [orders[int(name) - 1].side for name in cancelled]


@pytest.mark.parametrize(("reducing", "side"), [(None, Side.BUY), (Side.SELL, Side.SELL)])
def test_room_for_one_goes_to_the_side_that_reduces_the_position(reducing: Side | None, side: Side) -> None:
    """It went to the bid, long as the maker was; and where a bid stands, to the ask."""
    execution = Execution(Requoting(Decimal("0.0001")), Refilling(), Decimal(0), BTCUSDT)
    assert [quote.side for quote in execution.plan(0, BOOK, (BID, ASK), [], (), {}, 1, reducing).places] == [side]
    behind = replace(BID, price_ticks=BID.price_ticks - 20_000)
    stands = [OwnOrder("1", Side.BUY, BID.price_ticks, BID.qty_lots)]
    assert execution.plan(0, BOOK, (BID, behind, ASK), stands, (), {}, 1, Side.BUY).places == [ASK]


def test_an_order_off_its_price_leaves_though_nothing_has_room() -> None:
    """A cancel is free, and a wrong price is worse than none."""
    orders = [OwnOrder("1", Side.BUY, BID.price_ticks - 20_000, BID.qty_lots)]
    execution = Execution(Requoting(Decimal("0.0001")), Refilling(), Decimal(0), BTCUSDT)
    todo = execution.plan(0, BOOK, (BID,), orders, (), {}, 0)
    assert (list(todo.cancels), todo.places) == (["1"], [])


def test_of_two_orders_without_room_for_a_successor_the_nearest_stays() -> None:
    """Either is better than none, and one is enough."""
    orders = [OwnOrder(name, Side.BUY, BID.price_ticks - off, 1) for name, off in (("1", 400), ("2", 200), ("3", 600))]
    execution = Execution(Requoting(Decimal("0.0001"), Decimal("0.5")), Refilling(), Decimal(0), BTCUSDT)
    todo = execution.plan(0, BOOK, (BID,), orders, (), {}, 0)
    assert (sorted(todo.cancels), todo.places) == (["1", "3"], [])


def test_size_does_not_matter_at_zero_nor_where_nothing_could_take_its_place() -> None:
    """A side without money keeps what is left; a price that is off is pulled all the same."""
    live = {"1": replace(BID, qty_lots=1)}
    assert planned((BID,), live) == ({}, [])
    assert planned((BID,), live, 23, "0.5", held={Side.BUY}) == ({}, [])
    off = {"1": Quote(Side.BUY, BID.price_ticks - 24, 1)}
    assert list(planned((BID,), off, 23, "0.5", held={Side.BUY})[0]) == ["1"]


Standing = Callable[[Quote, Quote], bool]


def can_stand(order: Quote, quote: Quote, wanted: Sequence[Quote], tolerance_ticks: int, part: Decimal) -> bool:
    """Say whether an order may stay for a quote."""
    signs = {Side.BUY: 1, Side.SELL: -1}
    for other in wanted:
        if other.side != order.side and signs[order.side] * (order.price_ticks - other.price_ticks) >= 0:
            return False
    is_near = order.side == quote.side and abs(order.price_ticks - quote.price_ticks) <= tolerance_ticks
    return is_near and (not part or part * quote.qty_lots <= order.qty_lots <= (2 - part) * quote.qty_lots)


def most_that_can_stay(wanted: Sequence[Quote], live: Sequence[Quote], stands: Standing) -> int:
    """Try every order in every place."""
    places: list[Quote | None] = [*wanted, *(None for _ in live)]
    return max(
        sum(quote is not None and stands(order, quote) for order, quote in zip(live, chosen, strict=True))
        for chosen in permutations(places, len(live))
    )


@pytest.mark.parametrize("seed", range(200))
def test_no_plan_with_fewer_actions_gets_there(seed: int) -> None:
    """Several quotes a side: each order that could stand for one and is cancelled is a place in the queue lost."""
    rng = random.Random(seed)

    def some(bids: tuple[int, int], asks: tuple[int, int]) -> list[Quote]:
        sides = rng.choices(list(Side), k=rng.randint(0, 4))
        return [Quote(side, rng.randint(*(bids if side == Side.BUY else asks)), rng.randint(1, 6)) for side in sides]

    wanted, live = some((1, 6), (7, 12)), some((1, 12), (1, 12))
    tolerance_ticks, part = rng.randint(0, 4), Decimal(rng.choice(["0", "0.5", "0.9"]))
    names = {str(number): quote for number, quote in enumerate(live)}
    cancels, places = planned(wanted, names, tolerance_ticks, str(part))
    stands = partial(can_stand, wanted=wanted, tolerance_ticks=tolerance_ticks, part=part)
    stay_count = most_that_can_stay(wanted, live, stands)
    assert len(cancels) == len(live) - stay_count
    assert len(places) == len(wanted) - stay_count
    left = [quote for name, quote in names.items() if name not in cancels] + list(places)
    for quote in wanted:  # each is there, or something that can stand for it
        assert any(stands(order, quote) for order in left)
