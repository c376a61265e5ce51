"""Whole recorded streams whose answer others have found before us."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.matching import yardstick
from benchmarks.matching_streams import Stream, canonical_sha256, load_stream, mixed_answer
from engine.matching_engine import MatchingEngine, make_engine
from market.feed_messages import BestPrices
from market.kernels.rows import Int64Array

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def _load(name: str) -> Stream:
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip("recorded data is absent")
    return load_stream(path)


def _run(engine: MatchingEngine, rows: Int64Array) -> Int64Array:
    """Hand over the rows in full batches; return the events."""
    told, done, ring = [], 0, engine.commands
    while done < len(rows) or len(ring):
        while count := min(len(rows) - done, ring.free_count):
            slot = ring.claim()
            count = min(count, ring.slot_count - slot)
            ring.rows[slot : slot + count] = rows[done : done + count]
            ring.publish(count)
            done += count
        engine.match()
        while len(events := engine.events.readable()):
            told.append(events.copy())
            engine.events.consume(len(events))
    return np.concatenate(told)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("consensus_normal_seed23", "e9b2e3926854410b01a035aeb25dd05f1e597c233be8263de9eb49b6713d367e"),
        ("consensus_static_seed23", "9803843ee404fc29c9a0aa5614f8f0d5a58b5c44fcac9ef89067886fcaaa30d1"),
    ],
)
def test_the_consensus_streams_give_the_consensus_answer(name: str, digest: str) -> None:
    """160 independent engines reproduce these reports byte for byte (arXiv 2606.01183)."""
    stream = _load(name)
    engine = make_engine("fast", 1)
    assert canonical_sha256(_run(engine, stream.rows)) == digest
    engine.check_invariants()


def test_the_mixed_stream_gives_its_trades_and_its_book() -> None:
    """A hash over all trades, and the book that is left."""
    stream = _load("mixed_seed23")
    engine = make_engine("fast", 1)
    _run(engine, stream.rows[: stream.seed_count])
    assert mixed_answer(_run(engine, stream.rows[stream.seed_count :])) == {
        "trades": 149_902,
        "volume": 5_112_364,
        "notional": 167_611_103_714,
        "trade_hash": "fe8d8a7e016994d5",
    }
    assert engine.best(0) == BestPrices(32_792, 2_071, 32_799, 51)
    assert engine.live_order_count == 10_010
    engine.check_invariants()


def test_the_benchmark_s_yardstick_trades_as_the_engine_does() -> None:
    """It once followed the cancel of an order that had traded into another order's slot, and never came back."""
    assert set(yardstick(1)) == {"bare_ns", "engine_ns", "ratio"}
