"""A clock, a folder and a venue for the bookkeeper."""

from pathlib import Path

import pytest

from reports.folder import ReportsFolder
from tests.nodes.tracker.accounts import START, SetClock
from tests.reports.fills import BTC, ETH
from tests.reports.scripted_venue import ScriptedVenue


@pytest.fixture
def clock() -> SetClock:
    """Return a clock at noon."""
    return SetClock()


@pytest.fixture
def folder(tmp_path: Path) -> ReportsFolder:
    """Return a folder that is not made yet."""
    return ReportsFolder(tmp_path / "reports")


@pytest.fixture
def venue() -> ScriptedVenue:
    """Return a venue whose account has not traded."""
    return ScriptedVenue(START, (BTC, ETH))
