"""What is ours in every pair of an account: a maker of other settings, or one that was killed, may have left it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from market.account import VenueOrder
from market.instrument import Instrument
from venues.venue import VenueKeysError, VenueNoSuchPairError, VenueRefusedError


class Account(Protocol):
    """What is asked of the account, in pairs that need be none of the desk's; all calls raise VenueError."""

    def open_orders(self, instrument: Instrument | None = None) -> Sequence[VenueOrder]:
        """Return our open orders, of one pair or of all."""

    def cancel_in(self, symbol: str, order_id: str) -> VenueOrder | None:
        """Cancel an order and return it as it ended; None if it was already gone."""

    def find_in(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        """Return the order of that client order id, open or ended, or None if the venue has never had it."""


def in_turn(works: Iterable[Iterator[VenueOrder]]) -> Iterator[VenueOrder]:
    """Yield all that each of them does, also those behind one that the venue refuses.

    Raises:
        VenueError: at once if it does not answer, or refuses our keys; in the end if it has refused anything else.
    """
    refused: VenueRefusedError | None = None
    for work in works:
        try:
            yield from work
        except VenueKeysError:
            raise
        except VenueRefusedError as error:
            refused = refused or error
    if refused is not None:
        raise refused


def cancel_known(account: Account, orders: Iterable[VenueOrder]) -> Iterator[VenueOrder]:
    """Cancel orders that the venue has taken; yield those that were open, each as it ended, as soon as it has.

    The matching engine answers a cancel: one that it does not have is gone, whatever lists and questions say (Binance,
    REST API, "Data sources").

    Raises:
        VenueError: if the venue does not answer, or, in the end, if it has refused a cancel.
    """

    def cancel(order: VenueOrder) -> Iterator[VenueOrder]:
        try:
            gone = account.cancel_in(order.symbol, order.order_id)
        except VenueNoSuchPairError:
            return  # the venue has no such pair any more, and no order in it
        if gone is not None:
            yield gone

    return in_turn(map(cancel, orders))


def cancel_everywhere(account: Account, prefix: str, but: str = "") -> Iterator[VenueOrder]:
    """Cancel each open order whose client order id starts with `prefix`; yield each as it ended, or was last seen.

    The list of all pairs, of weight 80 at Binance, is asked for until it shows none that has not been cancelled: once
    where there is none. A list may lag; an order is gone once its cancel was answered.

    Args:
        but: the pair that is left alone, if any.

    Raises:
        VenueError: if the venue does not answer, or, when all in the list were tried, if it has refused a cancel.
    """
    ended: set[tuple[str, str]] = set()

    def cancel(order: VenueOrder) -> Iterator[VenueOrder]:
        gone = account.cancel_in(order.symbol, order.order_id)
        ended.add((order.symbol, order.order_id))
        yield gone or order

    while True:
        left = [
            each
            for each in account.open_orders()
            if each.client_order_id.startswith(prefix)
            and each.symbol != but
            and (each.symbol, each.order_id) not in ended
        ]
        if not left:
            return
        yield from in_turn(map(cancel, left))
