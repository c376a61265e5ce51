"""How long the parts of a stop may take before SIGKILL. One table for all who wait for one: up, down, and the nodes."""

from collections.abc import Collection

from desk.kinds import wave_of
from desk.plan import Instance
from desk.settings import Settings
from venues.venue import ARRIVAL_MS_MAX

VENUE_CALLS = 4  # the slowest stop of a maker: the call that was on its way, the list of its orders, two cancels
RETRY_S = 3.0  # for how long a venue that fails is asked again
ARRIVAL_S = ARRIVAL_MS_MAX / 1_000 + 1.0  # for how long a maker asks for an order without an answer
NODE_S = 3.0  # of a node that waits for nobody else: it only closes what it has
MARGIN_S = 1.0
WAVE_COUNT = 3


class StopBudget:
    """The seconds of a stop's waves; the first has the last calls at the venue, each of `venue.timeout_ms` at most."""

    def __init__(self, settings: Settings) -> None:
        venue_s = VENUE_CALLS * settings.venue.timeout_ms / 1_000
        self.waves = (venue_s + max(RETRY_S, ARRIVAL_S) + MARGIN_S, NODE_S, NODE_S)

    @property
    def total_s(self) -> float:
        """The most that a stop takes, with what is needed to undo what a killed node has left."""
        return sum(self.waves) + self.waves[0]

    def of(self, nodes: Collection[Instance]) -> float:
        """Return the seconds that a process with these nodes has."""
        return self.waves[self._wave(nodes)]

    def before(self, nodes: Collection[Instance]) -> float:
        """Return the seconds that the waves before that of these nodes have."""
        return sum(self.waves[: self._wave(nodes)])

    def _wave(self, nodes: Collection[Instance]) -> int:
        return max(wave_of(node.kind) for node in nodes)
