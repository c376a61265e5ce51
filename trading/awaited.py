"""Actions on their way: what is marked as they leave, which have no answer yet, and what is taken back of them."""

from collections.abc import Iterable

from trading.actions import Action, AskBalances, Cancel, Place, apart
from trading.guard import Guard
from trading.own_orders import OwnOrders
from trading.position import Position


class Awaited:
    """Those of one trader that have no answer yet; false when there is none.

    Args:
        orders, guard, position: the trader's, which know of what leaves.
    """

    def __init__(self, orders: OwnOrders, guard: Guard, position: Position) -> None:
        self._orders = orders
        self._guard = guard
        self._position = position
        self._unanswered: set[tuple[type[Action], str]] = set()

    def __bool__(self) -> bool:
        return bool(self._unanswered)

    def send(self, actions: Iterable[Action], now_ns: int) -> None:
        """Wait for the answers of what leaves now, or for those of its halves."""
        for action in apart(actions):
            self._unanswered.add(_key(action))
            match action:
                case Place(client_order_id=name):
                    self._orders.send(name, action.quote)
                    self._guard.sent(name, now_ns)
                case Cancel(name, _, why):
                    self._orders.cancel(name, why)
                case AskBalances():
                    self._position.ask(now_ns)

    def answer(self, kind: type[Action], client_order_id: str) -> bool:
        """Take an answer; return whether it was waited for."""
        is_awaited = (kind, client_order_id) in self._unanswered
        self._unanswered.discard((kind, client_order_id))
        return is_awaited

    def undo(self, actions: Iterable[Action], now_ns: int) -> None:
        """Wait no more for what will not be carried out: it is as if it had not left."""
        for action in apart(actions):
            self._unanswered.discard(_key(action))
            match action:
                case Place(client_order_id=name):
                    self._orders.drop(name)
                    self._guard.not_sent(name, now_ns)
                case AskBalances():
                    self._position.is_old = True


def _key(action: Action) -> tuple[type[Action], str]:
    return type(action), getattr(action, "client_order_id", "")
