"""An order list as the exchange keeps it: orders of one account and symbol whose fates hang together."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from paper.money.orders import Order
from paper.money.tracked import Tracked
from paper.units import Symbol


class Contingency(StrEnum):
    """How the legs depend on each other, in Binance's words; an OTOCO is an OTO with two pending legs."""

    OCO = "OCO"  # one cancels the other: the legs are a pair, of which only one can trade
    OTO = "OTO"  # one triggers the other: the first leg works, the others are held until it is filled


class ListStatus(StrEnum):
    """Where a list is in its life, in Binance's words."""

    EXECUTING = "EXECUTING"
    ALL_DONE = "ALL_DONE"  # no leg can end or trigger another one any more; one of them may still be open
    REJECT = "REJECT"  # never stored: the engine took no leg of it


@dataclass(frozen=True, slots=True)
class OrderList:
    """An order list.

    Attributes:
        client_list_id: what its client calls it.
        legs: its orders as they stand, the working one of an OTO first.
        time_ms: when it was placed, ms since 1970 UTC.
    """

    list_id: int
    account: int
    symbol: Symbol
    client_list_id: str
    contingency: Contingency
    legs: tuple[Order, ...]
    time_ms: int
    status: ListStatus = ListStatus.EXECUTING

    @property
    def working(self) -> Order | None:
        """The leg that the others wait for, or have waited for."""
        return self.legs[0] if self.contingency is Contingency.OTO else None

    @property
    def pair(self) -> tuple[Order, ...]:
        """The legs of which one ends the other; a single one has no other."""
        return self.legs if self.contingency is Contingency.OCO else self.legs[1:]


class OpenLists(Tracked[int, OrderList]):
    """The lists that still execute, by id, and which have changed since they were last saved."""

    def of(self, order: Order) -> OrderList | None:
        """Return the list that an order is a leg of, if it still executes."""
        return self.find(order.list_id)

    def find(self, list_id: int) -> OrderList | None:
        """Return the list of an id, if it still executes."""
        found = self.get(list_id)
        return found if found is not None and found.status is ListStatus.EXECUTING else None

    def end(self, order_list: OrderList, status: ListStatus) -> OrderList:
        """Let a list execute no more, and return it as it is then."""
        self[order_list.list_id] = ended = replace(order_list, status=status)
        return ended

    def executing(self) -> Iterator[OrderList]:
        """Return those that still execute, oldest first; the others are here until that is saved."""
        return (each for each in self.values() if each.status is ListStatus.EXECUTING)

    def note_saved(self) -> None:
        """Take all that has settled for saved, and forget the lists that are done."""
        for list_id in self.unsaved:
            if self[list_id].status is not ListStatus.EXECUTING:
                self.pop(list_id)
        super().note_saved()

    def changes(self, uid_of: Callable[[int], int]) -> Iterator[tuple[int, int, str, str, str, str, int]]:
        """Return the rows to save, but for lists that leave no trace; `uid_of` tells the id of an account."""
        for each in map(self.__getitem__, self.unsaved):
            if each.status is not ListStatus.REJECT:
                names = each.symbol.name, each.client_list_id, each.contingency.value, each.status.value
                yield each.list_id, uid_of(each.account), *names, each.time_ms

    def rejected(self) -> list[tuple[int]]:
        """Return the ids, as rows, of the lists that are to leave no trace."""
        return [(list_id,) for list_id in self.unsaved if self[list_id].status is ListStatus.REJECT]


class Remnant(NamedTuple):
    """A leg that has ended for its account, while the engine may still have it in its book."""

    account: int
    symbol: Symbol
    is_gone: bool = False


class Remnants(Tracked[int, Remnant]):
    """All remnants by order id, and which have come or gone since they were last saved."""

    def note(self, order: Order) -> None:
        """Note that an order has ended, and is to be taken out of the engine's book."""
        self[order.order_id] = Remnant(order.account, order.symbol)

    def forget(self, order_ids: Iterable[int]) -> None:
        """Note that the engine does not have them any more."""
        for order_id in order_ids:
            if order_id in self:
                self[order_id] = self[order_id]._replace(is_gone=True)

    def at(self, engine: str) -> dict[int, Remnant]:
        """Return what an engine may still have."""
        here = ((each, remnant) for each, remnant in self.items() if remnant.symbol.engine == engine)
        return {each: remnant for each, remnant in here if not remnant.is_gone}

    def note_saved(self) -> None:
        """Take all that has settled for saved, and forget those that are gone."""
        for order_id in self.unsaved:
            if self[order_id].is_gone:
                self.pop(order_id)
        super().note_saved()

    def come(self) -> list[tuple[int, int, str]]:
        """Return the rows to save."""
        changed = ((order_id, self[order_id]) for order_id in self.unsaved)
        return [(order_id, each.account, each.symbol.name) for order_id, each in changed if not each.is_gone]

    def gone(self) -> list[tuple[int]]:
        """Return the ids, as rows, of those that are gone."""
        return [(order_id,) for order_id in self.unsaved if self[order_id].is_gone]
