"""Which cancels and places are one command, and that no plan has fewer."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import permutations

import pytest

from market.codes import Side
from market.depth import Depth
from tests.trading.markets import BTCUSDT
from tests.trading.test_execution import Standing, can_stand, most_that_can_stay
from trading.execution import Plan, Shrinking, plan
from trading.keeping import Keeping, Requoting
from trading.moves import Commands, paired
from trading.quoting import Quote
from trading.reasons import NOT_WANTED
from trading.strategy import OwnOrder


def commands(
    wanted: Sequence[Quote],
    live: Mapping[str, Quote],
    tolerance_ticks: int,
    part: Decimal = Decimal(0),
    *,
    can_amend: bool = True,
) -> Commands:
    """Return what turns the orders `live` into `wanted`."""
    orders = [OwnOrder(name, each.side, each.price_ticks, each.qty_lots) for name, each in live.items()]
    keeping = Keeping(
        Requoting(Decimal(tolerance_ticks), part), BTCUSDT, 0, 2, Depth((), ()), wanted
    )  # of a mid of one tick
    todo = plan(wanted, orders, keeping, (), dict.fromkeys(Side, NOT_WANTED), orders if can_amend else ())
    return paired(todo, orders)


def test_each_order_goes_to_the_nearest_place_of_its_side() -> None:
    """What is left over is cancelled, or placed."""
    live = {"1": Quote(Side.BUY, 90, 1), "2": Quote(Side.BUY, 80, 1), "3": Quote(Side.SELL, 110, 1)}
    wanted = [Quote(Side.BUY, 85, 1), Quote(Side.SELL, 120, 1), Quote(Side.SELL, 125, 1)]
    todo = commands(wanted, live, 2)
    assert [(name, quote.price_ticks) for name, _, quote in todo.moves] == [("1", 85), ("3", 120)]
    assert list(todo.cancels) == ["2"]
    assert todo.places == [wanted[2]]


def test_an_order_that_is_too_large_gets_smaller_where_it_is() -> None:
    """It keeps its place in the queue; one that is off as well, or too small, is moved: an amend can do neither."""
    live = {"1": Quote(Side.BUY, 90, 9), "2": Quote(Side.SELL, 110, 9), "3": Quote(Side.SELL, 130, 1)}
    wanted = [Quote(Side.BUY, 91, 4), Quote(Side.SELL, 115, 4), Quote(Side.SELL, 130, 4)]
    todo = commands(wanted, live, 2, Decimal("0.5"))
    assert [(name, lots, why.rule) for name, lots, why in todo.amends] == [("1", 4, "TOO_LARGE")]
    assert [(name, quote.price_ticks) for name, _, quote in todo.moves] == [("2", 115), ("3", 130)]
    assert (todo.cancels, todo.places) == ({}, [])
    assert not commands(wanted, live, 2, Decimal("0.5"), can_amend=False).amends


def test_an_order_that_leaves_for_another_reason_is_not_amended() -> None:
    """What a limit has cancelled is cancelled."""
    shrinking = Shrinking("1", 4, NOT_WANTED)
    assert paired(Plan({"1": NOT_WANTED}, [], [shrinking]), ()).amends == []


def test_an_order_that_the_other_side_reaches_is_out_of_the_way_before_it_does() -> None:
    """The market jumps by more than our spread: if the ask could not be moved, the bid would meet it."""
    live = {"bid": Quote(Side.BUY, 90, 1), "ask": Quote(Side.SELL, 110, 1)}
    todo = commands([Quote(Side.BUY, 115, 1), Quote(Side.SELL, 135, 1)], live, 2)
    assert list(todo.cancels) == ["ask"]
    assert [(name, quote.price_ticks) for name, _, quote in todo.moves] == [("bid", 115)]
    assert [quote.price_ticks for quote in todo.places] == [135]


def _fewest(wanted: Sequence[Quote], live: Sequence[Quote], stands: Standing) -> int:
    """Return how many commands are needed: try every order as what stays for a quote, moves to one, or is cancelled.

    An amend is one command, as a move is, so that it makes no difference to their number.
    A command fails alone: an order may move only where no new quote of the other side could meet it if it did not.
    """
    ends: list[tuple[str, Quote | None]] = [(how, quote) for quote in wanted for how in ("stay", "move")]
    ends += [("cancel", None)] * len(live)
    counts = (_count(wanted, live, chosen, stands) for chosen in permutations(ends, len(live)))
    return min(count for count in counts if count is not None)


def _count(
    wanted: Sequence[Quote], live: Sequence[Quote], chosen: Sequence[tuple[str, Quote | None]], stands: Standing
) -> int | None:
    taken = [quote for _, quote in chosen if quote is not None]
    if len({id(quote) for quote in taken}) < len(taken):
        return None
    stay = [quote for how, quote in chosen if how == "stay"]
    new = [quote for quote in wanted if not any(quote is each for each in stay)]
    count = len(wanted) - len(taken)
    for order, (how, quote) in zip(live, chosen, strict=True):
        if how == "stay" and quote is not None and not stands(order, quote):
            return None
        if how == "move" and quote is not None and (order.side != quote.side or _is_reached(order, new)):
            return None
        count += how != "stay"
    return count


def _is_reached(order: Quote, new: Sequence[Quote]) -> bool:
    if order.side == Side.BUY:
        return any(each.side == Side.SELL and each.price_ticks <= order.price_ticks for each in new)
    return any(each.side == Side.BUY and each.price_ticks >= order.price_ticks for each in new)


def _quotes(rng: random.Random, count: int, middle: int) -> list[Quote]:
    """Return quotes around a middle, bids below asks."""
    sides = [rng.choice(list(Side)) for _ in range(count)]
    return [
        Quote(side, middle + (-1 if side == Side.BUY else 1) * rng.randint(1, 5), rng.randint(1, 6)) for side in sides
    ]


@pytest.mark.parametrize("seed", range(200))
def test_no_plan_with_fewer_commands_gets_there(seed: int) -> None:
    """As many orders stay as can, as many others move as may; after it all that is wanted is there."""
    rng = random.Random(seed)
    wanted = _quotes(rng, rng.randint(0, 3), 20 + rng.randint(-6, 6))
    live = _quotes(rng, rng.randint(0, 3), 20)
    tolerance_ticks, part = rng.randint(0, 3), Decimal(rng.choice(["0", "0.5", "0.9"]))
    names = {str(number): quote for number, quote in enumerate(live)}
    todo = commands(wanted, names, tolerance_ticks, part)
    stands = partial(can_stand, wanted=wanted, tolerance_ticks=tolerance_ticks, part=part)
    assert sum(map(len, todo)) == _fewest(wanted, live, stands)
    moved = {name: quote for name, _, quote in todo.moves}
    amended = {name: replace(names[name], qty_lots=lots) for name, lots, _ in todo.amends}
    gone = {*todo.cancels, *moved, *amended}
    stay = [quote for name, quote in names.items() if name not in gone]
    assert len(stay) == most_that_can_stay(wanted, live, stands)
    for quote in wanted:
        assert any(stands(each, quote) for each in [*stay, *amended.values(), *moved.values(), *todo.places])
    for name, quote in amended.items():
        assert 0 < quote.qty_lots < names[name].qty_lots, "it only gets smaller"
    _check_never_meets_itself(names, todo)


def _check_never_meets_itself(names: Mapping[str, Quote], todo: Commands) -> None:
    """Whichever of the moves were not done: what is new meets nothing that may stand then, but what stays."""
    moving = [names[name] for name, _, _ in todo.moves]
    new = [quote for _, _, quote in todo.moves] + list(todo.places)
    for order in moving:
        assert not _is_reached(order, new)
