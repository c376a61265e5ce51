"""The recordings that real-data tests read, if they are beside the checkout."""

from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def _recording(name: str) -> Path:
    path = _DATA / name
    if not path.is_file():
        pytest.skip("recorded data is absent")
    return path


@pytest.fixture
def recorded_btcusdt() -> Path:
    """Return the recording of 2024-08-08 of BTCUSDT, or skip."""
    return _recording("binance_spot_btcusdt_20240808.gz")


@pytest.fixture
def recorded_ethusdt() -> Path:
    """Return the recording of 2024-08-08 of ETHUSDT, or skip."""
    return _recording("binance_spot_ethusdt_20240808.gz")
