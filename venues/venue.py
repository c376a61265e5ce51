"""What the desk asks of any venue, and the ways in which a venue can fail."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from market.account import Balance, VenueAccount, VenueOrder, VenueTrade
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from market.mendable import MendableError
from trading.actions import Amend, Move

RECV_WINDOW_MS: Final = 5_000  # how old a signed call may be when the venue gets it
# When an order can no longer arrive: its window, and by how much our clock may be ahead of the venue's.
ARRIVAL_MS_MAX: Final = RECV_WINDOW_MS + 1_000


class VenueError(MendableError):
    """A venue did not do what was asked; the text is one line without secrets."""

    retry_after_s = 0.0  # how long the venue wants to be left alone, if it says so


class VenueUnavailableError(VenueError):
    """The venue cannot be reached or cannot answer now; nothing was done."""


class VenueBusyError(VenueError):
    """We ask too much: wait `retry_after_s` before the next call."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class VenueRefusedError(VenueError):
    """The venue understood and said no; nothing was done. `code` is the venue's own."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class VenueWouldTakeError(VenueRefusedError):
    """A post-only order would have traded at once: the venue's book is another one than ours shows."""


class VenueRulesError(VenueRefusedError):
    """An order is none by the venue's rules of the pair: its filters, or the steps of price and quantity."""


class VenueNoSuchOrderError(VenueRefusedError):
    """There is no such order open, or, to a question, none that the venue knows of."""


class VenueNoSuchPairError(VenueRefusedError):
    """The venue has no such pair."""


class VenueKeysError(VenueRefusedError):
    """The venue does not accept our keys, or there are none."""


class VenueUnknownError(VenueError):
    """The reply was lost: whether it was done is unknown. Ask by client order id; never just send again.

    `age_ns` is for how long the call has been on its way, at least.
    """

    age_ns = 0


class Moved(NamedTuple):
    """What became of a move.

    Attributes:
        ended: the old order as it ended, None if it was already gone, or why it was not cancelled.
        placed: the new order, None if it was not tried, or why it was not entered.
    """

    ended: VenueOrder | VenueError | None
    placed: VenueOrder | VenueError | None


class Venue(Protocol):
    """A place to trade one account. All calls block; all raise VenueError."""

    def depth(self, instrument: Instrument, level_count: int) -> Depth:
        """Return the best levels of the book, our own orders among them."""

    def mid(self, symbol: str) -> Decimal | None:
        """Return the middle of the best prices of any pair of the venue; None while a side of its book is empty."""

    def minute_prices(self, symbol: str, since_ms: int) -> Mapping[int, Decimal]:
        """Return what `symbol` cost in each of up to 1,000 minutes from `since_ms` on, by the minute's first ms.

        A minute of which the venue knows nothing is missing.
        """

    def open_orders(self, instrument: Instrument) -> Sequence[VenueOrder]:
        """Return our open orders, oldest first."""

    def place(
        self,
        instrument: Instrument,
        side: Side,
        price_ticks: int,
        qty_lots: int,
        client_order_id: str,
        *,
        is_taking: bool = False,
    ) -> VenueOrder:
        """Enter a limit order: a post-only one, or if `is_taking` one that trades at once or ends."""

    def cancel(self, instrument: Instrument, order_id: str) -> VenueOrder | None:
        """Cancel an order and return it as it ended; None if it was already gone, which is not an error."""

    def move(self, instrument: Instrument, move: Move) -> Moved:
        """Cancel an order and enter another one for it; whatever is raised but VenueUnknownError: neither was done."""

    def amend(self, instrument: Instrument, amend: Amend) -> VenueOrder | None:
        """Make an order smaller in its place and return it as it is then; None if it was already gone."""

    def find_order(self, instrument: Instrument, client_order_id: str) -> VenueOrder | None:
        """Return the order of that client order id, open or ended, or None if the venue has never had it."""

    def account(self) -> VenueAccount:
        """Return the account's id and every asset of it."""

    def balances(self) -> Mapping[str, Balance]:
        """Return every asset of the account."""

    def trades(
        self, instrument: Instrument, limit: int = 100, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueTrade]:
        """Return our trades, oldest first: the latest `limit`, or the first `limit` from a trade id or a time on."""


class HistoricalVenue(Venue, Protocol):
    """A venue that tells its ended orders, too."""

    def orders(
        self, instrument: Instrument, limit: int = 500, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[VenueOrder]:
        """Return our orders, open or ended, oldest first: the latest, or the first from an order id or a time on."""
