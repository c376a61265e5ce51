"""What can be paid: what is free, what our own orders hold, and what a move frees."""

from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import Balance, VenueOrder
from market.codes import Side
from tests.trading.markets import BTCUSDT
from trading.execution import Plan
from trading.funds import Funds
from trading.moves import Commands, paired
from trading.order_rules import OrderRules
from trading.own_orders import OwnOrders
from trading.quoting import Quote
from trading.reasons import WANTED, Rule

PRICE_TICKS = 10_000_000
BID = Quote(Side.BUY, PRICE_TICKS, 1_000)  # 0.01 BTC at 100,000: 1,000 USDT
ASK = Quote(Side.SELL, PRICE_TICKS + 100_000, 1_000)


def order(name: str, quote: Quote, filled: str = "0") -> VenueOrder:
    """Return an open order of a quote."""
    price, qty = BTCUSDT.ticks_to_price(quote.price_ticks), BTCUSDT.lots_to_qty(quote.qty_lots)
    return VenueOrder(name, name, "BTCUSDT", quote.side, price, qty, Decimal(filled), "NEW", 0)


def orders_of(*those: VenueOrder) -> OwnOrders:
    """Return these, as heard of."""
    orders = OwnOrders(0)
    for each in those:
        orders.hear(each, 0)
    return orders


def funds_of(usdt: str, btc: str, orders: OwnOrders | None = None) -> Funds:
    """Return funds with so much free, beside what orders hold; no order may be below 10 USDT."""
    funds = Funds(BTCUSDT, OrderRules(notional_min=Decimal(10)))
    free = {"USDT": Balance(Decimal(usdt), Decimal(500)), "BTC": Balance(Decimal(btc), Decimal(3))}
    funds.hear(free, orders or OwnOrders(0))
    return funds


@pytest.mark.parametrize(
    ("usdt", "lots", "is_bound"),
    [
        ("2000", [1_000, 1_000], False),
        ("1999.99", [1_000, 999], True),
        ("1010", [1_000, 10], True),
        ("1009.99", [1_000], True),
        ("9.99", [], True),
        ("-5", [], True),
    ],
)
def test_quotes_are_cut_to_what_is_free_and_left_out_below_what_the_venue_takes(
    usdt: str, lots: list[int], *, is_bound: bool
) -> None:
    """What others' orders hold is not free; the one that is first keeps its size."""
    checked = funds_of(usdt, "1").cut([BID, BID])
    assert [quote.qty_lots for quote in checked.quotes] == lots
    assert [why.rule for whys in checked.bounds.values() for why in whys] == [Rule.NO_FUNDS] * is_bound


def test_asks_are_paid_with_the_base_asset() -> None:
    """And bids need none of it."""
    checked = funds_of("1000", "0.004").cut([BID, ASK])
    assert [quote.qty_lots for quote in checked.quotes] == [1_000, 400]
    (why,) = checked.bounds[Side.SELL]
    assert (why.text, why.numbers) == (
        "0.004 BTC is there for it, 0.01 is needed", {"has": Decimal("0.004"), "needs": Decimal("0.01")},
    )  # fmt: skip


def test_unknown_balances_pay_everything_and_an_asset_that_is_not_told_nothing() -> None:
    """Before the first answer quotes leave as they are wanted."""
    funds = Funds(BTCUSDT, OrderRules())
    assert funds.cut([BID, ASK]).quotes == [BID, ASK]
    commands = Commands({}, (), (), [BID])
    assert funds.within(commands, OwnOrders(0)) is commands
    funds.hear({"USDT": Balance(Decimal(1_000), Decimal(0))}, OwnOrders(0))
    assert funds.cut([BID, ASK]).quotes == [BID]


def test_order_that_stands_is_paid_already() -> None:
    """Nothing is free beside it: it is wanted all the same, in its size, and a second one is not."""
    orders = orders_of(order("1", BID))
    funds = funds_of("0", "1", orders)
    assert funds.cut([BID, BID]).quotes == [BID]
    assert funds.within(Commands({}, (), (), [BID]), orders).places == []


def test_cancelled_order_pays_for_another_one_once_it_is_gone() -> None:
    """And one on its way, or of unknown fate, holds its money."""
    orders = orders_of(order("1", BID))
    funds = funds_of("0", "1", orders)
    orders.hear(replace(order("1", BID), status="CANCELED"), 1)
    assert funds.within(Commands({}, (), (), [BID]), orders).places == [BID]
    orders.send("2", BID)
    assert funds.within(Commands({}, (), (), [BID]), orders).places == []
    orders.lose("2", 5)
    assert funds.within(Commands({}, (), (), [BID]), orders).places == []


@pytest.mark.parametrize("is_told_first", [True, False])
def test_filled_order_has_spent_what_it_held(*, is_told_first: bool) -> None:
    """Whether the balances know of the fill before we do or not: what is free is the same."""
    orders = orders_of(order("1", BID))
    funds = funds_of("100", "1", orders)
    heard = orders.hear(replace(order("1", BID, "0.004"), status="PARTIALLY_FILLED"), 1)
    funds.fill(heard.order, heard.filled_qty)
    if is_told_first:
        funds = funds_of("100", "1", orders)
    half = replace(BID, qty_lots=100)
    assert funds.within(Commands({}, (), (), [half, half]), orders).places == [half]
    assert [quote.qty_lots for quote in funds.cut([BID]).quotes] == [700]


def test_move_is_paid_with_what_its_order_holds_and_else_only_cancels() -> None:
    """The venue ends the old order before it looks at the new one."""
    orders = orders_of(order("1", BID), order("2", ASK))
    funds = funds_of("5", "0", orders)
    higher = replace(BID, price_ticks=PRICE_TICKS + 50_000)
    own = orders.resting(BTCUSDT)
    larger = replace(ASK, qty_lots=1_001)
    commands = paired(Plan({"1": WANTED, "2": WANTED}, [higher, larger]), own)
    assert len(commands.moves) == 2
    checked = funds.within(commands, orders)
    assert [move.quote for move in checked.moves] == [higher]
    assert checked.cancels == {"2": WANTED}
    assert funds_of("4.99", "0", orders).within(commands, orders).moves == []


@pytest.mark.parametrize(("usdt", "is_moved"), [("400", True), ("399.99", False)])
def test_move_of_what_is_left_of_an_order_is_paid_with_what_that_holds(usdt: str, *, is_moved: bool) -> None:
    """What has traded of it is spent: 0.006 of 0.01 BTC at 100,000 hold 600 of the 1,000 USDT that are needed."""
    orders = orders_of(replace(order("1", BID, "0.004"), status="PARTIALLY_FILLED"))
    commands = paired(Plan({"1": WANTED}, [BID]), orders.resting(BTCUSDT))
    checked = funds_of(usdt, "0", orders).within(commands, orders)
    assert (len(checked.moves), dict(checked.cancels)) == ((1, {}) if is_moved else (0, {"1": WANTED}))
