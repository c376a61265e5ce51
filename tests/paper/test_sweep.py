"""What an account did before a reset: nobody's at once, and deleted piece by piece while others trade on."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.codes import Side
from paper.money.history import Span
from paper.money.ledger import Ledger
from tests.paper.desk import ALICE, BOB, INSTRUMENTS, ONE_ENGINE, Desk
from tests.paper.old_ledgers import TO_VERSION_7

TRADES = 12
ALL = Span(1_000)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Two accounts have traded with each other."""
    desk = Desk(tmp_path).connect()
    for _ in range(TRADES):
        trade(desk)
    yield desk
    desk.ledger.close()


def trade(desk: Desk) -> None:
    """Let the accounts trade once."""
    desk.place(BOB, desk.request(Side.SELL, "90000", "0.001"))
    desk.place(ALICE, desk.request(Side.BUY, "90000", "0.001"))


def told(desk: Desk, account: int) -> tuple[int, int]:
    """Return how many orders and trades an account is told of."""
    symbol, history = desk.exchange.symbols["BTCUSDT"], desk.ledger.history
    return len(history.orders(account, symbol, ALL)), len(history.trades(account, symbol, None, ALL))


def kept(desk: Desk) -> tuple[int, int]:
    """Return how many orders and trades are on the disk, of whomever."""
    with sqlite3.connect(desk.path) as connection:
        rows = (connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("orders", "trades"))
        orders, trades = (count for (count,) in rows)
        return orders, trades


def test_a_reset_deletes_nothing_and_shows_nothing(desk: Desk) -> None:
    """So it takes no longer for a long past; what comes after it is there, also for who starts again."""
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    assert (told(desk, ALICE), told(desk, BOB)) == ((0, 0), (TRADES, TRADES))
    assert kept(desk) == (2 * TRADES, 2 * TRADES)
    trade(desk)
    desk.kill()
    desk.connect()
    assert (told(desk, ALICE), told(desk, BOB)) == ((1, 1), (TRADES + 1, TRADES + 1))


def test_what_was_before_a_reset_is_deleted_piece_by_piece(desk: Desk) -> None:
    """And nothing else; a process that dies in the middle goes on where it was."""
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    trade(desk)
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    trade(desk)
    assert desk.ledger.sweep(5)
    assert kept(desk) == (2 * TRADES + 4 - 5, 2 * TRADES + 4 - 5)
    desk.kill()
    desk.connect()
    count = 0
    while desk.ledger.sweep(5):
        count += 1
        assert told(desk, ALICE) == (1, 1)
        assert told(desk, BOB) == (TRADES + 2, TRADES + 2)
        desk.ledger.check()
    assert count == 2 + 1 + 1 + 1  # the rest of the first life and its end, then the second one's
    assert kept(desk) == (TRADES + 2 + 1, TRADES + 2 + 1)
    desk.kill()
    assert not desk.ledger.sweep(5)


def test_an_account_that_was_reset_by_an_earlier_version_keeps_what_it_has(desk: Desk) -> None:
    """Its rows stood under its number; and there is nothing to delete."""
    desk.exchange.reset_account(ALICE, desk.engine.time_ns)
    while desk.ledger.sweep(1_000):
        pass
    trade(desk)
    before = told(desk, ALICE), told(desk, BOB), desk.ledger.wallets.of(ALICE)
    desk.ledger.close()
    connection = sqlite3.connect(desk.path)
    connection.executescript(TO_VERSION_7)
    connection.close()
    desk.ledger = Ledger(desk.path, INSTRUMENTS, ONE_ENGINE)
    assert (told(desk, ALICE), told(desk, BOB), desk.ledger.wallets.of(ALICE)) == before == ((1, 1), *before[1:])
    assert not desk.ledger.sweep(1_000)
