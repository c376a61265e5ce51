"""What the exchange takes, and of which asset: by setting, by symbol, and in BNB for who asks."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from market.codes import SelfTradePrevention, Side
from paper.errors import ErrorKind, ExchangeError
from paper.exchange.news import AccountNews, WalletNews
from paper.money.commission import Commission, FeePlace, Terms
from paper.money.history import Span
from paper.money.orders import AccountTrade, Order, OrderKind, OrderStatus
from paper.money.wallets import FEES
from paper.units import parse_units
from tests.paper.clients import ccxt_settings
from tests.paper.desk import ALICE, BNBUSDT, BOB, Desk
from tests.paper.server import Server

BTC, BNB, USDT = parse_units("1"), parse_units("1"), parse_units("10000")
MAKER, TAKER = Decimal("0.001"), Decimal("0.002")
MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[MakeDesk]:
    """Makes a desk with a commission; its money is checked at the end."""
    made: list[Desk] = []

    def make(**settings: Any) -> Desk:
        made.append(Desk(tmp_path, commission=Commission(MAKER, TAKER, **settings)).connect())
        return made[-1]

    yield make
    for desk in made:
        desk.ledger.check()
        desk.ledger.close()


def price_bnb(desk: Desk, price: str = "600") -> None:
    """Let BNB trade once."""
    for side in (Side.BUY, Side.SELL):
        desk.engine.flow(desk.exchange, side, price, "0.01", symbol_id=BNBUSDT.symbol_id)


def only_trade(desk: Desk, order: Order) -> AccountTrade:
    (trade,) = desk.ledger.history.trades(order.account, order.symbol, order.order_id, Span(10))
    return trade


def test_a_fee_in_quote_is_locked_on_top_of_a_purchase_and_what_is_not_used_comes_back(make_desk: MakeDesk) -> None:
    """The higher rate is set aside, the rate of the role is taken, fill by fill."""
    desk = make_desk(place=FeePlace.QUOTE)
    buy = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.1"))
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("9018"), parse_units("9018"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.025")
    assert desk.wallet(ALICE, "USDT") == (parse_units("984.25"), parse_units("6763.5"))
    assert desk.wallet(ALICE, "BTC") == (BTC + parse_units("0.025"), 0)
    desk.cancel(buy)
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("2252.25"), 0)
    sell = desk.place(BOB, desk.request(Side.SELL, "90000", "0.1"))
    assert desk.wallet(BOB, "BTC")[1] == parse_units("0.1")
    desk.engine.flow(desk.exchange, Side.BUY, "90000", "0.1")
    assert (only_trade(desk, sell).fee_asset, only_trade(desk, sell).fee_units) == ("USDT", parse_units("9"))


def test_a_fee_in_base_is_locked_on_top_of_a_sale(make_desk: MakeDesk) -> None:
    """All that an account has can then not be sold at once."""
    desk = make_desk(place=FeePlace.BASE)
    with pytest.raises(ExchangeError) as caught:
        desk.send(ALICE, desk.request(Side.SELL, "90000", "1"))
    assert caught.value.kind is ErrorKind.INSUFFICIENT_BALANCE
    sell = desk.place(ALICE, desk.request(Side.SELL, "90000", "0.5"))
    assert desk.wallet(ALICE, "BTC") == (parse_units("0.499"), parse_units("0.501"))
    desk.engine.flow(desk.exchange, Side.BUY, "90000", "0.5")
    assert sell.status is OrderStatus.FILLED
    assert desk.wallet(ALICE, "BTC") == (parse_units("0.4995"), 0)
    assert desk.wallet(ALICE, "USDT") == (USDT + parse_units("45000"), 0)


def test_a_market_purchase_with_the_fee_on_top_stays_within_the_funds(make_desk: MakeDesk) -> None:
    """Its price is bounded by what is left for it once the fee is paid."""
    desk = make_desk(place=FeePlace.QUOTE)
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "1")
    with pytest.raises(ExchangeError) as caught:
        desk.send(ALICE, desk.request(Side.BUY, qty="0.111", kind=OrderKind.MARKET))
    assert caught.value.kind is ErrorKind.INSUFFICIENT_BALANCE
    order = desk.place(ALICE, desk.request(Side.BUY, qty="0.11088", kind=OrderKind.MARKET))
    assert order.status is OrderStatus.FILLED
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("9979.2") - parse_units("19.9584"), 0)


def test_whoever_asks_pays_in_bnb_at_a_discount(make_desk: MakeDesk) -> None:
    """At the last price of the pair, rounded down once; others are charged as ever, and the stream tells of BNB."""
    desk = make_desk()
    price_bnb(desk)
    desk.exchange.set_bnb_payer(ALICE, True)
    heard: list[AccountNews] = []
    desk.exchange.account_listeners.append(heard.append)
    maker = desk.place(BOB, desk.request(Side.SELL, "90000", "0.1"))
    taker = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.1"))
    mine, theirs = only_trade(desk, taker), only_trade(desk, maker)
    assert (mine.fee_asset, mine.fee_units) == ("BNB", parse_units("0.0225"))  # 18 USDT, less a quarter, at 600
    assert (theirs.fee_asset, theirs.fee_units) == ("USDT", parse_units("9"))
    assert desk.wallet(ALICE, "BNB") == (BNB - parse_units("0.0225"), 0)
    assert desk.wallet(ALICE, "BTC") == (BTC + parse_units("0.1"), 0)
    assert desk.ledger.wallets.free(FEES, "BNB") == parse_units("0.0225")
    told = [news.wallets for news in heard if isinstance(news, WalletNews) and news.account == ALICE]
    assert told[-1].keys() == {"BNB", "BTC", "USDT"}
    desk.kill()
    assert desk.exchange.is_bnb_payer(ALICE)
    assert not desk.exchange.is_bnb_payer(BOB)


def test_without_enough_bnb_the_whole_fee_is_charged_as_ever(make_desk: MakeDesk) -> None:
    """What open orders have locked does not count, and nothing is split."""
    desk = make_desk(is_in_bnb=True)
    price_bnb(desk)
    desk.place(ALICE, desk.request(Side.SELL, "700", "0.98", symbol="BNBUSDT"))
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "1")
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.1"))
    assert (only_trade(desk, order).fee_asset, only_trade(desk, order).fee_units) == ("BTC", parse_units("0.0002"))
    assert desk.wallet(ALICE, "BNB") == (parse_units("0.02"), parse_units("0.98"))


@pytest.mark.parametrize(("locked", "asset"), [("0.98", "BNB"), ("0.981", "BTC")])
def test_a_fee_that_takes_all_free_bnb_is_paid_in_it(make_desk: MakeDesk, locked: str, asset: str) -> None:
    """At the boundary: what is free is enough if it is exactly the fee, and one lot less is not."""
    desk = make_desk(is_in_bnb=True)
    price_bnb(desk)
    desk.place(ALICE, desk.request(Side.SELL, "700", locked, symbol="BNBUSDT"))
    desk.engine.flow(desk.exchange, Side.SELL, "80000", "1")
    order = desk.place(ALICE, desk.request(Side.BUY, "80000", "0.1"))  # 16 USDT, less a quarter, at 600: 0.02 BNB
    assert only_trade(desk, order).fee_asset == asset
    left = BNB - parse_units(locked) - (parse_units("0.02") if asset == "BNB" else 0)
    assert desk.wallet(ALICE, "BNB") == (left, parse_units(locked))


def test_what_is_set_aside_for_a_fee_is_rounded_up() -> None:
    """A fee that is rounded down after each fill never needs more than that."""
    in_quote = Terms(100_000, 200_000, FeePlace.QUOTE)
    assert [in_quote.with_reserve(Side.BUY, units) for units in (1, 499, 500, 501)] == [2, 500, 501, 503]
    assert in_quote.with_reserve(Side.SELL, 500) == 500


def test_before_bnb_has_a_price_nobody_pays_in_it(make_desk: MakeDesk) -> None:
    """Neither a trade nor a quote says what it is worth; then a quote does."""
    desk = make_desk(is_in_bnb=True)
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "1")
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    assert only_trade(desk, order).fee_asset == "BTC"
    desk.engine.flow(desk.exchange, Side.BUY, "590", "1", symbol_id=BNBUSDT.symbol_id)
    desk.engine.flow(desk.exchange, Side.SELL, "610", "1", symbol_id=BNBUSDT.symbol_id)
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.01"))
    assert (only_trade(desk, order).fee_asset, only_trade(desk, order).fee_units) == ("BNB", parse_units("0.00225"))


def test_bnb_just_bought_pays_its_own_fee(make_desk: MakeDesk) -> None:
    """What is received comes first."""
    desk = make_desk(is_in_bnb=True)
    price_bnb(desk)
    desk.place(ALICE, desk.request(Side.SELL, "700", "1", symbol="BNBUSDT"))
    desk.engine.flow(desk.exchange, Side.SELL, "600", "2", symbol_id=BNBUSDT.symbol_id)
    order = desk.place(ALICE, desk.request(Side.BUY, "600", "2", symbol="BNBUSDT"))
    assert (only_trade(desk, order).fee_asset, only_trade(desk, order).fee_units) == ("BNB", parse_units("0.003"))
    assert desk.wallet(ALICE, "BNB") == (parse_units("1.997"), BNB)


def test_a_symbol_may_have_rates_of_its_own(make_desk: MakeDesk) -> None:
    """Others have the general ones."""
    desk = make_desk(by_symbol={"ETHUSDT": (Decimal(0), Decimal("0.01"))})
    desk.engine.flow(desk.exchange, Side.SELL, "3000", "1", symbol_id=1)
    order = desk.place(ALICE, desk.request(Side.BUY, "3000", "1", symbol="ETHUSDT"))
    assert only_trade(desk, order).fee_units == parse_units("0.01")


def test_an_order_keeps_the_terms_on_which_it_was_accepted(make_desk: MakeDesk) -> None:
    """Else a higher rate after a restart could cost more than was set aside."""
    desk = make_desk(place=FeePlace.QUOTE)
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.1"))
    desk.commission = Commission(Decimal("0.1"), Decimal("0.1"))
    desk.kill()
    desk.connect()
    desk.engine.flow(desk.exchange, Side.SELL, "90000", "0.1")
    assert (only_trade(desk, order).fee_asset, only_trade(desk, order).fee_units) == ("USDT", parse_units("9"))
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("9009"), 0)


def test_tiny_fills_never_cost_more_than_their_sum(make_desk: MakeDesk) -> None:
    """Each fee is rounded down, what stays set aside up: a hundred fills of one lot leave nothing below zero."""
    desk = make_desk(place=FeePlace.QUOTE)
    order = desk.place(ALICE, desk.request(Side.BUY, "90000.01", "0.001"))
    for _ in range(100):
        desk.engine.flow(desk.exchange, Side.SELL, "90000.01", "0.00001")
    assert order.status is OrderStatus.FILLED
    fee_units = sum(trade.fee_units for trade in desk.ledger.history.trades_of_order(order.order_id))
    assert fee_units == 100 * parse_units("0.0009")
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("90.00001") - fee_units, 0)


def test_what_prevention_takes_away_gives_its_part_of_the_fee_back(make_desk: MakeDesk) -> None:
    """DECREMENT shrinks both orders without a trade."""
    desk = make_desk(place=FeePlace.QUOTE)
    desk.place(ALICE, desk.request(Side.SELL, "90000", "0.04"))
    decrement = SelfTradePrevention.DECREMENT
    buy = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.1", self_trade_prevention=decrement))
    assert (buy.leaves_lots, buy.prevented_lots) == (6_000, 4_000)
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("5410.8"), parse_units("5410.8"))


def test_an_amend_gives_its_part_of_the_fee_back(make_desk: MakeDesk) -> None:
    """A smaller order needs less for its fee, too."""
    desk = make_desk(place=FeePlace.QUOTE)
    order = desk.place(ALICE, desk.request(Side.BUY, "90000", "0.1"))
    desk.amend(order, "0.06", order.client_order_id)
    desk.engine.pump(desk.exchange)
    assert desk.wallet(ALICE, "USDT") == (USDT - parse_units("5410.8"), parse_units("5410.8"))


@pytest.mark.usefixtures("loopback_only")
def test_an_account_asks_for_the_discount_as_at_binance(server: Server) -> None:
    """bnbBurn switches it, account/commission tells of it, and a fill is charged so."""
    settings = ccxt_settings(server)
    settings["urls"]["test"]["sapi"] = f"{server.url}/sapi/v1"
    client = ccxt.binance(settings)
    assert client.sapi_get_bnbburn() == {"spotBNBBurn": False, "interestBNBBurn": False}
    assert client.sapi_post_bnbburn({"spotBNBBurn": "true"})["spotBNBBurn"] is True
    with pytest.raises(ccxt.BadRequest, match="spotBNBBurn"):
        client.sapi_post_bnbburn({"interestBNBBurn": "true"})
    told = client.private_get_account_commission({"symbol": "BTCUSDT"})
    assert set(told["specialCommission"].values()) == {"0.00000000"}
    assert told["discount"] == {
        "enabledForAccount": True,
        "enabledForSymbol": False,
        "discountAsset": "BNB",
        "discount": "0.75000000",
    }
    server.flow(Side.BUY, "590", "1", symbol_id=BNBUSDT.symbol_id)
    server.flow(Side.SELL, "610", "1", symbol_id=BNBUSDT.symbol_id)
    assert client.private_get_account_commission({"symbol": "BTCUSDT"})["discount"]["enabledForSymbol"] is True
