"""The recordings that tests read: a desk's, kept here, and real ones, if they are beside the checkout."""

from pathlib import Path

import pytest

_KEPT = Path(__file__).resolve().parents[1] / "kept" / "recording.gz"
_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def _recording(name: str) -> Path:
    path = _DATA / name
    if not path.is_file():
        pytest.skip("recorded data is absent")
    return path


@pytest.fixture
def kept_recording() -> Path:
    """Return 45 s of a desk's market in BTCUSDT, as `record` has written them."""
    return _KEPT


@pytest.fixture(params=["kept", "real"])
def recording(request: pytest.FixtureRequest) -> Path:
    """Return a recording of BTCUSDT: the desk's, then the real one or skip."""
    return _KEPT if request.param == "kept" else _recording("binance_spot_btcusdt_20240808.gz")


@pytest.fixture
def recorded_btcusdt() -> Path:
    """Return the recording of 2024-08-08 of BTCUSDT, or skip."""
    return _recording("binance_spot_btcusdt_20240808.gz")


@pytest.fixture
def recorded_ethusdt() -> Path:
    """Return the recording of 2024-08-08 of ETHUSDT, or skip."""
    return _recording("binance_spot_ethusdt_20240808.gz")
