"""What goes wrong in ccxt.pro, as errors of a venue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from venues import binance_documents as documents
from venues.binance_errors import BinanceErrors
from venues.ccxt_binance import ccxt
from venues.retry_after import retry_after_of
from venues.venue import VenueError, VenueKeysError


class RefusedError(Exception):
    """What the venue has refused, not yet judged: status, header `Retry-After` and body as HTTP would have them.

    Args:
        is_answer: whether it answers what was asked by whom it is raised to.
    """

    def __init__(self, status: int, retry_after: str, body: str, *, is_answer: bool = True) -> None:
        self.status, self.retry_after, self.body, self.is_answer = status, retry_after, body, is_answer
        super().__init__(f"status {status}")


@asynccontextmanager
async def judged(errors: BinanceErrors, method: str) -> AsyncIterator[None]:
    """Raise what goes wrong inside as a VenueError, whose text has no secrets.

    Of an order nobody knows whether it has left, and arrived, unless the venue itself has refused it.
    """
    try:
        yield
    except RefusedError as said:
        raise _refusal(errors, method, said) from None
    except ccxt.ChecksumError:
        raise errors.without_book("an update is missing") from None
    except (ccxt.NetworkError, OSError) as error:
        if (refusal := _of_handshake(error)) is not None:
            raise _refusal(errors, method, refusal) from None
        raise errors.unanswered(method, _words(error)) from None
    except ccxt.AuthenticationError as error:
        raise VenueKeysError(f"ccxt: {type(error).__name__}") from None
    except ccxt.BaseError as error:
        raise errors.senseless(method, type(error).__name__) from None
    except VenueError:
        raise
    except documents.UNREADABLE as error:
        raise errors.senseless(method, type(error).__name__) from None


def _refusal(errors: BinanceErrors, method: str, said: RefusedError) -> VenueError:
    if method == "POST" and not said.is_answer:
        return errors.unanswered(method, "the venue has refused something else")
    return errors.refusal(method, said.status, said.retry_after, said.body)


def _of_handshake(error: Exception) -> RefusedError | None:
    """Return what the venue has said instead of letting us connect; ccxt wraps it."""
    cause = error.args[0] if error.args else None
    if isinstance(cause, aiohttp.WSServerHandshakeError):
        retry_after = "" if cause.headers is None else retry_after_of(cause.headers)
        return RefusedError(cause.status, retry_after, "", is_answer=False)
    return cause if isinstance(cause, RefusedError) else None


def _words(error: Exception) -> str:
    """Say what ended a wait; ccxt's own text may have the URL, with a signature."""
    return "no answer in time" if isinstance(error, ccxt.RequestTimeout | TimeoutError) else "the connection has ended"
