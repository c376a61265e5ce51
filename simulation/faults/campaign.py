"""Runs a desk under faults from a seed, and checks after each of them that what must hold does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from desk.settings import Settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from simulation.faults.desk import MortalDesk
from simulation.faults.network import Trouble
from simulation.faults.truths import check

WARM_UP_NS: Final = 6 * NS_PER_SECOND
STEP_NS: Final = 50 * NS_PER_MS
ROUND_NS_MAX: Final = 4 * NS_PER_SECOND
SETTLE_NS: Final = 12 * NS_PER_SECOND
CALM: Final = Trouble()


class Outcome(NamedTuple):
    """What a campaign was."""

    deaths: dict[str, int]
    orders: int
    fills: int
    promotions: int


class FaultError(AssertionError):
    """Something that must hold does not; the text says what, after which deaths, and from which seed it comes again."""


def campaign(
    settings: Settings,
    folder: Path,
    seed: int,
    rounds: int,
    victims: tuple[str, ...] | None = None,
    make: type[MortalDesk] = MortalDesk,
) -> Outcome:
    """Kill processes, round after round.

    Args:
        settings: of the desk.
        folder: an empty one, or none yet, for its disk.
        seed: of everything that is drawn.
        rounds: of a death, sometimes two, and a check.
        victims: who is killed; None: anybody.
        make: the desk.

    Raises:
        FaultError: if what must hold does not.
    """
    folder.mkdir(exist_ok=True)
    dice = Random(seed)  # noqa: S311 - drawn again from the same seed
    mode = dice.choice(make.modes)
    desk = make(settings, seed, folder, mode)
    try:
        with told(desk, f"seed {seed}, warming up, journal {mode}"):
            desk.run(WARM_UP_NS)
        for number in range(rounds):
            _round(desk, dice, victims or desk.victims, f"seed {seed}, round {number}, journal {mode}")
    finally:
        desk.close()
    filled = [*desk.told.filled.values(), *(qty for crowd in desk.crowds for qty in crowd.filled.values())]
    return Outcome(desk.deaths, len(filled), sum(qty > 0 for qty in filled), desk.promotions)


def _round(desk: MortalDesk, dice: Random, victims: tuple[str, ...], which: str) -> None:
    """Let somebody die, and see what holds."""
    desk.last_words.clear()
    with told(desk, which):
        _suffer(desk, dice, victims)
        settle(desk)
        check(desk)
        desk.check_more()
    desk.be_still(False)


@contextmanager
def told(desk: MortalDesk, which: str) -> Iterator[None]:
    """Tell of an error when it was: whatever it is, its seed must be known."""
    try:
        yield
    except Exception as error:
        what = str(error) or type(error).__name__
        raise FaultError(f"{what}; {which}: {', '.join(desk.last_words)}") from error


def _suffer(desk: MortalDesk, dice: Random, victims: tuple[str, ...]) -> None:
    """Let somebody die, in a network of some trouble."""
    bad = dice.choice((0.0, 0.0, 0.01, 0.05))
    slow_ns = dice.choice((300_000, 5 * NS_PER_MS))
    desk.network.trouble = Trouble((20_000, slow_ns), bad, bad, bad)
    for name in dice.sample(victims, min(len(victims), dice.choice((1, 1, 2)))):
        desk.doom(name, int(dice.expovariate(1 / dice.choice((20, 300)))))
    until_ns = desk.heap.now_ns + dice.randint(STEP_NS, ROUND_NS_MAX)
    while desk.heap.now_ns < until_ns:
        desk.run(STEP_NS)
        if dice.random() < 0.05:
            desk.network.cut()
        if dice.random() < 0.05:
            desk.cut_off()
    desk.hasten()
    desk.run(dice.randint(STEP_NS, NS_PER_SECOND))


def settle(desk: MortalDesk) -> None:
    """Let all come back, and nobody want anything new, until all has arrived."""
    desk.network.trouble = CALM
    desk.be_still(True)
    desk.run(SETTLE_NS)
