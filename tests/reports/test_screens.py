"""What the terminal shows: exact shapes, amounts as the venue holds them."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import Balance, VenueOrder
from market.codes import Side
from market.exact_json import JsonObject, dumps
from pages.day import day_page
from reports.performance import unseen_document
from reports.recommendations import recommendations
from reports.weekly import week_of, week_to_json
from screens.account import (
    balances_json,
    balances_text,
    history_text,
    maker_text,
    order_text,
    orders_json,
    orders_text,
    trades_json,
    trades_text,
)
from screens.market import market_text
from screens.money import gain_text, money_text
from screens.report import day_text
from screens.week import week_text
from tests.pages.days import day_of
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, DAY, ETH, ETH_IN_BTC, NOON_MS, account, after, buy, fill, sell, snapshot


def _order(order_id: str, side: Side, qty: str, price: str, filled: str = "0", symbol: str = "BTCUSDT") -> VenueOrder:
    numbers = (Decimal(price), Decimal(qty), Decimal(filled))
    return VenueOrder(order_id, f"c{order_id}", symbol, side, *numbers, "NEW", NOON_MS)


def _day() -> JsonObject:
    start = account(BTC="1", USDT="10000")
    fills = [buy(1, "0.01094", "91202.23", "0.9"), sell(2, "0.01094", "91567.77", "0.9"), buy(3, "0.01", "91000")]
    first = performance_document(snapshot(start), None)
    return performance_document(snapshot(after(start, fills), fills, marks={"BTCUSDT": "91100"}), first)


def test_shows_open_orders_in_their_exact_shape() -> None:
    """Guards the shape, whatever zeros the venue appends and in whatever order it lists them."""
    orders = [
        _order("1", Side.SELL, "0.01094000", "91567.77000000"),
        _order("2", Side.BUY, "0.01094000", "91202.23000000"),
    ]
    assert orders_text(orders, [BTC, ETH]) == (
        "📋 Open Orders (BTCUSDT):\n"
        "   📥 BUY: 0.01094 BTC @ $91,202.23\n"
        "   📤 SELL: 0.01094 BTC @ $91,567.77\n"
        "\n"
        "Total Open Orders: 2"
    )


def test_says_that_there_are_no_orders() -> None:
    """Guards the empty account."""
    assert orders_text([], [BTC]) == "📋 Open Orders (BTCUSDT):\n   none\n\nTotal Open Orders: 0"


def test_shows_a_block_for_each_symbol_and_what_is_open_of_what() -> None:
    """Guards several symbols, partly filled orders, other quotes, best price first, and a price between two ticks."""
    orders = [
        _order("1", Side.BUY, "1", "100"),
        _order("2", Side.BUY, "1.5", "1234.125", filled="0.25"),
        _order("3", Side.SELL, "2", "0.03", symbol="ETHBTC"),
    ]
    assert orders_text(orders, [BTC, ETH_IN_BTC]) == (
        "📋 Open Orders (BTCUSDT):\n"
        "   📥 BUY: 1.25000 of 1.50000 BTC @ $1,234.125\n"
        "   📥 BUY: 1.00000 BTC @ $100.00\n"
        "\n"
        "📋 Open Orders (ETHBTC):\n"
        "   📤 SELL: 2.0000 ETH @ 0.03000 BTC\n"
        "\n"
        "Total Open Orders: 3"
    )


def test_answer_to_a_market_order_says_what_it_was_filled_at() -> None:
    """It has no price of its own."""
    order = replace(_order("1", Side.BUY, "0.3", "0", filled="0.3"), status="FILLED")
    assert order_text(order, BTC) == "FILLED 📥 BUY: 0.30000 BTC at the market, 0.30000 of it traded (order 1)"
    filled = replace(order, filled_quote=Decimal("27300.005"))
    assert order_text(filled, BTC) == (
        "FILLED 📥 BUY: 0.30000 BTC at the market, 0.30000 of it traded @ $91,000.02 on average (order 1)"
    )


def test_shows_an_ended_market_order_without_a_price() -> None:
    """It stood as `@ $0.00` in the history."""
    order = replace(_order("1", Side.BUY, "0.3", "0", filled="0.3"), status="FILLED")
    filled = replace(order, order_id="2", filled_quote=Decimal("27300.005"))
    limit = replace(_order("3", Side.BUY, "1", "100"), status="CANCELED")
    text = history_text([order, filled, limit], (), [BTC], limit=10, page=1)
    assert "BUY: 0.30000 of 0.30000 BTC at the market (FILLED, id 1)" in text
    assert "BUY: 0.30000 of 0.30000 BTC at the market @ $91,000.02 on average (FILLED, id 2)" in text
    assert "BUY: 0.00000 of 1.00000 BTC @ $100.00 (CANCELED, id 3)" in text


def test_refuses_an_order_in_an_unknown_symbol() -> None:
    """Guards against orders that silently are not shown."""
    with pytest.raises(ValueError, match="expected symbols among BTCUSDT, was DOGEUSDT"):
        orders_text([_order("1", Side.BUY, "1", "1", symbol="DOGEUSDT")], [BTC])


def test_writes_open_orders_as_exact_json() -> None:
    """Guards `--json`."""
    document = orders_json([_order("2", Side.BUY, "0.01094000", "91202.23000000")])
    assert dumps(document) == (
        '{"orders": [{"id": "2", "client_order_id": "c2", "time": "2025-11-30T12:00:00.000Z", "symbol": "BTCUSDT", '
        '"side": "BUY", "price": 91202.23, "qty": 0.01094, "filled_qty": 0, "status": "NEW"}], "total_open_orders": 1}'
    )


def test_shows_the_last_trades_oldest_first() -> None:
    """Guards order, limit, and the fee in its own asset."""
    trades = [
        sell(3, "0.01094", "91567.77", "1.00175140"),
        buy(2, "0.01094", "91202.23", "0.00001094", "BTC"),
        buy(1, "1", "1"),
    ]
    assert trades_text(trades, [BTC], limit=2) == (
        "🧾 Trades (BTCUSDT):\n"
        "   2025-11-30T12:00:02.000Z 📥 BUY: 0.01094 BTC @ $91,202.23 (maker, fee 0.00001094 BTC)\n"
        "   2025-11-30T12:00:03.000Z 📤 SELL: 0.01094 BTC @ $91,567.77 (maker, fee 1.0017514 USDT)\n"
        "\n"
        "Total Trades: 2"
    )
    assert trades_text(trades, [BTC], limit=0).endswith("Total Trades: 0")
    assert [row["id"] for row in trades_json(trades, limit=2)["trades"]] == [2, 3]


def test_shows_the_traded_assets_and_counts_the_others() -> None:
    """Guards the default: what is traded and not empty; others that hold something are counted."""
    balances = {
        "AAA": Balance(Decimal(1), Decimal(0)),
        "USDT": Balance(Decimal("9002.2500"), Decimal("997.75")),
        "BTC": Balance(Decimal("0.98906"), Decimal("0.01094")),
        "ETH": Balance(Decimal(0), Decimal(0)),
        "ZZZ": Balance(Decimal(0), Decimal(0)),
    }
    assert balances_text(balances, [BTC, ETH]) == (
        "💰 Balances:\n"
        "   BTC: 0.98906 free, 0.01094 locked\n"
        "   USDT: 9,002.25 free, 997.75 locked\n"
        "\n"
        "Total Assets: 2 (and 1 other: --all shows them)"
    )
    everything = balances_text(balances, [BTC, ETH], show_all=True)
    assert [line.split(":")[0].strip() for line in everything.splitlines()[1:6]] == ["BTC", "USDT", "ETH", "AAA", "ZZZ"]
    assert everything.endswith("Total Assets: 5")
    assert balances_text({}, [BTC]) == "💰 Balances:\n   none\n\nTotal Assets: 0"


def test_writes_balances_as_exact_json() -> None:
    """Guards `--json`."""
    document = balances_json(account(BTC="1.50", XYZ="1"), [BTC])
    assert dumps(document) == '{"balances": {"BTC": {"free": 1.5, "locked": 0}}, "other_assets": 1}'


def test_shows_the_day() -> None:
    """Guards the day's text: 0.01094 x 365.54 - 1.8 = 2.199... earned, 0.01 open and 1.00 up at the mark."""
    assert day_text(_day()) == (
        "📊 Performance 2025-11-30 (as of 12:00:00 UTC):\n"
        "   Trades: 3 (2 buys, 1 sell)\n"
        "   PnL: +$2.20 realized, after fees\n"
        "   Average buy: $91,105.65\n"
        "   Average sell: $91,567.77\n"
        "   BTCUSDT:\n"
        "      Round trips: 1 of 1 won (lots closed, first in, first out)\n"
        "      Volume: $2,909.50\n"
        "      Open: +0.01 BTC, unrealized +$1.00 at $91,100.00\n"
        "   Fees: 1.80 USDT\n"
        "   PnL: not compared with the change of the account: the mid of BTCUSDT at the opening is not known\n"
        "   Books: balances and trades agree to the last unit"
    )


