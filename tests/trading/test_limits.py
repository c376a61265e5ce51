"""What limits leave of what is wanted, computed by hand and with any numbers."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.codes import Side
from tests.pairs import default_instruments
from trading.limits import SLACK, Checked, LimitCheck, Limits
from trading.order_rules import OrderRules
from trading.position import Held
from trading.quoting import Quote
from trading.reasons import Rule
from trading.shown import beside
from trading.strategy import OwnOrder

BTCUSDT = default_instruments()[0]  # a tick of 0.01, a lot of 0.00001
MID_X2 = 20_000_000  # 100,000.00
BID, ASK = Quote(Side.BUY, 9_990_000, 1_000), Quote(Side.SELL, 10_010_000, 1_000)  # 0.01 each
NOTHING: Mapping[Side, Decimal] = dict.fromkeys(Side, Decimal(0))


def check(has: str = "0", could_fill: Mapping[Side, Decimal] = NOTHING, **limits: Any) -> LimitCheck:
    """Return these limits of who has so much, at a mid of 100,000."""
    qty = Decimal(has)
    return LimitCheck(
        Limits(**limits), BTCUSDT, OrderRules(notional_min=Decimal(5)), MID_X2, Held(qty, qty), could_fill
    )


def told(checked: Checked) -> dict[Side, tuple[str, str]]:
    """Return by side which rule has taken something, and its text; of several what binds the hardest."""
    return {side: (whys[0].rule, whys[0].text) for side, whys in checked.bounds.items()}


def rules(checked: Checked, side: Side = Side.BUY) -> list[str]:
    """Return all rules that have taken something of a side."""
    return [why.rule for why in checked.bounds.get(side, ())]


def test_position_takes_from_the_side_that_adds_to_it_alone() -> None:
    """Long 0.095 of at most 0.1: half of a bid is left, and the whole ask."""
    checked = check("0.095", position=Decimal("0.1")).cut([BID, ASK])
    assert set(checked.quotes) == {Quote(Side.BUY, 9_990_000, 500), ASK}
    assert told(checked) == {
        Side.BUY: (Rule.POSITION_LIMIT, "the position could be 0.105 BTC, at most 0.1; 0.095 held, and 0.01 in orders")
    }


def test_a_limit_of_the_position_is_told_of_what_an_order_may_have_and_not_of_what_was_wanted() -> None:
    """0.02 is wanted, an order may have 0.01001: that breaks 0.005, and not the 1,500 that 0.02 would be beyond."""
    limited = check(order=Decimal(1_000), position=Decimal("0.005"), exposure=Decimal(1_500))
    checked = limited.cut([replace(BID, qty_lots=2_000)])
    assert rules(checked) == [Rule.POSITION_LIMIT, Rule.ORDER_LIMIT]
    text = "the position could be 0.01001 BTC, at most 0.005; 0 held, and 0.01001 in orders"
    assert told(checked) == {Side.BUY: (Rule.POSITION_LIMIT, text)}


def test_a_position_that_could_be_can_be_counted_again_from_what_is_told_of_it() -> None:
    """A fill of late that the balances may have counted twice without a word: -0.06876 of -0.025 and three of 0.01."""
    limits = Limits(position=Decimal("0.03"), exposure=Decimal(3_000))
    held, most = Held(Decimal("-0.03594"), Decimal("-0.025")), {Side.BUY: Decimal(0), Side.SELL: Decimal("0.03282")}
    limited = LimitCheck(limits, BTCUSDT, OrderRules(), MID_X2, held, most)
    why = limited.excess([OwnOrder("far", Side.SELL, 10_010_000, 1_094)])["far"]
    at_worst = "-0.03594 held at worst, for balances may lack or have fills of late, and -0.03282 in orders"
    assert f"the position could be -0.06876 BTC, at most 0.03; {at_worst}" in why.text
    assert f"the position could be worth -6876.00 USDT, at most 3000.00 USDT; {at_worst}" in why.text
    counted = [why.numbers[name] for name in ("position", "held", "of_orders")]
    assert counted == [Decimal("-0.06876"), Decimal("-0.03594"), Decimal("-0.03282")]


def test_exposure_is_the_position_at_the_mid() -> None:
    """Short 0.0999 at 100,000 is 9,990 of at most 10,000: 0.0001 more, which is 10 USDT; and below 5 USDT none."""
    assert check("-0.0999", exposure=Decimal(10_000)).cut([ASK]).quotes == [Quote(Side.SELL, 10_010_000, 10)]
    checked = check("-0.09996", exposure=Decimal(10_000)).cut([BID, ASK])
    assert checked.quotes == [BID]
    text = "the position could be worth -10996.00 USDT, at most 10000.00 USDT; -0.09996 held, and -0.01 in orders"
    assert told(checked) == {Side.SELL: (Rule.EXPOSURE_LIMIT, text)}


def test_levels_share_what_there_is_the_nearest_first() -> None:
    """Of three bids the second is cut and the third is gone."""
    levels = [Quote(Side.BUY, 9_990_000 - 1_000 * level, 1_000) for level in range(3)]
    checked = check(position=Decimal("0.015")).cut(levels)
    assert checked.quotes == [levels[0], Quote(Side.BUY, 9_989_000, 500)]


def test_order_and_band_and_number_are_limited() -> None:
    """A size of 999 USDT at most, a tenth of the mid at most, two orders at most: the nearest."""
    assert check(order=Decimal(999)).cut([BID]).quotes == [BID]
    assert check(order=Decimal("998.99")).cut([BID]).quotes == [Quote(Side.BUY, 9_990_000, 999)]
    near, far = Quote(Side.SELL, 11_000_000, 10), Quote(Side.SELL, 11_000_001, 10)
    checked = check(band=Decimal("0.1")).cut([near, far])
    assert (checked.quotes, told(checked)[Side.SELL][0]) == ([near], Rule.BAND_LIMIT)
    checked = check(open_orders=2).cut([near, BID, ASK])
    assert (set(checked.quotes), told(checked)[Side.SELL][0]) == ({BID, ASK}, Rule.OPEN_ORDERS_LIMIT)


def test_new_order_waits_for_what_may_still_fill() -> None:
    """A bid that is being cancelled may fill: of the two not both have room."""
    could_fill = {Side.BUY: Decimal("0.0001"), Side.SELL: Decimal(9)}
    assert check(could_fill=could_fill, position=Decimal("0.01")).admit([BID], 1, None) == []
    assert check(could_fill=NOTHING, position=Decimal("0.01")).admit([BID, BID, ASK], 0, None) == [BID, ASK]
    assert check(open_orders=3).admit([BID, ASK], 2, None) == [BID]
    assert check().admit([BID, ASK], 0, 1) == [BID]


def test_room_for_one_more_is_for_the_side_that_reduces_the_position_or_has_none() -> None:
    """Long or short, it always went to the bid; an order that takes another one's place needs none."""
    assert check("0.1", open_orders=1).cut([BID, ASK]).quotes == [ASK]
    assert check("-0.1", open_orders=1).cut([BID, ASK]).quotes == [BID]
    assert check("0.1", open_orders=3).admit([BID, ASK], 2, None) == [ASK]
    assert check("-0.1").admit([BID, ASK], 0, 1) == [BID]
    assert check("-0.1", open_orders=3).admit([BID, ASK], 2, None, staying={Side.BUY: 2}) == [ASK]
    full = check(open_orders=2)
    assert full.admit([BID, BID, ASK], 2, None, moving={Side.BUY: 1, Side.SELL: 1}) == [BID, ASK]
    assert full.admit([BID, ASK], 2, None, moving={Side.SELL: 1}) == [ASK]
    assert full.admit([BID, ASK], 2, 1, moving={Side.BUY: 1, Side.SELL: 1}) == [BID]


