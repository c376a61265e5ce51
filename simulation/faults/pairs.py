"""Kills two processes of a desk, each at a point at which its own store and another one's can come to differ.

Two stores that meet are those of any two of these processes: the engine's journal and its checkpoints, the exchange's
ledger, the gateway's sessions, what the trader notes before it sends, the tracker's daily files. Which of them is right
where they differ is said in docs/operating.md; `truths.check` holds the desk to it.
"""

from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from desk.settings import Settings
from journal.format import JournalMode
from market.clock import NS_PER_MS, NS_PER_SECOND
from simulation.faults.campaign import WARM_UP_NS, settle, told
from simulation.faults.desk import MortalDesk
from simulation.faults.gateway import GATEWAY
from simulation.faults.nodes import ENGINE
from simulation.faults.tracker import TRACKER
from simulation.faults.truths import check

GO_ON: Final = "go on with the journal"
SYNCS: Final = frozenset(("sync the journal", "have synced the journal"))
RARE: Final = frozenset(("write a checkpoint", "have written a checkpoint", "begin a generation"))
POINTS: Final = {
    ENGINE: (
        GO_ON,
        "write to the journal",
        "have written to the journal",
        *sorted(SYNCS),
        "write a checkpoint",
        "have written a checkpoint",
    ),
    "paper": ("save to the ledger", "commit", "have committed"),
    GATEWAY: ("keep reports", "have kept reports", "begin a generation", "remove the generation before"),
    "trader": ("note what is sent", "have noted what is sent"),
    TRACKER: ("write the daily file", "rename the daily file", "have written the daily file"),
}
_STEP_NS: Final = 50 * NS_PER_MS
_ROUND_NS_MAX: Final = 20 * NS_PER_SECOND  # a checkpoint comes every few seconds
_TIMES_MAX: Final = 4


class Place(NamedTuple):
    """A point of a process."""

    name: str
    what: str


Pair = tuple[Place, Place]
PAIRS: Final[Sequence[Pair]] = tuple(
    (Place(one, here), Place(other, there))
    for one, other in combinations(POINTS, 2)
    for here, there in product(POINTS[one], POINTS[other])
)


def try_pairs(settings: Settings, folder: Path, seed: int, pairs: Sequence[Pair]) -> int:
    """Let the processes of each pair die at its points, on one desk, and check what must hold after each pair.

    Args:
        settings: of the desk.
        folder: an empty one, or none yet, for its disk.
        seed: of everything that is drawn.
        pairs: of points; if one of them is a sync the journal syncs.

    Returns:
        how many pairs have died at both of their points; a point that was not come to in time is the other death.

    Raises:
        FaultError: if what must hold does not.
    """
    folder.mkdir(exist_ok=True)
    dice = Random(seed)  # noqa: S311 - drawn again from the same seed
    has_sync = any(place.what in SYNCS for pair in pairs for place in pair)
    mode = dice.choice(
        [each for each in JournalMode if each.is_synced or (not has_sync and each is not JournalMode.NONE)]
    )
    desk = MortalDesk(settings, seed, folder, mode)
    count = 0
    try:
        with told(desk, f"seed {seed}, warming up, journal {mode}"):
            desk.run(WARM_UP_NS)
        for pair in pairs:
            desk.last_words.clear()
            with told(desk, f"seed {seed}, {pair}, journal {mode}"):
                _die(desk, dice, pair)
                settle(desk)
                check(desk)
            desk.be_still(False)
            count += all(f"{place.name} instead of: {place.what}" in desk.last_words for place in pair)
    finally:
        desk.close()
    return count


def _die(desk: MortalDesk, dice: Random, pair: Pair) -> None:
    for place in pair:
        times = 0 if place.what in RARE or place.what == GO_ON else dice.randrange(_TIMES_MAX)
        desk.doom_at(*place, times, is_start=place.what == GO_ON)
    until_ns = desk.heap.now_ns + _ROUND_NS_MAX
    while desk.is_doomed and desk.heap.now_ns < until_ns:
        desk.run(_STEP_NS)
    desk.hasten()
    desk.run(dice.randint(_STEP_NS, NS_PER_SECOND))
