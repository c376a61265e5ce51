"""Actions on their way: what is marked as they leave, which have no answer yet, and what is taken back of them."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time
from trading.actions import Action, Amend, AskBalances, AskRules, Cancel, FindOrder, ListOrders, Place, apart
from trading.guard import Guard
from trading.own_orders import OwnOrders
from trading.position import Position

ANSWER_TIMES_MAX: Final = 1_024
SLOW_NS: Final = NS_PER_SECOND  # without an answer, from which on a person is told
_WORDS: Final[dict[type[Action], str]] = {
    Place: "place",
    Cancel: "cancel",
    Amend: "amend",
    FindOrder: "what became of an order",
    ListOrders: "open orders",
    AskBalances: "balances",
    AskRules: "the pair's rules",
}


class Awaited:
    """Those of one trader that have no answer yet; false when there is none.

    Args:
        orders, guard, position: the trader's, which know of what leaves.
    """

    def __init__(self, orders: OwnOrders, guard: Guard, position: Position) -> None:
        self._orders = orders
        self._guard = guard
        self._position = position
        self._unanswered: dict[tuple[type[Action], str], int] = {}  # and when it left
        self.answer_times: deque[int] = deque(maxlen=ANSWER_TIMES_MAX)  # ns, until somebody takes them

    def __bool__(self) -> bool:
        return bool(self._unanswered)

    def slow(self, now_ns: int) -> str:
        """Return what is on its way and since when, if the oldest of it has had no answer for long; else nothing."""
        since_ns = min(self._unanswered.values(), default=now_ns)
        if now_ns - since_ns < SLOW_NS:
            return ""
        told = Counter(self._word(*key) for key in self._unanswered)
        what = ", ".join(word if count == 1 else f"{count} x {word}" for word, count in told.items())
        return f"the venue has not answered since {iso_time(since_ns // NS_PER_MS)[11:19]} UTC to: {what}"

    def _word(self, kind: type[Action], client_order_id: str) -> str:
        quote = self._orders.sent.get(client_order_id)
        return f"{_WORDS[kind]} {quote.side.name}" if kind is Place and quote is not None else _WORDS[kind]

    def send(self, actions: Iterable[Action], now_ns: int) -> None:
        """Wait for the answers of what leaves now, or for those of its halves."""
        for action in apart(actions):
            self._unanswered[_key(action)] = now_ns
            match action:
                case Place(client_order_id=name):
                    self._orders.send(name, action.quote)
                    self._guard.sent(name, now_ns)
                case Cancel(name, _, why):
                    self._orders.cancel(name, why)
                case AskBalances():
                    self._position.ask(now_ns)

    def answer(self, kind: type[Action], client_order_id: str, now_ns: int) -> bool:
        """Take an answer; return whether it was waited for."""
        sent_ns = self._unanswered.pop((kind, client_order_id), None)
        if sent_ns is None:
            return False
        self.answer_times.append(now_ns - sent_ns)
        return True

    def undo(self, actions: Sequence[Action], now_ns: int, *, may_be_done: bool = False) -> list[str]:
        """Wait no more for what will not be carried out: it is as if it had not left.

        Args:
            may_be_done: whether the first of them may have been carried out: a cancel or an amend that left.

        Returns:
            The orders that were to be cancelled, or to get smaller, and surely are not.
        """
        lost = actions[0] if may_be_done and actions else None
        if isinstance(lost, Cancel):
            self._orders.lose_cancel(lost.client_order_id)
        kept: list[str] = []
        for action in apart(actions):
            self._unanswered.pop(_key(action), None)
            match action:
                case Place(client_order_id=name):
                    self._orders.drop(name)
                    self._guard.not_sent(name, now_ns)
                case Cancel(name):
                    kept += [name] if self._orders.keep(name) else []
                case Amend(name):
                    kept += [name] if action is not lost else []
                case AskBalances():
                    self._position.is_old = True
        return kept


def _key(action: Action) -> tuple[type[Action], str]:
    return type(action), getattr(action, "client_order_id", "")
