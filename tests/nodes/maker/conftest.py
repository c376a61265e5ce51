"""A maker at a venue that does what the test says, on a clock that the test moves."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.desk.desk_process import short_directory
from tests.nodes.maker.makers import ScriptedMaker, Told, a_maker
from tests.nodes.maker.scripted_venue import ScriptedVenue


@pytest.fixture
def venue() -> ScriptedVenue:
    """A venue without orders."""
    return ScriptedVenue()


@pytest.fixture
def now(venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The clock, in a list that the test may change; to wait moves it."""
    at = venue.now

    def wait_for(_: socket.socket, wait_ns: int | None) -> None:
        at[0] += wait_ns or 0

    monkeypatch.setattr("nodes.maker.maker.wait_for", wait_for)
    monkeypatch.setattr("nodes.maker.maker.random.uniform", lambda _, most: most)
    return at


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """The run directory of every maker of the test."""
    with short_directory() as path:
        yield path


@pytest.fixture
def quoting(venue: ScriptedVenue, now: list[int], run_dir: Path) -> Iterator[ScriptedMaker]:
    """A maker at that venue."""
    with a_maker(run_dir, venue) as one:
        yield one


@pytest.fixture
def told() -> Iterator[Told]:
    """Every line of the log."""
    with capture_logs() as lines:
        yield lines
