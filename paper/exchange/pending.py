"""The commands to an engine that it has not answered yet."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from market.codes import RejectReason
from market.limits import ID_MAX
from paper.money.orders import Order

COMMANDS_PENDING_MAX: Final = 10_000
UNSENT: Final = ID_MAX + 1  # behind every command that was sent


class Purpose(Enum):
    """Why a command was sent."""

    ENTER = auto()
    CANCEL = auto()
    AMEND = auto()
    RECALL = auto()  # a cancel of our own, to learn whether the engine has an order whose entry was never answered


@dataclass(slots=True, eq=False)
class Pending:
    """A command on its way: done when the engine has said all there is to say about it.

    Attributes:
        order: the order it is about, as it stands.
        sequence: its number on the link, UNSENT before it has one.
        refusal: why the engine refused to cancel or to amend, or None.
        is_applied: whether the engine has amended.
        request_id: the client id of a cancel; what the order is called after an amend.
        is_lost: whether the answer may be among reports that were lost: nobody knows what became of the command.
        is_done: whether the engine has answered completely, or the answer is lost.
    """

    order: Order
    purpose: Purpose
    sequence: int = UNSENT
    request_id: str = ""
    refusal: RejectReason | None = None
    is_applied: bool = False
    is_lost: bool = False
    is_done: bool = False
    _on_done: Callable[[], None] | None = None

    def when_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, as soon as the engine has answered completely."""
        if self.is_done:
            callback()
        else:
            self._on_done = callback

    def finish(self) -> None:
        """Say that nothing more will come."""
        self.is_done = True
        if self._on_done is not None:
            self._on_done()
            self._on_done = None


class PendingCommands:
    """All commands on their way, oldest first; the engine answers them in that order."""

    def __init__(self) -> None:
        self._commands: deque[Pending] = deque()
        self._cancels: dict[int, deque[Pending]] = {}
        self._amends: dict[int, Pending] = {}  # at most one of each order

    def __len__(self) -> int:
        return len(self._commands)

    def add(self, order: Order, purpose: Purpose, request_id: str = "", sequence: int = UNSENT) -> Pending:
        """Remember a command that was sent, or will be."""
        pending = Pending(order, purpose, sequence, request_id)
        self._commands.append(pending)
        if purpose is Purpose.AMEND:
            assert order.order_id not in self._amends, f"an amend is on its way already: {order}"
            self._amends[order.order_id] = pending
        elif purpose is not Purpose.ENTER:
            self._cancels.setdefault(order.order_id, deque()).append(pending)
        return pending

    def answer_cancel(self, order_id: int) -> Pending | None:
        """Return, and no longer await, the oldest unanswered cancel of an order."""
        cancels = self._cancels.get(order_id)
        if cancels is None:
            return None
        pending = cancels.popleft()
        if not cancels:
            del self._cancels[order_id]
        return pending

    def amend_of(self, order_id: int) -> Pending | None:
        """Return the amend of an order that is on its way."""
        return self._amends.get(order_id)

    def answer_amend(self, order_id: int) -> Pending | None:
        """Return, and no longer await, the amend of an order."""
        return self._amends.pop(order_id, None)

    def is_name_reserved(self, account: int, client_order_id: str) -> bool:
        """Say whether an amend on its way will give an order of the account that client id."""
        return any(
            each.request_id == client_order_id and each.order.account == account for each in self._amends.values()
        )

    def entering(self) -> set[int]:
        """Return the ids of the orders whose entry is unanswered."""
        return {each.order.order_id for each in self._commands if each.purpose is Purpose.ENTER}

    def cancels(self) -> list[Pending]:
        """Return the unanswered cancels that clients have sent."""
        return [each for queue in self._cancels.values() for each in queue if each.purpose is Purpose.CANCEL]

    def acknowledge(self, sequence: int) -> None:
        """Finish every command up to a link sequence."""
        while self._commands and self._commands[0].sequence <= sequence:
            self._commands.popleft().finish()

    def lose_all(self) -> None:
        """Finish every command without an answer: the engine's may be lost."""
        for pending in self._commands:
            pending.is_lost = True
        self.finish_all()

    def finish_all(self) -> None:
        """Finish every command: the engine that they were sent to is gone."""
        self._cancels.clear()
        self._amends.clear()
        while self._commands:
            self._commands.popleft().finish()
