"""What a reader can know from the events alone: the book order by order, and what is open of every order."""

from market.codes import Side
from market.events import Accepted, Amended, Canceled, Event, Executed, Rested
from market.kernels.rows import Int64Array


class Replica:
    """The shown book and the open lots of one symbol, kept by events; raises AssertionError where they disagree."""

    def __init__(self) -> None:
        self.leaves: dict[int, int] = {}
        self._shown: dict[int, list[int]] = {}  # id -> side, price, shown; the order of insertion is that of time

    def apply(self, event: Event) -> None:
        """Take an event of the symbol in."""
        match event:
            case Accepted():
                assert event.order_id not in self.leaves, f"{event} for an open order"
                self.leaves[event.order_id] = event.qty_lots
                if event.resting_lots:
                    self._show(event.order_id, event.side, event.price_ticks, event.resting_lots)
            case Rested():
                assert self.leaves[event.order_id] == event.leaves_lots, f"{event}, {self.leaves[event.order_id]} open"
                self._show(event.order_id, event.side, event.price_ticks, event.resting_lots)
            case Executed():
                self._reduce(event.taker_order_id, event.qty_lots, event.taker_leaves_lots)
                self._reduce(event.maker_order_id, event.qty_lots, event.maker_leaves_lots)
                self._take(event.maker_order_id, event.qty_lots)
                assert self._shown.get(event.maker_order_id, [0, 0, 0])[2] == event.maker_resting_lots, f"{event}"
            case Canceled():
                self._reduce(event.order_id, event.qty_lots, event.leaves_lots)
                if not event.leaves_lots:
                    self._shown.pop(event.order_id, None)
                elif event.order_id in self._shown:
                    self._take(event.order_id, event.qty_lots)
            case Amended():
                self.leaves[event.order_id] = event.leaves_lots
                if event.resting_lots:
                    self._shown[event.order_id][2] = event.resting_lots
                else:
                    self._shown.pop(event.order_id, None)

    def check(self, orders: Int64Array) -> None:
        """Compare with an engine's own snapshot: the same orders, in the same queues, showing and having the same."""
        shown = {side: [(i, p, n) for i, (s, p, n) in self._shown.items() if s == side] for side in Side}
        shown[Side.BUY].sort(key=lambda order: -order[1])
        shown[Side.SELL].sort(key=lambda order: order[1])
        rows = orders.tolist()
        for side in Side:
            assert [(row[0], row[2], row[3]) for row in rows if row[1] == side] == shown[side]
        for row in rows:
            assert self.leaves[row[0]] == row[4], f"order {row[0]} has {row[4]}, told were {self.leaves[row[0]]}"

    def _show(self, order_id: int, side: int, price_ticks: int, lots: int) -> None:
        assert order_id not in self._shown, f"order {order_id} joined twice"
        self._shown[order_id] = [side, price_ticks, lots]

    def _take(self, order_id: int, lots: int) -> None:
        self._shown[order_id][2] -= lots
        assert self._shown[order_id][2] >= 0, f"order {order_id} shows {self._shown[order_id][2]}"
        if not self._shown[order_id][2]:
            del self._shown[order_id]

    def _reduce(self, order_id: int, lots: int, leaves_lots: int) -> None:
        """Conserve: what was open is what traded or was cancelled now, and what is open still."""
        assert self.leaves[order_id] == lots + leaves_lots, (
            f"order {order_id} had {self.leaves[order_id]}, {lots} went, {leaves_lots} left"
        )
        if leaves_lots:
            self.leaves[order_id] = leaves_lots
        else:
            del self.leaves[order_id]
