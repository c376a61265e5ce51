"""The tracker's node: it writes until it is stopped and once more, and no venue, disk or note ends it."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from market.codes import Side
from market.instrument import format_decimal
from nodes.node import Node
from nodes.tracker.bookkeeper import Bookkeeper
from nodes.tracker.node import TrackerNode
from reports import bookkeeping as bookkeeping_module
from reports.folder import FolderBusyError, ReportsFolder
from tests.nodes.tracker.accounts import SetClock
from tests.nodes.tracker.scripted_node import ScriptedNode
from tests.reports.fills import BTC, DAY, ETH, NOON_MS, buy, fill, sell
from tests.reports.scripted_venue import ScriptedVenue
from venues.venue import VenueKeysError, VenueUnavailableError


@pytest.fixture
def folder(tmp_path: Path) -> ReportsFolder:
    """Return a folder that is not made yet."""
    return ReportsFolder(tmp_path / "reports")


@pytest.fixture
def venue() -> ScriptedVenue:
    """Return a venue whose account has traded once."""
    made = ScriptedVenue({"BTC": "10", "USDT": "10000"})
    made.trades_of_all = [buy(1, "1", "100")]
    return made


def _run(folder: ReportsFolder, venue: ScriptedVenue, *turns: Callable[[], None]) -> ScriptedNode:
    node = ScriptedNode(list(turns))
    TrackerNode(cast("Node", node), Bookkeeper(venue, BTC, folder, SetClock())).run()
    return node


def _fail_with(venue: ScriptedVenue, error: Exception | None) -> Callable[[], None]:
    def fail() -> None:
        if error is not None:
            raise error

    return lambda: setattr(venue, "on_account", fail)


def _count(folder: ReportsFolder) -> int:
    document = folder.read(DAY)
    return 0 if document is None else document["total_trades"]


def test_writes_once_more_when_it_is_stopped(
    folder: ReportsFolder, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the stop: what came after the last turn, and what the file was behind with, is in it."""
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 1)
    counts: list[int] = []

    def trade() -> None:
        counts.append(_count(folder))
        venue.trades_of_all.append(
            fill(len(venue.trades_of_all) + 1, buy(1, "1", "1").side, "1", "100", time_ms=NOON_MS)
        )

    node = _run(folder, venue, trade, trade, trade)
    assert counts == [0, 2, 2]
    assert _count(folder) == 4
    assert (node.figures["trades"], node.figures["writes"], node.figures["failures"]) == (4, 4, 0)
    assert node.files == {str(folder.file_of(DAY))}


@pytest.mark.parametrize(
    "error",
    [VenueUnavailableError("paper is out of reach"), OSError(28, "No space left on device"), FolderBusyError("busy")],
)
def test_goes_on_after_a_failure(folder: ReportsFolder, venue: ScriptedVenue, error: Exception) -> None:
    """Guards the node against the world: a warning, and the next turn writes all of it."""
    failing, well = _fail_with(venue, error), _fail_with(venue, None)
    node = _run(folder, venue, failing, failing, well, failing, well)
    assert (node.figures["failures"], node.figures["writes"]) == (3, 3)
    told = f"the day was not written; it will be tried again: {error}"
    assert node.warnings == [told] * 2, "once each time that it begins to fail: a full disk told it twice in 5 s"
    assert _count(folder) == 1


def test_writes_what_it_knows_when_the_venue_is_away_at_the_stop(
    folder: ReportsFolder, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards a desk that stops its exchange first, or a venue that hangs: what was told is on the disk."""
    monkeypatch.setattr(bookkeeping_module, "BYTES_PER_SECOND_MAX", 1)
    more = lambda: venue.trades_of_all.append(sell(2, "1", "101"))  # noqa: E731
    turns: list[Callable[[], None]] = [lambda: None, more]
    node = ScriptedNode(turns)
    tracker = TrackerNode(cast("Node", node), Bookkeeper(venue, BTC, folder, SetClock()))
    away = _fail_with(venue, VenueUnavailableError("away"))
    run = node.run

    def run_and_leave() -> None:
        run()
        assert _count(folder) == 1
        away()

    node.run = run_and_leave  # type: ignore[method-assign]
    tracker.run()
    assert _count(folder) == 2


def test_ends_when_the_venue_refuses_its_keys(folder: ReportsFolder, venue: ScriptedVenue) -> None:
    """Guards a locked account: asking again would not help, and a person must know."""
    with pytest.raises(VenueKeysError):
        _run(folder, venue, _fail_with(venue, VenueKeysError("Invalid API-key")))


def test_tells_a_note_once(folder: ReportsFolder, venue: ScriptedVenue) -> None:
    """Guards the log against the same line every five seconds."""
    path = folder.file_of(DAY)
    again = [lambda: path.with_name("performance_20251129.json").write_text("{"), lambda: None, lambda: None]
    venue.trades_of_all.insert(0, fill(0, buy(1, "1", "1").side, "1", "100", time_ms=NOON_MS - 86_400_000))
    folder.path.mkdir()
    node = _run(folder, venue, *[cast("Callable[[], None]", one) for one in again])
    assert len(node.warnings) == 1
    assert "its late trades are not added" in node.warnings[0]


def test_tells_a_note_of_every_poll_once(folder: ReportsFolder, venue: ScriptedVenue) -> None:
    """Guards the log where each poll has the same to say: a venue that goes on telling less than it did."""
    node = _run(folder, venue, lambda: None, venue.trades_of_all.clear, lambda: None, lambda: None)
    assert node.warnings == ["note: the venue tells less than it did; what it said last stands"]
    assert _count(folder) == 1


def test_shows_the_figures_that_the_file_has(folder: ReportsFolder) -> None:
    """Guards `status`: its equity was made apart, and was still told when the file's was not known any more."""
    venue = ScriptedVenue({"BTC": "10", "ETH": "5", "USDT": "10000"}, (BTC, ETH))
    venue.trades_of_all = [fill(1, Side.BUY, "1", "100", time_ms=NOON_MS)]
    other = fill(2, Side.SELL, "1", "101", symbol="ETHUSDT", time_ms=NOON_MS)
    for turns, assets in (([], ["BTC", "USDT"]), ([lambda: venue.trades_of_all.append(other)], [])):
        node = ScriptedNode(list(turns))
        TrackerNode(cast("Node", node), Bookkeeper(venue, BTC, folder, SetClock(), pairs=(BTC, ETH))).run()
        document = folder.read(DAY)
        assert document is not None
        known = document["equity"]["end"]
        assert node.figures["equity"] == (None if known is None else format_decimal(known))
        assert node.figures["equity_assets"] == assets, "of a pair that came later the mid at the opening is not known"
        assert Decimal(node.figures["pnl"]) == document["trades"]["pnl"]
        assert Decimal(node.figures["position"]) == document["symbols"]["BTCUSDT"]["position"]
