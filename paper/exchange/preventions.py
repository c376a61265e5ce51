"""Who would have traded with whom: an engine's events of a prevented match name one order each, never both."""

from market.codes import SelfTradePrevention, Side
from paper.exchange.news import Prevention
from paper.money.ledger import Ledger
from paper.money.orders import Order
from paper.money.prevented_match import PreventedMatch


class Preventions:
    """Puts the two orders of each prevented match together.

    Both are of one account, so both are known here, and one order takes at a time: the one that was last told to act
    without resting at once. Where that was told to an earlier process, or is lost, the match stays unknown; what the
    orders lose is told all the same.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._takers: dict[int, Order] = {}  # by symbol id
        self._halves: dict[int, PreventedMatch] = {}  # by symbol id: the maker's part is told, the taker's follows

    def note_taker(self, order: Order) -> None:
        """Take note of an order that begins to take."""
        self._takers[order.symbol.symbol_id] = order

    def forget(self, order: Order) -> None:
        """Forget who takes in an order's symbol, as reports of it are lost."""
        self._takers.pop(order.symbol.symbol_id, None)
        self._halves.pop(order.symbol.symbol_id, None)

    def take(self, order: Order, lots: int, time_ms: int) -> Prevention:
        """Take from an order `lots` that would have traded with another one of its account."""
        match = self._match(order, lots, time_ms)
        self._ledger.change(order)
        self._ledger.free(order, lots)
        order.prevented_lots += lots
        order.update_ms = time_ms
        return Prevention(lots, match)

    def _match(self, order: Order, lots: int, time_ms: int) -> PreventedMatch | None:
        """Return, and keep, the match by which an order is about to lose `lots`, None if it is not known."""
        symbol_id = order.symbol.symbol_id
        taker = self._takers.get(symbol_id)
        if taker is None:
            return None
        if (half := self._halves.pop(symbol_id, None)) is not None and order is taker:
            return half
        maker = self._first_maker(taker) if order is taker else order
        if maker is None or maker.account != taker.account or maker.side is taker.side:
            return None
        mode = SelfTradePrevention(taker.self_trade_prevention)
        found = PreventedMatch(
            match_id=self._ledger.next_match_number(),
            account=maker.account,
            symbol=maker.symbol,
            taker_id=taker.order_id,
            maker_id=maker.order_id,
            mode=mode,
            price_ticks=maker.price_ticks,
            lots=min(taker.leaves_lots, maker.leaves_lots),
            taker_lots=_taker_lots(taker, mode, lots),
            maker_lots=0 if mode is SelfTradePrevention.EXPIRE_TAKER else lots,
            time_ms=time_ms,
        )
        self._ledger.prevented.append(found)
        for side in (taker, maker):
            self._ledger.change(side).prevented_match_id = found.match_id
        if order is maker and found.taker_lots:
            self._halves[symbol_id] = found
        return found

    def _first_maker(self, taker: Order) -> Order | None:
        """Return the order that a taker has met, which stays: the account's best on the other side, oldest first."""
        ended = self._ledger.remnants.at(taker.symbol.engine).values()
        if any((each.account, each.symbol) == (taker.account, taker.symbol) for each in ended):
            return None  # it may have met what its list has ended, and the engine still has
        sign = 1 if taker.side is Side.BUY else -1
        resting = (
            each
            for each in self._ledger.open_orders_of(taker.account, taker.symbol)
            if each.side is not taker.side and each.working_ms and each.queue_number and not each.is_held
        )
        return min(resting, key=lambda each: (sign * each.price_ticks, each.queue_number), default=None)


def _taker_lots(taker: Order, mode: SelfTradePrevention, lots: int) -> int:
    """Return what the taker loses in a match that takes `lots` of the order of which it is told first."""
    if mode is SelfTradePrevention.EXPIRE_MAKER:
        return 0
    return lots if mode is SelfTradePrevention.DECREMENT else taker.leaves_lots
