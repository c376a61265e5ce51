"""What whoever trades asks of a venue. Each is answered once, by `trading.news`, if only by Unknown or Failed."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from market.codes import Side
from trading.quoting import Quote
from trading.reasons import WANTED, Reason


class Place(NamedTuple):
    """Enter a limit order: a post-only one, or if `is_taking` one that trades at once or ends.

    `level` and `model` are those of the quote. Answered by OrderNews, Refused or Unknown of its id.
    """

    client_order_id: str
    side: Side
    price_ticks: int
    qty_lots: int
    why: Reason = WANTED
    is_taking: bool = False
    level: int | None = None
    model: str = ""

    @classmethod
    def of(cls, client_order_id: str, quote: Quote, *, is_taking: bool = False) -> Self:
        """Return the action that brings a quote into the book, or that trades at its price or better."""
        terms = quote.side, quote.price_ticks, quote.qty_lots, quote.why
        return cls(client_order_id, *terms, is_taking, quote.level, quote.model)

    @property
    def quote(self) -> Quote:
        """What is entered."""
        return Quote(self.side, self.price_ticks, self.qty_lots, self.why, self.level, self.model)


class Cancel(NamedTuple):
    """Cancel an order. Answered by OrderNews of the order as it ended, Gone, Kept, or Failed."""

    client_order_id: str
    order_id: str
    why: Reason


class Move(NamedTuple):
    """Cancel an order and, once that is done, enter another one of its side, in one call.

    Each half is answered as if it were alone, or by Untried.
    """

    cancel: Cancel
    place: Place


class Amend(NamedTuple):
    """Make an order smaller in its place in the queue; `qty_lots` is what it is to have in all, filled or not.

    Answered by Amended, Gone or Failed.
    """

    client_order_id: str
    order_id: str
    qty_lots: int
    why: Reason


class FindOrder(NamedTuple):
    """Say what became of an order. Answered by Found, or Failed."""

    client_order_id: str


class ListOrders(NamedTuple):
    """Say which of our orders are open. Answered by Listed, or Failed."""


class AskBalances(NamedTuple):
    """Say what we hold. Answered by Balances, or Failed."""


class AskRules(NamedTuple):
    """Say what the venue's rules of the pair are. Answered by RulesNews, or Failed."""


Question = FindOrder | ListOrders | AskBalances | AskRules
Action = Place | Cancel | Move | Amend | Question


def apart(actions: Iterable[Action]) -> Iterator[Place | Cancel | Amend | Question]:
    """Yield actions, of each move its halves."""
    for action in actions:
        if isinstance(action, Move):
            yield from action
        else:
            yield action
