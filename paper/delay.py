"""How long a message to the exchange, or from it, may be made to travel; what waits is in `latency.py`."""

from dataclasses import dataclass
from typing import Final

DELAY_MS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Delay:
    """A time of travel: drawn evenly between two bounds, or always the same if they are."""

    low_ms: float = 0.0
    high_ms: float = 0.0


NO_DELAY: Final = Delay()