def test_tells_the_fees_that_no_result_holds_yet() -> None:
    """Guards `after fees` of a day with an open lot: what was paid for it is in neither of the two results."""
    traded = [fill(1, Side.SELL, "0.01", "91000", "0.91")]
    first = performance_document(snapshot(account(BTC="1", USDT="100000")), None)
    held = after(account(BTC="1", USDT="100000"), traded)
    text = day_text(performance_document(snapshot(held, traded, marks={"BTCUSDT": "90900"}), first))
    assert "   PnL: $0.00 realized, after fees\n" in text
    assert "   Open: -0.01 BTC, unrealized +$1.00 at $90,900.00, before $0.91 of fees paid for it\n" in text


def test_shows_a_day_of_several_symbols() -> None:
    """Guards the per-symbol part, an asset that has no price, and books that disagree."""
    fills = [
        buy(1, "1", "100", "0.5", "BNB"),
        fill(1, Side.SELL, "1", "3000", symbol="ETHUSDT"),
        fill(2, Side.BUY, "1", "2990", symbol="ETHUSDT"),
    ]
    first = performance_document(snapshot(account(USDT="1")), None)
    text = day_text(performance_document(snapshot(account(USDT="1"), fills, instruments=(BTC, ETH)), first))
    unpriced = ", before fees of 0.50 BNB, of which no price is known"
    assert f"   PnL: +$10.00 realized{unpriced}\n   BTCUSDT:\n      Trades: 1 (1 buy, 0 sells)" in text
    assert f"      PnL: $0.00 realized{unpriced}" in text
    assert "      Open: +1.00 BTC, no price to value it" in text
    assert "      Not in the PnL, no price known: fees of 0.50 BNB" in text
    assert "   ETHUSDT:\n      Trades: 2 (1 buy, 1 sell)\n      PnL: +$10.00 realized, no fees paid" in text
    assert "      BNB: +0.50" in text


