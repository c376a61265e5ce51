"""What a trader asks of its orders: which are open, and what became of those of unknown fate, as often as it may."""

from collections.abc import Iterator, Sequence
from typing import Final

from market.clock import NS_PER_SECOND
from trading.actions import Action, Cancel, FindOrder, ListOrders
from trading.own_orders import OwnOrders
from trading.reasons import DENIED
from trading.spending import Spending

UNSURE_NS: Final = NS_PER_SECOND // 2  # from one look to the next while the fate of an order is unknown


class Looking:
    """One trader's questions, in the rounds that it makes.

    Args:
        list_ns: how old the list of our open orders may get.

    Attributes:
        listed_ns: when the list was asked for that we go by; None: there is none to go by.
        missing: open orders that are to be asked for: it seems that they have ended.
        is_leaving: whether nothing may be in the book: then the last of what may be spent may be, too.
        spending: what all questions and commands weigh.
    """

    def __init__(self, orders: OwnOrders, list_ns: int) -> None:
        self._orders = orders
        self._list_ns = list_ns
        self._unsure_ns = 0  # when to look again for orders of unknown fate
        self.listed_ns: int | None = None
        self.missing: list[str] = []
        self.is_leaving = False
        self.spending = Spending()

    def is_due(self, now_ns: int) -> bool:
        """Whether the list is too old, or the fate of an order unknown and long enough not asked for."""
        is_old = self.listed_ns is None or now_ns - self.listed_ns >= self._list_ns
        return is_old or (bool(self._orders.uncertain()) and now_ns >= self._unsure_ns)

    def due_ns(self) -> int:
        """Return when to look again, even if nothing happens."""
        if self.listed_ns is None:
            return 0
        listed_ns = self.listed_ns + self._list_ns
        return min(listed_ns, self._unsure_ns) if self._orders.uncertain() else listed_ns

    def may_look(self) -> bool:
        """Return whether there is room for a look now."""
        return self._may_ask(self.questions())

    def questions(self) -> list[Action]:
        """Return what a look asks first: what became of orders of unknown fate, and then which are open.

        Among those is what has arrived.
        """
        return [*map(FindOrder, self._orders.uncertain()), ListOrders()]

    def look(self, now_ns: int) -> Iterator[Sequence[Action]]:
        """Look, if there is room for it: yield actions, go on when they are answered."""
        if self.may_look():
            self._unsure_ns = now_ns + UNSURE_NS if self._orders.uncertain() else now_ns
            yield self.questions()
            yield from self.settle_missing()

    def settle_missing(self) -> Iterator[Sequence[Action]]:
        """Ask for the orders that seem to have ended, and take away those that the venue denies: it may only lag."""
        yield self._find_missing()
        yield [Cancel(name, self._orders.open[name].order_id, DENIED) for name in self._orders.doubtful()]
        yield self._find_missing()

    def _find_missing(self) -> list[Action]:
        questions: list[Action] = [FindOrder(name) for name in dict.fromkeys(self.missing) if name in self._orders.open]
        if not self._may_ask(questions):
            return []  # they wait
        self.missing = []
        return questions

    def _may_ask(self, questions: Sequence[Action]) -> bool:
        return self.spending.may_ask(questions, is_leaving=self.is_leaving)
