"""Where in a queue a recorded decrease that was no trade has left: behind us, or anywhere in proportion.

A recording tells a level's quantity, not its orders, so whoever queues there does not know whether somebody before or
behind has gone. Taking all to be behind is the cautious answer; taking every lot to be as likely to leave as every
other advances us as much as our place in the queue lets one expect (Rigtorp, "Estimating order queue position", 2013;
the models of the same names in hftbacktest).

`flow.mirror` decides by them in its kernels.
"""

from collections.abc import Callable
from typing import Final

# Gives the number of lots in front of those that leave, of a queue's total and of how many leave. What reaches beyond
# the queue's end leaves from its front.
QueueModel = Callable[[int, int], int]

QUEUE_MODELS: Final = ("behind", "proportional")

_WORD: Final = (1 << 64) - 1


class Dice:
    """SplitMix64, numbers that a kernel draws in five lines (Steele, Lea, Flood: "Fast splittable pseudorandom number
    generators", OOPSLA 2014, figure 16).
    """

    def __init__(self, seed: int) -> None:
        self._state = seed & _WORD

    def below(self, count: int) -> int:
        """Draw a number from 0 to `count` - 1; a count of lots is so small that the remainder's bias is nothing."""
        self._state = word = self._state + 0x9E37_79B9_7F4A_7C15 & _WORD
        word = (word ^ word >> 30) * 0xBF58_476D_1CE4_E5B9 & _WORD
        word = (word ^ word >> 27) * 0x94D0_49BB_1331_11EB & _WORD
        return (word ^ word >> 31) % count


def leave_from_behind(total_lots: int, leaving_lots: int) -> int:
    """Let the youngest orders leave."""
    return total_lots - leaving_lots


def check_queue_model(name: str) -> str:
    """Return the name of a queue model.

    Raises:
        ValueError: for an unknown one.
    """
    if name not in QUEUE_MODELS:
        raise ValueError(f"queue model must be one of {', '.join(QUEUE_MODELS)}, was {name!r}")
    return name


def queue_model(name: str, seed: int) -> QueueModel:
    """Return a model by its name.

    Raises:
        ValueError: for an unknown one.
    """
    if check_queue_model(name) == "behind":
        return leave_from_behind
    dice = Dice(seed)
    return lambda total_lots, _: dice.below(total_lots)
