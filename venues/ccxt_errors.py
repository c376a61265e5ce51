"""What goes wrong in ccxt.pro, as errors of a venue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from venues import binance_documents as documents
from venues.binance_errors import BinanceErrors
from venues.ccxt_binance import ccxt
from venues.venue import VenueError, VenueKeysError, VenueRefusedError


class RefusedError(Exception):
    """What the venue has refused, not yet judged: status, header `Retry-After` and body as HTTP would have them."""

    def __init__(self, status: int, retry_after: str, body: str) -> None:
        self.status, self.retry_after, self.body = status, retry_after, body
        super().__init__(f"status {status}")


@asynccontextmanager
async def judged(errors: BinanceErrors, method: str) -> AsyncIterator[None]:
    """Raise what goes wrong inside as a VenueError, whose text has no secrets."""
    try:
        yield
    except RefusedError as said:
        raise errors.refusal(method, said.status, said.retry_after, said.body) from None
    except ccxt.ChecksumError:
        raise errors.without_book("an update is missing") from None
    except (ccxt.NetworkError, OSError) as error:
        raise errors.unanswered(method, _words(error)) from None
    except ccxt.BaseError as error:
        kind = VenueKeysError if isinstance(error, ccxt.AuthenticationError) else VenueRefusedError
        raise kind(f"ccxt: {type(error).__name__}") from None
    except VenueError:
        raise
    except documents.UNREADABLE as error:
        raise errors.senseless(method, type(error).__name__) from None


def _words(error: Exception) -> str:
    """Say what ended a wait; ccxt's own text may have the URL, with a signature."""
    return "no answer in time" if isinstance(error, ccxt.RequestTimeout | TimeoutError) else "the connection has ended"
