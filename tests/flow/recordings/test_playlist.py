"""What is replayed: recordings one after the other, and Binance's public data files."""

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from flow.recordings import public_data
from flow.recordings.book import RecordedBook
from flow.recordings.inspection import inspect
from flow.recordings.playlist import infer_best_prices, is_complete, read_part, symbol_of
from flow.recordings.public_data import read_public_data
from flow.recordings.recording import (
    CROSSED,
    BookTicker,
    DepthUpdate,
    Record,
    RecordedTrade,
    RecordingError,
    Snapshot,
)
from market.codes import Side
from market.depth import Level
from tests.flow.recordings.written import write_recording
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()
MS = 1_000_000
SPOT_TRADES = """\
4359,61830.01000000,0.00100000,61.83001000,1723104000123,True,True
4360,61830.02000000,0.00250000,154.57505000,1723104000123,False,True
"""
SPOT_AGG_TRADES = """\
900,61830.01000000,0.00350000,4359,4361,1735689600010866,True,True
"""
FUTURES_TICKERS = """\
update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time
71,61830.01,0.5,61830.02,0.7,1723104000123,1723104000125
72,61830.01,0.4,61830.03,0.6,1723104000124,1723104000126
"""


def written(folder: Path, name: str, text: str) -> Path:
    """Write a file, zipped if its name says so."""
    path = folder / name
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name.replace(".zip", ".csv"), text)
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("ending", ["csv", "zip"])
def test_reads_trades_of_spot_without_header(ending: str, tmp_path: Path) -> None:
    """Guards the columns, a buyer who is the maker (so the taker sells), ms, and best prices where there are none."""
    path = written(tmp_path, f"BTCUSDT-trades-2024-08-08.{ending}", SPOT_TRADES)
    at_ns = 1_723_104_000_123 * MS
    bid, ask = Level(6_183_001, 100), Level(6_183_002, 250)
    assert symbol_of((path,)) == "BTCUSDT"
    assert list(read_part((path,), BTCUSDT)) == [
        Snapshot(at_ns, 1, (bid,), (Level(6_183_002, 100),)),
        RecordedTrade(at_ns, 4_359, 6_183_001, 100, Side.SELL),
        BookTicker(at_ns, 2, bid, ask),
        DepthUpdate(at_ns, 2, 2, (bid,), (ask,)),
        RecordedTrade(at_ns, 4_360, 6_183_002, 250, Side.BUY),
    ]


def test_reads_aggregate_trades_in_microseconds(tmp_path: Path) -> None:
    """Guards Spot's files since 2025."""
    path = written(tmp_path, "BTCUSDT-aggTrades-2025-01-01.zip", SPOT_AGG_TRADES)
    trades = [record for record in read_part((path,), BTCUSDT) if isinstance(record, RecordedTrade)]
    assert trades == [RecordedTrade(1_735_689_600_010_866_000, 900, 6_183_001, 350, Side.SELL)]


def test_merges_trades_and_best_prices_of_one_time(tmp_path: Path) -> None:
    """Guards `+`: by time, a trade before the best prices of the same moment; the book is the best prices alone."""
    trades = written(tmp_path, "BTCUSDT-trades-2024-08-08.csv", SPOT_TRADES.replace("0123,False", "0124,False"))
    tickers = written(tmp_path, "BTCUSDT-bookTicker-2024-08-08.csv", FUTURES_TICKERS)
    records = list(read_part((trades, tickers), BTCUSDT))
    first_ns, later_ns = 1_723_104_000_123 * MS, 1_723_104_000_124 * MS
    bid, ask = Level(6_183_001, 40_000), Level(6_183_003, 60_000)
    assert records == [
        Snapshot(first_ns, 1, (Level(6_183_001, 50_000),), (Level(6_183_002, 70_000),)),
        RecordedTrade(later_ns, 4_360, 6_183_002, 250, Side.BUY),
        BookTicker(later_ns, 2, bid, ask),
        DepthUpdate(later_ns, 2, 2, (bid,), (ask, Level(6_183_002, 0))),
    ]


@pytest.mark.parametrize("empty", ["72,0.00000000,0,61830.03,0.6", "72,61830.01,0.4,0,0.00000000"])
def test_passes_over_best_prices_of_an_empty_side(empty: str, tmp_path: Path) -> None:
    """A day of data does not end where a side of the book was empty for a moment."""
    text = FUTURES_TICKERS.replace("72,61830.01,0.4,61830.03,0.6", empty)
    path = written(tmp_path, "BTCUSDT-bookTicker-2024-08-08.csv", text)
    skipped: Counter[str] = Counter()
    assert [type(record) for record in read_part((path,), BTCUSDT, skipped)] == [Snapshot]
    assert skipped.total() == 1
    assert inspect(path, BTCUSDT).skipped == skipped


