"""After a fill the quotes of the other side may hang: they stay where they are, and nothing stands for them."""

from dataclasses import replace
from decimal import Decimal

from market.account import VenueOrder
from market.codes import Side
from market.depth import Depth
from tests.trading.markets import BTCUSDT
from trading.hanging import HANGING_MAX, Hanging
from trading.keeping import Keeping, Requoting
from trading.quoting import Quote
from trading.strategy import OwnOrder

MID_X2 = 2_000
BID, ASK = Quote(Side.BUY, 990, 10), Quote(Side.SELL, 1_010, 10)


def _order(name: str, side: Side) -> VenueOrder:
    return VenueOrder(name, name, "BTCUSDT", side, Decimal(1), Decimal(2), Decimal(0), "NEW", 0)


FILLED = replace(_order("1", Side.BUY), filled_qty=Decimal(2), status="FILLED")


def looked(hanging: Hanging, orders: list[OwnOrder], wanted: list[Quote]) -> tuple[list[str], dict[str, str]]:
    """Return the orders that are as any other, and the codes of those that leave."""
    keeping = Keeping(Requoting(Decimal(0)), BTCUSDT, 0, MID_X2, Depth((), ()), wanted)
    others, leaving = hanging.look(orders, wanted, MID_X2, keeping)
    return [order.client_order_id for order in others], {name: why.rule for name, why in leaving.items()}


def test_order_hangs_until_it_is_too_far_from_the_mid() -> None:
    """A new ask is placed beside it; 1 % of 1,000 ticks are 10."""
    hanging = Hanging(Decimal("0.01"), BTCUSDT)
    hanging.fill(FILLED, [_order("2", Side.SELL), _order("3", Side.BUY)])
    orders = [OwnOrder("2", Side.SELL, 1_010, 10), OwnOrder("3", Side.BUY, 980, 10)]
    assert looked(hanging, orders, [BID, ASK]) == (["3"], {})
    orders[0] = orders[0]._replace(price_ticks=1_011)
    assert looked(hanging, orders, [BID, ASK]) == (["3"], {"2": "HANGING"})


def test_nothing_hangs_after_a_part_nor_by_default() -> None:
    """The rest of the order still stands for its quote."""
    part, off = Hanging(Decimal("0.01"), BTCUSDT), Hanging(Decimal(0), BTCUSDT)
    part.fill(replace(FILLED, filled_qty=Decimal(1)), [_order("2", Side.SELL)])
    off.fill(FILLED, [_order("2", Side.SELL)])
    for hanging in (part, off):
        assert looked(hanging, [OwnOrder("2", Side.SELL, 1_010, 10)], [BID, ASK]) == (["2"], {})


def test_hanging_order_leaves_with_its_side_and_before_our_own_other_side() -> None:
    """Where nothing may be quoted, as beyond a limit, it is an order like any other; none crosses our own quote."""
    hanging = Hanging(Decimal("0.01"), BTCUSDT)
    hanging.fill(FILLED, [_order("2", Side.SELL)])
    orders = [OwnOrder("2", Side.SELL, 1_005, 10)]
    assert looked(hanging, orders, [BID]) == (["2"], {})
    assert looked(hanging, orders, [replace(BID, price_ticks=1_005), ASK]) == ([], {"2": "CROSSING"})


def test_no_more_hang_than_the_most_and_what_has_ended_is_forgotten() -> None:
    """The oldest leave."""
    hanging = Hanging(Decimal("0.01"), BTCUSDT)
    names = [str(number) for number in range(HANGING_MAX + 2)]
    for name in names:
        hanging.fill(FILLED, [_order(name, Side.SELL)])
    orders = [OwnOrder(name, Side.SELL, 1_005, 10) for name in names]
    assert looked(hanging, orders, [BID, ASK]) == ([], {"0": "HANGING", "1": "HANGING"})
    assert looked(hanging, orders[2:], [BID, ASK]) == ([], {})
    assert looked(hanging, orders, [BID, ASK]) == (["0", "1"], {})
