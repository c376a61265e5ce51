"""How a desk stops: how long each part may take before SIGKILL, and who orders it when its supervisor is gone."""

import os
import signal
import threading
import time
from collections.abc import Callable, Collection

from desk.kinds import KINDS
from desk.plan import Instance
from desk.run_dir import WATCHDOG, holder_pid
from desk.settings import Settings
from venues.venue import ARRIVAL_MS_MAX

# The slowest stop of a maker: the call that was on its way, the list of its orders, two cancels, the list of all pairs.
VENUE_CALLS = 5
RETRY_S = 3.0  # for how long a venue that fails is asked again
ARRIVAL_S = ARRIVAL_MS_MAX / 1_000 + 1.0  # for how long a maker asks for an order without an answer
NODE_S = 3.0  # of a node that waits for nobody else: it only closes what it has
MARGIN_S = 1.0
LOOK_S = 0.02
WAVE_COUNT = 3


def wave_of(nodes: Collection[Instance]) -> int:
    """Return when a process with these nodes stops: the latest of them, by its kind.

    0: those that nobody needs; 1: those in between; 2: those that need nobody, the engines.
    """
    first = {kind.name for kind in KINDS if not kind.needs}
    return max(2 if not node.kind.needs else int(first.issuperset(node.kind.needs)) for node in nodes)


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
        return self.waves[wave_of(nodes)]


def follow_supervisor(nodes: Collection[Instance], settings: Settings, tell: Callable[[str], None]) -> None:
    """Stop this process, of these nodes, in order when its supervisor is gone, killed with -9.

    The supervisor holds one end of a pipe whose other end is every node's standard input; the kernel closes it with the
    supervisor. Each node then waits until those that need it have gone, which their locks tell, and stops. So the maker
    cancels its orders while the exchange still serves.
    """
    budget = StopBudget(settings)

    def wait_and_stop() -> None:
        while os.read(0, 1):
            continue
        tell("the supervisor is gone: stopping")
        deadline = time.monotonic() + sum(budget.waves[: wave_of(nodes)])
        names = settings.plan.needing([node.name for node in nodes])
        has_maker = any(node.kind.cleans_up for node in settings.plan.named(names))
        locks = [settings.run_dir / f"{name}.lock" for name in (*names, *([WATCHDOG] if has_maker else []))]
        while any(map(holder_pid, locks)) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(budget.of(nodes))
        tell("it did not stop in time and is killed")
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait_and_stop, name="supervisor", daemon=True).start()
