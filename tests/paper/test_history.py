"""History grows without slowing: every question costs as much as its answer, not as the past is long."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from market.codes import SelfTradePrevention, Side, TimeInForce
from paper.money.history import History, Span
from paper.money.ledger import Ledger
from paper.money.orders import AccountTrade, Order, OrderKind, OrderStatus
from paper.money.tables import SAVE_ORDER, SAVE_TRADE, order_row, trade_row
from paper.units import Symbol
from tests.paper.desk import ALICE, INSTRUMENTS, ONE_ENGINE

BTC = Symbol.of(INSTRUMENTS[0])
COUNT = 20_000
STEPS_MAX = 5_000  # instructions of SQLite's machine; reading all rows takes over 100,000
Question = Callable[[History], list[Order] | list[AccountTrade] | Order | None]


def past_order(number: int) -> Order:
    return Order(
        order_id=number,
        account=ALICE,
        symbol=BTC,
        client_order_id=f"c{number}",
        side=Side.BUY,
        kind=OrderKind.LIMIT,
        time_in_force=TimeInForce.GTC,
        self_trade_prevention=SelfTradePrevention.NONE,
        price_ticks=9_000_000,
        qty_lots=1_000,
        quote_order_units=0,
        time_ms=number * 10,
        update_ms=number * 10,
        status=OrderStatus.FILLED,
        filled_lots=1_000,
        filled_units=90_000_000_000,
        engine_epoch=1,
    )


def past_trade(number: int) -> AccountTrade:
    return AccountTrade(
        number, ALICE, BTC, number, Side.BUY, 9_000_000, 1_000, 90_000_000_000, 0, "BTC", number * 10, False
    )


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A ledger with a long past, of one order and one trade every 10 ms."""
    path: Path = tmp_path_factory.mktemp("history") / "paper.sqlite"
    Ledger(path, INSTRUMENTS, ONE_ENGINE).close()
    connection = sqlite3.connect(path)
    orders, trades = map(past_order, range(1, COUNT + 1)), map(past_trade, range(1, COUNT + 1))
    connection.executemany(SAVE_ORDER, (order_row(order, order.account) for order in orders))
    connection.executemany(SAVE_TRADE, (trade_row(trade, trade.account) for trade in trades))
    connection.commit()
    yield connection
    connection.close()


SPANS = [
    (Span(3), [19_998, 19_999, 20_000]),
    (Span(3, from_id=15_000), [15_000, 15_001, 15_002]),
    (Span(3, start_ms=150_000), [15_000, 15_001, 15_002]),
    (Span(3, end_ms=150_000), [14_998, 14_999, 15_000]),
    (Span(3, start_ms=150_000, end_ms=150_010), [15_000, 15_001]),
    (Span(3, from_id=10, start_ms=150_000), [15_000, 15_001, 15_002]),
    (Span(3, from_id=15_000, start_ms=10), [15_000, 15_001, 15_002]),
    (Span(3, start_ms=COUNT * 10 + 1), []),
    (Span(3, from_id=5, start_ms=COUNT * 10 + 1), []),
]


def ids_and_steps(connection: sqlite3.Connection, question: Question) -> tuple[list[int], int]:
    """Return the order ids of the answer, and how many instructions it took, to the hundred."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 100
        return 0

    connection.set_progress_handler(count, 100)
    try:
        answer = question(History(connection, {BTC.name: BTC}, lambda account: account))
    finally:
        connection.set_progress_handler(None, 0)
    answers = answer if isinstance(answer, list) else [] if answer is None else [answer]
    return [each.order_id for each in answers], steps


@pytest.mark.parametrize(("span", "expected"), SPANS)
def test_a_span_of_a_long_past_costs_what_it_holds(
    connection: sqlite3.Connection, span: Span, expected: list[int]
) -> None:
    """allOrders and myTrades, by id, by time, by both, the latest."""
    questions: list[Question] = [
        lambda history: history.orders(ALICE, BTC, span),
        lambda history: history.trades(ALICE, BTC, None, span),
    ]
    for question in questions:
        ids, steps = ids_and_steps(connection, question)
        assert ids == expected
        assert steps < STEPS_MAX


@pytest.mark.parametrize(
    "question",
    [
        lambda history: history.order(ALICE, BTC, 12_345),
        lambda history: history.order_by_client_id(ALICE, BTC, "c12345"),
        lambda history: history.trades(ALICE, BTC, 12_345, Span(10)),
        lambda history: history.trades_of_order(12_345),
    ],
)
def test_one_order_of_a_long_past_is_found_at_once(connection: sqlite3.Connection, question: Question) -> None:
    """By its id, by the client's, and its trades."""
    ids, steps = ids_and_steps(connection, question)
    assert ids == [12_345]
    assert steps < STEPS_MAX
