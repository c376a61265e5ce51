"""Every quote, every cancel and every side without a quote has the code of the rule that it is due to."""

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.codes import Side
from market.depth import Depth, Level
from tests.trading.markets import BTCUSDT
from trading.execution import plan
from trading.keeping import Keeping, Requoting
from trading.quoting import Quote
from trading.reasons import NO_MID, SURPLUS, WANTED, Reason, Rule, flaw_of_reason, reason_of
from trading.strategy import OwnOrder, Wanted, flaw_of

ROOT = Path(__file__).parents[2]
ROOMS = ("trading", "nodes/maker", "desk/quoted_sides.py", "screens/why.py", "screens/explain.py", "screens/at.py")
_STEPS = re.compile(r"\b(ticks?|lots?)\b")
_COUNTED = ("_ticks", "_lots", "_ticks_x2")
OF_AUTHORS = {" ticks"}  # of what is wrong with a strategy of one's own, which counts in them
OF_STEPS = {"ticks of ", " and lots of "}  # that the venue has others than the desk: it is about the steps themselves
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
    keeping = Keeping(requoting, BTCUSDT, 10, 2, Depth((Level(6, 5),), (Level(7, 5),)), wanted)
    cancels, places, _ = plan(wanted, orders, keeping, held, dict.fromkeys(Side, NO_MID))
    for why in (*cancels.values(), *(quote.why for quote in places)):
        assert not flaw_of_reason(why)
        assert not _STEPS.search(why.text)
        assert not any(name.endswith(_COUNTED) for name in why.numbers)
    sides = {order.client_order_id: order.side for order in orders}
    for side in Side:
        cancelled = [why for name, why in cancels.items() if sides[name] == side and why is not SURPLUS]
        placed = [quote.why for quote in places if quote.side == side]
        assert sum(why is WANTED for why in placed) <= max(0, len(placed) - len(cancelled))
        assert all(why is WANTED or why is OWN or why in cancelled for why in placed)
        assert (NO_MID in cancelled) <= all(quote.side != side for quote in wanted)


def _told(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what texts are made of, but for those of programmers: docstrings, and what an assertion says."""
    silent: list[ast.AST] = [
        each for each in ast.walk(tree) if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    ]
    silent += [each.msg for each in ast.walk(tree) if isinstance(each, ast.Assert) and each.msg is not None]
    left_out = {id(part) for each in silent for part in ast.walk(each)}
    for each in ast.walk(tree):
        if id(each) not in left_out and isinstance(each, ast.Constant | ast.FormattedValue):
            yield each.value if isinstance(each, ast.FormattedValue) else each


def _counts(tree: ast.AST) -> list[str]:
    """Return the texts that count in ticks or lots, in words or by what is put into them."""
    found = []
    for each in _told(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and _STEPS.search(each.value):
            found.append(each.value)
        name = each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else ""
        if name.endswith(_COUNTED):
            found.append(name)
    return found


def test_people_read_prices_and_quantities() -> None:
    """`requote: 2794 ticks off`, `546 of 1094 lots` said nothing to who does not know the pair's steps."""
    files = [file for room in ROOMS for file in ((ROOT / room).rglob("*.py") if "." not in room else [ROOT / room])]
    assert len(files) > 50
    found = {text for file in files for text in _counts(ast.parse(file.read_text(encoding="utf-8")))}
    assert found == OF_AUTHORS | OF_STEPS | {"bid_ticks", "ask_ticks"}
    made_up = '"""In lots."""\nassert n, f"{n} lots"\nself._tell(f"{n} lots before it at {self.price_ticks}")'
    assert sorted(_counts(ast.parse(made_up))) == [" lots before it at ", "price_ticks"]


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
