"""A position is what was bought and not sold again; an account's balance is not one."""

from decimal import Decimal

import pytest

from market.account import Balance
from market.clock import NS_PER_SECOND
from market.codes import Side
from tests.trading.markets import BTCUSDT
from trading.position import WIPE_NS, Held, Position

PRICE = Decimal(100_000)


def told(position: Position, free: str, locked: str = "0") -> Decimal | None:
    """Let it hear of so much of the base asset, which was paid for at the price."""
    base = Balance(Decimal(free), Decimal(locked))
    position.hear({"BTC": base, "USDT": Balance(10 * PRICE - base.total * PRICE, Decimal(0))})
    return position.qty


def test_is_nothing_at_first_whatever_is_held() -> None:
    """A limit of a tenth of a bitcoin never bought anything on an account that began with one."""
    position = Position(BTCUSDT)
    assert position.qty is None
    assert told(position, "0.75", "0.25") == 0
    assert position.balances["BTC"].total == 1


def test_account_that_lists_nothing_of_the_asset_has_none_of_it() -> None:
    """What it had bought by the time that the asset was listed was taken for what it always had."""
    position = Position(BTCUSDT)
    position.hear({"USDT": Balance(Decimal(9), Decimal(0))})
    assert position.qty == position.neutral_qty == 0
    position.fill(Side.BUY, Decimal("0.2"), PRICE, 0)
    assert told(position, "0.2") == Decimal("0.2")


def test_is_what_was_bought_less_what_was_sold_and_what_fees_took() -> None:
    """At once with the fill, and as the venue says it, in either direction."""
    position = Position(BTCUSDT)
    told(position, "1")
    position.fill(Side.BUY, Decimal("0.2"), PRICE, 0)
    assert position.qty == Decimal("0.2")
    assert told(position, "1.1998") == Decimal("0.1998")
    position.fill(Side.SELL, Decimal("0.5"), PRICE, 0)
    assert position.qty == Decimal("-0.3002")


def test_neutral_quantity_outlives_a_restart() -> None:
    """A maker that was started again took what it had bought for what it always had."""
    position = Position(BTCUSDT, neutral_qty=Decimal(1))
    assert position.qty is None
    assert told(position, "0.9") == Decimal("-0.1")


def test_fill_counts_for_a_limit_until_the_balances_surely_have_it() -> None:
    """Balances may lag behind a fill, or its news behind them: what is worse counts, until they are asked for later."""
    position, has, more = Position(BTCUSDT, Decimal(1), lag_ns=10), Decimal("0.2"), Decimal("0.4")
    position.fill(Side.BUY, has, PRICE, 100)
    position.ask(110)
    told(position, "1")
    assert position.held == Held(Decimal(0), has)
    told(position, "1.2")
    assert position.held == Held(has, more)
    assert [position.is_to_be_asked(now_ns) for now_ns in (110, 111)] == [False, True]
    position.ask(111)
    told(position, "1.2")
    assert position.held == Held(has, has)
    assert not position.is_to_be_asked(112)


def test_neutral_quantity_of_an_earlier_run_is_gone_by_and_the_setting_before_it() -> None:
    """Whatever was held when a maker came back was no position any more."""
    position = Position(BTCUSDT, kept_qty=Decimal(1))
    assert told(position, "1.3") == Decimal("0.3")
    assert told(Position(BTCUSDT, Decimal(0), kept_qty=Decimal(1)), "1.3") == Decimal("1.3")


@pytest.mark.parametrize("is_set", [True, False])
@pytest.mark.parametrize("is_forgotten_first", [True, False])
def test_account_that_was_wiped_begins_anew(*, is_forgotten_first: bool, is_set: bool) -> None:
    """Its balances are others and its orders are forgotten; without either nothing is taken for neutral anew."""
    position = Position(BTCUSDT, Decimal(1) if is_set else None)
    told(position, "1")
    if is_forgotten_first:
        position.forget(Side.BUY, Decimal(0), PRICE, NS_PER_SECOND)
        assert position.neutral_qty == 1
    for second in (5, 10):
        position.ask(second * NS_PER_SECOND)
        position.hear({"BTC": Balance(Decimal("0.4"), Decimal(0)), "USDT": Balance(Decimal(7), Decimal(0))})
        assert position.is_doubtful == (second == 5)
    if not is_forgotten_first:
        assert position.qty == Decimal("-0.6")
        position.forget(Side.BUY, Decimal(0), PRICE, 12 * NS_PER_SECOND)
    assert position.neutral_qty == (1 if is_set else Decimal("0.4"))
    position.forget(Side.BUY, Decimal(0), PRICE, 13 * NS_PER_SECOND)
    assert position.neutral_qty == (1 if is_set else Decimal("0.4")), "once"


def test_order_that_is_forgotten_long_after_a_deposit_is_no_wipe() -> None:
    """A position would be gone by it."""
    position = Position(BTCUSDT)
    told(position, "1")
    for second in (5, 10):
        position.ask(second * NS_PER_SECOND)
        position.hear({"BTC": Balance(Decimal("1.4"), Decimal(0))})
    position.forget(Side.BUY, Decimal(0), PRICE, 10 * NS_PER_SECOND + WIPE_NS + 1)
    assert position.qty == Decimal("0.4")


def test_position_is_out_as_far_as_it_may_be_on_either_side() -> None:
    """A bid adds to the most that it may be, an ask takes from the least."""
    held = Held(Decimal(-3), Decimal(5))
    assert (held.reach(Side.BUY), held.reach(Side.SELL)) == (Decimal(5), Decimal(3))
