"""The operator's halt, as the maker follows it."""

from pathlib import Path

from desk.decisions_file import last_decisions
from desk.halted_file import HALTED_FILE, HaltedFile
from market.clock import NS_PER_MS, NS_PER_SECOND
from nodes.maker.halt import RESUME_LOOKS
from tests.nodes.maker.makers import AWAY, LOST, ScriptedMaker, Told, a_maker, figures, lines
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.trader import FAILED_PAUSE_NS_MAX
from venues.venue import (
    ARRIVAL_MS_MAX,
)


def _halt(run_dir: Path, *, is_halted: bool) -> None:
    HaltedFile(run_dir, ["BTCUSDT"]).change(["BTCUSDT"], is_halted=is_halted)


def test_halted_maker_pulls_its_quotes_and_places_none(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, told: Told
) -> None:
    """It says so once it has none, with the word that it is about; a resume lets it quote again."""
    quoting.cycle()
    _halt(run_dir, is_halted=True)
    venue.fates["cancel"] = [AWAY]
    quoting.cycle()
    assert not figures(quoting).get("halted"), "its quotes are still there"
    for _ in range(3):
        quoting.cycle()
    assert venue.prices() == {}
    assert venue.places == 2
    assert figures(quoting)["halted"] is True
    version = figures(quoting)["halt_version"]
    assert [line["why"] for line in lines(told, "cancelled")] == ["halted", "halted"]
    _halt(run_dir, is_halted=False)
    for look in range(1, RESUME_LOOKS + 1):
        quoting.cycle()
        assert (venue.places == 4) is (look == RESUME_LOOKS), "the engine and the exchange hear of it first"
    assert figures(quoting)["halted"] is False
    _halt(run_dir, is_halted=True)
    assert (figures(quoting)["halted"], figures(quoting)["halt_version"] == version) == (False, False)
    assert len(lines(told, "halted: no quotes until resume")) == len(lines(told, "resumed")) == 1


def test_a_halt_on_the_heels_of_a_resume_holds(quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path) -> None:
    """A resume that is not gone by yet is none any more; a halt never waits."""
    for is_halted in (True, False, True):
        _halt(run_dir, is_halted=is_halted)
        quoting.cycle()
    for _ in range(RESUME_LOOKS + 1):
        quoting.cycle()
    assert (venue.places, figures(quoting)["halted"]) == (0, True)


def test_halted_maker_waits_for_an_order_that_may_still_arrive(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, now: list[int]
) -> None:
    """Until the fate of an order is known nobody is told `halted`."""
    venue.fates["place"] = [LOST]
    quoting.cycle()
    _halt(run_dir, is_halted=True)
    quoting.cycle()
    assert venue.prices() == {}
    assert figures(quoting)["halted"] is False
    now[0] += (ARRIVAL_MS_MAX + 1) * NS_PER_MS
    quoting.cycle()
    quoting.cycle()
    assert figures(quoting)["halted"] is True
    assert venue.places == 2


def test_a_halt_does_not_wait_for_the_back_off(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path, now: list[int]
) -> None:
    """But a venue that stays away is not asked ten times a second on its account."""
    quoting.cycle()
    quoting.paused_until_ns = now[0] + NS_PER_SECOND
    quoting.on_look()
    assert len(venue.prices()) == 2, "nothing was said"
    _halt(run_dir, is_halted=True)
    venue.fates["cancel"] = [AWAY]
    quoting.on_look()
    quoting.on_look()
    assert len(venue.prices()) == 2, "it waits for the venue"
    now[0] += FAILED_PAUSE_NS_MAX
    quoting.on_time()
    assert venue.prices() == {}


def test_a_maker_that_starts_halted_quotes_nothing(venue: ScriptedVenue, run_dir: Path, now: list[int]) -> None:
    """And takes away what a killed one has left, and tells the journal of decisions why it does not quote."""
    with a_maker(run_dir, venue) as killed:
        killed.cycle()
    _halt(run_dir, is_halted=True)
    with a_maker(run_dir, venue) as one:
        began = len(last_decisions(run_dir, 100))
        one.cycle()
        assert (venue.places, venue.prices()) == (2, {})
        assert figures(one)["halted"] is True
    told = [(row["action"], row["side"], row["rule"]) for row in last_decisions(run_dir, 100)[began:]]
    idle = [("idle", "BUY", "HALTED"), ("idle", "SELL", "HALTED")]
    assert sorted(told) == [("cancel", "BUY", "HALTED"), ("cancel", "SELL", "HALTED"), *idle]


def test_maker_is_halted_by_a_file_that_may_not_be_read(
    quoting: ScriptedMaker, venue: ScriptedVenue, run_dir: Path
) -> None:
    """Another user's, who has halted: it was taken for none, and the maker quoted on."""
    quoting.cycle()
    (run_dir / HALTED_FILE).mkdir()
    for _ in range(3):
        quoting.cycle()
    assert venue.prices() == {}
    assert figures(quoting)["halted"] is True
    (run_dir / HALTED_FILE).rmdir()
    for _ in range(RESUME_LOOKS):
        quoting.cycle()
    assert len(venue.prices()) == 2
