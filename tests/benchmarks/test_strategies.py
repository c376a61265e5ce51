"""What a maker's money is made of, computed by hand."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.strategies import COLUMNS, T_975, interval, kept
from benchmarks.strategies_measures import Fill, Measures
from tests.pairs import default_instruments


def _measures(mids_x2: list[int | None], fills: list[Fill]) -> dict[str, float]:
    desk: Any = None
    (instrument,) = (each for each in default_instruments() if each.symbol == "BTCUSDT")
    return Measures(desk, instrument, 0, mids_x2, [True] * len(mids_x2), fills).figures()


def test_pnl_is_spread_and_inventory_less_fees() -> None:
    """A bitcoin bought half a tick below the mid, 101, and sold one above it, 104.5, at 0.01 a tick and fee 0.3."""
    bought, sold = Fill(0, 1, 10_100, 100_000, 0.1, False), Fill(1, -1, 10_500, 100_000, 0.2, True)
    figures = _measures([20_201, 20_900, 20_000], [bought, sold])
    assert figures["volume"] == pytest.approx(101 + 105)
    assert figures["capture"] == pytest.approx(0.005 + 0.5)
    assert figures["pnl"] == pytest.approx(105 - 101 - 0.3)
    assert figures["inventory"] == pytest.approx(figures["pnl"] + figures["fees"] - figures["capture"])
    assert figures["per_volume_bps"] == pytest.approx(1e4 * 3.7 / 206)
    assert figures["picked_off"] == 0.5
    assert figures["held_most"] == pytest.approx(104.5)
    assert figures["held_mean"] == pytest.approx((0 + 104.5 + 0) / 3)


def test_a_markout_is_of_the_mid_before_the_fill_and_needs_one_after_it() -> None:
    """A second is ten looks; a mid that is not there is not zero."""
    fills = [Fill(0, 1, 9_999, 10, 0.0, False), Fill(1, 1, 9_999, 10, 0.0, False), Fill(5, -1, 9_999, 10, 0.0, False)]
    mids_x2: list[int | None] = [20_000, *[None] * 9, 20_010, None, 20_020]
    assert _measures(mids_x2, fills)["markout_1s"] == pytest.approx(1e4 * 12 / 20_000)


def test_an_interval_is_that_of_student() -> None:
    """Of one value nothing is known; of two the quantile is that of one degree of freedom."""
    assert interval([1.0]) != interval([1.0])
    assert interval([1.0, 3.0]) == pytest.approx(12.706 * 2**0.5 / 2**0.5)
    assert interval([1.0] * 6 + [3.0] * 6) == pytest.approx(2.201 * 1.0444659 / 12**0.5, rel=0.01)
    assert sorted(T_975, reverse=True) == list(T_975)


def test_a_run_that_is_kept_is_not_traded_again(tmp_path: Path) -> None:
    """Its figures are those of before, a figure that is not known among them; a damaged file is no run."""
    traded: list[int] = []

    def run() -> dict[str, float]:
        traded.append(1)
        return {"volume": 0.1, **dict.fromkeys(COLUMNS, 1 / 3), "markout_1s": float("nan")}

    first = kept(tmp_path, "calm-glft-seed-1", run)
    assert repr(kept(tmp_path, "calm-glft-seed-1", run)) == repr(first)
    assert len(traded) == 1
    kept(None, "calm-glft-seed-1", run)
    kept(tmp_path, "calm-glft-seed-2", run)
    assert len(traded) == 3
    for content in (b"{}", b"[]", b'{"volume": 0.1'):
        (tmp_path / "calm-glft-seed-1.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"expected the figures|delimiter"):
            kept(tmp_path, "calm-glft-seed-1", run)
