"""The account as a person reads it: at its venue, or on disk when the desk is down; and its paper exchange's admin."""

import http.client
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from commands.options import Answer
from commands.watching import text_look, watch
from desk.client import DeskError, NoDeskError, SilentDeskError, command_text, desk_pid, maker_row, require_node
from desk.risk_file import withdrawn
from desk.settings import Settings
from desk.venue import is_own_paper, quick_venue
from market.account import Balance, VenueOrder, VenueTrade
from market.exact_json import JsonObject
from market.http_names import connectable
from market.instrument import Instrument
from paper.access.accounts import (
    ADMIN_PREFIX,
    FIRST_ACCOUNT,
    TOKEN_FILE,
    TOKEN_HEADER,
    KeyFileError,
    load_token,
)
from screens import account as screen
from venues.binance_account import BinanceAccount
from venues.binance_documents import account_of, order_of, trade_of

if TYPE_CHECKING:
    from paper.calls.ledger_reader import LedgerReader

Source: TypeAlias = "BinanceAccount | _OnDisk"

ANSWER_S_MAX: Final = 10.0
WATCH_S: Final = 5.0  # calls count at a venue, and those of the maker come from the same address
LEDGER_FILE: Final = "ledger.sqlite3"


def command_venue(settings: Settings) -> BinanceAccount:
    """Return the venue for a command, checked to trade the symbol; a look-alike is asked without ccxt.

    Raises:
        NoDeskError: if it is the paper exchange of a desk that does not run.
        VenueError: if it does not answer, or the keys are not right.
    """
    if is_own_paper(settings):
        require_node(settings.run_dir, "paper")
    venue = quick_venue(settings)
    venue.load(settings.instrument)
    return venue


def open_orders(settings: Settings, *, is_every_symbol: bool) -> Answer:
    """Return the open orders in the desk's symbol, or in each that it knows; how its maker is, is said on stderr."""
    with _source(settings) as source:
        return _open_orders(settings, source, is_every_symbol=is_every_symbol)


def _open_orders(settings: Settings, source: Source, *, is_every_symbol: bool) -> Answer:
    pairs = settings.instruments if is_every_symbol else (settings.instrument,)
    found = _orders_in(pairs, source)
    maker = _maker_of(settings)
    if maker is not None:
        print(f"note: {screen.maker_text(maker)}", file=sys.stderr)
    if withdrawal := withdrawn(settings.run_dir):
        go_on = command_text("resume", settings.run_dir)
        print(f"note: the maker has withdrawn, {withdrawal.text}; go on with: {go_on}", file=sys.stderr)
    return {**screen.orders_json(found), "maker": maker}, screen.orders_text(found, pairs)


def _maker_of(settings: Settings) -> JsonObject | None:
    """Return how the desk's maker is, and how much of the time it has both sides; None if no desk runs, or none of it.

    That its supervisor does not answer is said on stderr.
    """
    try:
        row = None if desk_pid(settings.run_dir) is None else maker_row(settings.run_dir)
    except SilentDeskError as error:
        print(f"note: {error}", file=sys.stderr)
        return None
    if row is None:
        return None
    figures = row["figures"]
    idle = [side for side in ("bid", "ask") if row["state"] == "ready" and figures.get(f"{side}_idle")]
    presence = {name: figures.get(name) for name in ("presence_minute", "presence")}
    return {
        "state": row["state"],
        "since": row["since"],
        "idle": {side: figures[f"{side}_rule"] for side in idle},
        "failing": figures.get("failing"),
        **{name: None if text is None else Decimal(text) for name, text in presence.items()},
        "presence_target": settings.maker.presence_target,
        "presence_within": settings.maker.presence_within,
    }


def last_trades(settings: Settings, limit: int) -> Answer:
    """Return the last trades in the desk's symbol."""
    with _source(settings) as source:
        return _last_trades(settings, source, limit)


def _last_trades(settings: Settings, source: Source, limit: int) -> Answer:
    found = source.trades(settings.instrument, limit)
    return screen.trades_json(found, limit), screen.trades_text(found, [settings.instrument], limit)


def watch_orders(settings_now: Callable[[], Settings], *, is_every_symbol: bool, as_json: bool) -> NoReturn:
    """Show the open orders as `open_orders` has them, until a signal ends that.

    Raises:
        as `watch`.
    """
    asked = _Asked(settings_now, partial(_open_orders, is_every_symbol=is_every_symbol))
    watch(lambda: text_look(asked.answer()), WATCH_S, as_json=as_json)


def watch_trades(settings_now: Callable[[], Settings], limit: int, *, as_json: bool) -> NoReturn:
    """Show the last trades, until a signal ends that.

    Raises:
        as `watch`.
    """
    asked = _Asked(settings_now, partial(_last_trades, limit=limit))
    watch(lambda: text_look(asked.answer(), is_end_kept=True), WATCH_S, as_json=as_json)