def test_shows_a_document_that_has_only_the_fixed_keys() -> None:
    """Guards reports made by other hands."""
    document = {name: value for name, value in _day().items() if name in ("date", "time", "trades", "total_trades")}
    assert day_text(document) == (
        "📊 Performance 2025-11-30 (as of 12:00:00 UTC):\n"
        "   Trades: 3 (2 buys, 1 sell)\n"
        "   PnL: +2.20 realized\n"
        "   Average buy: 91,105.65\n"
        "   Average sell: 91,567.77"
    )


def test_shows_the_week() -> None:
    """Guards the week's text: breakdown, totals, recommendations, and missing days said as missing."""
    week = week_of(DAY, {DAY: _day()}, {DAY.replace(day=29): "expected JSON"})
    text = week_text(week_to_json(week, recommendations(week)))
    assert text.splitlines() == [
        "📈 Week 2025-11-24 to 2025-11-30:",
        "   day            PnL  fills     won   fees     volume",
        "   2025-11-24 to 2025-11-28  no report",
        "   2025-11-29  damaged: expected JSON",
        "   2025-11-30  +$2.20      3  1 of 1  $1.80  $2,909.50",
        "",
        "   Total PnL: +$2.20 (3 trades, 1 day reported, 5 missing, 1 damaged)",
        "   Round trips: 1 of 1 won (lots closed, first in, first out)",
        "   Volume: $2,909.50, maker 100.0 %",
        "   Fees: $1.80",
        "",
        "🧾 Notices:",
        "   - 1 of 7 days has a damaged report (2025-11-29), which the totals leave out: look at the disk, "
        "and put the file back from a backup or move it away.",
        "   - 5 of 7 days have no report (2025-11-24 to 2025-11-28), which adds nothing to the totals: "
        "of one that was traded on, the tracker makes a report when it runs again.",
    ]


