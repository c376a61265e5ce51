"""A desk on a recorded market: a whole recording, faster than it was, with a maker one basis point away.

By day one of three quarters of a minute; `REPLAYED=all` takes one of some minutes, too.
"""

import os
from pathlib import Path

import pytest

from tests.desk.desk_process import BTCUSDT, LEAN, Desk, until

KEPT = Path(__file__).resolve().parents[1] / "kept" / "recording.gz"
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "binance_spot_btcusdt_20240808.gz"
LONG = [(REAL, 10, 28_001, 5)] if os.environ.get("REPLAYED") == "all" else []


@pytest.mark.slow
@pytest.mark.timeout(480)
@pytest.mark.parametrize(("recording", "speed", "ticker_count", "fill_count"), [(KEPT, 3, 956, 1), *LONG])
def test_recording_is_replayed_whole_and_fills_the_maker(
    recording: Path, speed: int, ticker_count: int, fill_count: int, desk: Desk
) -> None:
    """The book's best prices are the recorded ones, recorded trades fill the maker, and the report adds up."""
    if not recording.is_file():
        pytest.skip("recorded data is absent")
    desk.environment["TICKBUS_FLOW__OPENING_S"] = "4"
    desk.start(*LEAN, "--flow", f"replay:{recording}", "--speed", str(speed), "--half-spread", "0.0001")
    until("the recording has run", lambda: desk.node("flow")["figures"].get("is_finished"), 420)
    figures = desk.node("flow")["figures"]
    assert figures["ticker_count"] >= ticker_count
    assert figures["gap_count"] == 0
    assert figures["matching_share"] > 0.98, figures
    fills = desk.venue().trades(BTCUSDT)
    assert len(fills) >= fill_count
    assert {fill.is_maker for fill in fills} == {True}
    report = desk.cli("report")
    assert report.returncode == 0, report.stdout + report.stderr
    desk.stop()