def test_infers_best_prices_that_never_cross() -> None:
    """Guards trades that jump through the last known other side."""
    prices = [(100, Side.BUY), (103, Side.SELL), (90, Side.SELL), (89, Side.BUY), (1, Side.BUY)]
    trades: list[Record] = [RecordedTrade(at, at, price, 5, side) for at, (price, side) in enumerate(prices)]
    tickers = [record for record in infer_best_prices(trades[:4]) if isinstance(record, BookTicker)]
    assert [(ticker.bid.price_ticks, ticker.ask.price_ticks) for ticker in tickers] == [
        (99, 100), (103, 104), (90, 104), (88, 89),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("BTCUSDT-trades-x.csv", "1,61830.01,0.001,1,1723104000123\n", "line 1: expected a row of trades"),
        ("BTCUSDT-trades-x.csv", "1,61830.015,0.001,1,1723104000123,True,True\n", "expected whole ticks and lots"),
        ("BTCUSDT-trades-x.csv", "1,-1,0.001,1,1723104000123,True,True\n", "expected a plain decimal number"),
        ("BTCUSDT-trades-x.csv", SPOT_TRADES + "4361,61830.01,0.001,1,soon,True,True\n", "line 3: expected a whole"),
        ("BTCUSDT-trades-x.csv", f"1,61830.01,0.001,1,{'9' * 19},True,True\n", "time before the year 2263"),
        ("ETHUSDT-trades-x.csv", SPOT_TRADES, "expected public data of BTCUSDT by its name"),
    ],
)
def test_refuses_a_bad_row_with_its_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    """Guards the reader: which line, what was expected, what was there."""
    path = written(tmp_path, name, text)
    with pytest.raises(RecordingError, match=said):
        list(read_part((path,), BTCUSDT))


def test_a_crossed_row_is_passed_over_and_counted(tmp_path: Path) -> None:
    """One such row in a day of public data refused the whole file, at the row; `recording check` tells of it."""
    bids = (1, 1), (2, 4), (3, 3), (4, 2)
    rows = [f"{number},10.0{bid},1,10.03,1,172310400012{number},1\n" for number, bid in bids]
    path = written(tmp_path, "BTCUSDT-bookTicker-x.csv", "".join(rows))
    skipped: Counter[str] = Counter()
    told = [each.update_id for each in read_public_data(path, BTCUSDT, skipped) if isinstance(each, BookTicker)]
    assert (told, skipped) == ([1, 4], {CROSSED: 2})
    found = inspect(path, BTCUSDT)
    assert (found.damage, found.crossed_count) == ("", 2)
    assert "2 records that cross the book" in found.faults


def test_refuses_a_zip_that_is_none_or_holds_two_files(tmp_path: Path) -> None:
    """Guards downloads that broke off."""
    path = tmp_path / "BTCUSDT-trades-2024-08-08.zip"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(RecordingError, match="expected a whole zip file"):
        list(read_part((path,), BTCUSDT))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "")
        archive.writestr("b.csv", "")
    with pytest.raises(RecordingError, match="expected one CSV file in it, found 2"):
        list(read_part((path,), BTCUSDT))


def test_sorts_rows_that_are_out_of_order_and_takes_each_once(tmp_path: Path) -> None:
    """Guards published files with interleaved rows, which ended a replay in its middle."""
    row = "{0},61830.01,0.001,1,172310400012{1},True,True\n"
    rows = [row.format(*at) for at in ((3, 2), (1, 1), (4, 2), (2, 1), (2, 1), (5, 0))]
    path = written(tmp_path, "BTCUSDT-trades-2024-08-08.zip", "".join(rows))
    trades = [record.trade_id for record in read_part((path,), BTCUSDT) if isinstance(record, RecordedTrade)]
    assert trades == [5, 1, 2, 3, 4]


def test_a_row_without_a_time_is_told_before_the_first_record(tmp_path: Path) -> None:
    """Guards a replay against ending in its middle by what can be seen before it."""
    path = written(tmp_path, "BTCUSDT-trades-2024-08-08.csv", SPOT_TRADES + "4361,61830.01\n")
    with pytest.raises(RecordingError, match=r"line 3: expected a row of trades, was '4361,61830\.01'"):
        next(iter(read_part((path,), BTCUSDT)))


