"""The tracker's node: writes the account's day into `performance_YYYYMMDD.json`, again and again."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from desk.quoting_file import quoting_document
from desk.venue import desk_venue, watching_line
from market.clock import NS_PER_MS, iso_time, now, time_ns
from nodes.node import Node
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.desk_orders import desk_orders
from nodes.tracker.following import MarketFollower
from reports.day_figures import day_figures, markout_figures
from reports.folder import FolderBusyError, ReportsFolder
from venues.venue import VenueError, VenueKeysError

if TYPE_CHECKING:
    from nodes.tracker.historian import Historian


class TrackerNode:
    """A bookkeeper that is woken by the clock."""

    def __init__(
        self,
        node: Node,
        bookkeeper: Bookkeeper,
        historian: "Historian | None" = None,
        follower: MarketFollower | None = None,
    ) -> None:
        self._node = node
        self._follower = follower
        self._bookkeeper = bookkeeper
        self._historian = historian
        self._write_count = 0
        self._failure_count = 0
        self._told: set[str] = set()
        self._failed_with: set[str] = set()  # since the day was written last
        self._since: dict[str, str] = {}  # when what fails has begun to fail, by its figure

    def run(self) -> None:
        """Write until stopped, and once more at the end."""
        loop = self._node.poll_loop()
        loop.every(self._node.settings.tracker.interval_s * 1_000, self._update)
        if self._follower is not None:
            loop.on_readable(self._follower.ready, self._follower.hear)
        loop.run()
        self._update(is_final=True)

    def _update(self, *, is_final: bool = False) -> None:
        if self._follower is not None:
            self._follower.look()
        try:
            recorded = self._bookkeeper.update(is_final=is_final)
        except (VenueError, FolderBusyError, OSError) as error:
            self._failure_count += 1
            self._show_failing("failing", error_text(error))
            self._not_written(error)
            self._write()
            if isinstance(error, VenueKeysError):
                raise
        else:
            self._write_count += 1
            self._show_failing("failing", None)
            self._failed_with.clear()
            self._tell(recorded.notes)
            self._node.ready(file=str(recorded.path))
            figures = day_figures(recorded.head, recorded.book.rows, self._node.settings.instrument)
            self._node.show(read_ms=time_ns() // NS_PER_MS, markouts=markout_figures(recorded.markouts), **figures)
            if self._historian is not None and self._bookkeeper.snapshot is not None:
                self._tell(self._historian.take(self._bookkeeper.snapshot, recorded, is_final=is_final))
                self._show_failing("history_failing", self._historian.failing)
        self._node.show(writes=self._write_count, failures=self._failure_count)

    def _show_failing(self, figure: str, why: str | None) -> None:
        """Show what fails, since when and why; None: it does not."""
        since = None if why is None else self._since.get(figure) or iso_time(time_ns() // NS_PER_MS)
        self._since = {name: time for name, time in self._since.items() if name != figure}
        if since is not None:
            self._since[figure] = since
        self._node.show(**{figure: None if why is None else {"since": since, "why": why}})

    def _tell(self, notes: Iterable[str]) -> None:
        """Log what nobody has been told yet."""
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                self._node.log.warning("note", why=note)

    def _write(self) -> None:
        """Write what is known while the venue does not answer."""
        try:
            self._bookkeeper.write()
        except (FolderBusyError, OSError) as error:
            self._not_written(error)

    def _not_written(self, error: Exception) -> None:
        """Log why the day was not written, each reason once until it is written again: it is tried every 5 s."""
        if (why := str(error)) not in self._failed_with:
            self._failed_with.add(why)
            self._node.log.warning("the day was not written; it will be tried again", why=why)


def error_text(error: Exception) -> str:
    """Return an error as one line for a person: of a disk that refuses, which file and why."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def run(node: Node) -> None:
    """Run the tracker's node until it is told to stop."""
    from history.database import FILE_NAME  # with SQLAlchemy, for which only a tracker that runs has the time
    from nodes.tracker.historian import Historian

    settings = node.settings
    venue = desk_venue(settings)
    venue.load(settings.instrument)
    folder = ReportsFolder(settings.reports_dir)
    quoting = partial(quoting_document, settings)

    def venue_ns() -> int:
        return time_ns() + venue.ahead_ms * NS_PER_MS

    follower = MarketFollower(watching_line(settings, venue, venue_ns), settings.instrument, venue_ns)
    pairs, orders = settings.instruments, desk_orders(settings, venue)
    bookkeeper = Bookkeeper(
        venue, settings.instrument, folder, now, settings.market, pairs, quoting, follower.mids, orders
    )
    keep = settings.tracker.keep_days, settings.tracker.keep_details_days
    historian = Historian(folder.path / FILE_NAME, venue, settings.venue.name, settings.run_dir, now, keep, pairs)
    try:
        TrackerNode(node, bookkeeper, historian, follower).run()
    finally:
        follower.close()
    historian.close()
