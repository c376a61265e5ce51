"""A day's page: the document's own figures, bounded, and honest about what is not known."""

import re
from decimal import Decimal

import pytest

from market.codes import Side
from pages.day import day_page
from pages.plot import falls
from reports.curves import day_curves, hours_of, together
from reports.performance import unseen_document
from screens.money import gain_text
from tests.pages.days import day_of, fills_of
from tests.reports.documents import performance_document
from tests.reports.fills import BTC, DAY, ETH, account, after, fill, snapshot

SIZE_MAX = 400_000


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("</style>")[2]))


def test_shows_the_figures_of_the_document() -> None:
    """One truth: what the page says is what the terminal says."""
    day = day_of(300)
    text = _text(day_page(day, "reports/x.json"))
    part = day["symbols"]["BTCUSDT"]
    assert f"PnL realized {gain_text(day['trades']['pnl'], 'USDT')} after fees" in text
    equity = day["equity"]
    assert f"Change of equity {gain_text(equity['change_less_flows'], 'USDT')} with what was held before;" in text
    assert f"Fills 300 {day['trades']['total_buys']} buys, {day['trades']['total_sells']} sells" in text
    won = Decimal(part["wins"]) / part["round_trips"] * 100
    assert f"Round trips won {won:.1f} % {part['wins']} of {part['round_trips']}" in text
    assert "Made from reports/x.json." in text


def test_the_curves_end_at_the_figures_of_the_document() -> None:
    """The curves are made of what moved in the account, the figures of lots: both are one amount."""
    day = day_of(500, has_mids=True)
    (curve,) = day_curves(day)
    whole, metrics = day["identity"]["all"], day["metrics"]
    change = whole["realized_net"] + whole["unrealized_change"] - whole["open_fees_change"]
    assert curve.end == pytest.approx(float(change), abs=1e-6)
    assert curve.position[-1] == pytest.approx(float(day["symbols"]["BTCUSDT"]["position"]), abs=1e-9)
    assert curve.realized is not None
    assert curve.realized[-1] == pytest.approx(float(day["trades"]["pnl"]), abs=1e-6)
    assert curve.captured is not None
    assert curve.captured[-1] == pytest.approx(float(metrics["spread_capture"]["value"]), abs=1e-6)
    fall = min(y for _, y in falls([(0, 0.0), *together([curve], "marked"), (0, curve.end or 0)]))
    assert -fall == pytest.approx(float(metrics["max_drawdown"]["value"]), abs=1e-6)


def test_a_fee_in_the_base_asset_leaves_less_of_what_was_bought() -> None:
    """Guards the curves of an account that pays in what it buys: position, result and captured spread."""
    fills = [
        fill(1, Side.BUY, "1", "100", "0.1", "BTC"),
        fill(2, Side.SELL, "0.5", "110", "0.2"),
        fill(3, Side.BUY, "0.2", "90", "0.02", "BTC"),
    ]
    start = account(BTC="1", USDT="1000")
    marks = {"BTCUSDT": "95"}
    first = performance_document(snapshot(start, marks=marks), None)
    day = performance_document(snapshot(after(start, fills), fills, marks=marks), first)
    for row in day["trade_history"]:
        row["mid"] = Decimal(101)
    (curve,) = day_curves(day)
    assert curve.position == pytest.approx([0.9, 0.4, 0.58])
    assert curve.end == pytest.approx(-100 + 55 - 0.2 - 18 + 0.58 * 95)
    assert curve.captured == pytest.approx([0.9, 0.9 + 4.5, 0.9 + 4.5 + 0.18 * 11])


def test_what_was_held_at_midnight_is_there_before_the_first_fill() -> None:
    """Guards the curve of the inventory: it began at nothing, and jumped to what was carried with the first fill."""
    day = day_of(30)
    del day["symbols"]["BTCUSDT"]["carried"]
    (flat,) = day_curves(day)
    day["symbols"]["BTCUSDT"]["carried"] = {"qty": Decimal(-9), "lots": []}
    (curve,) = day_curves(day)
    assert (flat.carried, curve.carried) == (0, -9)
    assert curve.position == pytest.approx([position - 9 for position in flat.position])
    day["symbols"]["BTCUSDT"]["carried"] = {"qty": Decimal(9), "lots": []}
    text = day_page(day, "x", by_order={"level": [], "rule": []})
    label = re.search(r"Inventory: between ([-+.0-9]+) and ([-+.0-9]+) BTC", text)
    assert label is not None
    assert float(label[2]) == pytest.approx(max(9, *day_curves(day)[0].position))
    (top,) = re.findall(r'Inventory: between.*?class="area plain"></path><path d="M\S+ (\S+?)H', text)
    assert 8 < float(top) < 100, "near the highest of the chart, and not at nothing"


