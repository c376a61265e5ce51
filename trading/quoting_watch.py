"""What a trader's steps tell of its quotes, as the record of the day takes it."""

from decimal import Decimal

from market.codes import Side
from trading import notes
from trading.outbox import Outbox
from trading.own_orders import OwnOrders
from trading.quoting_day import QuotingRecord


class QuotingWatch:
    """Watches one trader.

    Args:
        record: of its day.
        tick_size: of its pair.
    """

    def __init__(self, record: QuotingRecord, tick_size: Decimal) -> None:
        self._record = record
        self._tick_size = tick_size
        self._mid: Decimal | None = None

    def take(self, now_ns: int, outbox: Outbox, own: OwnOrders) -> None:
        """Take what has become of the quotes in a step."""
        if not outbox.notes:
            return
        for note in outbox.notes:
            self._take(now_ns, note)
        prices = {side: [order.price for order in own.standing.values() if order.side == side] for side in Side}
        bid, ask = max(prices[Side.BUY], default=None), min(prices[Side.SELL], default=None)
        self._record.look(now_ns, self._mid, bid, ask)

    def _take(self, now_ns: int, note: notes.Note) -> None:
        match note:
            case notes.Looked():
                self._mid = None if note.mid_ticks_x2 is None else note.mid_ticks_x2 * self._tick_size / 2
            case notes.Quoted(order):
                self._record.placed(now_ns, order.client_order_id)
            case notes.Settled(name, True):
                self._record.placed(now_ns, name)
            case notes.Filled(order, qty, is_picked_off):
                name = order.client_order_id
                self._record.fill(now_ns, name, order.side, order.price, qty, is_picked_off=is_picked_off)
            case notes.Ended(order) | notes.Forgotten(order):
                self._record.ended(order.client_order_id)
            case _:
                pass
