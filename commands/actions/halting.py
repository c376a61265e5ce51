"""`halt` and `resume`, of a desk that runs and of one that was killed; and what one that was killed may have left."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from desk.client import DeskError, NoDeskError, command_text, known_symbol
from desk.desk_file import kept_settings
from desk.halted_file import HaltedFile
from desk.operator import set_halted
from desk.resuming import resume_maker
from desk.settings import Settings
from desk.venue import is_own_paper, quick_venue
from market.instrument import format_decimal
from nodes.maker.ids import PREFIX_FILE, SentOrders, own_prefix
from nodes.maker.watching import taken_away
from venues.venue import VenueError

GIVE_UP_S: Final = 15.0  # of a venue that fails
QUIET_S_MAX: Final = 2.0  # of a wait that is not told

Tell = Callable[[str], None]


def halt(settings: Settings, symbol: str | None, tell: Tell, *, is_cancelling: bool) -> None:
    """Halt a symbol, or every one; `tell` is told what has happened, a line each.

    Where no desk runs, what its maker has left at a venue elsewhere is cancelled, in every pair.

    Raises:
        NoDeskError: if there is nobody to ask: no desk runs, and its venue is its own paper exchange.
        DeskError: naming what is not halted, or that orders of ours may be left at the venue.
        VenueError: if there are no keys for it.
    """
    named = None if symbol is None else known_symbol(settings, symbol)
    try:
        _set_halted(settings, named, tell, is_halted=True, is_cancelling=is_cancelling)
    except NoDeskError:
        if is_own_paper(settings) or not _has_quoted(settings.run_dir):
            raise NoDeskError(settings.run_dir, left_text(settings.run_dir)) from None
        _halt_alone(settings, named, tell)


def resume(settings: Settings, symbol: str | None, tell: Tell) -> None:
    """Take back a withdrawal of the maker and a halt; `tell` is told what has happened, a line each.

    Raises:
        NoDeskError: if no desk runs, unless there was nothing but a withdrawal to take back.
        DeskError: if the maker has not said that it goes on, or naming what is not resumed.
    """
    named = None if symbol is None else known_symbol(settings, symbol)
    resumed = resume_maker(settings) if named in (None, settings.symbol) else []
    for line in resumed:
        tell(line)
    try:
        _set_halted(settings, named, tell, is_halted=False)
    except NoDeskError:
        halted = _halted_file(settings).read()
        if halted:  # it stays so: its engine has to say that it is not
            what = f"; {', '.join(sorted(halted))}: halted until it runs and is resumed"
            raise NoDeskError(settings.run_dir, what) from None
        if not resumed:
            raise


def left_text(run_dir: Path) -> str:
    """Return what to tell beside that no desk runs: one that has not stopped in order may have left orders."""
    kept = kept_settings(run_dir)
    if kept is None or kept.left == [] or not _has_quoted(run_dir):
        return ""
    venue = kept.settings["venue.name"]
    is_own = venue == "paper" and "venue.url" not in kept.settings
    how = "the start takes them over" if is_own else f"{command_text('halt', run_dir)} cancels them"
    return f"; orders of its maker may be open at {venue}: {how}"


def _has_quoted(run_dir: Path) -> bool:
    return (run_dir / PREFIX_FILE).is_file()


def _halted_file(settings: Settings) -> HaltedFile:
    return HaltedFile(settings.run_dir, [each.symbol for each in settings.instruments])


def _set_halted(
    settings: Settings, symbol: str | None, tell: Tell, *, is_halted: bool, is_cancelling: bool = False
) -> None:
    outcome = set_halted(settings, symbol, is_halted=is_halted, is_cancelling=is_cancelling)
    for line in outcome.confirmed:
        tell(line)
    if outcome.missing:
        raise DeskError("\n".join(outcome.missing))


def _halt_alone(settings: Settings, symbol: str | None, tell: Tell) -> None:
    """Keep the halt for who comes, and cancel what is ours at the venue until it surely lists none.

    Raises:
        DeskError: if that cannot be confirmed.
        VenueError: if there are no keys.
    """
    run_dir, name, missing = settings.run_dir, settings.venue.name, []
    kept = _halted_file(settings)
    halted = [each.symbol for each in settings.instruments if symbol in (None, each.symbol)]
    try:
        kept.change(halted, is_halted=True)
        tell(f"no desk runs in {run_dir}: what starts there is halted, {', '.join(halted)}")
    except OSError as error:
        missing.append(f"what starts there is not halted: {kept.path}: {error.strerror}")
    account, prefix = quick_venue(settings), own_prefix(run_dir)
    sent = SentOrders(run_dir, prefix, settings.symbol, account.account_name, _Notes())
    deadline = time.monotonic() + GIVE_UP_S
    try:
        for order in taken_away(account, sent, lambda: time.monotonic() > deadline, wait=_wait):
            terms = f"{order.side.name} {format_decimal(order.leaves_qty)} at {format_decimal(order.price)}"
            tell(f"cancelled at {name}: {order.symbol} {terms} (order {order.order_id})")
        tell(f"{name} lists no order of this desk's maker ({prefix}...) in any pair")
    except VenueError as error:
        missing.append(f"orders of this desk's maker ({prefix}...) may be open at {name}: {error}")
    if missing:
        raise DeskError("\n".join(missing))


class _Notes:
    """Where the note of our orders says that it cannot be read."""

    def warning(self, event: str, *, why: str) -> None:
        """Tell a person."""
        print(f"note: {event}: {why}", file=sys.stderr)


def _wait(seconds: float) -> None:
    if seconds > QUIET_S_MAX:
        print(f"note: asking again in {seconds:.0f} s", file=sys.stderr)
    time.sleep(seconds)
