"""The recordings that tests read: a desk's, kept here, and real ones, if they are beside the checkout."""

from pathlib import Path
from typing import Final

import pytest

KEPT: Final = Path(__file__).resolve().parent / "kept" / "recording.gz"  # 45 s of a desk's market in BTCUSDT
_DATA: Final = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def real_recording(symbol: str) -> Path:
    """Return Binance's market of 2024-08-08 in BTCUSDT or ETHUSDT; a test without it is skipped."""
    path = _DATA / f"binance_spot_{symbol.lower()}_20240808.gz"
    if not path.is_file():
        pytest.skip("recorded data is absent")
    return path
