"""What the exchange has decided is saved in groups; the outside hears of nothing before that.

A commit costs nearly the same for one order and for a hundred. So what clients ask for and what engines report changes
the memory of the ledger at once, and waits for the next save: then all of it is written as one transaction, and only
then are commands sent, accounts told and calls answered. A process that dies in between has told nobody anything.
"""

from collections import deque
from collections.abc import Callable

from paper.money.ledger import Ledger

Action = Callable[[], None]


def at_once(action: Action) -> None:
    """Do something now: each change is saved by itself."""
    action()


class Saves:
    """Saves a ledger, and then does what had to wait for it, in the order in which it was asked for.

    Args:
        ledger: what is saved.
        soon: is given the next save to do: `at_once`, or later, together with what else comes until then.
    """

    def __init__(self, ledger: Ledger, soon: Callable[[Action], object] = at_once) -> None:
        self._ledger = ledger
        self._soon = soon
        self._waiting: list[Action] = []
        self._is_due = False

    @property
    def is_due(self) -> bool:
        """Whether something waits for the next save."""
        return self._is_due

    def then(self, action: Action) -> None:
        """Do something as soon as all that has changed until now is saved."""
        self._waiting.append(action)
        if not self._is_due:
            self._is_due = True
            self._soon(self.save)

    def save(self) -> None:
        """Save now; if that fails, everything waits on, and it can be tried again.

        Raises:
            LedgerError: if the disk does not take it.
        """
        self._ledger.save()
        self._is_due = False
        waiting, self._waiting = deque(self._waiting), []
        try:
            while waiting:
                waiting[0]()
                waiting.popleft()
        finally:
            self._waiting[:0] = waiting  # one that failed meets the next save as well: a bug ends whoever saves
