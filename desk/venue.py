"""The venue that the settings name, with its keys: what the maker, the tracker and the command line trade through."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from desk.client import command_text
from desk.settings import Settings
from market.clock import monotonic_ns
from market.http_names import connectable, in_url
from paper.access.accounts import KeyFileError, load_keys
from venues.binance_account import BinanceAccount
from venues.binance_rest import BinanceRest
from venues.venue import VenueKeysError

if TYPE_CHECKING:
    from venues.binance import BinanceVenue
    from venues.binance_sockets import BinanceSockets
    from venues.trading_line import TradingLine
    from venues.watching_line import WatchingLine


def desk_venue(settings: Settings) -> "BinanceVenue":
    """Return the venue of `settings`, not yet contacted.

    Raises:
        VenueKeysError: if there are no keys for it, or their file may be read by others.
    """
    from venues.binance import BinanceVenue  # with ccxt, which not every command has the time for

    venue = settings.venue
    return BinanceVenue(venue.name, venue_url(settings), *venue_keys(settings), venue.timeout_ms)


def quick_venue(settings: Settings) -> BinanceAccount:
    """Return the venue of `settings`, not yet contacted, for a few calls: a look-alike without ccxt.

    Raises:
        VenueKeysError: as `desk_venue`.
    """
    if (url := venue_url(settings)) is None:
        return desk_venue(settings)
    return BinanceRest(settings.venue.name, url, *venue_keys(settings), settings.venue.timeout_ms)


def is_own_paper(settings: Settings) -> bool:
    """Say whether the venue is the paper exchange of the desk itself."""
    return settings.venue.name == "paper" and settings.venue.url is None


def desk_line(settings: Settings, venue: "BinanceVenue", clock: Callable[[], int]) -> "TradingLine":
    """Return the maker's line to the venue of `settings`: over sockets, with `venue`'s calls behind.

    Args:
        clock: the trader's.
    """
    from venues.polling_line import VenueCalls
    from venues.socket_line import SocketLine

    return SocketLine(VenueCalls(venue, settings.instrument, clock), _sockets(settings, venue))


def watching_line(settings: Settings, venue: "BinanceVenue", clock: Callable[[], int]) -> "WatchingLine":
    """Return a line to the venue of `settings` for who trades nothing; see `desk_line`.

    Args:
        clock: ns since 1970 UTC by which the line tells when its news came.
    """
    from venues.polling_line import VenueCalls
    from venues.watching_line import WatchingLine

    calls = VenueCalls(venue, settings.instrument, monotonic_ns)
    return WatchingLine(calls, _sockets(settings, venue), clock)


def _sockets(settings: Settings, venue: "BinanceVenue") -> "Callable[[], BinanceSockets]":
    from venues.binance_sockets import BinanceSockets  # with ccxt.pro
    from venues.ccxt_binance import settings_of

    client = settings_of(venue_url(settings), *venue_keys(settings), settings.venue.timeout_ms)
    return lambda: BinanceSockets(client, venue, settings.instrument)


def venue_keys(settings: Settings) -> tuple[str, str]:
    """Return the account's key and secret.

    Raises:
        VenueKeysError: if there are none, or their file may be read by others.
    """
    venue = settings.venue
    if venue.api_key is not None and venue.secret is not None:
        return venue.api_key.get_secret_value(), venue.secret.get_secret_value()
    if venue.name != "paper":
        raise VenueKeysError(venue.missing_keys)
    try:
        pair = load_keys(settings.keys_file)
    except KeyFileError as error:
        start = command_text("up", settings.run_dir)
        never = f"no paper exchange has run in {settings.run_dir}; start the desk with: {start}"
        is_there = settings.keys_file.exists()
        raise VenueKeysError(f"no keys for the paper exchange: {error}" if is_there else never) from None
    return pair.api_key, pair.secret


def venue_url(settings: Settings) -> str | None:
    """Return the URL of the venue: the one that is set, this desk's paper exchange, or None where ccxt knows it."""
    if is_own_paper(settings):
        return f"http://{in_url(connectable(settings.paper.host))}:{settings.paper.port}"
    return settings.venue.url
