"""A trader on real processes and the same one in a simulation: the short form of `benchmarks.parity`."""

from pathlib import Path

import pytest

from benchmarks.parity import BUSY, Parity, compare
from benchmarks.parity_live import live
from benchmarks.parity_simulated import followed

RECORDING = Path(__file__).resolve().parents[1] / "kept" / "recording.gz"
SECONDS = 12.0
RUNS = 6
ORDERS_MIN, LOTS_MIN = 0.95, 0.85  # of a run that says enough though it is not good


@pytest.mark.timeout(400)
def test_simulated_trader_has_the_orders_and_fills_of_the_live_one() -> None:
    """What a backtest says is worth no more than this: same orders, same prices, same fills.

    One run is enough that is good, or in which nearly all orders and most of the lots filled are the same. A cancel
    that a late live engine took between two commands of one moment of the market can be placed before or after that
    moment in a simulation, not within it, and from then on the two traders see other things. About every fourth run
    has one such cancel, on a busy machine nearly each; a backtest that is wrong has no such run at all. By night the
    benchmark asks for a good one.
    """
    runs: list[Parity] = []
    while len(runs) < RUNS:
        runs.append(parity_of_a_run())
        if runs[-1].is_good or (runs[-1].order_share >= ORDERS_MIN and runs[-1].fill_share >= LOTS_MIN):
            return
    pytest.fail(f"none of {runs}")


def parity_of_a_run() -> Parity:
    flow, settings = f"replay:{RECORDING}", BUSY | {"flow.opening_s": "4"}
    run, steps = live(flow, settings, SECONDS)
    parity = compare(run, followed(flow, settings, run, steps))
    assert parity.live_orders > 10, parity
    assert parity.live_fills > 0, parity
    return parity
