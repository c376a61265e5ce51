"""The words of a script of two TCP clients: what they send, and what matters of the reports that they get."""

from typing import NamedTuple

from market.codes import CancelReason, OrderType, RejectReason, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, NewOrder
from market.events import Accepted, Amended, Canceled, Event, Executed, Rejected, Rested, Trailed, Triggered
from venues.gateway_session import ClientCommand

BTC = 0
MID = 9_000_000  # where the last trade was when a script begins; prices of a script count from here
BUY, SELL = 0, 1
MARKET, POST_ONLY = int(OrderType.MARKET), int(OrderType.POST_ONLY)
IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
STOP, TAKE_PROFIT, TRAIL = int(Trigger.STOP), int(Trigger.TAKE_PROFIT), int(Trigger.TRAIL)

Report = tuple[str | int, ...]


class Step(NamedTuple):
    """A command of one of the clients, `a` or `b`; ids are the client's own."""

    client: str
    command: ClientCommand


def a(command: ClientCommand) -> Step:
    """Let client `a` send a command."""
    return Step("a", command)


def b(command: ClientCommand) -> Step:
    """Let client `b` send a command."""
    return Step("b", command)


def order(order_id: int, side: int, at: int, lots: int, **fields: int) -> NewOrder:
    """Return an order `at` ticks from the middle (a market order: 0, and no price)."""
    price = 0 if fields.get("order_type") == MARKET else MID + at
    if "wakes_at" in fields:
        fields["trigger_price_ticks"] = MID + fields.pop("wakes_at")
    if "prevention" in fields:
        fields["self_trade_prevention"] = fields.pop("prevention")
    return NewOrder(order_id, BTC, side, price, lots, **fields)


def amend(order_id: int, at: int, lots: int) -> AmendOrder:
    """Return an amend to a price `at` ticks from the middle."""
    return AmendOrder(order_id, BTC, MID + at, lots)


def cancel(order_id: int) -> CancelOrder:
    """Return a cancel."""
    return CancelOrder(order_id, BTC)


def summary(event: Event) -> Report:
    """Return what matters of a report to the client that gets it; prices count from the middle."""
    match event:
        case Accepted():
            return ("accepted", event.order_id, event.resting_lots)
        case Rested():
            return ("rested", event.order_id, event.price_ticks - MID, event.resting_lots, event.leaves_lots)
        case Executed():
            assert 0 in (event.taker_order_id, event.maker_order_id), f"{event} tells of two sides"
            side: Report = ("taker", event.taker_order_id, event.taker_leaves_lots)
            if event.maker_order_id:
                side = ("maker", event.maker_order_id, event.maker_leaves_lots)
            return ("trade", event.price_ticks - MID, event.qty_lots, *side)
        case Canceled():
            reason = CancelReason(event.reason).name
            return ("canceled", event.order_id, event.qty_lots, event.leaves_lots, reason)
        case Amended():
            return ("amended", event.order_id, event.price_ticks - MID, event.leaves_lots, event.resting_lots)
        case Trailed():
            return "trailed", event.order_id, event.price_ticks - MID
        case Triggered():
            return ("triggered", event.order_id)
        case Rejected():
            return ("rejected", event.order_id, RejectReason(event.reason).name)
    raise AssertionError(f"no client hears of {event}")


class Script(NamedTuple):
    """Steps, one after the other, and what each client is told of them in all."""

    name: str
    steps: list[Step]
    told_a: list[Report]
    told_b: list[Report] = []  # noqa: RUF012 - never changed
