"""What an older program left on disk is read by this one; README.md beside this file says what it holds."""

from pathlib import Path
from shutil import copy, copytree
from typing import Any, Final

import pytest

from engine.capacity import Capacity
from engine.matching_engine import make_engine
from journal.format import JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from nodes.engine.command_record import COMMANDS, figures_of, journal_epoch
from nodes.engine.core import EngineCore
from nodes.engine.inspection import verify
from paper.money.ledger import Ledger
from sessions.report_record import ReportRecord
from sessions.session_store import Position, SessionStore
from tests.pairs import default_instruments

LEFT: Final = Path(__file__).with_name("left")
CAPACITY: Final = Capacity(3, 65_536, 1_024)
EPOCH: Final = 1795881341721397366
OTHER_EPOCH: Final = 1795881341717058875


@pytest.mark.parametrize("book", ["fast", "reference"])
@pytest.mark.parametrize(
    ("name", "own", "epoch", "expected"),
    [
        ("journal", (0, 2), EPOCH, (508, 1_436, 390, 1211715234734867611)),
        ("journal.engine2", (1,), OTHER_EPOCH, (562, 1_077, 343, 772826309221399807)),
    ],
)
def test_replays_a_journal_to_the_same_state(
    tmp_path: Path, book: Any, name: str, own: tuple[int, ...], epoch: int, expected: tuple[int, ...]
) -> None:
    """An engine that is upgraded goes on with its book, and with its numbers in every link."""
    folder = copytree(LEFT / name, tmp_path / name)
    assert journal_epoch(folder) == epoch
    engine = make_engine(book, CAPACITY.symbol_count, CAPACITY.orders_max, CAPACITY.pages_max)
    with Journal(folder, COMMANDS, figures_of(CAPACITY), epoch, JournalMode.WRITE) as journal:
        core = EngineCore(engine, default_instruments(), epoch, 1, CAPACITY.orders_max, journal, own)
        done = core.recover(lambda _: None)
    assert (done.record_count, done.message_count, engine.live_order_count, engine.state_hash()) == expected


def test_verifies_a_journal() -> None:
    """What `journal --verify` says of it, without a change of the folder."""
    found = verify(LEFT / "journal", figures_of(CAPACITY))
    assert (found["state"], found["records"], found["commands"]) == ("sound", 508, 1_436)
    reader = JournalReader(LEFT / "journal", COMMANDS)
    assert [sequence for sequence, _ in reader.records()] == list(range(1, 509))


@pytest.mark.parametrize(("gateway", "name"), [("gateway", "alpha"), ("gateway2", "beta")])
def test_knows_the_sessions(tmp_path: Path, gateway: str, name: str) -> None:
    """A client that comes back finds its session and the reports that it has not seen."""
    folder = copytree(LEFT / gateway, tmp_path / gateway)
    records: list[ReportRecord] = []
    for _ in range(2):  # the second time as this program writes it
        store = SessionStore(folder)
        assert [session.name for session in store.load()] == [name]
        records = []
        store.recover(lambda _, record, to=records: to.append(record))  # type: ignore[misc]
        assert store.positions == {"engine": Position(EPOCH, 8), "engine2": Position(OTHER_EPOCH, 6)}
        assert {(record.engine, record.epoch) for record in records} == {(b"engine", EPOCH), (b"engine2", OTHER_EPOCH)}
        store.close()
    assert sum(record.message_count for record in records) == 14


def test_opens_the_ledger(tmp_path: Path) -> None:
    """Money, open orders and what was booked of each engine are as they were."""
    places = {"BTCUSDT": "engine", "ETHUSDT": "engine2", "BNBUSDT": "engine"}
    ledger = Ledger(Path(copy(LEFT / "ledger.sqlite3", tmp_path)), default_instruments(), places)
    assert [order.order_id for order in ledger.open_orders.values()] == [2000000000002, 2000000000003]
    ledger.close()
