"""The life of an order: of one whose journal is gone, of one that is old, and of names that somebody else has made."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from commands.actions.account import LEDGER_FILE
from commands.actions.trace import order_life
from desk.client import DeskError
from desk.decisions_file import decisions_of, decisions_path
from desk.settings import Settings, load_settings
from nodes.engine.command_record import COMMANDS
from paper.calls.ledger_reader import LedgerReader
from paper.money.history import Span
from paper.money.ledger_file import LedgerError
from paper.money.tables import SCHEMA, SCHEMA_VERSION

TIME_MS = 1_796_039_021_000
IDS = {"tb-1": 2_000_000_000_001, "2000000000001": 2_000_000_000_007, "77": 2_000_000_000_002}
KNOWN = [("tb-1", "tb-1"), ("2000000000001", "tb-1"), ("77", "77"), ("2000000000007", "2000000000001")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a desk whose exchange has three orders, and one of a symbol that is not traded any more."""
    folder = tmp_path / "paper"
    folder.mkdir()
    with closing(sqlite3.connect(folder / LEDGER_FILE)) as ledger:
        ledger.executescript(f"{SCHEMA}; PRAGMA user_version = {SCHEMA_VERSION}")
        for name, number in [*IDS.items(), ("old", 2_000_000_000_009)]:
            row = {"order_id": number, "account": 1, "symbol": "OLDUSDT" if name == "old" else "BTCUSDT", "side": 0,
                   "client_order_id": name, "kind": "LIMIT", "time_in_force": 0, "self_trade_prevention": 0,
                   "price_ticks": 1, "qty_lots": 1, "quote_order_units": 0, "time_ms": TIME_MS, "update_ms": TIME_MS,
                   "status": "NEW", "filled_lots": 0, "prevented_lots": 0, "filled_units": 0,
                   "engine_epoch": 1}  # fmt: skip
            marks = ", ".join("?" * len(row))
            ledger.execute(f"INSERT INTO orders ({', '.join(row)}) VALUES ({marks})", [*row.values()])
        ledger.commit()
    return load_settings({"run_dir": tmp_path}).settings


def _decide(run_dir: Path, day: date, action: str, name: str = "tb-1", **numbers: Any) -> None:
    told = {"time": f"{day}T10:00:00.000Z", "symbol": "BTCUSDT", "side": "BUY", "action": action, "price": 1, "qty": 1,
            "client_order_id": name, "rule": "WANTED", "why": "it is wanted", "numbers": numbers}  # fmt: skip
    with decisions_path(run_dir, day).open("a") as file:
        file.write(f"{json.dumps(told)}\n")


@pytest.mark.parametrize(("name", "client_order_id"), KNOWN)
def test_an_order_is_known_by_either_id(settings: Settings, name: str, client_order_id: str) -> None:
    """A client order id may be digits alone, even those of another order's id, which go first."""
    with closing(LedgerReader(settings.run_dir / "paper" / LEDGER_FILE, settings.instruments)) as ledger:
        found = ledger.order(name)
    assert found is not None
    assert (found["orderId"], found["clientOrderId"]) == (IDS[client_order_id], client_order_id)


@pytest.mark.parametrize("name", ["", "nobody's", "\udcff", "tb-١", "٧٧", "9" * 40, "a\nb"])
def test_a_name_that_nobody_has_is_said_to_be_one(settings: Settings, name: str) -> None:
    """Whatever its characters are."""
    with pytest.raises(DeskError, match="nobody here knows of an order"):
        order_life(settings, name)


def test_an_order_of_a_symbol_that_is_not_traded_any_more_is_named(settings: Settings) -> None:
    """What its ticks and lots are is not known."""
    with pytest.raises(DeskError, match="OLDUSDT"):
        order_life(settings, "old")
    reader = LedgerReader(settings.run_dir / "paper" / LEDGER_FILE, settings.instruments)
    with closing(reader), pytest.raises(LedgerError, match="OLDUSDT"):
        reader.open_orders(1)  # as `orders` of a desk that is stopped asks


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.order("tb-1"),
        lambda ledger: ledger.open_orders(1),
        lambda ledger: ledger.trades(1, "BTCUSDT", Span(10)),
        lambda ledger: ledger.trades_of(1),
        lambda ledger: ledger.balances(1),
        lambda ledger: ledger.listed(),
    ],
)
def test_a_damaged_ledger_is_said_in_one_line(settings: Settings, ask: Callable[[LedgerReader], object]) -> None:
    """Whatever of it is asked for; here a table is gone."""
    path = settings.run_dir / "paper" / LEDGER_FILE
    with closing(sqlite3.connect(path)) as ledger:
        ledger.executescript("DROP TABLE orders; DROP TABLE trades; DROP TABLE balances")
    with (
        closing(LedgerReader(path, settings.instruments)) as reader,
        pytest.raises(LedgerError, match="cannot be read"),
    ):
        ask(reader)
    path.write_bytes(path.read_bytes()[:4_096] + b"\xff" * 100_000)
    with pytest.raises(LedgerError, match="cannot be read"):
        LedgerReader(path, settings.instruments)


def test_a_journal_that_cannot_be_read_leaves_the_rest(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """As one whose first files were pruned: what was decided and what the exchange has is told, with a note."""
    folder = settings.plan.engines["engine"].journal_folder
    order_life(settings, "tb-1")
    assert capsys.readouterr().err == "note: the journals of engine that are kept here have nothing of it\n"
    folder.mkdir(parents=True)
    (folder / COMMANDS.file_name(2)).write_bytes(b"")
    _decide(settings.run_dir, date(2026, 11, 30), "place", node="a", what="b", why="c", time_ns=1)
    document, _ = order_life(settings, "tb-1")
    assert [step["node"] for step in document["steps"]] == ["maker", "exchange"]
    assert document["steps"][0]["numbers"] == {"node": "a", "what": "b", "why": "c", "time_ns": 1}
    assert "note: what engine did is not known: " in capsys.readouterr().err


def test_an_order_that_rested_for_days_is_told_from_the_first(tmp_path: Path) -> None:
    """Also if nothing was decided of it on a day between; the files of before are not read."""
    for day, action, name in (
        (26, "place", "tb-0"),
        (27, "place", "tb-1"),
        (28, "place", "tb-2"),
        (29, "cancel", "tb-1"),
    ):
        _decide(tmp_path, date(2026, 11, day), action, name)
    text = decisions_path(tmp_path, date(2026, 11, 29)).read_text()
    decisions_path(tmp_path, date(2026, 11, 29)).write_text(text + text.replace("T10:", "T1:"))  # which is no time
    assert [each["action"] for each in decisions_of(tmp_path, "tb-1")] == ["place", "cancel"]
    decisions_path(tmp_path, date(2026, 11, 26)).unlink()
    decisions_path(tmp_path, date(2026, 11, 26)).mkdir()  # cannot be read
    assert [each["action"] for each in decisions_of(tmp_path, "tb-1")] == ["place", "cancel"]


def test_numbers_of_a_life_have_no_zeros_behind_the_last_digit(settings: Settings) -> None:
    """The venue writes eight decimals, and so it stood."""
    document, _ = order_life(settings, "tb-1")
    (entered,) = (step["why"] for step in document["steps"] if step["what"] == "taken in")
    assert entered == "BUY 0.00001 at 0.01"
