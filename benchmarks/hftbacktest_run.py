"""Plays orders at their times to hftbacktest 2.4.4: `python hftbacktest_run.py DATA.npz`, in an environment of its own.

DATA has `events` (its own type of rows), `acts` `[orders and cancels, 5]` in the order of time (time ns, order id, side
or -1 for a cancel, price in ticks, lots) and `sizes` of tick and lot. Prints JSON: seconds of the first and of the best
later run, and what was filled of each order, in lots.
"""

import json
import sys
import time

import numpy as np
from hftbacktest import GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from numba import njit

RUNS = 3


@njit
def play(hbt, acts, tick_size, lot_size, end_ns):  # type: ignore[no-untyped-def]
    """Give every order and cancel at its time, and go on to the end."""
    if hbt.elapse(1) != 0:  # to the first row; before it the time is none
        return False
    for row in range(len(acts)):
        at_ns, order_id, side, price, lots = acts[row]
        if at_ns > hbt.current_timestamp and hbt.elapse(at_ns - hbt.current_timestamp) != 0:
            return False
        if side == 0:
            hbt.submit_buy_order(0, order_id, price * tick_size, lots * lot_size, GTX, LIMIT, False)
        elif side == 1:
            hbt.submit_sell_order(0, order_id, price * tick_size, lots * lot_size, GTX, LIMIT, False)
        else:
            hbt.cancel(0, order_id, False)
    return end_ns <= hbt.current_timestamp or hbt.elapse(end_ns - hbt.current_timestamp) == 0


def main(path: str) -> None:
    """Run it cold, then warm, and print what came of it."""
    with np.load(path) as data:
        events, acts = data["events"], data["acts"]
        tick_size, lot_size = data["sizes"].tolist()
    took_s = []
    filled: dict[int, int] = {}
    for _ in range(1 + RUNS):
        asset = (
            BacktestAsset()
            .data([events])
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .partial_fill_exchange()
            .trading_value_fee_model(0.001, 0.001)
            .tick_size(tick_size)
            .lot_size(lot_size)
            .last_trades_capacity(0)
        )
        began = time.perf_counter()
        hbt = HashMapMarketDepthBacktest([asset])
        assert play(hbt, acts, tick_size, lot_size, int(events["local_ts"][-1]) - 1), "the data ended before its end"
        took_s.append(time.perf_counter() - began)
        orders, filled = hbt.orders(0), {}
        for order_id, lots in zip(acts[acts[:, 2] >= 0, 1].tolist(), acts[acts[:, 2] >= 0, 4].tolist(), strict=True):
            order = orders.get(order_id)
            if order is not None:
                filled[order_id] = lots - round(order.leaves_qty / lot_size)
        hbt.close()
    print(json.dumps({"cold_s": took_s[0], "warm_s": min(took_s[1:]), "rows": len(events), "filled": filled}))


if __name__ == "__main__":
    main(sys.argv[1])
