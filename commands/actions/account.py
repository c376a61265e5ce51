"""The account as a person reads it: at its venue, or on disk when the desk is down."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Final

from commands.options import Answer
from desk.client import NoDeskError, require_node
from desk.paper_accounts import PaperAccounts
from desk.settings import Settings
from desk.venue import desk_venue, venue_keys, venue_url
from market.account import Balance, VenueOrder, VenueTrade
from market.instrument import Instrument
from screens.account import (
    account_json,
    balances_json,
    balances_text,
    orders_json,
    orders_text,
    trades_json,
    trades_text,
)
from venues.binance_account import BinanceAccount
from venues.binance_documents import account_of, order_of, trade_of
from venues.binance_rest import BinanceRest

FIRST_ACCOUNT: Final = 1
LEDGER_FILE: Final = "ledger.sqlite3"


def command_venue(settings: Settings) -> BinanceAccount:
    """Return the venue for a command, checked to trade the symbol; a look-alike is asked without ccxt.

    Raises:
        NoDeskError: if it is the paper exchange of a desk that does not run.
        VenueError: if it does not answer, or the keys are not right.
    """
    if is_own_paper(settings):
        require_node(settings.run_dir, "paper")
    url, name = venue_url(settings), settings.venue.name
    keys, timeout_ms = venue_keys(settings), settings.venue.timeout_ms
    venue: BinanceAccount = desk_venue(settings) if url is None else BinanceRest(name, url, *keys, timeout_ms)
    venue.load(settings.instrument)
    return venue


def is_own_paper(settings: Settings) -> bool:
    """Say whether the venue is the paper exchange of the desk itself."""
    return settings.venue.name == "paper" and settings.venue.url is None


def open_orders(settings: Settings, *, is_every_symbol: bool) -> Answer:
    """Return the open orders in the desk's symbol, or in each that it knows."""
    pairs = settings.instruments if is_every_symbol else (settings.instrument,)
    with _source(settings) as source:
        found = _orders_in(pairs, source)
    return orders_json(found), orders_text(found, pairs)


def last_trades(settings: Settings, limit: int) -> Answer:
    """Return the last trades in the desk's symbol."""
    with _source(settings) as source:
        found = source.trades(settings.instrument, limit)
    return trades_json(found, limit), trades_text(found, [settings.instrument], limit)


def held_balances(settings: Settings, show_all: bool) -> Answer:
    """Return what the account holds of the traded assets, or of every asset."""
    with _source(settings) as source:
        found = source.balances()
    pairs = [settings.instrument]
    return balances_json(found, pairs, show_all), balances_text(found, pairs, show_all)


def at_a_glance(settings: Settings, show_all: bool, *, is_every_symbol: bool) -> Answer:
    """Return balances and open orders together."""
    pairs = settings.instruments if is_every_symbol else (settings.instrument,)
    with _source(settings) as source:
        held, found = source.balances(), _orders_in(pairs, source)
    balances = balances_text(held, [settings.instrument], show_all)
    return account_json(held, found, settings.symbol), f"{balances}\n\n{orders_text(found, pairs)}"


def _orders_in(pairs: Sequence[Instrument], source: "BinanceAccount | _OnDisk") -> list[VenueOrder]:
    known = {pair.symbol for pair in pairs}
    return [order for order in source.open_orders() if order.symbol in known]


def listed_accounts(settings: Settings) -> Any:
    """Return every account of the paper exchange; of a desk that is down, as its ledger has them.

    Raises:
        DeskError: if they cannot be had.
    """
    try:
        return PaperAccounts(settings).listed()
    except NoDeskError as error:
        with ExitStack() as stack:
            return _ledger(settings, stack, error).listed()


@contextmanager
def _source(settings: Settings) -> Iterator["BinanceAccount | _OnDisk"]:
    """Yield where the account can be read; of a desk that is down, its ledger, which is said on stderr.

    Raises:
        NoDeskError: if no desk runs, and none has ever run there.
        VenueError: as `command_venue`.
    """
    with ExitStack() as stack:
        try:
            source: BinanceAccount | _OnDisk = command_venue(settings)
        except NoDeskError as error:
            source = _OnDisk(_ledger(settings, stack, error))
        yield source


def _ledger(settings: Settings, stack: ExitStack, why: NoDeskError) -> Any:
    path = settings.run_dir / "paper" / LEDGER_FILE
    if not path.is_file():
        raise why
    from paper.calls.ledger_reader import LedgerReader

    reader = stack.enter_context(closing(LedgerReader(path, settings.instruments)))
    print(f"note: no desk runs in {settings.run_dir}: this is what its ledger holds", file=sys.stderr)
    return reader


class _OnDisk:
    """The first account of a ledger, as a venue would tell it."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def open_orders(self) -> Sequence[VenueOrder]:
        return [order_of(each) for each in self._reader.open_orders(FIRST_ACCOUNT)]

    def trades(self, instrument: Instrument, limit: int = 100) -> Sequence[VenueTrade]:
        from paper.money.history import Span

        rows = self._reader.trades(FIRST_ACCOUNT, instrument.symbol, Span(limit))
        return [trade_of(each, instrument.symbol) for each in rows]

    def balances(self) -> Mapping[str, Balance]:
        return account_of({"balances": self._reader.balances(FIRST_ACCOUNT)}).balances
