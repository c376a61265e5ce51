"""The commands `report` and `history`: what the files of the days hold, brought up to date where the venue answers."""

import errno
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from commands.actions.out_file import refuse_kept
from commands.output import columns
from commands.progress import Progress
from desk.client import DeskError, UsageError
from desk.settings import Settings
from market.account import VenueOrder, VenueTrade
from market.clock import NS_PER_MS, day_bounds_ns, now, utc_date
from market.exact_json import JsonObject, dumps, pieces
from market.whole_file import write_whole
from reports.by_order import realized_by_order
from reports.daily_file import SealedHistory
from reports.folder import FolderBusyError, ReportsFolder
from reports.one_symbol import of_symbol
from reports.performance import history_of, is_sound, with_shared_texts
from reports.pnl import TRIPS_KEPT
from reports.recommendations import weekly_document
from reports.round_trips import round_trips
from reports.weekly import DAYS
from screens.account import history_json, history_text, pages_of
from screens.fold import folded
from screens.progress import count_line
from screens.report import day_text
from screens.week import week_text
from venues.venue import HistoricalVenue, VenueError

if TYPE_CHECKING:
    from nodes.tracker.desk_orders import ClockedVenue

Row = TypeVar("Row", VenueOrder, VenueTrade)
DAYS_MAX: Final = 366
PAGE: Final = 1_000
NOT_UPDATED: Final = 3  # the exit code of a report that could not be brought up to date, though today is part of it
_TAKES_NOTHING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class Period:
    """Some days, both ends among them; `is_given` says whether somebody asked for just these."""

    first: date
    last: date
    is_given: bool = True

    @property
    def count(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1


def period_of(
    day: str | None, days: int | None, first: str | None, last: str | None, most: int | None = DAYS_MAX
) -> Period:
    """Return the days that the command line asks for: one, the last `days`, or from `first` to `last`; else today.

    Args:
        most: how many they may be; None: any number.

    Raises:
        DeskError: if they cannot be told.
    """
    today = utc_date(now().time_ns)
    if sum(given is not None for given in (day, days, first or last)) > 1:
        raise UsageError("expected one of --date, --days, and --from with --to")
    if day is not None:
        return Period(_day(day, today), _day(day, today))
    if days is not None:
        return Period(today - timedelta(days=days - 1), today)
    if first is None and last is None:
        return Period(today, today, is_given=False)
    if first is None:
        raise UsageError("expected --from with --to")
    period = Period(_day(first, today), today if last is None else _day(last, today))
    if period.count < 1:
        raise UsageError(f"expected --from until --to, was {period.first} and {period.last}")
    if most is not None and period.count > most:
        raise UsageError(f"expected at most {most} days, were {period.count:,} from {period.first} to {period.last}")
    return period


@dataclass(frozen=True)
class Found:
    """What there is to report.

    Attributes:
        symbol: the only one that is told of, if one was asked for.
        shown: the day that is shown by itself, of which `day` is the document, or `damage` why there is none, and
            `by_order` what its fills have realized, see `reports/by_order.py`, and `round_trips` all of its own, see
            `reports/round_trips.py`, where they were asked for.
        week: the document of several days, if they were asked for.
        file: of the day, `folder` for several.
        not_updated: why today's file could not be brought up to date.
        is_wrong: whether the books of a day do not agree, its figures contradict its trades, or its file is damaged:
            of any day that is told of, those of the week too, as far as `ReportsFolder.read_sums` looks at them.
    """

    folder: Path
    file: Path
    symbol: str | None
    shown: date | None
    day: JsonObject | None
    by_order: JsonObject
    round_trips: Iterator[JsonObject]
    damage: str | None
    week: JsonObject | None
    not_updated: str | None
    notes: tuple[str, ...]
    is_wrong: bool

    @property
    def page_file(self) -> Path:
        """Where their page is, if nobody says otherwise."""
        named = "" if self.symbol is None else f"_{self.symbol}"
        if self.shown is not None or self.week is None:
            return self.file.with_name(f"{self.file.stem}{named}.html")
        first, last = (str(self.week[end]).replace("-", "") for end in ("from", "to"))
        return self.folder / f"performance_{first}_{last}{named}.html"

    @property
    def day_as_json(self) -> JsonObject | None:
        """`day` for `pieces`."""
        told = None if self.day is None else self.day.get("trade_history")
        if self.day is None or not isinstance(told, SealedHistory):
            return self.day
        return self.day | {"trade_history": told.as_json()}

    @cached_property
    def whole_day(self) -> JsonObject | None:
        """`day` with all entries of its trades: of a long one much to hold, and in no text."""
        if self.day is None or not isinstance(self.day.get("trade_history"), SealedHistory):
            return self.day
        return self.day | {"trade_history": list(map(with_shared_texts, self.day["trade_history"]))}

    @property
    def code(self) -> int:
        """The exit code that tells it."""
        return 1 if self.is_wrong else NOT_UPDATED if self.not_updated is not None else 0

    @property
    def warnings(self) -> list[str]:
        """What is to be read before all figures."""
        if self.not_updated is None:
            return []
        return [f"Not up to date: {_sentence(self.not_updated)} This is what the files hold."]


def print_report(
    settings: Settings,
    venue_of: Callable[[], "ClockedVenue"] | None,
    period: Period,
    *,
    as_json: bool,
    html: Path | None = None,
    replay: Callable[[Settings, JsonObject], str | None] | None = None,
    symbol: str | None = None,
) -> int:
    """Print the day and the week, or the days that were asked for, and return the exit code.

    Today's file is brought up to date if it is part of them. Without an answer of the venue, and on a disk that takes
    nothing, the files are printed as they are, which is said, and the exit code is `NOT_UPDATED`. It is 1 if the books
    of any day that is printed, by itself or in the week, do not agree, its figures contradict its trades, or its file
    is damaged.

    Args:
        venue_of: gives whom to ask; None of files without a desk, which are printed as they are.
        html: where the page of it is written as well; an empty path is a file beside the daily ones.
        replay: tries what the week's document recommends, adds to it what came of that, and returns a note if it
            recommends nothing.
        symbol: the only one whose figures are printed; whether a day is wrong is asked of all of it.

    Raises:
        DeskError: if there is nothing to print, today's file or the page cannot be written, or the page would take the
            place of a file that a desk keeps.
        VenueError, DeskError: if the venue does not answer, or no desk runs, and there is no file either.
    """
    if html is not None and html.name:
        refuse_kept(settings, html, ".html")
    with Progress() as progress:
        folder = ReportsFolder(settings.reports_dir, lambda done, count: progress.tell(_days_line(done, count)))
        found = _found(settings, folder, venue_of, period, symbol, has_trips=as_json)
    not_replayed: str | None = None
    if replay is not None and found.week is not None:
        of_pair = settings if symbol is None else settings.model_copy(update={"symbol": symbol})
        not_replayed = replay(of_pair, found.week)
    page = None if html is None else _write_page(found, html if html.name else found.page_file)
    by_order, width = found.by_order, columns()
    if as_json:
        document: JsonObject = {
            "file": str(found.file),
            "day": found.day_as_json,
            "week": found.week,
            "not_updated": found.not_updated,
        }
        document |= {"round_trips": found.round_trips, "by_order": by_order}
        document |= {"damaged": found.damage} | ({} if page is None else {"html": str(page)})
        sys.stdout.writelines(pieces(document))
        print()
    else:
        parts = found.warnings
        if found.day is not None:
            parts.append(day_text(found.day, by_order))
        elif found.damage:
            parts.append(f"{found.shown} damaged: {found.damage}")
        if found.week is not None:
            parts.append(week_text(found.week) if width is None else week_text(found.week, width))
        text = "\n\n".join(parts)
        print(text if width is None else folded(text, width))
        print(f"\n💾 {found.file if found.shown else found.folder}")
        if page is not None:
            print(f"🌐 {page}")
    for note in (*found.notes, *([] if not_replayed is None else [not_replayed])):
        print(f"note: {note}", file=sys.stderr)
    return found.code


def _days_line(done: int, count: int) -> Callable[[int], str]:
    return partial(count_line, done, count, noun="day")


def _found(
    settings: Settings,
    folder: ReportsFolder,
    venue_of: Callable[[], "ClockedVenue"] | None,
    period: Period,
    symbol: str | None,
    *,
    has_trips: bool,
) -> Found:
    reason: str | None = None
    notes: tuple[str, ...] = ()
    if venue_of is not None and period.last >= utc_date(now().time_ns):
        reason, notes = _updated(settings, venue_of, folder, symbol)
    shown = period.last if period.count == 1 else None
    if not period.is_given:
        shown = max((day for day in folder.days() if day <= period.last), default=period.last)
    kept = None if has_trips else TRIPS_KEPT
    day, book, damage = folder.read_shown(shown, kept) if shown is not None else (None, None, None)
    if shown is not None and day is None and damage is None:
        raise DeskError(f"there is no report of {shown} in {folder.path}")
    has_week = not period.is_given or period.count > 1
    count = period.count if period.is_given else DAYS
    known = {} if shown is None or day is None else {shown: day}
    if has_week and not folder.days():
        raise DeskError(f"there is no report of any day in {folder.path}")
    week = weekly_document(folder, period.last, count, symbol, known) if has_week else None
    is_wrong = damage is not None or (day is not None and not is_sound(day))
    if week is not None:
        is_wrong = is_wrong or any(
            one["state"] == "damaged" or one.get("is_reconciled") is False or one.get("is_identical") is False
            for one in week["days"]
        )
    by_order = realized_by_order(day or {}, book, symbol)
    if day is not None and symbol is not None:
        try:
            day = of_symbol(day, symbol)
        except ValueError as error:
            raise DeskError(f"cannot tell {symbol} of {shown}: {error}") from None
    trips = round_trips(book, symbol) if has_trips and book is not None else iter(())
    file = folder.file_of(shown or period.last)
    return Found(folder.path, file, symbol, shown, day, by_order, trips, damage, week, reason, notes, is_wrong)


def _write_page(found: Found, file: Path) -> Path:
    from pages.day import day_page
    from pages.week import week_page

    source = str(found.file if found.shown else found.folder)
    if found.shown is None and found.week is not None:
        text = week_page(found.week, source, found.warnings)
    elif found.whole_day is not None:
        text = day_page(found.whole_day, source, found.warnings, found.by_order)
    else:
        raise DeskError(f"there is no page of {found.shown}: {found.damage}")
    if file.exists() and not file.is_file():
        raise DeskError(f"cannot write {file}: it is no file")
    try:
        write_whole(file, text.encode())
    except OSError as error:
        raise DeskError(f"cannot write {file}: {error.strerror or error}") from None
    return file


def _updated(
    settings: Settings, venue_of: Callable[[], "ClockedVenue"], folder: ReportsFolder, symbol: str | None
) -> tuple[str | None, tuple[str, ...]]:
    """Bring today's file up to date; return why that could not be, if it could not, and what there is to note.

    The day is the desk's, whatever `symbol` is asked for.
    """
    from desk.quoting_file import quoting_document
    from nodes.tracker.bookkeeper import Bookkeeper
    from nodes.tracker.desk_orders import desk_orders

    try:
        pairs, quoting = settings.instruments, partial(quoting_document, settings)
        venue = venue_of()
        orders = desk_orders(settings, venue)
        asked = next((one for one in pairs if one.symbol == symbol), None)
        told = settings.market, pairs, quoting
        books = Bookkeeper(venue, settings.instrument, folder, now, *told, fill_orders=orders, asked=asked)
        return None, tuple(books.update().notes)
    except (VenueError, DeskError, FolderBusyError) as error:
        if not folder.days():
            raise
        return str(error), ()
    except OSError as error:
        reason = f"cannot write {error.filename or folder.path}: {error.strerror or error}"
        if error.errno not in _TAKES_NOTHING or not folder.days():
            raise DeskError(reason) from None
        return reason, ()


def print_history(
    settings: Settings,
    venue_of: Callable[[], HistoricalVenue],
    period: Period,
    *,
    limit: int,
    page: int,
    as_json: bool,
) -> int:
    """Print a page of the account's ended orders and of its trades, newest page first, and return the exit code.

    Without an answer of the venue the trades are those of the files, and the exit code is `NOT_UPDATED`.

    Raises:
        VenueError, DeskError: if the venue does not answer, or no desk runs, and no file of those days has trades.
    """
    orders: list[VenueOrder] | None = None
    reason = None
    try:
        venue, instrument = venue_of(), settings.instrument
        with Progress() as progress:
            every = _rows(partial(venue.orders, instrument), lambda order: int(order.order_id), period, progress)
            orders = [order for order in every if not order.is_open]
            trades = _rows(partial(venue.trades, instrument), lambda trade: trade.trade_id, period, progress)
    except (VenueError, DeskError) as error:
        reason = str(error)
        trades = _trades_on_file(settings, period)
        if not trades:
            raise
    pages = (limit, page)
    count = pages_of(orders, trades, limit)
    if page > count:
        raise UsageError(f"expected a page from 1 to {count}, was {page}")
    if as_json:
        print(dumps(history_json(orders, trades, *pages) | {"not_updated": reason}))
    else:
        if reason is not None:
            print(f"Not up to date: {_sentence(reason)} These are the trades that the files hold.\n")
        print(history_text(orders, trades, settings.instruments, *pages))
    return 0 if reason is None else NOT_UPDATED


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def day_of(text: str) -> date:
    """Return the day that a person names: a date, today or yesterday.

    Raises:
        DeskError: if it is none, or to come.
    """
    return _day(text, utc_date(now().time_ns))


def _day(text: str, today: date) -> date:
    """Return the day that `text` says: 2025-11-30, 20251130, today or yesterday."""
    if text in ("today", "yesterday"):
        return today - timedelta(days=text == "yesterday")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"expected a day such as {today}, was {text[:40]!r}") from None
    if day > today + timedelta(days=1):
        raise UsageError(f"expected a day until {today} (UTC), was {day}")
    return day


