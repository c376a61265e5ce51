"""Which quotes come first where not all have room."""

from collections.abc import Mapping

import pytest

from market.codes import Side
from trading.precedence import by_precedence
from trading.quoting import Quote

MID_X2 = 200


def quotes(text: str) -> list[Quote]:
    """Return quotes as `b95 a106` has them."""
    return [Quote(Side.BUY if each[0] == "b" else Side.SELL, int(each[1:]), 1) for each in text.split()]


@pytest.mark.parametrize(
    ("wanted", "reducing", "standing", "order"),
    [
        ("b95 b90 a105 a110", None, {}, [0, 2, 1, 3]),  # as many on both sides
        ("b95 b90 a105 a110", Side.SELL, {}, [2, 0, 3, 1]),  # long: the asks reduce it
        ("b95 b90 a104 a110", None, {}, [2, 0, 1, 3]),  # the nearer
        ("b95 b90 a104 a110", Side.BUY, {}, [0, 2, 1, 3]),  # what reduces goes before what is nearer
        ("b90 a105", None, {Side.BUY: 1}, [1, 0]),  # a side without any goes before a second one of the other
        ("b90 a105", Side.BUY, {Side.BUY: 1}, [1, 0]),
        ("a110 a105 a103 b50", None, {}, [2, 3, 1, 0]),  # each side from the nearest
        ("", None, {}, []),
    ],
)
def test_both_sides_have_their_turn(
    wanted: str, reducing: Side | None, standing: Mapping[Side, int], order: list[int]
) -> None:
    """Room for one order more always went to the bid."""
    assert by_precedence(quotes(wanted), MID_X2, reducing, standing) == order


def test_a_side_that_has_an_order_keeps_its_room_from_a_nearer_quote_of_the_other() -> None:
    """Of as many the nearer came first, which is the other one with each tick of the mid."""
    wanted = quotes("b95 b90 a104 a109")
    assert by_precedence(wanted, MID_X2, None, {}, {Side.BUY: 1}) == [0, 2, 3, 1]
    assert by_precedence(wanted, MID_X2, None, {}, {Side.BUY: 2, Side.SELL: 1}) == [2, 0, 1, 3]
    assert by_precedence(wanted, MID_X2, Side.SELL, {}, {Side.BUY: 1}) == [2, 0, 3, 1], "what reduces goes before"
