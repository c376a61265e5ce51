"""The picture of a recorded market beside a synthetic one."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.market_measures import DEPTHS_BPS, HORIZONS_S, curves, measure
from flow.recordings.recording import Record
from market.instrument import Instrument

_COLORS = {"recorded": "#30363d", "synthetic": "#c2410c"}


def plot(markets: Sequence[tuple[str, Sequence[Record], Sequence[Record], Instrument]], path: Path) -> None:
    """Draw a row for each market: its name, the recorded and the synthetic records, and their instrument."""
    mpl.rcParams["svg.hashsalt"] = "tickbus"  # the same picture twice is the same file
    figure = Figure(figsize=(13, 3.2 * len(markets)), layout="constrained")
    axes = figure.subplots(len(markets), 4, squeeze=False)
    for row, (name, recorded, synthetic, instrument) in zip(axes, markets, strict=True):
        for kind, records in (("recorded", recorded), ("synthetic", synthetic)):
            drawn, measures = curves(records, instrument), measure(records, instrument)
            style = {"color": _COLORS[kind], "label": kind, "linewidth": 1.2}
            row[0].plot(drawn["path_t"], drawn["path_bps"], **style)
            row[1].loglog(drawn["amounts"], drawn["tails"], **style)
            depths = [measures[f"depth within {bps:g} bps"] / 1e6 for bps in DEPTHS_BPS]
            row[2].plot(DEPTHS_BPS, depths, marker="o", markersize=3, **style)
            volatility = [measures[f"volatility at {horizon:g} s, bps/min^1/2"] for horizon in HORIZONS_S]
            row[3].semilogx(HORIZONS_S, volatility, marker="o", markersize=3, **style)
        for axis, (title, below) in zip(
            row,
            (
                (f"{name}: mid, bps", "s"),
                ("takers larger than", "amount, USDT"),
                ("depth of a side, million USDT", "within bps of the touch"),
                ("volatility, bps per square-root minute", "horizon, s"),
            ),
            strict=True,
        ):
            axis.set_title(title, fontsize=9)
            axis.set_xlabel(below, fontsize=8)
            axis.tick_params(labelsize=7)
            axis.grid(visible=True, linewidth=0.3)
        row[3].set_ylim(bottom=0)
        row[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
