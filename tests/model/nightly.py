"""Drive both engines side by side for as many commands as asked: `python -m tests.model.nightly --commands 10000000`.

Prints the seed of every stream before it runs; a failing one is run again with `--seed`.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import count

from tests.model.pair import Pair
from tests.model.random_commands import MARKETS, RandomCommands

COMMANDS_EACH = 25_000


def _streams(seed: int | None) -> Iterator[tuple[str, int]]:
    for number in count(1) if seed is None else (seed,):
        for name in MARKETS:
            yield name, number


def run(command_count: int, seed: int | None, thorough_every: int) -> None:
    """Run streams until `command_count` commands are done, or all of one seed's."""
    done, began = 0, time.monotonic()
    for name, number in _streams(seed):
        print(f"seed {number}, {name}; {done:,} commands in {time.monotonic() - began:,.0f} s", flush=True)
        market = MARKETS[name]
        pair = Pair(market.symbol_count, market.orders_max, market.pages_max, market.event_slots)
        commands = RandomCommands(market, number)
        for index in range(COMMANDS_EACH):
            pair.step(commands.next(pair.open_ids), is_thorough=index % thorough_every == 0)
        pair.compare()
        done += COMMANDS_EACH
        if done >= command_count:
            break
    print(f"both engines agree after {done:,} commands")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, help="run only the streams of this seed")
    parser.add_argument("--thorough-every", type=int, default=1, help="compare everything after every Nth command")
    arguments = parser.parse_args()
    run(arguments.commands, arguments.seed, arguments.thorough_every)


if __name__ == "__main__":
    main()
