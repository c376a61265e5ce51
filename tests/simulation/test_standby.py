"""A simulated desk whose engine has a standby: either dies, and the standby is promoted: what must hold does.

A failure names its seed; `KILLS=all` has more of them, and `tests.simulation.nightly` takes every second one.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from desk.settings import load_settings
from nodes.engine.followed import Followed
from simulation.faults.campaign import FaultError, campaign
from simulation.faults.nodes import ENGINE
from simulation.faults.standby import STANDBY, StandbyDesk
from tests.reliability import FaultRow
from tests.simulation.nightly import IN_MEMORY

SETTINGS = load_settings({}).settings
SEEDS, ROUNDS = (range(3, 23), 20) if os.environ.get("KILLS") == "all" else (range(3, 4), 2)
BOTH = (ENGINE, STANDBY)


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk in memory, where the machine has one."""
    with TemporaryDirectory(dir=IN_MEMORY) as name:
        yield Path(name)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_was_promised_is_lost_with_the_engine_or_its_standby(
    disk: Path, seed: int, fault_row: FaultRow
) -> None:
    """After each death all that holds of any desk does, and the standby has all; who dies comes back as either."""
    outcome = campaign(SETTINGS, disk, seed, ROUNDS, BOTH, StandbyDesk)
    assert outcome.promotions > 0
    assert outcome.orders > 0
    cause = "simulated: at named and at random points, in a network that loses and delays; promoted or not"
    for victim in BOTH:
        fault_row(f"{victim} of two dies", cause, outcome.deaths[victim])


def test_what_a_standby_has_not_kept_is_lost_if_it_is_acknowledged(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the one above could not fail: it is told now and then, and sources are told at once."""
    monkeypatch.setattr(Followed, "acknowledged_sequence", property(lambda followed: followed._journal.sequence))
    monkeypatch.setattr(Followed, "journaled", lambda own, now_ns: own._end.journaled(own._tellable(), now_ns))
    with pytest.raises(FaultError):
        campaign(SETTINGS, disk, 1, 1, (ENGINE,), StandbyDesk)
