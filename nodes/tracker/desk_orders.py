"""The orders of fills as a desk knows them: what its maker's journal of decisions says that each was placed for."""

from typing import Protocol

from desk.decisions_file import placing_of, was_cancelled
from desk.settings import Settings
from market.account import VenueOrder
from nodes.tracker.fill_orders import FillOrders
from reports.trade_history import Placing
from venues.venue import HistoricalVenue


class ClockedVenue(HistoricalVenue, Protocol):
    """A venue that tells its ended orders, and how its clock stands.

    Attributes:
        ahead_ms: by how much its clock is ahead of ours, as far as we know.
    """

    ahead_ms: int


def desk_orders(settings: Settings, venue: ClockedVenue) -> FillOrders:
    """Return what knows the orders of fills at the desk's venue.

    A journal of decisions that cannot be read tells of no order, and keeps no fill out of the daily file.
    """

    def placing(order: VenueOrder) -> Placing | None:
        try:
            return placing_of(settings.run_dir, order.client_order_id, order.time_ms - venue.ahead_ms)
        except OSError:  # the history tells of such a file; what an order was placed for is then not known
            return None

    def was_cancelled_until(order: VenueOrder, time_ms: int) -> bool | None:
        try:
            return was_cancelled(settings.run_dir, order.client_order_id, time_ms - venue.ahead_ms)
        except OSError:
            return None

    return FillOrders(venue, placing, was_cancelled_until)
