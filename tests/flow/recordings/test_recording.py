"""Recordings are read exactly, or refused with the line and the reason."""

import gzip
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from flow.exact_units import decimal_units
from flow.recordings.recording import (
    BookTicker,
    DepthUpdate,
    Record,
    RecordedTrade,
    RecordingError,
    Snapshot,
    read_recording,
    recorded_lags,
    recorded_symbol,
)
from market.codes import Side
from market.depth import Level
from tests.flow.recordings.written import write_recording
from tests.pairs import default_instruments

BTCUSDT, ETHUSDT, *_ = default_instruments()
RECORDS: list[Record] = [
    BookTicker(1_000, 5, Level(6_183_763, 378_826), Level(6_183_764, 154_698)),
    Snapshot(2_000, 6, (Level(6_183_763, 378_826), Level(6_183_700, 1)), (Level(6_183_764, 154_698),)),
    DepthUpdate(3_000, 7, 9, (Level(6_183_700, 0),), ()),
    RecordedTrade(4_000, 77, 6_183_763, 2_000, Side.SELL),
    RecordedTrade(5_000, 78, 6_183_764, 2_001, Side.BUY),
]


@pytest.mark.parametrize("name", ["recording.gz", "recording.txt"])
def test_reads_back_what_was_written(name: str, tmp_path: Path) -> None:
    """Guards the format, both ways, gzip or plain."""
    path = tmp_path / name
    assert write_recording(path, BTCUSDT, RECORDS) == len(RECORDS)
    assert list(read_recording(path, BTCUSDT)) == RECORDS
    assert recorded_symbol(path) == "BTCUSDT"


def test_reads_raw_messages_and_skips_empty_lines(tmp_path: Path) -> None:
    """Guards single streams, which wrap their messages in nothing; exact integers, beyond a double's digits."""
    path = tmp_path / "raw"
    path.write_text('\n7 {"u":9007199254740993,"s":"BTCUSDT","b":"0.01000000","B":"1.00000000","a":"0.02","A":"3"}\n')
    ticker = BookTicker(7, 9_007_199_254_740_993, Level(1, 100_000), Level(2, 300_000))
    assert list(read_recording(path, BTCUSDT)) == [ticker]


def test_lags_are_beyond_the_quickest_however_far_the_clocks_are_apart(tmp_path: Path) -> None:
    """The recorder's clock is 1.3 s behind here, as in a real recording; best prices have no time of their own."""
    path = tmp_path / "raw"
    trade = '{{"e":"trade","E":{},"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1,"m":true}}'
    lines = [(1_723_161_253_700, trade.format(1_723_161_255_000)), (1_723_161_253_702, '{"u":1,"s":"BTCUSDT"}')]
    lines.append((1_723_161_253_731, trade.format(1_723_161_255_024)))
    path.write_text("".join(f"{stamp_ms}000000 {text}\n" for stamp_ms, text in lines))
    assert recorded_lags(path) == [0, 7_000_000]


def test_lags_of_a_recording_without_times_are_refused(tmp_path: Path) -> None:
    """Guards a jitter of nothing, said to be that of a recording."""
    path = tmp_path / "raw"
    path.write_text('7 {"u":1,"s":"BTCUSDT","b":"0.01","B":"1","a":"0.02","A":"3"}\n')
    with pytest.raises(RecordingError, match="a time of their own"):
        recorded_lags(path)


def test_leaves_out_what_rests_below_a_lot(tmp_path: Path) -> None:
    """Guards levels with orders from when the venue's lot was finer; they are in the real recordings."""
    path = tmp_path / "raw"
    row = '["200000.00000000","25.42618900"]'
    path.write_text(f'7 {{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[{row}]}}\n')
    assert list(read_recording(path, BTCUSDT)) == [DepthUpdate(7, 1, 2, (), (Level(20_000_000, 2_542_618),))]


