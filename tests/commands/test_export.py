"""`history export` and `history sql`: an accountant's rows that are right, and questions that change nothing."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest

from commands.actions.export import ask_history, export_fills
from commands.actions.report import Period
from desk.client import DeskError, UsageError
from desk.settings import Settings, load_settings
from history import analysis, keeping
from history.database import Database, HistoryError
from market.account import VenueTrade
from market.codes import Side
from market.exact_json import dumps, loads
from market.instrument import Instrument
from reports.trade_history import valued
from tests.reports.fills import BTC, DAY, DAY_MS, NOON_MS, buy, fill, sell

OTHER = Instrument(9, "XRPBTC", "XRP", "BTC", Decimal("0.00000001"), Decimal(1))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return those of a desk whose reports are under `tmp_path`."""
    return load_settings({"run_dir": str(tmp_path / "run")}).settings


def _keep(settings: Settings, trades: Sequence[VenueTrade], account_id: str = "1") -> None:
    database = Database(settings.reports_dir / "history.sqlite3")
    with database.transaction() as connection:
        account = keeping.begin_account(connection, "paper", account_id, NOON_MS, None)
        marks = {"BNBUSDT": Decimal(600)}
        for trade in trades:
            instrument = BTC if trade.symbol == "BTCUSDT" else OTHER
            keeping.keep_trades(connection, account, [valued(trade, instrument, marks)])
    database.close()


def _exported(settings: Settings, capsys: pytest.CaptureFixture[str], day: date | None = None) -> list[dict[str, str]]:
    export_fills(settings, "csv", Period(day, day) if day else None, None)
    return list(csv.DictReader(StringIO(capsys.readouterr().out)))


# By hand: 1 BTC at 100 (fee 0.1 USDT); 1 at 110 less its fee of 0.01 BTC, which is 1.1 USDT; 1.5 sold at 120 for a fee
# of 0.001 BNB at 600, which is 0.6 USDT, or 0.4 for each BTC. Of the first lot 20 are earned, less 0.1 and 0.4. Of the
# second, 0.99 BTC, a half: 5 less its part of the fees, 1.1 x 0.5 / 0.99 and 0.2.
FILLS = [
    buy(1, "1", "100", "0.1"),
    buy(2, "1", "110", "0.01", "BTC"),
    fill(3, Side.SELL, "1.5", "120", "0.001", "BNB", time_ms=NOON_MS + DAY_MS, is_maker=False),
]
REALIZED = ["0", "0", format(round(Decimal("19.5") + 5 - Decimal("0.55") / Decimal("0.99") - Decimal("0.2"), 12), "f")]


