"""Every quote, every cancel and every side without a quote has the code of the rule that it is due to."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.codes import Side
from market.depth import Depth, Level
from trading.execution import plan
from trading.keeping import Keeping, Requoting
from trading.quoting import Quote
from trading.reasons import NO_MID, SURPLUS, WANTED, Reason, Rule, flaw_of_reason, reason_of
from trading.strategy import OwnOrder, Wanted, flaw_of

OWN = Reason("SUNDAY", "nobody trades", {"weekday": 6})
QUOTES = st.lists(
    st.builds(Quote, st.sampled_from(Side), st.integers(1, 12), st.integers(1, 6), st.sampled_from([WANTED, OWN])),
    max_size=4,
)


@given(QUOTES, QUOTES, st.integers(0, 4), st.sampled_from(["0", "0.5", "0.9"]), st.sets(st.sampled_from(Side)))
def test_every_action_of_a_plan_has_a_code(
    wanted: list[Quote], live: list[Quote], tolerance_ticks: int, part: str, held: set[Side]
) -> None:
    """A quote that takes the place of one that is cancelled has its code, unless the strategy has given another."""
    orders = [
        OwnOrder(str(number), each.side, each.price_ticks, each.qty_lots, number * 3)
        for number, each in enumerate(live)
    ]
    requoting = Requoting(Decimal(tolerance_ticks), Decimal(part), Decimal("0.5"), 3, 6)
    keeping = Keeping(requoting, 10, 2, Depth((Level(6, 5),), (Level(7, 5),)), wanted)
    cancels, places, _ = plan(wanted, orders, keeping, held, dict.fromkeys(Side, NO_MID))
    for why in (*cancels.values(), *(quote.why for quote in places)):
        assert not flaw_of_reason(why)
    sides = {order.client_order_id: order.side for order in orders}
    for side in Side:
        cancelled = [why for name, why in cancels.items() if sides[name] == side and why is not SURPLUS]
        placed = [quote.why for quote in places if quote.side == side]
        assert sum(why is WANTED for why in placed) <= max(0, len(placed) - len(cancelled))
        assert all(why is WANTED or why is OWN or why in cancelled for why in placed)
        assert (NO_MID in cancelled) <= all(quote.side != side for quote in wanted)


def test_text_alone_is_a_reason_of_the_strategy() -> None:
    """As it was given before there were codes."""
    wanted = Wanted((), idle={Side.BUY: "it is Sunday", Side.SELL: OWN})
    assert wanted.why_idle == {Side.BUY: Reason(Rule.STRATEGY, "it is Sunday"), Side.SELL: OWN}
    assert Wanted((), idle=wanted.idle, obstacle="maker.notional is 1").why_idle == dict.fromkeys(
        Side, Reason(Rule.OBSTACLE, "maker.notional is 1")
    )
    assert reason_of(OWN) is OWN


@pytest.mark.parametrize(
    ("why", "flaw"),
    [
        (5, "expected a text or a Reason, was 5"),
        (Reason("sunday", ""), "expected a code of capital letters, digits and _, 32 at most, was 'sunday'"),
        (Reason("A" * 33, ""), f"expected a code of capital letters, digits and _, 32 at most, was '{'A' * 33}'"),
        (Reason("SUNDAY\n", ""), r"expected a code of capital letters, digits and _, 32 at most, was 'SUNDAY\n'"),
        (Reason("SUNDAY", "", {"weekday": "6"}), "expected numbers by name, were {'weekday': '6'}"),  # type: ignore[dict-item]
        (OWN, ""),
        (Reason(Rule.NO_MID, ""), ""),
    ],
)
def test_code_of_a_strategys_own_is_looked_at(why: Reason, flaw: str) -> None:
    """It goes into a log and a journal that programs read."""
    assert flaw_of(Wanted((), idle={Side.BUY: why})) == (flaw and f"why BUY is idle: {flaw}")
    if isinstance(why, Reason):
        assert flaw_of(Wanted([Quote(Side.SELL, 5, 5, why)])) == (flaw and f"why SELL is quoted: {flaw}")
