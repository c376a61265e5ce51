"""A mirror of the maker's orders at a venue in our own engine, through the gateway."""

from collections.abc import Sequence
from typing import NamedTuple

from market.account import VenueOrder
from market.commands import AmendOrder, CancelOrder, NewOrder
from market.events import Rejected
from market.instrument import Instrument
from venues.gateway import GatewayClient, GatewayError


class _Mirrored(NamedTuple):
    order_id: int
    price_ticks: int
    leaves_lots: int


class GatewayMirror:
    """Keeps the local book's copy of our orders at the venue.

    It connects when it is first needed, and again after the gateway was gone; the gateway cancels the orders of a lost
    connection, so a new one starts from nothing.
    """

    def __init__(self, instrument: Instrument, host: str, port: int) -> None:
        self._instrument = instrument
        self._address = (host, port)
        self._client: GatewayClient | None = None
        self._mirrored: dict[str, _Mirrored] = {}
        self._next_order_id = 1
        self.rejected_count = 0

    def sync(self, live: Sequence[VenueOrder]) -> None:
        """Make the local book hold `live`, our open orders at the venue, and nothing else of ours.

        Raises:
            GatewayError: if the gateway cannot be reached; call again later.
        """
        client = self._connected()
        wanted = {order.order_id: order for order in live}
        commands: list[NewOrder | CancelOrder | AmendOrder] = [
            CancelOrder(self._mirrored.pop(venue_id).order_id, self._instrument.symbol_id)
            for venue_id in self._mirrored.keys() - wanted.keys()
        ]
        for venue_id, order in wanted.items():
            commands.extend(self._changes(venue_id, order))
        try:
            if commands:
                client.send(commands)
            self.rejected_count += sum(isinstance(message, Rejected) for message in client.receive())
        except GatewayError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up; the gateway cancels the mirrored orders."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._mirrored.clear()

    def _changes(self, venue_id: str, order: VenueOrder) -> Sequence[NewOrder | AmendOrder]:
        price_ticks = self._instrument.price_to_ticks(order.price)
        leaves_lots = self._instrument.qty_to_lots(order.qty - order.filled_qty)
        known = self._mirrored.get(venue_id)
        if known is None:
            self._mirrored[venue_id] = _Mirrored(self._next_order_id, price_ticks, leaves_lots)
            self._next_order_id += 1
            return [
                NewOrder(
                    self._mirrored[venue_id].order_id, self._instrument.symbol_id, order.side, price_ticks, leaves_lots
                )
            ]
        if known.leaves_lots == leaves_lots:
            return []
        self._mirrored[venue_id] = known._replace(leaves_lots=leaves_lots)
        return [AmendOrder(known.order_id, self._instrument.symbol_id, price_ticks, leaves_lots)]

    def _connected(self) -> GatewayClient:
        if self._client is None:
            self._mirrored.clear()
            self._client = GatewayClient(*self._address)
        return self._client