def test_shows_an_empty_week_without_zeros() -> None:
    """Guards n/a: what nobody measured is no figure."""
    week = week_of(DAY, {}, {})
    text = week_text(week_to_json(week, recommendations(week)))
    assert "   2025-11-24 to 2025-11-30  no report\n" in text
    assert "   Total PnL: n/a (0 trades, 0 days reported, 7 missing)\n   Volume: n/a\n   Fees: n/a\n\n" in text


def test_tells_a_new_user_of_no_missing_days() -> None:
    """Guards the first report: days before the desk was there are no fault, and there is nothing to compare."""
    week = week_of(DAY, {DAY: _day()}, {}, first=DAY)
    text = week_text(week_to_json(week, recommendations(week)))
    assert "   2025-11-24 to 2025-11-29  before the first report\n" in text
    assert "(3 trades, 1 day reported)" in text
    assert [item["rule"] for item in recommendations(week)] == ["nothing_stands_out"]
    assert "missing" not in text
    assert "Best day" not in text


def test_compares_days_when_there_are_several() -> None:
    """Guards best and worst day, and a rate where there are enough trips to make one."""
    fills = [
        trade for number in range(20) for trade in (buy(2 * number + 1, "1", "100"), sell(2 * number + 2, "1", "101"))
    ]
    other = performance_document(snapshot(account(USDT="1"), fills, time_ms=NOON_MS), None) | {"date": "2025-11-29"}
    week = week_of(DAY, {DAY: _day(), DAY.replace(day=29): other}, {}, first=DAY.replace(day=29))
    text = week_text(week_to_json(week, recommendations(week)))
    assert "   2025-11-29  +$20.00     40  100 % of 20 (84-100)  $0.00  $4,020.00\n" in text
    assert "   PnL by day:      █▁\n" in text
    assert "   Best day: 2025-11-29 (+$20.00)\n   Worst day: 2025-11-30 (+$2.20)\n" in text


def test_gives_an_idle_day_and_its_week_the_same_currency() -> None:
    """Guards `$0.00` in the day and `0.00` in the week."""
    idle = performance_document(snapshot(account(USDT="1")), None)
    assert "   PnL: $0.00 realized\n" in day_text(idle)
    week = week_of(DAY, {DAY: idle}, {}, first=DAY)
    text = week_text(week_to_json(week, recommendations(week)))
    assert "   2025-11-30  $0.00      0  $0.00   $0.00\n" in text
    assert "   Total PnL: $0.00 (0 trades, 1 day reported)\n   Volume: $0.00\n   Fees: $0.00\n" in text


def test_names_the_days_that_the_volume_leaves_out() -> None:
    """Guards the week's totals: trades of a file by other hands count, its volume is not known, and that is said."""
    keys = ("date", "time", "balances", "trades", "total_trades")
    foreign = {name: value for name, value in _day().items() if name in keys}
    week = week_of(DAY, {DAY: foreign}, {}, first=DAY)
    text = week_text(week_to_json(week, recommendations(week)))
    assert "   2025-11-30  +2.20      3\n      volume and fees not known\n" in text
    assert "   Volume: n/a (without 2025-11-30: not in the file)\n" in text


