"""The public calls beside the oldest ones: windows, trading days, time zones, the reference price."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import pytest

from market.codes import Side
from paper.calls.endpoints import ENDPOINTS
from paper.errors import ErrorKind
from paper.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS, WINDOWS_MS
from tests.paper.server import Server
from tests.paper.test_rest import send, signed
from tests.paper.test_tape import START_MS, tape_of

TICKER = [
    "symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "openPrice", "highPrice", "lowPrice",
    "lastPrice", "volume", "quoteVolume", "openTime", "closeTime", "firstId", "lastId", "count",
]  # fmt: skip
MINI_TICKER = [TICKER[0], *TICKER[4:]]


def ask(server: Server, path: str, **values: object) -> Any:
    """Return what a public call tells."""
    status, document, _ = send(server, "GET", path, query=urlencode(values))
    assert status == 200, document
    return document


@pytest.fixture
def traded(server: Server) -> Server:
    """A market in which two trades have happened, at 89000 and 90000."""
    server.forget_trades()
    server.flow(Side.BUY, "89000", "0.001")
    server.flow(Side.SELL, "89000", "0.001")
    server.flow(Side.SELL, "90000", "0.003")
    server.flow(Side.BUY, "90000", "0.003")
    return server


def test_a_window_is_told_from_its_minute_on(traded: Server) -> None:
    """`ticker`: names, their order and their values; the day if no window is named."""
    told = ask(traded, "ticker", symbol="BTCUSDT", windowSize="2h")
    assert list(told) == TICKER
    assert told["openTime"] == (told["closeTime"] - 2 * HOUR_MS) // MINUTE_MS * MINUTE_MS
    assert (told["openPrice"], told["lastPrice"], told["volume"]) == ("89000.00000000", "90000.00000000", "0.00400000")
    assert (told["priceChange"], told["priceChangePercent"]) == ("1000.00000000", "1.124")
    assert (told["weightedAvgPrice"], told["count"]) == ("89750.00000000", 2)
    day = ask(traded, "ticker", symbols='["BTCUSDT","ETHUSDT"]', type="MINI")
    assert [list(each) for each in day] == [MINI_TICKER, MINI_TICKER]
    assert day[0]["closeTime"] - day[0]["openTime"] >= DAY_MS
    assert (day[1]["count"], day[1]["firstId"]) == (0, -1)


def test_windows_have_binances_names() -> None:
    """1m to 59m, 1h to 23h, 1d to 7d, one unit at a time."""
    assert len(WINDOWS_MS) == 59 + 23 + 7
    assert (WINDOWS_MS["59m"], WINDOWS_MS["23h"], WINDOWS_MS["7d"]) == (59 * MINUTE_MS, 23 * HOUR_MS, 7 * DAY_MS)
    assert not WINDOWS_MS.keys() & {"60m", "24h", "8d", "1s"}


def test_a_window_of_seven_days_holds_its_first_minute() -> None:
    """It goes back to the beginning of a minute, so it may hold one minute more than a week."""
    tape = tape_of(*((minute * MINUTE_MS, 100, 1) for minute in range(7 * 24 * 60 + 1)))
    whole = tape.window(START_MS + 7 * DAY_MS + 30_000, 7 * DAY_MS)
    assert whole is not None
    assert (whole.count, whole.open_ms) == (7 * 24 * 60 + 1, START_MS)
    later = tape.window(START_MS + 7 * DAY_MS + 60_000, 7 * DAY_MS)
    assert later is not None
    assert later.count == 7 * 24 * 60


def test_a_trading_day_begins_at_midnight_of_its_zone(traded: Server) -> None:
    """`ticker/tradingDay`: it ends 1 ms before the next one begins."""
    for zone, hours in (("0", 0.0), ("8", 8), ("-12:00", -12), ("05:45", 5.75)):
        told = ask(traded, "ticker/tradingDay", symbol="BTCUSDT", timeZone=zone)
        assert list(told) == TICKER
        begin = datetime.fromtimestamp(told["openTime"] / 1_000, timezone(timedelta(hours=hours)))
        assert (begin.hour, begin.minute, begin.second) == (0, 0, 0)
        assert told["closeTime"] == told["openTime"] + DAY_MS - 1
        assert told["openTime"] <= ask(traded, "time")["serverTime"]
    told = ask(traded, "ticker/tradingDay", symbol="BTCUSDT", type="MINI")
    assert (list(told), told["count"]) == (MINI_TICKER, 2)


@pytest.mark.parametrize("name", INTERVALS)
@pytest.mark.parametrize("zone_ms", [8 * HOUR_MS, -12 * HOUR_MS, 14 * HOUR_MS, 5 * HOUR_MS + 45 * MINUTE_MS])
def test_bars_of_a_zone_are_those_of_utc_for_who_reads_its_clock(name: str, zone_ms: int) -> None:
    """The same trades, had they happened so much earlier by UTC, make the same bars, so much earlier."""
    interval, trades = INTERVALS[name], [(day * DAY_MS // 4 + 7_000, 100 + day, day + 1) for day in range(28)]
    now_ms = START_MS + 7 * DAY_MS
    there = tape_of(*trades).bars(interval.in_zone(zone_ms), now_ms, None, None, 1_000)
    by_utc = tape_of(*((at_ms + zone_ms, price, qty) for at_ms, price, qty in trades))
    here = by_utc.bars(interval, now_ms + zone_ms, None, None, 1_000)
    assert [(bar.open_ms + zone_ms, bar.open_ticks, bar.close_ticks, bar.count) for bar in there] == [
        (bar.open_ms, bar.open_ticks, bar.close_ticks, bar.count) for bar in here
    ]
    assert there


def test_a_month_of_a_zone_begins_there() -> None:
    """Half a day before it does by UTC, or after."""
    month = INTERVALS["1M"].in_zone(-12 * HOUR_MS)
    first_ms = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 1_000
    assert (month.open_of(first_ms), month.end_of(month.open_of(first_ms - 1))) == (first_ms, first_ms)


def test_bars_for_charts_are_the_same_bars(traded: Server) -> None:
    """`uiKlines`, in a zone as well."""
    values = {"symbol": "BTCUSDT", "interval": "1d", "timeZone": "+08:00"}
    (bar,) = ask(traded, "uiKlines", **values)
    assert [bar] == ask(traded, "klines", **values)
    assert (bar[0] + 8 * HOUR_MS) % DAY_MS == 0
    assert ask(traded, "uiKlines", **values, endTime=bar[0] - 1) == []


def test_older_trades_are_told_from_an_id_on(traded: Server) -> None:
    """`historicalTrades`, the latest without an id; block trades there are none."""
    first, second = ask(traded, "trades", symbol="BTCUSDT")
    assert ask(traded, "historicalTrades", symbol="BTCUSDT") == [first, second]
    assert ask(traded, "historicalTrades", symbol="BTCUSDT", limit=1) == [second]
    assert ask(traded, "historicalTrades", symbol="BTCUSDT", fromId=first["id"], limit=1) == [first]
    assert ask(traded, "historicalTrades", symbol="BTCUSDT", fromId=second["id"] + 1) == []
    assert ask(traded, "historicalBlockTrades", symbol="BTCUSDT", fromId=0) == []


def test_the_reference_price_is_told_once_there_is_one(server: Server) -> None:
    """The mean of trades whatever their quantity, and how it comes about; -2043 before the first trade."""
    server.forget_trades()
    for path in ("referencePrice", "referencePrice/calculation"):
        status, document, _ = send(server, "GET", path, query="symbol=BTCUSDT")
        assert (status, document["code"]) == (400, -2043)
        assert document["msg"] == "This symbol doesn't have a reference price."
    for price, qty in (("89000", "0.001"), ("90000", "0.003")):
        server.flow(Side.SELL, price, qty)
        server.flow(Side.BUY, price, qty)
    told = ask(server, "referencePrice", symbol="BTCUSDT")
    assert list(told) == ["symbol", "referencePrice", "timestamp"]
    assert told["referencePrice"] == "89500.00000000"
    calculation = {"calculationType": "ARITHMETIC_MEAN", "bucketCount": 300, "bucketWidthMs": 1_000}
    assert ask(server, "referencePrice/calculation", symbol="BTCUSDT") == {"symbol": "BTCUSDT"} | calculation


def test_a_time_is_told_in_the_unit_of_the_client(traded: Server) -> None:
    """That of the reference price is called by a name of its own."""
    header = {"X-MBX-TIME-UNIT": "MICROSECOND"}
    for path, name in (("referencePrice", "timestamp"), ("ticker", "openTime"), ("ticker/tradingDay", "closeTime")):
        told = send(traded, "GET", path, query="symbol=BTCUSDT", headers=header)[1]
        assert len(str(told[name])) == 16, path


def test_the_rules_of_execution_are_told(server: Server) -> None:
    """Of one symbol, of several, of all of a status."""
    rule = {
        "ruleType": "PRICE_RANGE",
        "bidLimitMultUp": "2.0000",
        "bidLimitMultDown": "0.5000",
        "askLimitMultUp": "2.0000",
        "askLimitMultDown": "0.5000",
    }
    told = ask(server, "executionRules", symbol="ETHUSDT")
    assert told == {"symbolRules": [{"symbol": "ETHUSDT", "rules": [rule]}]}
    for values in ({}, {"symbolStatus": "TRADING"}, {"symbols": '["BTCUSDT","ETHUSDT","BNBUSDT"]'}):
        every = ask(server, "executionRules", **values)["symbolRules"]
        assert [each["symbol"] for each in every] == ["BTCUSDT", "ETHUSDT", "BNBUSDT"]


def test_there_are_no_allocations(server: Server) -> None:
    """No order is filled by smart order routing."""
    assert send(server, "GET", "myAllocations", query=signed(server, symbol="BTCUSDT"))[1] == []
    refused = send(server, "GET", "myAllocations", query=signed(server, symbol="NOTHING"))
    assert refused[1]["code"] == ErrorKind.BAD_SYMBOL.code


@pytest.mark.parametrize(
    ("path", "query", "kind"),
    [
        ("ticker", "", ErrorKind.EITHER_PARAMETER),
        ("ticker", "symbol=BTCUSDT&windowSize=60m", ErrorKind.BAD_PARAMETER),
        ("ticker", "symbol=BTCUSDT&windowSize=1d2h", ErrorKind.BAD_PARAMETER),
        ("ticker", "symbol=BTCUSDT&symbolStatus=CANCEL_ONLY", ErrorKind.OTHER_SYMBOL_STATUS),
        ("ticker/tradingDay", "type=MINI", ErrorKind.EITHER_PARAMETER),
        ("ticker/tradingDay", "symbol=BTCUSDT&timeZone=-12:01", ErrorKind.BAD_PARAMETER),
        ("ticker/tradingDay", "symbol=BTCUSDT&timeZone=14:01", ErrorKind.BAD_PARAMETER),
        ("uiKlines", "symbol=BTCUSDT&interval=1m&timeZone=1:60", ErrorKind.BAD_PARAMETER),
        ("uiKlines", "symbol=BTCUSDT&interval=60m", ErrorKind.BAD_INTERVAL),
        ("historicalTrades", "fromId=1", ErrorKind.MANDATORY_PARAMETER),
        ("historicalBlockTrades", "symbol=BTCUSDT", ErrorKind.MANDATORY_PARAMETER),
        ("historicalBlockTrades", "symbol=NOTHING&fromId=1", ErrorKind.BAD_SYMBOL),
        ("executionRules", "symbol=BTCUSDT&symbolStatus=TRADING", ErrorKind.BAD_COMBINATION),
        ("referencePrice", "", ErrorKind.MANDATORY_PARAMETER),
        ("referencePrice/calculation", "symbol=NOTHING", ErrorKind.BAD_SYMBOL),
        ("referencePrice/calculation", "symbol=BTCUSDT&symbolStatus=CANCEL_ONLY", ErrorKind.OTHER_SYMBOL_STATUS),
    ],
)
def test_a_call_with_a_fault_is_refused_by_name(server: Server, path: str, query: str, kind: ErrorKind) -> None:
    """One row a rule."""
    status, document, _ = send(server, "GET", path, query=query)
    assert (status, document["code"]) == (kind.status, kind.code), document


def test_many_symbols_weigh_more_up_to_a_limit() -> None:
    """4 for each of a window, at most 200; 2 for each of the rules, at most 40, which all weigh, too."""
    weight_of = {endpoint.name: endpoint.weight_of for endpoint in ENDPOINTS}
    many = tuple(f"S{number}USDT" for number in range(60))
    for path in ("ticker", "ticker/tradingDay"):
        assert [weight_of[path](values) for values in ({"symbol": "A"}, {"symbols": many[:3]}, {"symbols": many})] == [
            4,
            12,
            200,
        ]
    for values, weight in (({"symbol": "A"}, 2), ({"symbols": many[:3]}, 6), ({"symbols": many}, 40), ({}, 40)):
        assert weight_of["executionRules"](values) == weight
