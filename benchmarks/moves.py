"""How many commands the maker needs a minute with `maker.cancel_replace` and without, and how long a side has no quote.

    python -m benchmarks.moves [--minutes 30] [--seeds 5]

The default desk on synthetic markets, simulated with the delays of a venue some way off. A minute is one of market
time; it does not matter how busy the machine is. Both ways of a seed see the same market until the first order differs.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from desk.settings import load_settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from paper.access.accounts import FIRST_ACCOUNT
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.line import SimulatedLine

START_NS: Final = 1_795_897_590 * NS_PER_SECOND
OPENING_S: Final = 30  # until both sides stand, which is not measured
LOOK_NS: Final = NS_PER_MS
VENUE_NS: Final = 20 * NS_PER_MS  # there, and as much back
PRESETS: Final = "practice", "calm", "normal"


class MeasuredDesk(SimulatedDesk):
    """A desk whose commands are counted, by method and path."""

    def __init__(self, preset: str, seed: int, *, can_move: bool, folder: Path) -> None:
        given = {"run_dir": folder, "flow.seed": seed, "flow.preset": preset, "maker.cancel_replace": can_move}
        settings = load_settings(given).settings
        self.calls: Counter[tuple[str, str]] = Counter()
        delays = Delays(venue_ns=VENUE_NS, seed=seed)
        super().__init__(settings, START_NS, folder / "reports", delays)
        listeners = self.exchange.exchange.account_listeners
        before = self.line.hear
        self.line = SimulatedLine(self, self.heap, settings.instrument, delays.venue(), self._on_news)
        listeners[listeners.index(before)] = self.line.hear

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Count a call, as a Caller makes it."""
        if method != "GET":
            self.calls[method, path] += 1
        self.exchange.calls.begin(method, path, asked, done)


def measured(preset: str, seed: int, minutes: int, *, can_move: bool) -> tuple[float, float, float]:
    """Return commands a minute, new orders a minute, and ms a minute in which a side had no quote."""
    with tempfile.TemporaryDirectory() as folder:
        desk = MeasuredDesk(preset, seed, can_move=can_move, folder=Path(folder))
        desk.run(START_NS + OPENING_S * NS_PER_SECOND)
        desk.calls.clear()
        bare = 0
        for _ in range(minutes * 60 * NS_PER_SECOND // LOOK_NS):
            desk.run(desk.heap.now_ns + LOOK_NS)
            sides = {order.side for order in desk.exchange.ledger.open_orders_of(FIRST_ACCOUNT)}
            bare += len(Side) - len(sides)
        new_count = desk.calls.total() - desk.calls["DELETE", "order"]
        return desk.calls.total() / minutes, new_count / minutes, bare * LOOK_NS / NS_PER_MS / minutes


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    print(f"{asked.seeds} seeds, {asked.minutes} minutes each, {VENUE_NS // NS_PER_MS} ms to the venue; a minute:")
    print(f"{'market':8} {'by':22} {'commands':>9} {'new orders':>11} {'ms without':>11}")
    for preset in PRESETS:
        for can_move in (False, True):
            rows = [measured(preset, seed, asked.minutes, can_move=can_move) for seed in range(asked.seeds)]
            commands, new, bare = (sum(column) / len(rows) for column in zip(*rows, strict=True))
            how = "order.cancelReplace" if can_move else "cancel, then place"
            print(f"{preset:8} {how:22} {commands:9.2f} {new:11.2f} {bare:11.1f}", flush=True)


if __name__ == "__main__":
    main()