def test_counts_a_trip_with_unpriced_fees_as_neither_won_nor_lost() -> None:
    """Guards the win rate of who pays in an asset without a price."""
    document = performance_document(
        snapshot(account(USDT="1"), [buy(1, "1", "100", "0.5", "BNB"), sell(2, "1", "110")]), None
    )
    assert (
        "   Round trips: 0 of 1 won, 1 not known before the price of their fees is (lots closed, first in, first out)\n"
        in day_text(document)
    )
    week = week_of(DAY, {DAY: document}, {})
    assert week_to_json(week, [])["total"]["win_rate"] is None


def test_says_that_a_day_was_made_of_its_trades() -> None:
    """Guards a day that nobody saw: its text claims no time, no balances and no agreement."""
    text = day_text(unseen_document(DAY, [buy(1, "1", "100")], [BTC], {}))
    assert text.startswith("📊 Performance 2025-11-30 (made of its trades; nobody saw the account on that day):\n")
    assert "Books" not in text


def test_says_when_the_figures_contradict_the_trades() -> None:
    """Guards the identity: a gap is a bug of ours, and is told in the text."""
    document = _day()
    document["symbols"]["BTCUSDT"]["identity_gap"] = Decimal("-0.01")
    assert "   PnL: the figures of BTCUSDT are wrong by -0.01" in day_text(document)


def test_says_what_the_day_has_come_to_with_its_n() -> None:
    """No figure without how many it was made of; the intervals are the document's."""
    day = day_of(600, has_mids=True)
    text = day_text(day)
    equity, metrics = day["equity"], day["metrics"]
    change, end = gain_text(equity["change_less_flows"], "USDT"), money_text(equity["end"], "USDT")
    held = money_text(metrics["hold_benchmark"]["value"], "USDT")
    assert f"   Equity: {change} to {end}, with what was held before, untraded it would be {held}\n" in text
    captured, moved = (gain_text(metrics[name]["value"], "USDT") for name in ("spread_capture", "inventory_pnl"))
    assert f"   Spread captured: {captured}, the market's moves {moved} (n 600)\n" in text
    assert f"   Largest drawdown: {money_text(metrics['max_drawdown']['value'], 'USDT')} (n 600)\n" in text
    (row,) = [row for row in day["markouts"] if (row["horizon_s"], row["side"]) == (10, "both")]
    assert f", 10 s {row['mean_bps']:+.2f} bps ({row['low_bps']:+.2f} to {row['high_bps']:+.2f}), 60 s " in text
    assert re.search(r"   Markouts: .* \(n 600\)\n", text)
    for row, count in zip(day["markouts"][2::3], (600, 590, 400), strict=True):
        row["n"] = count
    assert re.search(r"   Markouts: .* \(n 600, 590, 400\)\n", day_text(day)), "each has its own"
    page = day_page(day, "x")
    assert "bps of the mid, n 600, 590, 400." in page
    assert "below the highest until then; n 600<" in page
    day["equity"]["flows"] = Decimal(-5)
    assert f"   Equity: {change} to {end}, without flows of -$5.00, with what was held before, " in day_text(day)
    day["metrics"]["hold_benchmark"]["value"] = None
    assert f"   Equity: {change} to {end}, without flows of -$5.00, with what was held before\n" in day_text(day)


