"""Orders that a person enters and cancels by hand."""

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from commands.actions.account import command_venue
from desk.client import DeskError, UsageError, command_text, require_node
from desk.halted_file import HaltedFile
from desk.settings import Settings
from desk.venue import is_own_paper
from market.account import VenueOrder
from market.codes import Side
from market.instrument import Instrument, parse_decimal
from venues.binance_rest import BinanceRest
from venues.venue import ARRIVAL_MS_MAX, VenueError, VenueUnknownError

HAND_PREFIX: Final = "hand-"  # no maker's ids begin so: it leaves alone what a person has entered

_ASK_S_MAX: Final = ARRIVAL_MS_MAX / 1_000  # by then what may still arrive has arrived
_ASK_PAUSE_S: Final = 0.2
_THOUSANDS: Final = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?", re.ASCII)
_ORDER_ID: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


def place(
    settings: Settings,
    side: str,
    qty: str,
    price: str | None,
    *,
    is_post_only: bool,
    is_ioc: bool,
) -> VenueOrder:
    """Enter an order by hand, a market order without a price, and return what the venue says of it.

    Raises:
        DeskError: for what makes no order, or if its fate stays unknown.
        VenueError: if the venue refuses it, or cannot be reached.
    """
    instrument = settings.instrument
    terms = _terms(instrument, qty, price, is_post_only=is_post_only, is_ioc=is_ioc)
    if side.upper() not in Side.__members__:
        raise UsageError(f"expected buy or sell, was {side[:40]!r}")
    if is_own_paper(settings):
        require_node(settings.run_dir, "paper")
    if instrument.symbol in HaltedFile(settings.run_dir, [instrument.symbol]).read():
        resume = command_text("resume", settings.run_dir)
        raise DeskError(f"{instrument.symbol} is halted: no new orders; go on with: {resume}")
    venue = _hand_venue(settings)
    client_order_id = f"{HAND_PREFIX}{secrets.token_hex(8)}"
    try:
        return venue.enter(instrument, Side[side.upper()], terms, client_order_id)
    except VenueUnknownError as error:
        return _settled(venue, instrument, client_order_id, error)


def cancel(
    settings: Settings, order_ids: Sequence[str], *, is_all: bool, is_every_symbol: bool
) -> tuple[list[VenueOrder], list[str]]:
    """Cancel orders by id, or all that were entered by hand; return them as they ended, and why others were not.

    They may be in every symbol of the desk, or in `settings.symbol` alone.

    Raises:
        DeskError: for ids that are none.
        VenueError: if the venue cannot be reached.
    """
    if is_all == bool(order_ids):
        raise UsageError("expected order ids, or --all for every order that was placed by hand")
    for order_id in order_ids:
        if not _ORDER_ID.fullmatch(order_id):
            raise UsageError(f"expected an order id such as 1000000000042, was {order_id[:40]!r}")
    venue = _hand_venue(settings)
    known = {each.symbol: each for each in (settings.instruments if is_every_symbol else [settings.instrument])}
    opened = {order.order_id: order for order in venue.open_orders() if order.symbol in known}
    if is_all:
        order_ids = [each for each, order in opened.items() if order.client_order_id.startswith(HAND_PREFIX)]
    ended: list[VenueOrder] = []
    failures: list[str] = []
    for order_id in order_ids:
        instrument = known[opened[order_id].symbol] if order_id in opened else settings.instrument
        try:
            order = venue.cancel(instrument, order_id)
            if order is not None:
                ended.append(order)
            elif (was := venue.order(instrument, order_id)) is not None:
                failures.append(f"order {order_id} is not open: {was.status}")
            else:
                failures.append(f"the account has no order {order_id} in {instrument.symbol}")
        except VenueError as error:
            failures.append(f"order {order_id} may still be open: {error}")
    return ended, failures


def _hand_venue(settings: Settings) -> BinanceRest:
    venue = command_venue(settings)
    if not isinstance(venue, BinanceRest):
        raise DeskError(f"orders by hand go to the paper exchange or to venue.url, not to {settings.venue.name}")
    return venue


def _terms(
    instrument: Instrument, qty: str, price: str | None, *, is_post_only: bool, is_ioc: bool
) -> Mapping[str, str]:
    """Return Binance's parameters of an order.

    Raises:
        DeskError: if a number is none, or lies between ticks or lots.
    """
    if (price is None and (is_post_only or is_ioc)) or (is_post_only and is_ioc):
        raise UsageError("expected a price for --post-only or --ioc, and one of the two")
    lots = _steps("quantity", qty, instrument.qty_to_lots)
    terms = {"quantity": f"{instrument.lots_to_qty(lots):f}"}
    if price is None:
        return {**terms, "type": "MARKET"}
    ticks = _steps("price", price, instrument.price_to_ticks)
    terms["price"] = f"{instrument.ticks_to_price(ticks):f}"
    if is_post_only:
        return {**terms, "type": "LIMIT_MAKER"}
    return {**terms, "type": "LIMIT", "timeInForce": "IOC" if is_ioc else "GTC"}


def _steps(what: str, text: str, convert: Callable[[Decimal], int]) -> int:
    try:
        # Only what parts thousands is left out: to who writes 0,01 that is a hundredth, and no whole one.
        return convert(parse_decimal(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text))
    except ValueError as error:
        raise DeskError(f"the {what} cannot be used: {error}") from None


def _settled(venue: BinanceRest, instrument: Instrument, client_order_id: str, error: VenueError) -> VenueOrder:
    """Ask what became of an order whose reply was lost, until it can no longer arrive."""
    until, wait_s = time.monotonic() + _ASK_S_MAX, _ASK_PAUSE_S
    while time.monotonic() < until:
        try:
            if (order := venue.find_order(instrument, client_order_id)) is not None:
                return order
        except VenueError as why:  # it may come back before the time is over; what is unknown then is said
            wait_s = max(_ASK_PAUSE_S, why.retry_after_s)
            if time.monotonic() + wait_s > until:
                break
        time.sleep(wait_s)
    raise DeskError(
        f"{error}; asked again for {_ASK_S_MAX:.0f} s, nobody knows of it. "
        f"Its client order id is {client_order_id}: look for it with `orders` and `history` before you place it again"
    ) from None
