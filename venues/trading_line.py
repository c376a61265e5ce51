"""What a trader has of a venue: actions go in, news comes out, and nothing of it waits for anybody."""

import socket
from collections.abc import Sequence
from typing import Protocol

from trading import news
from trading.actions import Action, Place
from venues.venue import VenueError, VenueKeysError, VenueRefusedError, VenueUnknownError


class TradingLine(Protocol):
    """One trader's line to one account at a venue, in one instrument.

    Attributes:
        ready: can be read while there is news.
        list_ns: how old the list of our open orders may get before it is asked for again: 0 where no news of them comes
            by itself.
    """

    ready: socket.socket
    list_ns: int

    def act(self, actions: Sequence[Action]) -> None:
        """Have actions carried out, one after the other.

        Each is answered once, within the venue's timeout. With the first that fails its batch ends; a quote that is
        refused, or whose fate is unknown, does not end it.
        """

    def take_back(self) -> Sequence[Action]:
        """Return the actions that have not begun, which never will, nor be answered."""

    def take(self) -> list[news.News]:
        """Return the news since the last call, in its order.

        Raises:
            Exception: what has ended the line, a bug of ours.
        """

    def close(self) -> None:
        """Hang up; nothing is carried out or told any more."""


def news_of_error(action: Action, error: VenueError) -> news.News:
    """Return what a trader is told of an action that was not done."""
    match action, error:
        case Place(name), VenueUnknownError(age_ns=age_ns):
            return news.Unknown(name, str(error), age_ns)
        case Place(name), VenueRefusedError(code=code) if not isinstance(error, VenueKeysError):
            return news.Refused(name, str(error), code)
        case _:
            return failure(error, (action,))


def failure(error: VenueError, undone: Sequence[Action]) -> news.Failed:
    """Return an error as news."""
    return news.Failed(str(error), undone, error.retry_after_s, isinstance(error, VenueKeysError))
