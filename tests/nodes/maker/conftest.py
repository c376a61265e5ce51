"""A maker at a venue that does what the test says, on a clock that the test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from market.clock import NS_PER_SECOND
from nodes.maker import node as maker
from nodes.maker.node import MakerNode
from tests.desk.desk_process import short_directory
from tests.nodes.maker.makers import Told, a_maker
from tests.nodes.maker.scripted_venue import ScriptedVenue


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The monotonic clock, in a list that the test may change; to sleep moves it."""
    at = [10**15]
    monkeypatch.setattr(maker, "monotonic_ns", lambda: at[0])
    monkeypatch.setattr(
        "nodes.maker.node.time.sleep", lambda wait_s: at.__setitem__(0, at[0] + int(wait_s * NS_PER_SECOND))
    )
    monkeypatch.setattr("nodes.maker.node.random.uniform", lambda _, most: most)
    return at


@pytest.fixture
def venue() -> ScriptedVenue:
    """A venue without orders."""
    return ScriptedVenue()


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """The run directory of every maker of the test."""
    with short_directory() as path:
        yield path


@pytest.fixture
def quoting(venue: ScriptedVenue, now: list[int], run_dir: Path) -> Iterator[MakerNode]:
    """A maker at that venue."""
    with a_maker(run_dir, venue) as one:
        yield one


@pytest.fixture
def told() -> Iterator[Told]:
    """Every line of the log."""
    with capture_logs() as lines:
        yield lines
