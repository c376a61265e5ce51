"""Order lists for tests: placing them, and asking what has become of them."""

from market.codes import Side
from paper.exchange.news import AccountNews, ListNews, OrderNews
from paper.exchange.order_lists import NewList, pair_of
from paper.money.order_list import Contingency, OrderList
from paper.money.orders import OrderKind
from paper.units import parse_units
from tests.paper.desk import ALICE, Desk

BTC = parse_units("1")
USDT = parse_units("10000")


def told(desk: Desk) -> list[str]:
    """Return what becomes known of orders and lists from now on, in short."""
    said: list[str] = []

    def hear(news: AccountNews) -> None:
        if isinstance(news, OrderNews):
            said.append(f"{news.order.kind} {news.execution} {news.order.status}")
        elif isinstance(news, ListNews):
            said.append(f"{news.status_type} {news.order_list.status}")

    desk.exchange.account_listeners.append(hear)
    return said


def traded_at(desk: Desk, price: str) -> None:
    """Let two strangers make a last price."""
    for side in (Side.BUY, Side.SELL):
        desk.engine.flow(desk.exchange, side, price, "0.001")


def oco(desk: Desk, side: Side = Side.SELL, qty: str = "0.5") -> NewList:
    """Return a pair around a last price of 90,000."""
    limit = desk.request(side, "91000" if side is Side.SELL else "89000", qty, kind=OrderKind.LIMIT_MAKER)
    stop_price, worst = ("89000", "88000") if side is Side.SELL else ("91000", "92000")
    stop = desk.request(side, worst, qty, kind=OrderKind.STOP_LOSS_LIMIT, stop=stop_price)
    legs = pair_of(limit, stop) if side is Side.SELL else pair_of(stop, limit)
    return NewList(Contingency.OCO, "", legs)


def oto(desk: Desk, *, is_pair: bool = False, bought: str = "0.05", qty: str = "0.05") -> NewList:
    """Return a purchase at 89,000 and what is to sell that again."""
    working = desk.request(Side.BUY, "89000", bought)
    limit = desk.request(Side.SELL, "91000", qty, kind=OrderKind.LIMIT_MAKER)
    stop = desk.request(Side.SELL, "87000", qty, kind=OrderKind.STOP_LOSS_LIMIT, stop="88000")
    return NewList(Contingency.OTO, "", (working, *(pair_of(limit, stop) if is_pair else (limit,))))


def place(desk: Desk, new: NewList, account: int = ALICE) -> OrderList:
    """Place a list and let the engine handle it."""
    for leg in new.legs:
        leg.account = account
    placed, _ = desk.exchange.place_list(new, desk.engine.time_ns)
    desk.pump()
    return placed


def stored(desk: Desk, placed: OrderList) -> OrderList:
    """Return a list as it is on disk."""
    found = desk.ledger.history.order_list(placed.account, placed.list_id, None)
    assert found is not None
    return found


def is_settled(desk: Desk) -> bool:
    """Say whether the engine holds what the ledger has open, nothing more and nothing less."""
    desk.pump()
    at_engine = desk.engine.own_resting_lots().keys() | desk.engine.own_waiting_ids()
    wanted = {order.order_id for order in desk.ledger.open_orders.values() if not order.is_held}
    desk.ledger.check()
    return at_engine == wanted and not desk.ledger.remnants
