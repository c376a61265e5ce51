"""The recordings that tests of the flow read."""

from pathlib import Path

import pytest

from tests.recordings import KEPT, real_recording


@pytest.fixture
def kept_recording() -> Path:
    """Return 45 s of a desk's market in BTCUSDT, as `record` has written them."""
    return KEPT


@pytest.fixture(params=["kept", "real"])
def recording(request: pytest.FixtureRequest) -> Path:
    """Return a recording of BTCUSDT: the desk's, then the real one or skip."""
    return KEPT if request.param == "kept" else real_recording("BTCUSDT")


@pytest.fixture
def recorded_btcusdt() -> Path:
    """Return the recording of 2024-08-08 of BTCUSDT, or skip."""
    return real_recording("BTCUSDT")


@pytest.fixture
def recorded_ethusdt() -> Path:
    """Return the recording of 2024-08-08 of ETHUSDT, or skip."""
    return real_recording("ETHUSDT")