def test_the_curves_of_several_symbols_are_added_up_in_time() -> None:
    """Guards the sum while one symbol has not traded yet, and the order of the symbols."""
    fills = [
        fill(1, Side.BUY, "1", "100"),
        fill(2, Side.SELL, "1", "110"),
        fill(1, Side.SELL, "1", "50", symbol="ETHUSDT"),
        fill(2, Side.BUY, "1", "45", symbol="ETHUSDT", time_ms=fill(3, Side.BUY, "1", "1").time_ms),
        fill(4, Side.BUY, "1", "100", "0.5"),
    ]
    curves = day_curves(unseen_document(DAY, fills, [ETH, BTC], {}))
    assert [one.symbol for one in curves] == ["BTCUSDT", "ETHUSDT"]
    assert [value for _, value in together(curves, "marked")] == [0, 0, 10, 15, 14.5]


def test_counts_the_fills_of_each_hour() -> None:
    """Guards the hours' bounds."""
    hours = hours_of(DAY, day_curves(unseen_document(DAY, fills_of(200), [BTC], {})))
    assert sum(hour.fills for hour in hours) == 200
    assert not any(hour.fills for hour in hours[:5])


def test_says_what_is_not_known_and_draws_nothing_for_it() -> None:
    """A file of another hand, a day without fills, a day of one."""
    empty = _text(day_page(day_of(0), "x"))
    assert "No fills on this day." in empty
    one = day_page(day_of(1), "x")
    assert "1 buy, 0 sells" in _text(one) or "0 buys, 1 sell" in _text(one)
    assert "NaN" not in one
    day = day_of(3)
    other = {key: day[key] for key in ("date", "time", "balances", "trades", "total_trades")}
    assert "it was made by other hands" in _text(day_page(other, "x"))
    assert "Not known: the file does not hold the mid at each fill." in _text(day_page(day, "x"))


def test_warns_before_any_figure() -> None:
    """Books that disagree, fees without a price, and what is not up to date stand above the figures."""
    day = day_of(30)
    trade = {"symbol": "BTCUSDT", "id": 7, "order_id": "o7", "time": "2025-11-30T12:00:00.000Z"}
    day["identity"]["all"] |= {"gap": Decimal("-0.01"), "first_trade": trade}
    day["reconciliation"] = {"is_exact": False, "differences": {"<BTC>": {"difference": Decimal("0.5")}}}
    day["symbols"]["BTCUSDT"]["unvalued_fees"] = {"BNB": Decimal("0.25")}
    text = _text(day_page(day, "x", ["Not up to date."]))
    before = text.partition("PnL realized")[0]
    assert "Not up to date." in before
    told = "The figures do not add up to the balances by -0.01 USDT, from trade 7 of BTCUSDT on"
    assert f"{told} (2025-11-30T12:00:00.000Z)." in before
    assert "Balances and trades disagree (a deposit, a withdrawal, or a missed trade): &lt;BTC&gt; +0.5." in before
    assert "Fees of 0.25 BNB in BTCUSDT have no price, and are in no result." in before


def test_lists_the_fills_that_were_picked_off() -> None:
    """Guards which they were: those that lost the most first, those of which the loss is not known last; none; n."""
    day = day_of(30, has_mids=True)
    late = [row for row in day["trade_history"] if row["is_picked_off"]]
    assert len(late) == 2
    late[0]["mids"] = {}
    found = re.search(
        r"Picked off: 2 of 30 fills, by what they lost in 10 s (.*?) Fills that lost", _text(day_page(day, "x"))
    )
    assert found is not None
    assert [time for time in found[1].split() if ":" in time] == [late[1]["time"][11:19], late[0]["time"][11:19]]
    assert "n/a" in found[1].partition(late[0]["time"][11:19])[2]
    for row in late:
        row["is_picked_off"] = False
    assert "Picked off: none of 30 fills." in _text(day_page(day, "x"))
    for row in day["trade_history"]:
        del row["is_picked_off"]
    assert "Picked off:" not in _text(day_page(day, "x"))
    counts = {"fills": {"count": 30}, "picked_off": {"count": 3}, "minutes": 1, "minutes_on_target": 1, "presence": 1}
    text = _text(day_page(day | {"quoting": counts}, "x"))
    assert "Picked off: 3 of 30 fills; which they were is not known." in text


def test_names_the_traded_assets_before_all_others() -> None:
    """A paper account holds a hundred assets, and those that the day is about had no room."""
    day = day_of(3)
    day["balances"] = {f"A{number}": {"free": 1, "locked": 0} for number in range(100)} | day["balances"]
    text = _text(day_page(day, "x")).partition("Balances ")[2]
    assert text.index("BTC") < text.index("USDT") < text.index("A0") < text.index("and 96 more")


def test_is_bounded_however_many_fills_there_are() -> None:
    """A page of a busy day opens anywhere."""
    small, large = (len(day_page(day_of(count), "x").encode()) for count in (4_000, 12_000))
    assert large < 1.1 * small < SIZE_MAX / 2
