"""What is replayed: recordings one after the other, and Binance's public data files."""

import zipfile
from pathlib import Path

import pytest

from flow.playlist import infer_best_prices, parse_playlist, read_part, symbol_of
from flow.recording import BookTicker, DepthUpdate, Record, RecordedTrade, RecordingError, Snapshot, write_recording
from market.codes import Side
from market.depth import Level
from market.instrument import default_instruments

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
        ("BTCUSDT-trades-x.csv", SPOT_TRADES + SPOT_TRADES.replace("0123", "0122"), "line 3: expected times that rise"),
        ("BTCUSDT-bookTicker-x.csv", "1,10.02,1,10.01,1,1723104000123,1\n", "expected a bid below the ask"),
        ("ETHUSDT-trades-x.csv", SPOT_TRADES, "expected public data of BTCUSDT by its name"),
    ],
)
def test_refuses_a_bad_row_with_its_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    """Guards the reader: which line, what was expected, what was there."""
    path = written(tmp_path, name, text)
    with pytest.raises(RecordingError, match=said):
        list(read_part((path,), BTCUSDT))


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


def test_names_parts_and_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    """Guards the text of the setting: a comma for after, a plus for together."""
    trades = written(tmp_path, "BTCUSDT-trades-2024-08-08.csv", SPOT_TRADES)
    others = written(tmp_path, "ETHUSDT-trades-2024-08-08.csv", SPOT_TRADES)
    raw = tmp_path / "raw"
    write_recording(raw, BTCUSDT, [RecordedTrade(1, 1, 1, 1, Side.BUY)])
    assert parse_playlist(f"{trades}+{raw},{others}") == ((trades, raw), (others,))
    with pytest.raises(ValueError, match="there is no recording nowhere"):
        parse_playlist(f"{trades},nowhere")
    with pytest.raises(RecordingError, match="expected files of one symbol joined by \\+, were of BTCUSDT, ETHUSDT"):
        symbol_of((trades, others))
    with pytest.raises(RecordingError, match="not both"):
        read_part((trades, raw), BTCUSDT)