@pytest.mark.parametrize(
    ("market", "text"),
    [
        (
            {"venue": "paper", "flow": "synthetic:practice", "seed": 7, "maker_fee": "0.001", "taker_fee": "0.00075"},
            "paper exchange, synthetic market (practice, seed 7); fees 0.1 % maker, 0.075 % taker",
        ),
        (
            {"venue": "paper", "flow": "replay:a.gz,b.gz", "seed": 7, "maker_fee": "0", "taker_fee": "0"},
            "paper exchange, replay of a.gz,b.gz; fees 0 % maker, 0 % taker",
        ),
        (
            {"venue": "paper", "flow": "live", "seed": 7, "maker_fee": "0.1", "taker_fee": "0"},
            "paper exchange, prices of a live market; fees 10 % maker, 0 % taker",
        ),
        (
            {"venue": "paper", "flow": "replay", "maker_fee": "0", "taker_fee": "0"},
            "paper exchange, replay of recordings; fees 0 % maker, 0 % taker",
        ),
        (
            {"venue": "paper", "url": "http://127.0.0.1:1"},
            "paper exchange at http://127.0.0.1:1; fees as it takes them",
        ),
        ({"venue": "binance-testnet"}, "binance-testnet; fees as the venue takes them"),
        (
            {"venue": "binance-testnet", "url": "http://127.0.0.1:8084"},
            "binance-testnet as played by http://127.0.0.1:8084; fees as it takes them",
        ),
        ({}, ""),
    ],
)
def test_says_where_it_was_traded(market: dict[str, str], text: str) -> None:
    """Guards the label: a practice market's gains are not taken for real ones."""
    exact = {name: Decimal(value) if name.endswith("fee") else value for name, value in market.items()}
    assert market_text(exact) == text


@pytest.mark.parametrize(
    ("amount", "quote", "money", "gain"),
    [
        ("12.5", "USDT", "$12.50", "+$12.50"),
        ("-1234.567", "USDC", "-$1,234.57", "-$1,234.57"),
        ("-0.004", "USDT", "$0.00", "$0.00"),
        ("0.004", "USDT", "$0.00", "$0.00"),
        ("0.00000001", "BTC", "0.00000001 BTC", "+0.00000001 BTC"),
        ("-3", None, "-3.00", "-3.00"),
    ],
)
def test_shows_money_with_its_sign(amount: str, quote: str | None, money: str, gain: str) -> None:
    """Guards signs, above all that there is no -$0.00."""
    assert money_text(Decimal(amount), quote) == money
    assert gain_text(Decimal(amount), quote) == gain


def test_maker_that_does_not_run_is_told_since_when() -> None:
    """It was `the maker is failed`."""
    maker: JsonObject = {
        "state": "failed",
        "since": "2026-11-30T18:56:01Z",
        "failing": None,
        "idle": {},
        "presence": None,
    }
    assert maker_text(maker) == "the maker has failed, since 2026-11-30 18:56:01 UTC"
    assert maker_text(maker | {"state": "ready"}) == "the maker is ready"


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        (("-18.594", "-0.0045"), "A -$18.59 (1 fill), B $0.00 (1 fill); each is rounded\n"),
        (("-18.59", "-0.01"), "A -$18.59 (1 fill), B -$0.01 (1 fill)\n"),
    ],
)
def test_parts_that_do_not_add_up_as_they_are_shown_say_why(gains: tuple[str, str], told: str) -> None:
    """`TOLERANCE -$18.59, WANTED $0.00` stood under `PnL -$18.60`."""
    day = day_of(2, has_mids=True)
    rows = [
        {"symbol": "BTCUSDT", "rule": name, "fills": 1, "volume": Decimal(1), "pnl": Decimal(gain)}
        for name, gain in zip("AB", gains, strict=True)
    ]
    assert f"   By rule: {told}" in day_text(day, {"rule": rows})


def test_page_shows_no_share_of_nothing_and_no_zeros_of_chance() -> None:
    """A presence of less than a minute has no n: it was 0.96 of 0; a profit factor of 0 was 0.000000."""
    day = day_of(600, has_mids=True)
    day["metrics"]["presence"] = {"value": Decimal("0.96"), "n": 0}
    day["metrics"]["profit_factor"] = {"value": Decimal("0.000000"), "n": 3}
    page = day_page(day, "x")
    assert "Presence: not known, for no whole minute was watched." in page
    assert "0.000000" not in page
    assert '<th scope="row">profit factor</th><td>0</td>' in page
