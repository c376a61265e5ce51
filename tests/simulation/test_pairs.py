"""Two processes die, each where its store and another one's can come to differ: what must hold does."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from desk.settings import load_settings
from simulation.faults.campaign import FaultError, campaign
from simulation.faults.desk import MortalDesk
from simulation.faults.life import Life
from simulation.faults.pairs import PAIRS, POINTS, try_pairs
from tests.simulation.nightly import IN_MEMORY
from tests.simulation.planted import drop_a_commit

SETTINGS: Final = load_settings({}).settings
SEED: Final = 3
A_DAY: Final = 4  # pairs; the night has all of them, again and again
ELSEWHERE: Final = {"wake", "send", "answer", "send to a client", "have an answer"}  # what changes no store


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk in memory, where the machine has one."""
    with TemporaryDirectory(dir=IN_MEMORY) as name:
        yield Path(name)


def test_both_die_and_what_must_hold_does(disk: Path) -> None:
    """Some of the pairs, with each process in one of them."""
    pairs = Random(SEED).sample(PAIRS, A_DAY)
    assert {place.name for pair in pairs for place in pair} == POINTS.keys()
    assert try_pairs(SETTINGS, disk, SEED, pairs) == len(pairs)


def test_every_point_of_every_store_is_named(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one that nobody has named would never be one of a pair."""
    seen: set[tuple[str, str]] = set()
    is_last = MortalDesk._is_last

    def note(desk: MortalDesk, life: Life, what: str) -> bool:
        seen.add((life.name, what))
        return is_last(desk, life, what)

    monkeypatch.setattr(MortalDesk, "_is_last", note)
    campaign(SETTINGS, disk / "none", 4, 1)
    try_pairs(SETTINGS, disk, 3, [pair for pair in PAIRS if "sync the journal" in (pair[0].what, pair[1].what)][:1])
    named = {(name, what) for name, points in POINTS.items() for what in points}
    found = {(name, what) for name, what in seen if what not in ELSEWHERE and not what.startswith("ask ")}
    assert found <= named, f"named nowhere: {found - named}"
    assert len(PAIRS) == sum(len(POINTS[one]) * len(POINTS[other]) for one, other in combinations(POINTS, 2))


def test_a_planted_defect_is_found(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the pairs could not fail: a commit that the disk has not."""
    drop_a_commit(monkeypatch)
    pairs = [pair for pair in PAIRS if pair[0].name == "engine" and pair[1].name == "paper"]
    with pytest.raises(FaultError):
        try_pairs(SETTINGS, disk, SEED, pairs)
