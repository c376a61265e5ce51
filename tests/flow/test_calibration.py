"""The market of preset normal is like the recorded ones, measured by the benchmark that compares them."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.market import main, synthetic_market
from benchmarks.market_measures import measure
from tests.flow.recordings.written import write_recording

# Of the recordings of 2024-08-08; docs/market.md has the whole table. The same seed gives the same market, so the
# bounds only have to hold what one minute of it is.
RECORDED = {
    "BTCUSDT": {"takers/s": 8.4, "touch amount mean": 140_127, "depth within 10 bps": 2_719_183},
    "ETHUSDT": {"takers/s": 4.94, "touch amount mean": 33_958, "depth within 10 bps": 1_607_754},
}


@pytest.mark.parametrize(("symbol", "mid"), [("BTCUSDT", "61837.63"), ("ETHUSDT", "2683.80")])
def test_normal_market_has_the_recorded_rates_depth_spread_and_volatility(symbol: str, mid: str) -> None:
    """Guards the calibrated constants, and everything between them and the book."""
    records, _, _, instrument = synthetic_market("normal", symbol, Decimal(mid), 60.0, seed=7)
    measures = measure(records, instrument)
    for name, recorded in RECORDED[symbol].items():
        assert 0.6 < measures[name] / recorded < 1.6, (name, measures[name])
    assert measures["spread of one tick, part of the time"] > 0.97
    assert 5 < measures["volatility at 1 s, bps/min^1/2"] < 15
    assert measures["variance/mean of takers in 1 s"] > 4, "clusters"
    assert measures["correlation of signs, lag 1"] > 0.15
    assert measures["response to the largest tenth after 1 s, bps"] > 0.5


def test_benchmark_compares_a_recording_with_the_market(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Guards `python -m benchmarks.market --recording`, on a recording that the market itself has made."""
    records, _, _, instrument = synthetic_market("normal", "BTCUSDT", None, 60.0, seed=3)
    path = tmp_path / "made.gz"
    write_recording(path, instrument, records)
    assert main(["--recording", str(path), "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)
    assert list(columns) == ["BTCUSDT recorded", "BTCUSDT normal"]
    expected = measure(records, instrument)
    assert columns["BTCUSDT recorded"] == {name: pytest.approx(value) for name, value in expected.items()}
