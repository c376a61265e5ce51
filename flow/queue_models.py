"""Where in a queue a recorded decrease that was no trade has left: behind us, or anywhere in proportion.

A recording tells a level's quantity, not its orders, so whoever queues there does not know whether somebody before or
behind has gone. Taking all to be behind is the cautious answer; taking every lot to be as likely to leave as every
other advances us as much as our place in the queue lets one expect (Rigtorp, "Estimating order queue position", 2013;
the models of the same names in hftbacktest).
"""

import random
from collections.abc import Callable

# Gives the number of lots in front of those that leave, of a queue's total and of how many leave. What reaches beyond
# the queue's end leaves from its front.
QueueModel = Callable[[int, int], int]


def leave_from_behind(total_lots: int, leaving_lots: int) -> int:
    """Let the youngest orders leave."""
    return total_lots - leaving_lots


def queue_model(name: str, seed: int) -> QueueModel:
    """Return a model by its name.

    Raises:
        ValueError: for an unknown one.
    """
    if name == "behind":
        return leave_from_behind
    if name == "proportional":
        dice = random.Random(f"{seed} queue")  # noqa: S311 (a market, not a secret)
        return lambda total_lots, _: dice.randrange(total_lots)
    raise ValueError(f"queue model must be one of behind, proportional, was {name!r}")
