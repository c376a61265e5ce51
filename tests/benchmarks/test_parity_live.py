"""A trader on real processes and the same one in a simulation: the short form of `benchmarks.parity`."""

from pathlib import Path

from benchmarks.parity import BUSY, FILL_SHARE_MIN, compare
from benchmarks.parity_live import live
from benchmarks.parity_simulated import followed

RECORDING = Path(__file__).resolve().parents[1] / "kept" / "recording.gz"
SECONDS = 20.0


def test_simulated_trader_has_the_orders_and_fills_of_the_live_one() -> None:
    """What a backtest says is worth no more than this: same orders, same prices, same fills."""
    flow, settings = f"replay:{RECORDING}", BUSY | {"flow.opening_s": "4"}
    run, steps = live(flow, settings, SECONDS)
    parity = compare(run, followed(flow, settings, run, steps))
    assert parity.live_orders > 10, parity
    assert parity.live_fills > 0, parity
    assert parity.order_share >= FILL_SHARE_MIN, parity
    assert parity.is_good, parity