def test_order_leaves_when_a_move_of_the_mid_has_carried_it_far_beyond() -> None:
    """The farthest first; and none while it is within a twentieth."""
    orders = [OwnOrder("near", Side.BUY, 9_990_000, 1_000), OwnOrder("far", Side.BUY, 9_980_000, 1_000)]
    could_fill = {Side.BUY: Decimal("0.02"), Side.SELL: Decimal(0)}
    assert check("0.085", could_fill, position=Decimal("0.1")).excess(orders) == {}
    assert set(check("0.0851", could_fill, position=Decimal("0.1")).excess(orders)) == {"far"}
    assert set(check("0.1", could_fill, position=Decimal("0.1")).excess(orders)) == {"near", "far"}


def test_of_two_limits_the_one_that_binds_the_harder_is_told() -> None:
    """Of a position by quantity and by value, and of an order's size beside either: what has cut the side at last."""
    both: dict[str, Any] = {"position": Decimal("0.1"), "exposure": Decimal(9_999)}
    assert told(check("0.1", **both).cut([BID]))[Side.BUY][0] == Rule.EXPOSURE_LIMIT
    both["exposure"] = Decimal(10_001)
    assert told(check("0.1", **both).cut([BID]))[Side.BUY][0] == Rule.POSITION_LIMIT
    levels = [Quote(Side.BUY, 9_990_000 - 1_000 * level, 1_000) for level in range(3)]
    sized = check("0.08", position=Decimal("0.1"), order=Decimal(800)).cut(levels)
    assert [quote.qty_lots for quote in sized.quotes] == [800, 800, 400]
    assert told(sized)[Side.BUY][0] == Rule.POSITION_LIMIT, "it is what takes from the side as a whole"
    sized = check("0.07", position=Decimal("0.1"), order=Decimal(800)).cut(levels)
    assert told(sized)[Side.BUY][0] == Rule.ORDER_LIMIT


