"""A position is what was bought and not sold again; an account's balance is not one."""

from decimal import Decimal

from market.account import Balance
from market.codes import Side
from trading.position import Position


def told(position: Position, free: str, locked: str = "0") -> Decimal | None:
    position.hear({"BTC": Balance(Decimal(free), Decimal(locked)), "USDT": Balance(Decimal(9), Decimal(0))})
    return position.qty


def test_is_nothing_at_first_whatever_is_held() -> None:
    """A limit of a tenth of a bitcoin never bought anything on an account that began with one."""
    position = Position("BTC")
    assert position.qty is None
    assert told(position, "0.75", "0.25") == 0
    assert position.balances["BTC"].total == 1


def test_account_that_lists_nothing_of_the_asset_has_none_of_it() -> None:
    """What it had bought by the time that the asset was listed was taken for what it always had."""
    position = Position("BTC")
    position.hear({"USDT": Balance(Decimal(9), Decimal(0))})
    assert position.qty == position.neutral_qty == 0
    position.fill(Side.BUY, Decimal("0.2"), 0)
    assert told(position, "0.2") == Decimal("0.2")


def test_is_what_was_bought_less_what_was_sold_and_what_fees_took() -> None:
    """At once with the fill, and as the venue says it, in either direction."""
    position = Position("BTC")
    told(position, "1")
    position.fill(Side.BUY, Decimal("0.2"), 0)
    assert position.qty == Decimal("0.2")
    assert told(position, "1.1998") == Decimal("0.1998")
    position.fill(Side.SELL, Decimal("0.5"), 0)
    assert position.qty == Decimal("-0.3002")


def test_neutral_quantity_outlives_a_restart() -> None:
    """A maker that was started again took what it had bought for what it always had."""
    position = Position("BTC", neutral_qty=Decimal(1))
    assert position.qty is None
    assert told(position, "1.3") == Decimal("0.3")
    assert told(position, "0.9") == Decimal("-0.1")
