"""Drive both engines side by side for as many commands as asked:
`python -m tests.engine.model.nightly --commands 10000000`.

Everything is compared after every command, on all processors. The seed of every stream is printed before it runs; a
failing one is run again with `--seed`.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from itertools import count, islice
from typing import Final

from tests.engine.model.pair import Pair
from tests.engine.model.random_commands import MARKETS, RandomCommands

COMMANDS_EACH: Final = 25_000

Stream = tuple[str, int, int]  # name of the market, seed, every how many commands all is compared


def _streams(seed: int | None, thorough_every: int) -> Iterator[Stream]:
    for number in count(1) if seed is None else (seed,):
        for name in MARKETS:
            yield name, number, thorough_every


def run_stream(stream: Stream) -> None:
    """Run one stream to its end.

    Raises:
        AssertionError: where the engines differ.
    """
    name, seed, thorough_every = stream
    print(f"  seed {seed}, {name}", flush=True)
    market = MARKETS[name]
    pair = Pair(market.symbol_count, market.orders_max, market.pages_max, market.event_slots)
    commands = RandomCommands(market, seed)
    for index in range(COMMANDS_EACH):
        pair.step(commands.next(pair.open_ids), is_thorough=index % thorough_every == 0)
    pair.compare()


def run(command_count: int, seed: int | None, thorough_every: int, process_count: int) -> None:
    """Run streams until `command_count` commands are done, or all of one seed's."""
    done, began = 0, time.monotonic()
    streams = islice(_streams(seed, thorough_every), -(-command_count // COMMANDS_EACH))
    with multiprocessing.get_context("spawn").Pool(process_count) as pool:
        for _ in pool.imap_unordered(run_stream, streams):
            done += COMMANDS_EACH
            print(f"{done:,} commands agree after {time.monotonic() - began:,.0f} s", flush=True)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, help="run only the streams of this seed")
    parser.add_argument("--thorough-every", type=int, default=1, help="compare everything after every Nth command")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    run(arguments.commands, arguments.seed, arguments.thorough_every, arguments.processes)


if __name__ == "__main__":
    main()