TRADE = '{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1.00","q":"1.0","T":1,"m":true,"M":true}'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("soon {}", "receive time"),
        ("17", "receive time|JSON"),
        ("17 {", "expected JSON"),
        ("17 []", "expected a JSON object"),
        ("17 {}", "expected a message of BTCUSDT, found symbol None"),
        ("17 " + TRADE.replace("BTCUSDT", "ETHUSDT"), "expected a message of BTCUSDT, found symbol 'ETHUSDT'"),
        ("17 " + TRADE.replace('"e":"trade",', ""), "expected a depthUpdate, trade, bookTicker or snapshot, found"),
        ("17 " + "[" * 100_000, "expected a recorded message"),
        ("17 " + '{"lastUpdateId":' + "9" * 5_000 + "}", "expected a recorded message"),
        ("9" * 20 + " " + TRADE, "receive time"),
        ("9" * 19 + ' {"lastUpdateId":1,"bids":[],"asks":[]}', "receive time before the year 2263"),
        ("17 " + TRADE.replace('"p"', '"x"'), "expected the key 'p'"),
        ("17 " + TRADE.replace("1.00", "1.001"), "expected whole ticks and lots, found price 1.001"),
        ("17 " + TRADE.replace('"1.0"', '"0.000001"'), "expected whole ticks and lots, found price 1.00 and quantity"),
        ("17 " + TRADE.replace("1.00", "0.00"), "within bounds"),
        ("17 " + TRADE.replace("1.00", "1e3"), "expected a plain decimal number, found '1e3'"),
        ("17 " + TRADE.replace('"1.0"', "1.0"), "expected a recorded message"),
        ("17 " + TRADE.replace("true", '"yes"'), "expected the key 'yes'"),
        ("17 " + TRADE.replace('"t":1', '"t":"1"'), "expected a non-negative integer, found '1'"),
        ('17 {"lastUpdateId":1,"bids":[["1.00"]],"asks":[]}', "expected a recorded message"),
    ],
)
def test_names_the_line_and_what_was_expected(line: str, said: str, tmp_path: Path) -> None:
    """Guards a user's own recordings: the first bad line is named, and the good ones before it are read."""
    path = tmp_path / "bad"
    write_recording(path, BTCUSDT, RECORDS[:2])
    with path.open("a") as file:
        file.write(line + "\n")
    read: list[Record] = []
    with pytest.raises(RecordingError, match=f"bad line 3: .*({said})"):
        read.extend(read_recording(path, BTCUSDT))
    assert read == RECORDS[:2]


def test_tells_a_gzip_file_that_is_cut_off(tmp_path: Path) -> None:
    """Guards recordings whose recorder was killed."""
    path = tmp_path / "cut.gz"
    write_recording(path, BTCUSDT, RECORDS * 1_000)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RecordingError, match=r"cut.gz after line \d+: expected a whole gzip file"):
        list(read_recording(path, BTCUSDT))


def test_tells_a_recording_without_a_symbol(tmp_path: Path) -> None:
    """Guards the detection of the symbol."""
    path = tmp_path / "snapshot"
    write_recording(path, BTCUSDT, RECORDS[1:2])
    with pytest.raises(RecordingError, match="expected a message with a symbol"):
        recorded_symbol(path)
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b"what\n"))
    with pytest.raises(RecordingError, match=r"empty.gz line 1: expected .<receive time"):
        recorded_symbol(tmp_path / "empty.gz")


@pytest.mark.parametrize("line", ["1 []", "1", "1 1", "1 null", '1 {"stream":"x"}', "1 " + "[" * 100_000])
def test_first_line_of_any_kind_is_told_by_its_place(line: str, tmp_path: Path) -> None:
    """Guards the search for the symbol, which comes first: whatever a line holds, it is one line to a person."""
    (tmp_path / "odd").write_text(line + "\n")
    with pytest.raises(RecordingError, match=r"odd line 1: expected "):
        recorded_symbol(tmp_path / "odd")
    with pytest.raises(RecordingError, match=r"odd line 1: expected "):
        list(read_recording(tmp_path / "odd", BTCUSDT))


@pytest.mark.parametrize("unit_ns", [1, 1_000, 1_000_000, 1_000_000_000])
@pytest.mark.parametrize("own_time_us", [False, True])
def test_tells_the_unit_of_the_receive_times_by_the_messages_own(
    unit_ns: int, own_time_us: bool, tmp_path: Path
) -> None:
    """Guards recordings of other tools: stamps of 16 digits ran a thousand times too fast, without a word."""
    at_ns = 1_723_104_000_000_000_000
    own = at_ns // (1_000 if own_time_us else 1_000_000)
    best = '{"u":1,"s":"BTCUSDT","b":"1.00","B":"1.00000000","a":"2.00","A":"3.00000000"}'
    path = tmp_path / "raw"
    trade = TRADE.replace('"E":1', f'"E":{own}')
    path.write_text(f"{at_ns // unit_ns} {best}\n{at_ns // unit_ns} {trade}\n")
    assert [record.received_ns for record in read_recording(path, BTCUSDT)] == [at_ns, at_ns]


def test_passes_over_best_prices_of_an_empty_side(tmp_path: Path) -> None:
    """Our own exchange tells a side that is empty as price 0: the recording does not end there."""
    path = tmp_path / "raw"
    best = '17 {{"u":1,"s":"BTCUSDT","b":"{}","B":"1.00","a":"{}","A":"3.00"}}\n'
    path.write_text("".join(best.format(*prices) for prices in (("0.00", "2.00"), ("1.00", "0.00000000"), ("1", "2"))))
    skipped: Counter[str] = Counter()
    assert list(read_recording(path, BTCUSDT, skipped)) == [BookTicker(17, 1, Level(100, 100_000), Level(200, 300_000))]
    assert skipped.total() == 2


