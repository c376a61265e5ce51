"""What a trader has of a venue: actions go in, news comes out, and nothing of it waits for anybody."""

import socket
from collections.abc import Sequence
from typing import Protocol

from market.account import VenueOrder
from trading import news
from trading.actions import Action, Amend, Cancel, Move, Place
from venues.venue import (
    Moved,
    VenueError,
    VenueKeysError,
    VenueRefusedError,
    VenueRulesError,
    VenueUnavailableError,
    VenueUnknownError,
    VenueWouldTakeError,
)


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
        refused, or whose fate is unknown, does not end it. A cancel that is refused ends it but for the other cancels.
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


def news_of_error(action: Action, error: VenueError) -> list[news.News]:
    """Return what a trader is told of an action that was not done, or of which nobody knows whether it was."""
    is_said_no = isinstance(error, VenueRefusedError) and not isinstance(error, VenueKeysError)
    match action, error:
        case Place(name), VenueUnknownError(age_ns=age_ns):
            return [news.Unknown(name, str(error), age_ns)]
        case Place(name), VenueRefusedError(code=code) if is_said_no:
            kinds = [isinstance(error, kind) for kind in (VenueWouldTakeError, VenueRulesError)]
            return [news.Refused(name, str(error), code, *kinds)]
        case Cancel(name), VenueRefusedError() if is_said_no:
            return [news.Kept(name, str(error))]
        case Amend(name), VenueRefusedError() if is_said_no:
            return [news.Amended(name, None, str(error))]
        case Move(cancel, place), VenueUnknownError():
            return [*news_of_error(place, error), failure(error, (cancel,))]
        case Move(cancel, place), VenueRefusedError() if is_said_no:
            return [news.Untried(cancel.client_order_id), *news_of_error(place, error)]
        case _:
            return [failure(error, (action,))]


def news_of_cancel(cancel: Cancel, ended: VenueOrder | None) -> news.News:
    """Return what a trader is told of an order that was cancelled, or was already gone."""
    return news.Gone(cancel.client_order_id) if ended is None else news.OrderNews(ended)


def news_of_amend(amend: Amend, amended: VenueOrder | None) -> news.News:
    """Return what a trader is told of an order that was amended, or was already gone."""
    name = amend.client_order_id
    return news.Gone(name) if amended is None else news.Amended(name, amended)


def news_of_move(move: Move, moved: Moved) -> list[news.News]:
    """Return what a trader is told of both halves of a move."""
    ended, placed = moved
    if isinstance(placed, VenueError):
        of_new = news_of_error(move.place, placed)
    else:
        of_new = [news.Untried(move.place.client_order_id) if placed is None else news.OrderNews(placed)]
    of_old = (
        news_of_error(move.cancel, ended) if isinstance(ended, VenueError) else [news_of_cancel(move.cancel, ended)]
    )
    return [*of_old, *of_new]


def is_answered(action: Action, order: VenueOrder) -> bool:
    """Say whether news of an order is the answer to an action, as far as who asked is concerned."""
    match action:
        case Place(name):
            return name == order.client_order_id
        case Cancel(name):
            return name == order.client_order_id and not order.is_open
    return False


def failure(error: VenueError, undone: Sequence[Action]) -> news.Failed:
    """Return an error as news."""
    is_of_order = bool(undone) and isinstance(undone[0], Cancel | Amend)
    may_be_done = is_of_order and isinstance(error, VenueUnavailableError | VenueUnknownError)
    return news.Failed(str(error), undone, error.retry_after_s, isinstance(error, VenueKeysError), may_be_done)
