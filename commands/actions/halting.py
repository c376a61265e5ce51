"""`halt` and `resume`, of a desk that runs and of one that was killed; and what one that was killed may have left."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from desk.client import DeskError, NoDeskError, command_text, desk_pid, desk_settings, known_symbol, lone_nodes
from desk.desk_file import DESK_FILE, kept_settings
from desk.halted_file import HaltedFile
from desk.operator import Outcome, set_halted
from desk.resuming import resume_maker
from desk.risk_file import withdrawn
from desk.run_dir import WATCHDOG, holder_pid, refuse_while_flattening
from desk.settings import Settings
from desk.venue import is_own_paper, quick_venue
from market.instrument import format_decimal
from market.mendable import MendableError
from nodes.maker.ids import PREFIX_FILE, SentOrders, note_out, out_since, own_prefix
from nodes.maker.watching import taken_away
from venues.venue import VenueError

GIVE_UP_S: Final = 15.0  # of a venue that fails
QUIET_S_MAX: Final = 2.0  # of a wait that is not told

Tell = Callable[[str], None]


def halt(settings: Settings, symbol: str | None, tell: Tell, *, is_cancelling: bool) -> None:
    """Halt a symbol, or every one; `tell` is told what has happened, a line each.

    Where a desk has run and none runs now, the halt is kept for who starts there, and what its maker has left at a
    venue elsewhere is cancelled, in every pair. Where the supervisor does not answer, so that the maker cannot be
    asked, the venue is, and what it has of the maker's is cancelled.

    Raises:
        NoDeskError: if no desk has ever run in the run directory: nothing is kept.
        DeskError: naming what is not halted or not cancelled, or that orders of ours may be left at the venue.
    """
    named = None if symbol is None else known_symbol(settings, symbol)
    left: list[str] | None = None  # at the venue, once it was asked

    def take_away() -> None:
        nonlocal left
        if _has_quoted(settings.run_dir):
            left = _take_away(settings, tell)

    try:
        outcome = _set_halted(settings, named, tell, take_away, is_halted=True, is_cancelling=is_cancelling)
    except NoDeskError:
        if not (_has_quoted(settings.run_dir) or (settings.run_dir / DESK_FILE).is_file()):
            raise  # a mistyped run directory, perhaps: nobody would hear of a halt there
        _halt_alone(settings, named, tell, is_cancelling=is_cancelling)
        return
    if left is None and _is_left_alone(settings):  # its engines are asked over tcp, whoever runs here
        left = _take_away(settings, tell)
    if missing := [*outcome.missing, *(left or ())]:
        raise DeskError("\n".join(missing))


def resume(settings: Settings, symbol: str | None, tell: Tell) -> None:
    """Take back a withdrawal of the maker and a halt; `tell` is told what has happened, a line each.

    Raises:
        NoDeskError: if no desk runs, unless there was nothing but a withdrawal to take back: a halt stays.
        NodeError: while a person ends the position by hand.
        DeskError: if the maker has not said that it goes on, or naming what is not resumed.
    """
    refuse_while_flattening(settings.run_dir, "resume")
    named, told = None if symbol is None else known_symbol(settings, symbol), list[str]()

    def tell_and_count(line: str) -> None:
        told.append(line)
        tell(line)

    resumed = resume_maker(settings) if named in (None, settings.symbol) else []
    for line in resumed:
        tell_and_count(line)
    try:
        outcome = _set_halted(settings, named, tell_and_count, lambda: None, is_halted=False)
        if outcome.missing:
            raise DeskError("\n".join(outcome.missing))
        if not told:
            tell("nothing was halted" if named is None else f"{named} was not halted")
    except NoDeskError:
        halted = sorted(each for each in _halted_file(settings).read() if named in (None, each))
        if halted:  # they stay so: their engine, whose journal may know of the halt, has to say that they are not
            what = f"; {', '.join(halted)}: halted until it runs and is resumed"
            raise NoDeskError(settings.run_dir, what) from None
        if not resumed:
            raise


def may_have_left(run_dir: Path) -> bool:
    """Whether orders of the maker of a desk that does not run may be open: nobody has noted that none is."""
    kept = kept_settings(run_dir)
    return kept is not None and kept.left != [] and _has_quoted(run_dir) and not out_since(run_dir)


def left_text(run_dir: Path) -> str:
    """Return what to tell beside that no desk runs: what one that has not stopped in order has, or may have, left."""
    kept = kept_settings(run_dir)
    if kept is None or kept.left == [] or not _has_quoted(run_dir):
        return ""
    if since := out_since(run_dir):
        when = since.replace("T", " ").removesuffix("Z")
        return f"; it did not stop in order, but no order of its maker is open since {when} UTC"
    if "maker" in lone_nodes(run_dir) or holder_pid(run_dir / f"{WATCHDOG}.lock") is not None:
        tries = f"where the venue fails it tries on, as {command_text('logs maker', run_dir)} tells"
        return f"; what is left of it is cancelling the orders of its maker: ask again in some seconds; {tries}"
    venue = kept.settings["venue.name"]
    is_own = venue == "paper" and "venue.url" not in kept.settings
    how = "the start takes them over" if is_own else f"{command_text('halt', run_dir)} cancels them"
    return f"; orders of its maker may be open at {venue}: {how}"


def halted_in(run_dir: Path) -> list[str]:
    """Return the symbols whose halt is kept for whoever starts there."""
    try:
        symbols = [each.symbol for each in desk_settings(run_dir).instruments]
    except MendableError:  # then nobody could start, either
        symbols = []
    return sorted(HaltedFile(run_dir, symbols).read())


def down_text(run_dir: Path) -> str:
    """Return what to tell beside that no desk runs: what it may have left, and what is halted."""
    return left_text(run_dir) + _kept_text(run_dir)


def silent_text(run_dir: Path) -> str:
    """Return what to tell beside that the supervisor does not answer: what runs without it, and what is halted."""
    return f"; running: {', '.join(lone_nodes(run_dir)) or 'no node'}{_kept_text(run_dir)}"


def _kept_text(run_dir: Path) -> str:
    """Return what is kept for whoever starts there: halts, and a withdrawal of the maker."""
    halted, withdrawal = halted_in(run_dir), withdrawn(run_dir)
    told = f"; halted, also when it starts: {', '.join(halted)}" if halted else ""
    if withdrawal is not None:
        told += f"; the maker has withdrawn, {withdrawal.text}; go on with: {command_text('resume', run_dir)}"
    return told


def _has_quoted(run_dir: Path) -> bool:
    return (run_dir / PREFIX_FILE).is_file()


def _is_left_alone(settings: Settings) -> bool:
    """Whether a maker has quoted elsewhere from this run directory, and none runs in it any more, nor comes back."""
    is_alone = desk_pid(settings.run_dir) is None and "maker" not in lone_nodes(settings.run_dir)
    return is_alone and _has_quoted(settings.run_dir) and not is_own_paper(settings)


def _halted_file(settings: Settings) -> HaltedFile:
    return HaltedFile(settings.run_dir, [each.symbol for each in settings.instruments])


def _set_halted(
    settings: Settings,
    symbol: str | None,
    tell: Tell,
    if_silent: Callable[[], object],
    *,
    is_halted: bool,
    is_cancelling: bool = False,
) -> Outcome:
    """Do what `set_halted` does, and tell what was confirmed, each line once; `if_silent` comes behind them."""
    count = 0

    def tell_new(outcome: Outcome) -> None:
        nonlocal count
        for line in outcome.confirmed[count:]:
            tell(line)
        count = len(outcome.confirmed)

    def tell_and_go_on(outcome: Outcome) -> None:
        tell_new(outcome)
        if_silent()

    outcome = set_halted(settings, symbol, is_halted=is_halted, is_cancelling=is_cancelling, if_silent=tell_and_go_on)
    tell_new(outcome)
    return outcome


def _halt_alone(settings: Settings, symbol: str | None, tell: Tell, *, is_cancelling: bool) -> None:
    """Keep the halt for who comes, and cancel what is ours at a venue elsewhere.

    Raises:
        DeskError: if that cannot be confirmed, or open orders of others were to be cancelled, too.
    """
    run_dir, missing = settings.run_dir, list[str]()
    kept = _halted_file(settings)
    halted = [each.symbol for each in settings.instruments if symbol in (None, each.symbol)]
    try:
        kept.change(halted, is_halted=True)
        tell(f"no desk runs in {run_dir}: what starts there is halted, {', '.join(halted)}")
    except OSError as error:
        missing.append(f"what starts there is not halted: {kept.path}: {error.strerror}")
    if is_own_paper(settings):
        if may_have_left(run_dir):
            how = "cancels" if settings.symbol in halted and not missing else "takes over"
            tell(f"orders of its maker may be open at paper, which is down with it: its next start {how} them")
    elif _has_quoted(run_dir):
        missing += _take_away(settings, tell)
    if is_cancelling:
        later = command_text("halt --cancel-all", run_dir)
        missing.append(f"open orders of others are not cancelled: their book is down; once it runs: {later}")
    if missing:
        raise DeskError("\n".join(missing))


def _take_away(settings: Settings, tell: Tell) -> list[str]:
    """Cancel what is ours at the venue until it surely lists none; return what cannot be confirmed."""
    run_dir, name, prefix = settings.run_dir, settings.venue.name, own_prefix(settings.run_dir)
    deadline = time.monotonic() + GIVE_UP_S
    try:
        account = quick_venue(settings)  # refuses without keys
        sent = SentOrders(run_dir, prefix, settings.symbol, account.account_name, _Notes())
        for order in taken_away(account, sent, lambda: time.monotonic() > deadline, wait=_wait):
            terms = f"{order.side.name} {format_decimal(order.leaves_qty)} at {format_decimal(order.price)}"
            tell(f"cancelled at {name}: {order.symbol} {terms} (order {order.order_id})")
    except VenueError as error:
        return [f"orders of this desk's maker ({prefix}...) may be open at {name}: {error}"]
    tell(f"{name} lists no order of this desk's maker ({prefix}...) in any pair")
    if not _is_left_alone(settings):  # who runs may enter another one
        return []
    try:
        note_out(run_dir)
    except OSError as error:
        tell(f"that is not noted, and `status` will not know of it: {error.strerror or error}")
    return []


class _Notes:
    """Where the note of our orders says that it cannot be read."""

    def warning(self, event: str, *, why: str) -> None:
        """Tell a person."""
        _note(f"{event}: {why}")


def _wait(seconds: float) -> None:
    if seconds > QUIET_S_MAX:
        _note(f"asking again in {seconds:.0f} s")
    time.sleep(seconds)


def _note(line: str) -> None:
    """Tell a person on the side; nobody who reads it keeps no order in the book."""
    with suppress(OSError):
        print(f"note: {line}", file=sys.stderr)