@pytest.mark.parametrize(("stamp", "ns"), [(17 * 10**11, 17 * 10**17), (17 * 10**14, 17 * 10**17), (17, 17)])
def test_tells_the_unit_of_dates_where_no_message_has_a_time(stamp: int, ns: int, tmp_path: Path) -> None:
    """Guards recordings of best prices alone."""
    path = tmp_path / "raw"
    path.write_text(f'{stamp} {{"u":1,"s":"BTCUSDT","b":"1.00","B":"1.00","a":"2.00","A":"3.00"}}\n')
    assert [record.received_ns for record in read_recording(path, BTCUSDT)] == [ns]


def test_refuses_receive_times_that_are_no_dates_by_line(tmp_path: Path) -> None:
    """Guards the speed of a replay: a clock that nobody knows is not guessed at."""
    path = tmp_path / "raw"
    path.write_text("123456789 " + TRADE.replace('"E":1', '"E":1723104000123') + "\n")
    with pytest.raises(RecordingError, match="raw line 1: expected a receive time in ns, µs, ms or s within a day"):
        list(read_recording(path, BTCUSDT))


def test_names_the_line_whose_time_is_in_another_unit(tmp_path: Path) -> None:
    """Guards recordings put together of two: a line of the year 56,000 would be waited for."""
    own = TRADE.replace('"E":1', '"E":1723104000123')
    path = tmp_path / "raw"
    path.write_text(f"1723104000200000000 {own}\n1723104000200000 {own}\n")
    with pytest.raises(RecordingError, match="raw line 2: expected a receive time within a day of the message's own"):
        list(read_recording(path, BTCUSDT))


def test_passes_over_what_a_collector_writes_besides(tmp_path: Path) -> None:
    """Guards recordings with answers to subscriptions and streams of no use: they are counted, not refused."""
    path = tmp_path / "raw"
    write_recording(path, BTCUSDT, RECORDS)
    lines = path.read_text().splitlines()
    others = [
        '{"result":null,"id":1}',
        '{"id":"a","error":{"code":2,"msg":"x"}}',
        '{"e":"kline","E":1,"s":"BTCUSDT","k":{}}',
        '{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":9,"bids":[],"asks":[]}}',
        '{"stream":"!ticker@arr","data":[{"e":"24hrTicker","s":"ETHUSDT"}]}',
        '[{"e":"24hrTicker","s":"ETHUSDT"}]',
        '{"e":"serverShutdown","E":1}',
    ]
    path.write_text("\n".join(["\ufeff1\t" + others[0], *lines, *(f"6000 {other}" for other in others)]), "utf-8")
    skipped: Counter[str] = Counter()
    assert list(read_recording(path, BTCUSDT, skipped)) == RECORDS
    assert skipped.total() == len(others) + 1
    assert (skipped["answer"], skipped["kline"], skipped["btcusdt@depth5@100ms"]) == (3, 1, 1)


def test_every_flipped_bit_of_a_gzip_file_is_told_or_does_no_harm(tmp_path: Path) -> None:
    """Guards damaged recordings: one line with the file and the place, never an error of the library."""
    path = tmp_path / "flipped.gz"
    write_recording(path, BTCUSDT, RECORDS)
    whole = path.read_bytes()
    told = 0
    for bit in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert list(read_recording(path, BTCUSDT)) == RECORDS, bit
        except RecordingError as error:
            assert str(error).startswith(f"{path} "), bit  # noqa: PT017 - either way is right
            told += 1
    assert told > len(whole) * 6


def test_refuses_a_tick_finer_than_the_recorded_decimals(tmp_path: Path) -> None:
    """Guards exactness for any instrument."""
    path = tmp_path / "empty"
    path.write_text("")
    with pytest.raises(ValueError, match="tick size must be a multiple of 1e-8"):
        list(read_recording(path, replace(BTCUSDT, tick_size=Decimal("1e-9"))))


@pytest.mark.parametrize(("text", "units"), [("1", 10**8), ("0.00000001", 1), ("61837.63000000", 6_183_763_000_000)])
def test_reads_decimals_exactly(text: str, units: int) -> None:
    """Guards against floats: all eight decimals count."""
    assert decimal_units(text) == units


@pytest.mark.parametrize("text", ["", ".", ".5", "-1", "+1", "1e3", "1_0", "1.0.0", "٣", " 1", "1.000000001", "9" * 21])
def test_refuses_what_is_no_plain_decimal(text: str) -> None:
    """Guards against what int() and Decimal() would take."""
    with pytest.raises(ValueError, match="expected"):
        decimal_units(text)


def test_reads_the_recorded_day_whole(recorded_btcusdt: Path, recorded_ethusdt: Path) -> None:
    """Guards against surprises in real data; the counts are those that the recordings are known to have."""
    for path, instrument, counts in (
        (recorded_btcusdt, BTCUSDT, (28_040, 9_757, 3_451, 1)),
        (recorded_ethusdt, ETHUSDT, (24_077, 6_106, 3_434, 1)),
    ):
        assert recorded_symbol(path) == instrument.symbol
        kinds = [type(record) for record in read_recording(path, instrument)]
        assert tuple(kinds.count(kind) for kind in (BookTicker, RecordedTrade, DepthUpdate, Snapshot)) == counts
