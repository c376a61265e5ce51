"""How orders got smaller in their place: what they were called and how large they were, before and after."""

from collections.abc import Callable
from dataclasses import dataclass

from paper.money.additions import Additions
from paper.money.orders import Order


@dataclass(frozen=True, slots=True)
class Amendment:
    """One amend of an order; `execution_id` numbers those of all orders in the order in which they happened."""

    execution_id: int
    order_id: int
    earlier_client_id: str
    client_order_id: str
    earlier_lots: int
    qty_lots: int
    time_ms: int


class Amendments(Additions[tuple[int, Amendment]]):
    """The amendments of a ledger that are not saved yet, each with its account."""

    def add(self, order: Order, execution_id: int, earlier_client_id: str, earlier_lots: int) -> None:
        """Note that an order has just been amended: it has its new name and quantity already."""
        names = earlier_client_id, order.client_order_id
        amendment = Amendment(execution_id, order.order_id, *names, earlier_lots, order.qty_lots, order.update_ms)
        self.append((order.account, amendment))

    def count_of(self, order_id: int) -> int:
        """Return how many there are of an order."""
        return sum(each.order_id == order_id for _, each in self)

    def rows(self, uid_of: Callable[[int], int]) -> list[tuple[int, int, int, str, str, int, int, int]]:
        """Return the rows to save; `uid_of` tells the id of an account."""
        return [
            (
                each.execution_id,
                uid_of(account),
                each.order_id,
                each.earlier_client_id,
                each.client_order_id,
                each.earlier_lots,
                each.qty_lots,
                each.time_ms,
            )
            for account, each in self.unsaved
        ]

    def names(self) -> list[tuple[str, int]]:
        """Return what each amended order is called now, and its id."""
        return [(each.client_order_id, each.order_id) for _, each in self.unsaved]
