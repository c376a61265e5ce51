"""What Binance's refusals and failures mean, over HTTP and over sockets: Binance Spot API docs, "Errors"."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from market.account import VenueOrder
from venues import binance_documents as documents
from venues import venue


class NotMovedError(venue.VenueRefusedError):
    """Of a move not both halves were done; `moved` tells what became of each."""

    def __init__(self, text: str, moved: venue.Moved) -> None:
        super().__init__(text)
        self.moved = moved


class BinanceErrors:
    """Tells the errors of one account at one venue.

    A lost or senseless reply to a POST is VenueUnknownError; to anything else it is VenueUnavailableError, for asking
    again does no harm.

    Args:
        name: what to call the venue.
        url: scheme, host and port; None for those that whoever carries the calls knows.
        secrets: what never appears in a text.
    """

    def __init__(self, name: str, url: str | None, secrets: tuple[str, ...]) -> None:
        self._name = name
        self._at = f" at {url}" if url else ""
        self._secrets = secrets

    def refusal(self, method: str, status: int, retry_after: str, body: str | bytes) -> venue.VenueError:
        """Return what an answer means whose status is not 200."""
        if (halves := documents.halves_of(body)) is not None:
            return self._not_moved(method, status, halves)
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT):
            wait_s = documents.retry_after_s(retry_after)
            what = "has banned our address" if status == HTTPStatus.IM_A_TEAPOT else "asks us to slow down"
            odd = f"; it said {self._redacted(retry_after)[:40]!r}" if documents.is_odd_pause(retry_after) else ""
            return venue.VenueBusyError(f"{self._name} {what}, for {wait_s:.0f} s{odd}", wait_s)
        try:
            document = json.loads(body)
            code, said = int(document["code"]), self._redacted(str(document["msg"]))
        except documents.UNREADABLE:
            return self.senseless(method, f"status {status}")
        is_5xx = status >= HTTPStatus.INTERNAL_SERVER_ERROR and code != documents.THROTTLED_CODE
        if is_5xx or code in documents.UNKNOWN_EXECUTION_CODES:
            if method == "POST":
                return venue.VenueUnknownError(f"{self._name} does not know what became of an order ({code})")
            return venue.VenueUnavailableError(f"{self._name} cannot answer: {said} ({code})")
        if code in documents.KEY_CODES:
            return venue.VenueKeysError(f"{self._name} does not accept the API key: {said or code}", code)
        return self._refused(method, code, said)

    def _refused(self, method: str, code: int, said: str) -> venue.VenueError:
        """Return what Binance says no with: by the text where a code stands for several things."""
        if method == "POST" and code == documents.REFUSED_ORDER_CODE and said == documents.DUPLICATE_TEXT:
            return venue.VenueUnknownError(f"{self._name} has an order of this client order id already ({code})")
        if method == "POST" and code == documents.HALF_MOVED_CODE:  # and nothing with it that tells which half
            return venue.VenueUnknownError(f"{self._name} has done one half of a move, and does not say which ({code})")
        kind = venue.VenueRefusedError
        if code == documents.REFUSED_ORDER_CODE and said == documents.WOULD_TAKE_TEXT:
            kind = venue.VenueWouldTakeError
        elif documents.is_unknown_order(code, said):
            kind = venue.VenueNoSuchOrderError
        elif documents.is_unknown_symbol(code, said):
            kind = venue.VenueNoSuchPairError
        elif code in documents.RULES_CODES:
            kind = venue.VenueRulesError
        return kind(f"{self._name}: {said} ({code})", code)

    def moved(self, halves: Mapping[str, Any]) -> venue.Moved:
        """Return what became of a move that was tried: Binance tells of both halves in its own words for each."""

        def fate(result: str, response: str, method: str) -> VenueOrder | venue.VenueError | None:
            if halves[result] == "NOT_ATTEMPTED":
                return None
            if halves[result] == "SUCCESS":
                return documents.order_of(halves[response])
            return self.refusal(method, HTTPStatus.BAD_REQUEST, "", json.dumps(halves[response]))

        ended, placed = (
            fate("cancelResult", "cancelResponse", "DELETE"),
            fate("newOrderResult", "newOrderResponse", "POST"),
        )
        if isinstance(ended, venue.VenueNoSuchOrderError):
            ended = None
        return venue.Moved(ended, placed)

    def _not_moved(self, method: str, status: int, halves: Mapping[str, Any]) -> venue.VenueError:
        try:
            moved = self.moved(halves)
        except documents.UNREADABLE:
            return self.senseless(method, f"status {status}")
        return NotMovedError(f"{self._name} has not done both halves of a move", moved)

    def unanswered(self, method: str, why: str) -> venue.VenueError:
        """Return the error of a request that may have arrived."""
        if method == "POST":
            return venue.VenueUnknownError(f"{self._name}: the reply to an order was lost ({why})")
        return self.out_of_reach(why)

    def out_of_reach(self, why: str) -> venue.VenueError:
        """Return the error of a request that has not left."""
        hint = "; is the desk up?" if self._name == "paper" else ""
        return venue.VenueUnavailableError(f"{self._name} is out of reach{self._at} ({why}){hint}")

    def without_book(self, why: str) -> venue.VenueError:
        """Return the error of a venue that is there, and whose streams tell no book to go by."""
        return venue.VenueUnavailableError(f"{self._name} tells no book to go by ({why})")

    def senseless(self, method: str, what: str) -> venue.VenueError:
        """Return the error of an answer that is none of Binance's."""
        kind = venue.VenueUnknownError if method == "POST" else venue.VenueUnavailableError
        return kind(f"{self._name}{self._at} answered with something else ({what})")

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            if secret:
                text = text.replace(secret, "...")
        # One line, and nothing that a screen takes for a command.
        return "".join(each if each.isprintable() else " " for each in text[:200])