def _rows(
    ask: Callable[..., Sequence[Row]], number_of: Callable[[Row], int], period: Period, progress: Progress
) -> list[Row]:
    """Return all orders, or all trades, of the `period`, page by page; a page may end within one number."""
    start_ms, end_ms = (day_bounds_ns(period.first)[0] // NS_PER_MS, day_bounds_ns(period.last)[1] // NS_PER_MS)
    found: dict[tuple[int, str], Row] = {}
    rows = ask(PAGE, since_ms=start_ms)
    while True:
        keyed = {(number_of(row), row.order_id): row for row in rows if row.time_ms < end_ms}
        is_news = not keyed.keys() <= found.keys()
        found |= keyed
        progress.tell(partial(count_line, len(found), None, noun="row"))
        if len(rows) < PAGE or not is_news:
            return [row for row in found.values() if row.time_ms >= start_ms]
        rows = ask(PAGE, from_id=max(map(number_of, rows)))


def _trades_on_file(settings: Settings, period: Period) -> list[VenueTrade]:
    with Progress() as progress:
        folder = ReportsFolder(settings.reports_dir, lambda done, count: progress.tell(_days_line(done, count)))
        documents, damaged = folder.read_days(period.last, period.count)
    for day, why in damaged.items():
        print(f"note: {day} damaged: {why}", file=sys.stderr)
    known = {instrument.symbol for instrument in settings.instruments}
    rows = [row for document in documents.values() for row in history_of(document)]
    return [row.trade for row in rows if row.trade.symbol in known]
