"""A maker at an exchange whose answers lag, whose events get lost, doubled or late, and that cancels without a word.

Never two orders of a side, none that is nobody's, each fill once; both sides quoted soon after; nothing left at a stop.
A minute a switch; SWITCHES=all is the long form, of many seeds and minutes.
"""

import os
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from market.clock import NS_PER_MS, NS_PER_SECOND
from tests.simulation.switched import LOOK_NS, SwitchedDesk

IS_LONG: Final = os.environ.get("SWITCHES") == "all"
SEEDS: Final = range(20 if IS_LONG else 1)
ROUNDS: Final = 6 if IS_LONG else 1
FAULT_NS: Final = 20 * NS_PER_SECOND, 40 * NS_PER_SECOND
KILLS: Final = 60 if IS_LONG else 6
KILL_NS_MAX: Final = 4 * NS_PER_SECOND  # from one kill to the next order, and to the next kill
CALM_NS_MAX: Final = 6 * NS_PER_SECOND  # before a fault

OF_ACCOUNT: Final = {"streams": "account"}
SWITCHES: Final[dict[str, list[dict[str, Any]]]] = {
    "late visibility": [{"kind": "late_visibility", "ms": 3_000}],
    "mute": [{"kind": "mute", **OF_ACCOUNT}],
    "drop": [{"kind": "drop_event", "percent": 50, **OF_ACCOUNT}],
    "duplicate": [{"kind": "duplicate_event", "percent": 50, **OF_ACCOUNT}],
    "reorder": [{"kind": "reorder_events", "percent": 50, **OF_ACCOUNT}],
    "late visibility and drop": [
        {"kind": "late_visibility", "ms": 3_000},
        {"kind": "drop_event", "percent": 30, **OF_ACCOUNT},
    ],
    "silent cancels": [],
    "late visibility and silent cancels": [{"kind": "late_visibility", "ms": 3_000}],
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SWITCHES)
def test_one_intention_is_executed_once_and_no_order_is_nobodys(tmp_path: Path, name: str, seed: int) -> None:
    """Each fill is told once; both sides are quoted 10 s after; a stop in the midst of it leaves nothing."""
    print(f"{name}: seed {seed}")
    dice = Random(seed)
    desk = SwitchedDesk(tmp_path, seed)
    desk.come_back()
    for _ in range(ROUNDS):
        desk.watch(dice.randrange(CALM_NS_MAX))
        faults = _set(desk, name, dice)
        _suffer(desk, name, dice)
        for fault in faults:
            desk.clear(fault)
        desk.come_back()
    assert desk.place_count > 2 * ROUNDS, "it has moved"
    assert desk.filled, "it was filled"
    _set(desk, name, dice)
    desk.watch(dice.randrange(CALM_NS_MAX))
    desk.leave()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("lag_ms", [0, 3_000])
@pytest.mark.parametrize("seed", range(20 if IS_LONG else 2))
def test_a_maker_that_is_killed_leaves_nothing_that_its_successor_does_not_know(
    tmp_path: Path, seed: int, lag_ms: int
) -> None:
    """An order that had been taken a moment before was in no list yet: it had a second one beside it, or stayed."""
    print(f"a lag of {lag_ms} ms: seed {seed}")
    dice = Random(seed)
    desk = SwitchedDesk(tmp_path, seed)
    desk.come_back()
    lag = desk.set(kind="late_visibility", ms=lag_ms) if lag_ms else None
    for _ in range(KILLS):
        place_count, until_ns = desk.place_count, desk.heap.now_ns + KILL_NS_MAX
        while desk.place_count == place_count and desk.heap.now_ns < until_ns:
            desk.watch(LOOK_NS)
        desk.watch(dice.randrange(NS_PER_SECOND // 2))
        desk.kill()
        desk.watch(dice.randrange(KILL_NS_MAX))
    if lag:
        desk.clear(lag)
    desk.come_back()
    assert desk.filled, "it was filled"
    desk.set(kind="late_visibility", ms=3_000)
    while desk.place_count == place_count:
        desk.watch(LOOK_NS)
    desk.kill()
    desk.leave()


def _set(desk: SwitchedDesk, name: str, dice: Random) -> list[Any]:
    return [
        desk.set(**switch, **({"seed": dice.randrange(1_000)} if "percent" in switch else {}))
        for switch in SWITCHES[name]
    ]


def _suffer(desk: SwitchedDesk, name: str, dice: Random) -> None:
    until_ns = desk.heap.now_ns + dice.randint(*FAULT_NS)
    while desk.heap.now_ns < until_ns:
        desk.watch(dice.randrange(8 * NS_PER_SECOND) + NS_PER_MS)
        if "silent" in name:
            desk.cancel_silently()
