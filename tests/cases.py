"""How many cases of one kind a test tries: a few by day, by night all: `CASES=all`, which `make nightly` sets."""

import os
from collections.abc import Sequence
from typing import Final

IS_NIGHT: Final = os.environ.get("CASES") == "all"


def some(seeds: Sequence[int], by_day: int) -> Sequence[int]:
    """Return the first few of the seeds of a test; by night all."""
    return seeds if IS_NIGHT else seeds[:by_day]