def test_exports_a_row_for_each_fill(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards the accountant's figures, which were made by hand: fees in four ways, rates, and what was realized."""
    _keep(settings, [*FILLS, replace(FILLS[0], trade_id=4, fee=Decimal("-0.2"), time_ms=NOON_MS + DAY_MS + 1)])
    rows = _exported(settings, capsys)
    assert [row["fee_rate"] for row in rows] == ["1", "110", "600", "1"]
    assert [row["fee_in_quote"] for row in rows] == ["0.1", "1.1", "0.6", "-0.2"]
    assert [row["realized_fifo"] for row in rows] == [*REALIZED, "0"]
    assert rows[2] == {
        "time": "2025-12-01T12:00:00.000Z",
        "pair": "BTCUSDT",
        "side": "SELL",
        "price": "120",
        "quantity": "1.5",
        "quote_amount": "180",
        "fee": "0.001",
        "fee_asset": "BNB",
        "fee_rate": "600",
        "fee_in_quote": "0.6",
        "realized_fifo": REALIZED[2],
        "is_maker": "False",
        "trade_id": "3",
        "order_id": "o3",
        "source": "paper 1",
    }


def test_exports_some_days_with_the_lots_of_before(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards the year's end: what was bought in the old year is sold in the new one, at the old year's cost."""
    _keep(settings, FILLS)
    next_day = date(2025, 12, 1)
    assert [row["realized_fifo"] for row in _exported(settings, capsys, next_day)] == REALIZED[2:]
    assert [row["trade_id"] for row in _exported(settings, capsys, DAY)] == ["1", "2"]


def test_what_is_not_known_is_empty(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards against a 0 that nobody knows: a fee without a price, a pair that the desk does not know."""
    _keep(settings, [buy(1, "1", "100", "0.5", "XYZ"), fill(2, Side.BUY, "5", "0.00001", "1", "XRP", symbol="XRPBTC")])
    known, strange = _exported(settings, capsys)
    assert (known["fee_rate"], known["fee_in_quote"], known["realized_fifo"]) == ("", "", "0")
    assert (strange["fee_in_quote"], strange["realized_fifo"]) == ("0.00001", "")


def test_each_life_of_an_account_begins_flat(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards a reset: what the account before had bought is not sold by the new one."""
    _keep(settings, [buy(1, "1", "100")])
    _keep(settings, [sell(1, "1", "150")], "65537")
    rows = _exported(settings, capsys)
    assert [(row["source"], row["realized_fifo"]) for row in rows] == [("paper 1", "0"), ("paper 65537", "0")]


def test_parquet_has_what_the_csv_has(settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Guards the types: amounts are exact, and nothing that is not known is 0."""
    _keep(settings, [*FILLS, buy(4, "1", "100", "0.5", "XYZ")])
    out = tmp_path / "it's fills.parquet"
    export_fills(settings, "parquet", None, out)
    assert capsys.readouterr().err.endswith(f"4 fills written to {out}\n")
    found = duckdb.read_parquet(str(out))
    expected = _exported(settings, capsys)
    assert found.columns == list(expected[0])
    amounts = ("price", "quantity", "quote_amount", "fee", "fee_rate", "fee_in_quote", "realized_fifo")
    for row, text in zip(found.fetchall(), expected, strict=True):
        values = dict(zip(found.columns, row, strict=True))
        for name in amounts:
            assert values[name] == (Decimal(text[name]) if text[name] else None)
        assert values["time"] == datetime.fromisoformat(text["time"])
        assert (values["trade_id"], values["is_maker"]) == (int(text["trade_id"]), text["is_maker"] == "True")
    assert list(tmp_path.glob("*.unfinished")) == []


def test_says_how_many_rows_there_are_in_which_file(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing was said of a file, empty or full; what is printed goes on by itself."""
    _keep(settings, FILLS)
    out = tmp_path / "fills.csv"
    export_fills(settings, "csv", Period(DAY, DAY), out)
    assert capsys.readouterr().err.endswith(f"2 fills written to {out}\n")
    export_fills(settings, "csv", None, None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("form", "name"), [("parquet", "fills.csv"), ("csv", "fills.parquet"), ("csv", "A.PARQUET")])
def test_file_is_not_called_what_it_is_not(settings: Settings, tmp_path: Path, form: str, name: str) -> None:
    """Parquet was written into a .csv, and CSV into a .parquet."""
    _keep(settings, FILLS)
    with pytest.raises(UsageError, match=f"expected --format .* for {name}, or a file .{form}, was --format {form}"):
        export_fills(settings, form, None, tmp_path / name)
    assert list(tmp_path.glob("*.*")) == []


def test_says_what_is_missing(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Guards the first use: no history, no file for Parquet, no DuckDB, no folder; each is one line."""
    with pytest.raises(HistoryError, match="there is no history at"):
        export_fills(settings, "csv", None, None)
    _keep(settings, FILLS)
    with pytest.raises(DeskError, match="expected --out"):
        export_fills(settings, "parquet", None, None)
    for form in ("csv", "parquet"):
        with pytest.raises((DeskError, HistoryError), match="cannot write"):
            export_fills(settings, form, None, tmp_path / "nowhere" / "fills")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    for ask in (
        lambda: ask_history(settings, "SELECT 1", 1),
        lambda: export_fills(settings, "parquet", None, tmp_path / "x"),
    ):
        with pytest.raises(HistoryError, match=r"^this needs DuckDB: .*uv pip install 'duckdb>=2.0'$"):
            ask()


def _asked(settings: Settings, statement: str, rows_max: int = 10) -> Any:
    return loads(dumps(ask_history(settings, statement, rows_max)[0]))


def test_answers_exactly(settings: Settings) -> None:
    """Guards sums and products of money against floats."""
    _keep(settings, FILLS)
    found = _asked(settings, "SELECT sum(quote_qty), sum(price * qty), sum(fee_in_quote), max(time) FROM trades")
    assert found["rows"] == [[390, 390, Decimal("1.8"), "2025-12-01T12:00:00.000"]]
    assert _asked(settings, "SELECT count(*) FROM orders")["rows"] == [[0]]
    found = _asked(settings, "SELECT fee_price FROM trades WHERE fee_price IS NULL")
    assert found == {"columns": ["fee_price"], "rows": [[None], [None]], "has_more": False}


def test_tells_the_first_rows_and_that_there_are_more(settings: Settings) -> None:
    """Guards a terminal against a year of trades."""
    _keep(settings, FILLS)
    found, text = ask_history(settings, "SELECT trade_id, price FROM trades ORDER BY trade_id", 2)
    assert (found["rows"], found["has_more"]) == ([(1, 100), (2, 110)], True)
    assert text.splitlines() == [
        "trade_id  price",
        "       1    100",
        "       2    110",
        "",
        "These are the first 2 rows: --limit shows more.",
    ]
    assert not ask_history(settings, "SELECT 1 FROM trades", 3)[0]["has_more"]


@pytest.mark.parametrize(
    "statement",
    [
        "COPY trades TO '{0}'",
        "SELECT * FROM read_csv('{0}')",
        "ATTACH '{0}' AS other",
        "INSTALL sqlite",
        "SET enable_external_access = true",
        "SELEC",
    ],
)
def test_a_question_reaches_no_other_file(settings: Settings, tmp_path: Path, statement: str) -> None:
    """Guards the machine: a question that was pasted from somewhere reads and writes nothing."""
    _keep(settings, FILLS)
    secret = tmp_path / "secret"
    secret.write_text("1,2")
    with pytest.raises(HistoryError):
        ask_history(settings, statement.format(secret), 10)
    assert secret.read_text() == "1,2"


@pytest.mark.parametrize(
    ("statement", "was"),
    [
        ("DELETE FROM trades", "DELETE"),
        ("WITH old AS (SELECT 1) INSERT INTO accounts SELECT * FROM old", "INSERT"),
        ("DROP TABLE trades", "DROP"),
        ("SELECT 1; SELECT 2", "SELECT, then SELECT"),
        (" -- nothing", "nothing"),
        ("", "nothing"),
    ],
)
def test_what_is_no_question_is_refused(settings: Settings, statement: str, was: str) -> None:
    """Guards against a `Success` of what has changed nothing, against half an answer, and against none."""
    _keep(settings, FILLS)
    with pytest.raises(HistoryError, match=rf"^expected one question that changes nothing, was {was}$"):
        ask_history(settings, statement, 10)
    assert _asked(settings, "SELECT count(*) FROM trades")["rows"] == [[3]]


@pytest.mark.parametrize(
    "statement", ["DESCRIBE trades", "SHOW TABLES", "FROM trades;", "EXPLAIN SELECT 1", "PIVOT trades ON side"]
)
def test_other_ways_to_ask(settings: Settings, statement: str) -> None:
    """Guards DuckDB's own ways to look at a table."""
    _keep(settings, FILLS)
    assert ask_history(settings, statement, 10)[0]["columns"]


def test_a_question_tells_how_many_rows_duckdb_was_handed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tables that it names: a year of decisions took a minute without a word."""
    _keep(settings, FILLS)
    monkeypatch.setattr(analysis, "_STEP", 2)
    told: list[tuple[int, int]] = []
    database = Database(settings.reports_dir / "history.sqlite3", is_read_only=True)
    try:
        question = "SELECT count(*) FROM trades JOIN accounts ON account = id"
        found = analysis.ask(database, question, 9, lambda *at: told.append(at))
    finally:
        database.close()
    assert found.rows == [(3,)]
    assert told == [(1, 4), (3, 4), (4, 4)]
