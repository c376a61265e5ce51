"""One symbol of a day that had several: its figures are those of a day on which nothing else was traded."""

from decimal import Decimal

import pytest

from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import Instrument
from reports.one_symbol import of_symbol
from reports.performance import book_of, is_sound
from reports.round_trips import round_trips
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, DAY, ETH, account, buy, fill, sell, snapshot

_START = account(BTC="10", ETH="50", USDT="10000", BNB="5")
_BTC = [buy(1, "1", "100", "0.1"), sell(2, "1", "103", "0.1")]
_ETH = [
    fill(3, Side.SELL, "2", "30", "0.01", symbol="ETHUSDT"),
    fill(4, Side.BUY, "1", "29", "0.01", symbol="ETHUSDT"),
    fill(5, Side.BUY, "3", "28", "0.002", "ETH", symbol="ETHUSDT"),
]


def two_symbols(*instruments: Instrument) -> JsonObject:
    """Return the day of those instruments' trades; its first sight knew all of them."""
    traded = [trade for one, trades in ((BTC, _BTC), (ETH, _ETH)) if one in instruments for trade in trades]
    marks = {"BTCUSDT": "104", "ETHUSDT": "27"}
    known = tuple(one for one in (BTC, ETH) if one in instruments)
    before = performance_document(snapshot(_START, instruments=known, marks=marks), None)
    moved = {asset: one.total for asset, one in _START.items()}
    for trade in traded:
        sign = 1 if trade.side is Side.BUY else -1
        moved[trade.symbol.removesuffix("USDT")] += sign * trade.qty
        moved["USDT"] -= sign * trade.quote_qty
        moved[trade.fee_asset] -= trade.fee
    after = account(**{asset: str(total) for asset, total in moved.items()})
    return performance_document(snapshot(after, traded, instruments=known, marks=marks), before)


@pytest.mark.parametrize("one", [BTC, ETH])
def test_figures_are_those_of_a_day_with_nothing_else(one: Instrument) -> None:
    """Guards `report --symbol`: it printed all symbols; every figure but the account's is of the one alone."""
    symbol = one.symbol
    both, alone = two_symbols(BTC, ETH), two_symbols(one)
    assert is_sound(both)
    found = of_symbol(both, symbol)
    for name in ("trades", "total_trades", "symbols", "fees", "markouts", "trade_history"):
        assert found[name] == alone[name], name
    assert found["symbol"] == symbol
    for name, metric in found["metrics"].items():
        assert name == "hold_benchmark" or metric == alone["metrics"][name], name
    of_both, of_alone = (book_of(DAY, document, trips_kept=None) for document in (both, alone))
    assert list(round_trips(of_both, symbol)) == list(round_trips(of_alone)) != []
    assert (found["equity"]["end"], found["equity"]["asset"]) == (None, "USDT")
    assert "the account's" in found["equity"]["why"]
    assert found["metrics"]["hold_benchmark"]["why"] == found["equity"]["why"]
    assert found["balances"].keys() == {one.base, "USDT"}
    assert "checksum" not in found


def test_whether_the_account_is_right_stays() -> None:
    """A gap of the account may be of any symbol: who looks at one of them is told."""
    both = two_symbols(BTC, ETH)
    both["identity"]["all"]["gap"] = Decimal("0.00000001")
    assert not is_sound(of_symbol(both, "BTCUSDT"))
    both = two_symbols(BTC, ETH)
    both["reconciliation"]["is_exact"] = False
    assert not is_sound(of_symbol(both, "BTCUSDT"))


def test_symbol_that_was_not_traded_has_no_trades() -> None:
    """And what does not tell its trades by symbol says so; a day of one symbol is whole as it is."""
    found = of_symbol(two_symbols(BTC, ETH), "DOGEUSDT")
    assert (found["total_trades"], found["trades"]["pnl"], found["symbols"], found["trade_history"]) == (0, 0, {}, [])
    alone = two_symbols(BTC)
    assert of_symbol(alone, "BTCUSDT") == alone | {"symbol": "BTCUSDT"}
    with pytest.raises(ValueError, match="does not tell its trades by symbol"):
        of_symbol({name: part for name, part in alone.items() if name != "symbols"}, "BTCUSDT")


def test_quoting_and_orders_of_others_are_left_out() -> None:
    """What the maker has kept is of its own pair."""
    both = two_symbols(BTC, ETH) | {"quoting": {"symbol": "BTCUSDT", "presence": Decimal(1), "minutes": 3}}
    both["quoting"] |= {"picked_off": {"count": 0, "markout": "0", "markout_bps": None}, "fills": {"count": 0}}
    both["open_orders"] = [{"symbol": "BTCUSDT"}, {"symbol": "ETHUSDT"}]
    assert "quoting" not in of_symbol(both, "ETHUSDT")
    assert of_symbol(both, "BTCUSDT")["quoting"] == both["quoting"]
    assert of_symbol(both, "ETHUSDT")["open_orders"] == [{"symbol": "ETHUSDT"}]
