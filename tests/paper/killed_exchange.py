"""The exchange in a process of its own that may be killed at any moment; engine and clients are at the other end.

Messages on the pipe are tuples. To the exchange: ("connected", epoch, acknowledged), ("reports", epoch, events, number
of the last, acknowledged), ("place", key, account, request fields), ("place list", key, account, fields of its legs),
("cancel", key, order id), ("state",). From it:
("hello", last saved report), ("commands", commands), ("done", key, order id, status, filled lots), ("refused", key,
order id), ("state", State).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from market.codes import SelfTradePrevention, Side, TimeInForce
from market.commands import Command
from market.depth import Depth
from paper.errors import ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.filters import price_to_ticks, qty_to_lots
from paper.exchange.order_lists import NewList, pair_of
from paper.exchange.pending import Pending
from paper.exchange.public_market import Touched
from paper.money.commission import Commission, FeePlace
from paper.money.history import Span
from paper.money.ledger import Ledger
from paper.money.order_list import Contingency
from paper.money.orders import Order, OrderKind
from paper.units import parse_units
from tests.paper.desk import ALICE, BOB, CAROL, FIRST_ORDER_ID, FIRST_OWNER, INSTRUMENTS, ONE_ENGINE

EVERYBODY = (ALICE, BOB, CAROL)
COMMISSION = Commission(Decimal("0.0010003"), Decimal("0.0020007"), place=FeePlace.QUOTE)


class ListState(NamedTuple):
    """What the ledger holds of an order list.

    Attributes:
        legs: id, status and whether it is held, of each leg.
        pair: the ids of the legs that end each other.
    """

    contingency: str
    status: str
    legs: list[tuple[int, str, bool]]
    pair: list[int]


@dataclass(frozen=True)
class State:
    """What the ledger holds.

    Attributes:
        owned: free and locked units by account and asset.
        open_lots: what is open of each order, by id.
        orders: account, status and filled lots of every order, by id.
        trades: trade id and order id of every share of a trade.
        lists: every order list.
    """

    owned: dict[tuple[int, str], tuple[int, int]]
    open_lots: dict[int, int]
    orders: dict[int, tuple[int, str, int]]
    trades: list[tuple[int, int]]
    lists: list[ListState]


class _Link:
    """The exchange's link end at the engine; the public book is empty."""

    def __init__(self, connection: Connection) -> None:
        self.is_connected = False
        self.sent = 0
        self._connection = connection

    def send(self, commands: Sequence[Command]) -> int:
        self.sent += len(commands)
        self._connection.send(("commands", list(commands)))
        return self.sent

    def depth(self, symbol_id: int, level_count: int) -> Depth:
        return Depth((), ())

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:
        return 0

    def take_touched(self, symbol_id: int) -> Touched:
        return Touched(set(), set())


def live(path: Path, connection: Connection) -> None:
    """Be the exchange on the ledger at `path` until the process is killed."""
    ledger = Ledger(path, INSTRUMENTS, ONE_ENGINE)
    link = _Link(connection)
    exchange = Exchange(
        ledger,
        {"engine": link},
        link,
        first_order_id=FIRST_ORDER_ID,
        first_owner=FIRST_OWNER,
        commission=COMMISSION,
        soon=lambda _: None,  # below: when nothing more has come
    )
    for account in EVERYBODY:
        exchange.open_account(account)
    connection.send(("hello", ledger.last_report("engine")))
    while True:
        if not connection.poll():
            exchange.saves.save()
        kind, *parts = connection.recv()
        if kind == "connected":
            epoch, link.sent, time_ns = parts
            link.is_connected = True
            exchange.engines["engine"].on_connected(epoch, link.sent, time_ns)
        elif kind == "reports":
            exchange.engines["engine"].on_reports(*parts)
        elif kind == "place":
            _place(exchange, connection, *parts)
        elif kind == "place list":
            _place_list(exchange, connection, *parts)
        elif kind == "cancel":
            _cancel(exchange, connection, *parts)
        elif kind == "state":
            ledger.check()
            exchange.saves.save()
            connection.send(("state", _state(ledger)))


def _order(exchange: Exchange, account: int, name: str, fields: Any) -> Order:
    side, kind, time_in_force, price, qty, stop, iceberg = fields
    symbol = exchange.symbols["BTCUSDT"]
    return Order(
        account=account,
        symbol=symbol,
        side=Side(side),
        kind=OrderKind(kind),
        time_in_force=TimeInForce(time_in_force),
        price_ticks=price_to_ticks(symbol, parse_units(price)),
        qty_lots=qty_to_lots(symbol, parse_units(qty)),
        client_order_id=name,
        self_trade_prevention=SelfTradePrevention.EXPIRE_MAKER,
        stop_ticks=price_to_ticks(symbol, parse_units(stop)),
        display_lots=qty_to_lots(symbol, parse_units(iceberg)),
    )


def _place(exchange: Exchange, connection: Connection, key: int, account: int, time_ns: int, fields: Any) -> None:
    try:
        pending = exchange.place(_order(exchange, account, f"key-{key}", fields), time_ns)
    except ExchangeError:
        connection.send(("refused", key, 0))
        return
    _answer(connection, key, pending)


def _place_list(exchange: Exchange, connection: Connection, key: int, account: int, time_ns: int, legs: Any) -> None:
    orders = [_order(exchange, account, f"key-{key}-{number}", fields) for number, fields in enumerate(legs)]
    is_pair = len(orders) == 2
    try:
        pair = pair_of(*orders[-2:])
        new = NewList(Contingency.OCO if is_pair else Contingency.OTO, "", pair if is_pair else (orders[0], *pair))
        _, pending = exchange.place_list(new, time_ns)
    except ExchangeError:
        connection.send(("refused", key, 0))
        return
    _answer(connection, key, pending[-1])


def _cancel(exchange: Exchange, connection: Connection, key: int, order_id: int, time_ns: int) -> None:
    order = exchange.ledger.open_orders.get(order_id)
    if order is None:
        connection.send(("refused", key, order_id))
        return
    (pending,) = exchange.cancel([order], time_ns)
    _answer(connection, key, pending)


def _answer(connection: Connection, key: int, pending: Pending) -> None:
    def tell() -> None:
        order = pending.order
        connection.send(("done", key, order.order_id, str(order.status), order.filled_lots))

    pending.when_done(tell)


def _state(ledger: Ledger) -> State:
    symbol = ledger.symbols["BTCUSDT"]
    everything = Span(1_000_000)
    return State(
        owned={
            (account, asset): (wallet.free, wallet.locked)
            for account in EVERYBODY
            for asset, wallet in ledger.wallets.of(account).items()
        },
        open_lots={each.order_id: each.leaves_lots for each in ledger.open_orders.values() if not each.is_held},
        orders={
            order.order_id: (account, str(order.status), order.filled_lots)
            for account in EVERYBODY
            for order in ledger.history.orders(account, symbol, everything)
        },
        trades=[
            (trade.trade_id, trade.order_id)
            for account in EVERYBODY
            for trade in ledger.history.trades(account, symbol, None, everything)
        ],
        lists=[
            ListState(
                str(each.contingency),
                str(each.status),
                [(leg.order_id, str(leg.status), leg.is_held and leg.status.is_open) for leg in each.legs],
                [leg.order_id for leg in each.pair],
            )
            for account in EVERYBODY
            for each in ledger.history.order_lists(account, everything)
        ],
    )