def test_every_limit_that_binds_is_told_the_hardest_first() -> None:
    """Of three bids one was left for the number of orders, and the size alone was told: nobody looked for the rest."""
    levels = [Quote(Side.BUY, 9_990_000 - 1_000 * level, 1_000) for level in range(3)]
    checked = check(open_orders=1, order=Decimal(500)).cut(levels)
    assert [quote.qty_lots for quote in checked.quotes] == [500]
    assert rules(checked) == [Rule.OPEN_ORDERS_LIMIT, Rule.ORDER_LIMIT]
    assert checked.bounds[Side.BUY][0].text == "3 orders are wanted, at most 1"
    far = Quote(Side.BUY, 9_000_000, 1_000)
    everything: dict[str, Any] = {"exposure": Decimal(300), "order": Decimal(500), "band": Decimal("0.05")}
    checked = check(position=Decimal("0.002"), open_orders=1, **everything).cut([*levels, far])
    position = [Rule.POSITION_LIMIT, Rule.EXPOSURE_LIMIT]
    assert rules(checked) == [*position, Rule.OPEN_ORDERS_LIMIT, Rule.BAND_LIMIT, Rule.ORDER_LIMIT]
    assert rules(checked, Side.SELL) == []
    assert rules(check(position=Decimal("0.2"), exposure=Decimal(300)).cut([BID])) == [Rule.EXPOSURE_LIMIT]


@pytest.mark.parametrize(
    ("has", "limits", "wanted", "text"),
    [
        ("0", {"band": "0.02"}, [Quote(Side.SELL, 10_200_001, 1)], "is 0.0200001 of the mid from it, at most 0.02"),
        ("0", {"band": "0.000004"}, [Quote(Side.SELL, 10_000_050, 1)], "is 0.000005 of the mid from it"),
        ("0", {"order": "998.9990"}, [BID], "is 999.00 USDT, at most 998.999 USDT"),
        ("0", {"order": "99.9"}, [Quote(Side.BUY, 9_990_040, 100)], "is 99.9004 USDT, at most 99.90 USDT"),
        (
            "-0.1",
            {"exposure": "10000"},
            [Quote(Side.SELL, 10_010_000, 1)],
            "the position could be worth -10001.00 USDT",
        ),
        (
            "0.00000004",
            {"exposure": "0.999"},
            [Quote(Side.BUY, 9_990_000, 1)],
            "the position could be worth 1.00 USDT, at most 0.999 USDT",
        ),
        ("0.00000004", {"exposure": "1"}, [Quote(Side.BUY, 9_990_000, 1)], "worth 1.004 USDT, at most 1.00 USDT"),
        # The two before it may fill as well.
        ("0", {"position": "0.015"}, [BID, replace(BID, price_ticks=9_980_000)], "could be 0.02 BTC, at most 0.015"),
    ],
)
def test_number_that_is_told_is_beyond_its_limit(
    has: str, limits: dict[str, str], wanted: list[Quote], text: str
) -> None:
    """It was told that a quote is 0.0200 of the mid from it, and that 0.02 is allowed."""
    most: dict[str, Any] = {name: Decimal(number) for name, number in limits.items()}
    checked = check(has, **most).cut(wanted)
    ((why,),) = checked.bounds.values()
    assert text in why.text


quotes = st.lists(
    st.builds(Quote, st.sampled_from(Side), st.integers(9_000_000, 11_000_000), st.integers(1, 3_000)), max_size=6
)
quantities = st.decimals("-0.05", "0.05", places=5)


@given(
    wanted=quotes,
    low=quantities,
    unsure=st.decimals(0, "0.03", places=5),
    open_qty=st.fixed_dictionaries({side: st.decimals(0, "0.05", places=5) for side in Side}),
    position=st.decimals("0.00001", "0.1", places=5),
    exposure=st.integers(1, 10_000),
)
def test_nothing_that_is_admitted_can_carry_a_position_beyond_its_limit(
    wanted: list[Quote],
    low: Decimal,
    unsure: Decimal,
    open_qty: dict[Side, Decimal],
    position: Decimal,
    exposure: int,
) -> None:
    """Whatever of it fills, with all that is open, at either end of what the position may be."""
    limits, held = Limits(position=position, exposure=Decimal(exposure)), Held(low, low + unsure)
    at = LimitCheck(limits, BTCUSDT, OrderRules(), MID_X2, held, open_qty)
    most = min(position, Decimal(exposure) / 100_000)
    cut = at.cut(wanted).quotes
    for side in Side:
        own = {each.price_ticks: each.qty_lots for each in wanted if each.side == side}
        assert all(each.price_ticks in own for each in cut if each.side == side)
        assert sum(each.qty_lots for each in cut if each.side == side) <= sum(
            each.qty_lots for each in wanted if each.side == side
        )
        for left, there in ((cut, Decimal(0)), (at.admit(cut, 0, None), open_qty[side])):
            new = sum((BTCUSDT.lots_to_qty(each.qty_lots) for each in left if each.side == side), Decimal(0))
            assert not new or held.reach(side) + there + new <= most
    assert SLACK > 1


def test_number_is_rounded_alike_whatever_has_changed_how_decimals_are() -> None:
    """Ccxt lets the decimals of its thread be rounded half up: 0.000005 was told as 0.00001, twice of what it is."""
    with localcontext(rounding=ROUND_HALF_UP):
        assert beside(Decimal("0.000005"), Decimal("0.000004"), 4) == "0.000005"
        assert beside(Decimal("99.9004"), Decimal("99.90")) == "99.9004"