def test_refuses_more_rows_out_of_order_than_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the memory: a file in order may be as long as it likes."""
    monkeypatch.setattr(public_data, "SORTED_ROWS_MAX", 1)
    path = written(tmp_path, "BTCUSDT-trades-2024-08-08.csv", SPOT_TRADES)
    assert len(list(read_public_data(path, BTCUSDT))) == 2
    path = written(tmp_path, "BTCUSDT-trades-2024-08-08.csv", "\n".join(reversed(SPOT_TRADES.splitlines())))
    with pytest.raises(RecordingError, match="expected rows that rise in time and id, or at most 1"):
        list(read_public_data(path, BTCUSDT))


def test_a_byte_order_mark_costs_no_row(tmp_path: Path) -> None:
    """Guards files that went through a spreadsheet: the first row was taken for a header."""
    path = tmp_path / "BTCUSDT-trades-2024-08-08.csv"
    path.write_bytes(b"\xef\xbb\xbf" + SPOT_TRADES.replace("\n", "\r\n").encode())
    trades = [record.trade_id for record in read_public_data(path, BTCUSDT) if isinstance(record, RecordedTrade)]
    assert trades == [4_359, 4_360]


def test_every_flipped_bit_of_a_zip_is_told_or_does_no_harm(tmp_path: Path) -> None:
    """Guards damaged downloads: one line with the file, never an error of the library."""
    rows = "".join(f"{number},61830.01,0.001,1,1723104000123,True,True\n" for number in range(40))
    path = written(tmp_path, "BTCUSDT-trades-2024-08-08.zip", rows)
    whole, good = path.read_bytes(), list(read_public_data(path, BTCUSDT))
    told = 0
    for bit in range(0, len(whole) * 8, 3):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert list(read_public_data(path, BTCUSDT)) == good, bit
        except RecordingError as error:
            assert path.name in str(error), bit  # noqa: PT017 - either way is right
            told += 1
    assert told > len(whole)


def at(update_id: int, bid: tuple[int, int], ask: tuple[int, int]) -> BookTicker:
    return BookTicker(update_id, update_id, Level(*bid), Level(*ask))


def test_recording_without_snapshot_has_a_book_of_what_it_tells(tmp_path: Path) -> None:
    """Guards collectors that write only updates and best prices: levels count from when they are first named."""
    records: list[Record] = [
        RecordedTrade(1, 1, 100, 1, Side.SELL),
        DepthUpdate(2, 1, 4, (Level(90, 1),), ()),
        at(5, (100, 5), (102, 6)),
        DepthUpdate(6, 3, 5, (Level(99, 9),), ()),
        at(7, (101, 1), (102, 6)),
        at(8, (100, 4), (103, 2)),
        DepthUpdate(9, 6, 8, (Level(101, 0), Level(99, 3)), (Level(102, 0),)),
        RecordedTrade(10, 2, 100, 1, Side.SELL),
        DepthUpdate(11, 9, 12, (Level(100, 3),), (Level(104, 7),)),
    ]
    path = tmp_path / "raw"
    write_recording(path, BTCUSDT, records)
    assert not is_complete((path,))
    book = RecordedBook(reach_bps=5_000)
    for record in read_part((path,), BTCUSDT):
        if not isinstance(record, RecordedTrade):
            book.apply(record)
    levels = [{price: book.qty_lots(side, price) for price in book.prices()[side]} for side in Side]
    assert levels == [{100: 3, 99: 3}, {103: 2, 104: 7}]
    assert book.gap_count == 0


def test_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    """Guards a part of several files: of one symbol, and of one kind."""
    trades = written(tmp_path, "BTCUSDT-trades-2024-08-08.csv", SPOT_TRADES)
    others = written(tmp_path, "ETHUSDT-trades-2024-08-08.csv", SPOT_TRADES)
    raw = tmp_path / "raw"
    write_recording(raw, BTCUSDT, [RecordedTrade(1, 1, 1, 1, Side.BUY)])
    with pytest.raises(RecordingError, match="to be of one symbol, were of BTCUSDT, ETHUSDT"):
        symbol_of((trades, others))
    with pytest.raises(RecordingError, match="not both"):
        read_part((trades, raw), BTCUSDT)