class _Asked:
    """Asks one venue again and again, whose rules need be read once; after a failure all is looked for anew."""

    def __init__(self, settings_now: Callable[[], Settings], read: Callable[[Settings, Source], Answer]) -> None:
        self._settings_now = settings_now
        self._read = read
        self._found: tuple[Settings, BinanceAccount] | None = None

    def answer(self) -> Answer:
        """Return what is read now; of a desk that is down, from its ledger.

        Raises:
            MendableError: if it cannot be.
        """
        found, self._found = self._found, None
        if found is None or (is_own_paper(found[0]) and desk_pid(found[0].run_dir) is None):
            settings = self._settings_now()
            with _source(settings) as source:
                answer = self._read(settings, source)
                if isinstance(source, BinanceAccount):
                    self._found = settings, source
            return answer
        answer = self._read(*found)
        self._found = found
        return answer


def held_balances(settings: Settings, show_all: bool) -> Answer:
    """Return what the account holds of the traded assets, or of every asset."""
    with _source(settings) as source:
        found = source.balances()
    pairs = [settings.instrument]
    return screen.balances_json(found, pairs, show_all), screen.balances_text(found, pairs, show_all)


def at_a_glance(settings: Settings, show_all: bool, *, is_every_symbol: bool) -> Answer:
    """Return balances and open orders together."""
    pairs = settings.instruments if is_every_symbol else (settings.instrument,)
    with _source(settings) as source:
        held, found = source.balances(), _orders_in(pairs, source)
    balances = screen.balances_text(held, [settings.instrument], show_all)
    return screen.account_json(held, found, settings.symbol), f"{balances}\n\n{screen.orders_text(found, pairs)}"


def _orders_in(pairs: Sequence[Instrument], source: Source) -> list[VenueOrder]:
    known = {pair.symbol for pair in pairs}
    return [order for order in source.open_orders() if order.symbol in known]


def listed_accounts(settings: Settings) -> Any:
    """Return every account of the paper exchange; of a desk that is down, as its ledger has them.

    Raises:
        DeskError: if they cannot be had.
    """
    try:
        return ask_paper(settings, "GET", "accounts")
    except NoDeskError as error:
        with closing(_ledger(settings, error)) as ledger:
            return ledger.listed()


def ask_paper(settings: Settings, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Make an admin's call of the desk's paper exchange, with the token in its folder, and return the answer.

    Raises:
        DeskError: if it cannot be asked, or refuses.
    """
    require_node(settings.run_dir, "paper")
    try:
        token = load_token(settings.run_dir / "paper" / TOKEN_FILE)
    except KeyFileError as error:
        raise DeskError(f"no token for the paper exchange, has it ever run here? {error}") from None
    host, port = connectable(settings.paper.host), settings.paper.port
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S_MAX)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, f"{ADMIN_PREFIX}/{path}", text, {TOKEN_HEADER: token})
        answer = connection.getresponse()
        document = json.loads(answer.read())
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DeskError(f"no paper exchange answers at {host}:{port} ({reason})") from None
    except ValueError:
        raise DeskError(f"what answers at {host}:{port} is no paper exchange") from None
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        said = document.get("error") if isinstance(document, dict) else None
        raise DeskError(f"the paper exchange refused: {said or answer.status}")
    return document


@contextmanager
def _source(settings: Settings) -> Iterator[Source]:
    """Yield where the account can be read; of a desk that is down, its ledger, which is said on stderr.

    Raises:
        NoDeskError: if no desk runs, and none has ever run there.
        VenueError: as `command_venue`.
    """
    try:
        venue = command_venue(settings)
    except NoDeskError as error:
        with closing(_ledger(settings, error)) as ledger:
            yield _OnDisk(ledger)
    else:
        yield venue


def _ledger(settings: Settings, why: NoDeskError) -> "LedgerReader":
    path = settings.run_dir / "paper" / LEDGER_FILE
    if not path.is_file():
        raise why
    from paper.calls.ledger_reader import LedgerReader

    reader = LedgerReader(path, settings.instruments)
    print(f"note: no desk runs in {settings.run_dir}: this is what its ledger holds", file=sys.stderr)
    return reader


class _OnDisk:
    """The first account of a ledger, as a venue would tell it."""

    def __init__(self, reader: "LedgerReader") -> None:
        self._reader = reader

    def open_orders(self) -> Sequence[VenueOrder]:
        return [order_of(each) for each in self._reader.open_orders(FIRST_ACCOUNT)]

    def trades(self, instrument: Instrument, limit: int = 100) -> Sequence[VenueTrade]:
        from paper.money.history import Span

        rows = self._reader.trades(FIRST_ACCOUNT, instrument.symbol, Span(limit))
        return [trade_of(each, instrument.symbol) for each in rows]

    def balances(self) -> Mapping[str, Balance]:
        return account_of({"balances": self._reader.balances(FIRST_ACCOUNT)}).balances
