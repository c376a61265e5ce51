"""The made-up market of a seed is known to the last bit: digests of what it has sent, made once and kept.

They hold wherever the C library rounds `exp` and `log` as glibc does; elsewhere a market of a seed is another one.
"""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import count

import numpy as np
import pytest

from engine.matching_engine import make_engine
from flow.market_settings import PRESETS, settings_of
from flow.order_flow import Figure
from flow.synthetic import SyntheticFlow
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.commands import Command
from market.events import Event
from market.kernels.rows import ROW_WIDTH, write_command
from simulation.market import FlowMarket
from tests.flow.simulated_market import FLOW_OWNER, SimpleMaker, SimulatedMarket
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()
IS_LONG = os.environ.get("SAME") == "all"
SEEDS = (1, 2) if IS_LONG else (1,)

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the digests were made with glibc's exp")

# A minute and a half of market in front of an engine that answers at once.
ALONE = {
    ("practice", 1): "de9979314621822b",
    ("practice", 2): "3b2551fc038a8cdb",
    ("calm", 1): "df5cfe5ccba9a7e4",
    ("calm", 2): "43b6ea180737343d",
    ("normal", 1): "2afd123cf90287a8",
    ("normal", 2): "1000b19529101379",
    ("toxic", 1): "9fb8d8c0504e955d",
    ("toxic", 2): "7d79a55dbd42f05f",
    ("busy", 1): "146012891c0fb2c1",
    ("busy", 2): "7529d3e4434e1f83",
    ("crash", 1): "270303fbb95f4fba",
    ("crash", 2): "005d6b2ec07c400c",
}

# Ten minutes of it, with SAME=all.
ALONE_FOR_LONG = {
    ("practice", 1): "1b79e763fb12adfd",
    ("practice", 2): "ebfe1b1709d95a21",
    ("calm", 1): "d91bedb034463b30",
    ("calm", 2): "dd5b95b5d7b4c62b",
    ("normal", 1): "9b36c45af724d0cd",
    ("normal", 2): "51a88a59f0ca9749",
    ("toxic", 1): "a0dc5c0ef8dcb6fc",
    ("toxic", 2): "05b502b98e052b51",
    ("busy", 1): "0e4406555821423a",
    ("busy", 2): "8d3566e656224726",
    ("crash", 1): "0c37086110479fa3",
    ("crash", 2): "3f8862a0b15f0cd9",
}

# Half a minute with a maker, everything 20 ms late each way: cancels of what is gone, predictions that were wrong.
WITH_A_MAKER = {
    "practice": "32b0efedf6bf9eb7",
    "calm": "3a95400d0305785f",
    "normal": "6fb876c91b5aef7e",
    "toxic": "0dcbde0362d8afe5",
    "busy": "39e2e4237d4f94f6",
    "crash": "ec17de1e6eece91b",
}


class Digested:
    """A flow of which all commands are digested, each batch with the time of its step."""

    def __init__(self, flow: SyntheticFlow) -> None:
        self._flow = flow
        self._hash = sha256()

    @property
    def is_finished(self) -> bool:
        """As the flow says."""
        return self._flow.is_finished

    def start(self, now_ns: int) -> list[Command]:
        """Digest what the flow returns."""
        return self._add(now_ns, self._flow.start(now_ns))

    def step(self, now_ns: int, events: Sequence[Event], acknowledged: int) -> list[Command]:
        """Digest what the flow returns."""
        return self._add(now_ns, self._flow.step(now_ns, events, acknowledged))

    def wake_ns(self, now_ns: int) -> int:
        """As the flow says."""
        return self._flow.wake_ns(now_ns)

    def summary(self) -> Mapping[str, Figure]:
        """As the flow says."""
        return self._flow.summary()

    def hexdigest(self) -> str:
        """Return it, short."""
        return self._hash.hexdigest()[:16]

    def _add(self, now_ns: int, commands: list[Command]) -> list[Command]:
        rows = np.zeros((1 + len(commands), ROW_WIDTH), np.int64)
        rows[0, 0] = now_ns
        for slot, command in enumerate(commands, 1):
            write_command(rows, slot, command)
        self._hash.update(rows.data)
        return commands


def flow_of(preset: str, seed: int, order_ids: Iterator[int]) -> Digested:
    """Return the flow of a preset and a seed, to be digested."""
    return Digested(SyntheticFlow(BTCUSDT, settings_of(preset, "BTCUSDT", seed=seed), FLOW_OWNER, order_ids))


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "seed"), [(preset, seed) for preset in PRESETS for seed in SEEDS])
def test_sends_what_it_always_sent(preset: str, seed: int) -> None:
    """Guards every seed that somebody has noted down: a faster market is the same market."""
    flow = flow_of(preset, seed, count(1_000_000_000_001))
    market = FlowMarket(make_engine("fast", 1), flow, FLOW_OWNER, 0)
    market.advance(90 * NS_PER_SECOND)
    assert flow.hexdigest() == ALONE[preset, seed]
    if IS_LONG:
        market.advance(600 * NS_PER_SECOND)
        assert flow.hexdigest() == ALONE_FOR_LONG[preset, seed]


@pytest.mark.parametrize("preset", PRESETS)
def test_sends_what_it_always_sent_to_an_engine_that_answers_late(preset: str) -> None:
    """Guards the same where predictions are wrong and orders of somebody else take part."""
    flow = flow_of(preset, 3, count(1_000_000_000_001))
    maker = SimpleMaker(half_spread_bps=5, tolerance_bps=1, qty_lots=1_094)
    SimulatedMarket(flow, maker, latency_ns=20 * NS_PER_MS, book="fast").run(30 * NS_PER_SECOND)
    assert flow.hexdigest() == WITH_A_MAKER[preset]
