"""What a market is like, measured on its records the same way whether they were recorded or made up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from flow.recordings.book import RecordedBook
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.instrument import Instrument

Floats = npt.NDArray[np.float64]

SECONDS_MIN: Final = 60.0
DEPTHS_BPS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
HORIZONS_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
WINDOWS_S: Final = (0.1, 1.0, 10.0)
LAGS: Final = (1, 2, 5, 10, 20, 50)
AMOUNT_QUANTILES: Final = (5, 25, 50, 75, 90, 95, 99)
_ONE_TAKER_NS: Final = 2 * NS_PER_MS  # trades of one side so close together are one taker's
_DEPTH_PERIOD_NS: Final = 2 * NS_PER_SECOND
_REACH_BPS: Final = 200


@dataclass
class _Columns:
    """Records as columns; times are s since the first, prices ticks, amounts in the quote asset."""

    best: list[tuple[float, int, int, float, float]] = field(default_factory=list)
    trades: list[tuple[int, int, int, float]] = field(default_factory=list)  # ns, side, price, amount
    depths: list[tuple[Floats, Floats]] = field(default_factory=list)
    level_changes: int = 0
    seconds: float = 0.0


def measure(records: Iterable[Record], instrument: Instrument) -> dict[str, float]:
    """Return the measures of a market by name; those with a unit have it in their name.

    Raises:
        ValueError: if the records are less than a minute: too few to measure.
    """
    columns = _columns(records, instrument)
    if columns.seconds < SECONDS_MIN:
        raise ValueError(f"expected {SECONDS_MIN:.0f} s of market or more, were {columns.seconds:.1f}")
    best = np.array(columns.best)
    trades = np.array([trade[:3] for trade in columns.trades], dtype=np.int64)
    amounts = np.array([trade[3] for trade in columns.trades])
    takers = _takers(trades, amounts)
    measures = {"seconds": columns.seconds, "trades/s": len(trades) / columns.seconds}
    measures |= {"takers/s": len(takers["t"]) / columns.seconds, "trades per taker": len(trades) / len(takers["t"])}
    measures |= {"best-price updates/s": len(best) / columns.seconds}
    measures |= {"level changes/s": columns.level_changes / columns.seconds}
    measures |= _of_takers(takers)
    measures |= _of_best(best, columns.seconds)
    measures |= _of_response(best, takers)
    depth = np.mean([np.stack(each) for each in columns.depths], axis=0).mean(axis=0)
    measures |= {f"depth within {bps:g} bps": float(amount) for bps, amount in zip(DEPTHS_BPS, depth, strict=True)}
    return measures


def curves(records: Iterable[Record], instrument: Instrument) -> dict[str, Any]:
    """Return what is plotted: the amounts that a part of the takers exceeds, and the mid's path."""
    columns = _columns(records, instrument)
    best = np.array(columns.best)
    mid = (best[:, 1] + best[:, 2]) / 2
    trades = np.array([trade[:3] for trade in columns.trades], dtype=np.int64)
    takers = _takers(trades, np.array([trade[3] for trade in columns.trades]))
    grid = np.arange(0.0, best[-1, 0], 1.0)
    path = mid[np.maximum(np.searchsorted(best[:, 0], grid, "right") - 1, 0)]
    tails = 1.0 - np.geomspace(1.0, 1.0 / len(takers["amount"]), 150)
    return {
        "amounts": np.quantile(takers["amount"], tails),
        "tails": 1.0 - tails,
        "path_t": grid,
        "path_bps": (path / path[0] - 1) * 1e4,
    }


def _columns(records: Iterable[Record], instrument: Instrument) -> _Columns:
    columns, book = _Columns(), RecordedBook(_REACH_BPS)
    unit = float(instrument.notional_unit)
    first_ns = last_ns = depth_ns = None
    for record in records:
        if isinstance(record, RecordedTrade):
            if first_ns is not None:
                amount = record.price_ticks * record.qty_lots * unit
                columns.trades.append((record.received_ns, int(record.taker_side), record.price_ticks, amount))
            continue
        book.apply(record)
        if isinstance(record, DepthUpdate):
            columns.level_changes += len(record.bids) + len(record.asks)
        if not book.is_built:
            continue
        if isinstance(record, BookTicker):
            first_ns, last_ns = first_ns or record.received_ns, record.received_ns
            (bid, bid_lots), (ask, ask_lots) = record.bid, record.ask
            at_s = (record.received_ns - first_ns) / NS_PER_SECOND
            columns.best.append((at_s, bid, ask, bid * bid_lots * unit, ask * ask_lots * unit))
            if depth_ns is None or record.received_ns - depth_ns >= _DEPTH_PERIOD_NS:
                depth_ns = record.received_ns
                columns.depths.append((_depth(book, Side.BUY, bid, unit), _depth(book, Side.SELL, ask, unit)))
    assert first_ns is not None, "expected a recording with best prices, found none"
    assert last_ns is not None, "a first record without a last"
    columns.seconds = (last_ns - first_ns) / NS_PER_SECOND
    columns.trades = [(ns - first_ns, *rest) for ns, *rest in columns.trades]  # type: ignore[misc]
    return columns


