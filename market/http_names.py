"""Who may reach an HTTP server of ours: requests that name it by a name of its own, and no page of another site.

A web page reaches a server on this machine in two ways: it rebinds its own name to our address, and then sends that
name as Host; or it sends requests to our address from its own site, and then the browser says so in Origin or, where
it sends none, in Sec-Fetch-Site. Programs send neither.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol

NAMES_REMEMBERED_MAX: Final = 1_000
_SPELLINGS_KEPT: Final = 64

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,255})(?::([0-9]{1,5}))?", re.ASCII)
_ORIGIN = re.compile(r"(https?)://(.{1,270})", re.ASCII)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Headers(Protocol):
    """The headers of a request."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """Return all values of a header."""
        ...


class Refusal(NamedTuple):
    """Why a request may not reach the server, and the HTTP status that says so."""

    status: int
    why: str


class FirstTimes:
    """Tells what is met for the first time, so that a log says it once; beyond a bound everything counts as known."""

    def __init__(self, most: int = NAMES_REMEMBERED_MAX) -> None:
        self._most = most
        self._known: set[str] = set()

    def is_first(self, name: str) -> bool:
        """Say whether `name` is met for the first time."""
        if name in self._known or len(self._known) >= self._most:
            return False
        self._known.add(name)
        return True


class OwnNames:
    """The names of one server.

    Args:
        host: the address or the name that it listens on.
        on_refusal: called with a line for a person for each name that is refused for the first time.
    """

    def __init__(self, host: str, on_refusal: Callable[[str], None] = lambda _: None) -> None:
        self._names = {_plain(host), *_LOOPBACK_NAMES}
        if not is_loopback(host):
            self._names.add(_plain(socket.gethostname()))
        self._on_refusal = on_refusal
        self._refused = FirstTimes()

    def refusal(self, headers: Headers, local_address: str) -> Refusal | None:
        """Return why a request is refused, None if it is not.

        Args:
            headers: those of the request.
            local_address: the address that its connection has reached us at.
        """
        hosts, origins = headers.getall("host", ()), headers.getall("origin", ())
        host = _split(hosts[0]) if len(hosts) == 1 else None
        if hosts and (host is None or host[0] not in {*self._names, _plain(local_address)}):
            refusal = Refusal(HTTPStatus.MISDIRECTED_REQUEST, f"unknown host {', '.join(hosts)[:80]!r}")
        elif origins and (len(origins) > 1 or not _is_same(origins[0], host)):
            refusal = Refusal(HTTPStatus.FORBIDDEN, f"a page of {', '.join(origins)[:80]!r} may not call")
        elif not origins and _is_of_other_page(headers):
            refusal = Refusal(HTTPStatus.FORBIDDEN, "a page of another site may not call")
        else:
            return None
        if self._refused.is_first(refusal.why):
            self._on_refusal(refusal.why)
        return refusal


def is_loopback(host: str) -> bool:
    """Return whether `host` names this machine to itself alone; a name other than localhost may be anybody's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def connectable(host: str) -> str:
    """Return where a client on this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - all addresses, and how to reach one


def in_url(host: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def _is_of_other_page(headers: Headers) -> bool:
    """Say whether a browser sends the request for a page of another site; a link that is followed is a person's."""
    site, mode, destination = (headers.getall(f"sec-fetch-{name}", ("",))[0] for name in ("site", "mode", "dest"))
    return site in {"cross-site", "same-site"} and (mode, destination) != ("navigate", "document")


def _is_same(origin: str, host: tuple[str, str] | None) -> bool:
    match = _ORIGIN.fullmatch(origin)
    authority = _split(match[2]) if match is not None else None
    if match is None or authority is None or host is None:
        return False
    default = _DEFAULT_PORTS[match[1]]
    return (authority[0], authority[1] or default) == (host[0], host[1] or default)


@lru_cache(maxsize=_SPELLINGS_KEPT)
def _split(authority: str) -> tuple[str, str] | None:
    """Return name and port, empty for none, of what a client calls us; None for anything else."""
    match = _AUTHORITY.fullmatch(authority)
    return (_plain(match[1]), match[2] or "") if match is not None else None


@lru_cache(maxsize=_SPELLINGS_KEPT)
def _plain(name: str) -> str:
    """Return the one spelling of a name or an address: `LOCALHOST.` is localhost, `[::0001]` is ::1."""
    name = name.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