def _depth(book: RecordedBook, side: Side, best_ticks: int, unit: float) -> Floats:
    prices = np.array(sorted(book.prices()[side]), dtype=np.float64)
    lots = np.array([book.qty_lots(side, int(price)) for price in prices], dtype=np.float64)
    distance = np.abs(prices - best_ticks) / best_ticks * 1e4
    return np.array([(prices * lots)[distance <= bps].sum() * unit for bps in DEPTHS_BPS])


def _takers(trades: npt.NDArray[np.int64], amounts: Floats) -> dict[str, Floats]:
    """Return the trades of one side that follow at once on each other as one taker each."""
    times, sides, prices = trades.T
    is_new = np.r_[True, (np.diff(times) > _ONE_TAKER_NS) | (np.diff(sides) != 0)]
    group = np.cumsum(is_new) - 1
    low, high = np.full(group[-1] + 1, np.iinfo(np.int64).max), np.zeros(group[-1] + 1, np.int64)
    np.minimum.at(low, group, prices)
    np.maximum.at(high, group, prices)
    return {
        "t": times[is_new] / NS_PER_SECOND,
        "sign": np.where(sides[is_new] == Side.BUY, 1.0, -1.0),
        "amount": np.bincount(group, amounts),
        "depth_bps": (high - low) / low * 1e4,
    }


def _of_takers(takers: dict[str, Floats]) -> dict[str, float]:
    measures = {f"taker amount p{q}": float(np.percentile(takers["amount"], q)) for q in AMOUNT_QUANTILES}
    measures["taker amount mean"] = float(takers["amount"].mean())
    for quantile in (90, 99):
        measures[f"taker depth p{quantile}, bps"] = float(np.percentile(takers["depth_bps"], quantile))
    for window_s in WINDOWS_S:
        counts = np.histogram(takers["t"], np.arange(0.0, takers["t"][-1], window_s))[0]
        measures[f"variance/mean of takers in {window_s:g} s"] = float(counts.var() / counts.mean())
    sign = takers["sign"]
    for lag in LAGS:
        measures[f"correlation of signs, lag {lag}"] = float(np.corrcoef(sign[:-lag], sign[lag:])[0, 1])
    return measures


def _of_best(best: Floats, seconds: float) -> dict[str, float]:
    at_s, bid, ask, bid_amount, ask_amount = best.T
    lasted = np.diff(np.append(at_s, seconds))
    mid = (bid + ask) / 2
    spread_bps = (ask - bid) / mid * 1e4
    changes = np.diff(mid)
    measures = {
        "spread of one tick, part of the time": float(lasted[ask - bid == 1].sum() / lasted.sum()),
        "spread mean, bps": float((spread_bps * lasted).sum() / lasted.sum()),
        "touch amount mean": float(((bid_amount + ask_amount) / 2 * lasted).sum() / lasted.sum()),
        "mid changes/s": float(np.count_nonzero(changes) / seconds),
        "mid change mean, bps": float((np.abs(changes[changes != 0]) / mid[0]).mean() * 1e4),
    }
    for horizon_s in HORIZONS_S:
        path = mid[np.searchsorted(at_s, np.arange(0.0, at_s[-1], horizon_s), "right") - 1]
        moves = np.diff(np.log(path)) * 1e4
        measures[f"volatility at {horizon_s:g} s, bps/min^1/2"] = float(moves.std() * np.sqrt(60.0 / horizon_s))
        if horizon_s in (0.1, 1.0):
            measures[f"kurtosis of moves in {horizon_s:g} s"] = float(
                ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2
            )
            measures[f"no move in {horizon_s:g} s, part of the time"] = float((moves == 0).mean())
        if horizon_s == 5.0:
            measures["largest move in 5 s, bps"] = float(np.abs(moves).max())
    return measures


def _of_response(best: Floats, takers: dict[str, Floats]) -> dict[str, float]:
    """Return by how much the mid has moved a taker's way some time after it: the toxicity that a maker feels."""
    at_s, mid = best[:, 0], (best[:, 1] + best[:, 2]) / 2
    is_large = takers["amount"] >= np.percentile(takers["amount"], 90)
    measures = {}
    for later_s in (0.1, 1.0, 10.0):
        is_inside = (takers["t"] > 1.0) & (takers["t"] + later_s < at_s[-1])
        before = mid[np.searchsorted(at_s, takers["t"] - 0.1, "right") - 1]
        after = mid[np.minimum(np.searchsorted(at_s, takers["t"] + later_s, "right") - 1, len(mid) - 1)]
        moves = takers["sign"] * (after / before - 1.0) * 1e4
        measures[f"response after {later_s:g} s, bps"] = float(moves[is_inside].mean())
        measures[f"response to the largest tenth after {later_s:g} s, bps"] = float(moves[is_inside & is_large].mean())
    return measures
