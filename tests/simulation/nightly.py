"""Kills each node of a desk a thousand times; a failure is told with the seed, and `--seed` runs that one again.

Every second desk has a standby, which dies, too, and may be promoted when the engine has died.

`--pairs N` kills two processes instead, at each pair of points of their stores, N times.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from desk.settings import load_settings
from simulation.faults.campaign import FaultError, campaign
from simulation.faults.desk import VICTIMS, MortalDesk
from simulation.faults.pairs import PAIRS, try_pairs
from simulation.faults.standby import StandbyDesk

ROUNDS = 25
PAIRS_A_DESK = 12
FAILED_MAX = 10  # seeds; more tell nothing new
IN_MEMORY = Path("/dev/shm")


def main() -> int:
    """Return 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000, help="of each node")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--pairs", type=int, help="how often to try each pair of points instead")
    options = parser.parse_args()
    if options.pairs is not None:
        return _pairs(options.pairs)
    deaths: Counter[str] = Counter()
    seed = 0 if options.seed is None else options.seed
    failed = 0
    while True:
        try:
            deaths.update(_run(seed))
            print(f"seed {seed}: all holds; deaths so far: {dict(deaths)}", flush=True)
        except FaultError as error:
            failed += 1
            print(error, flush=True)
        is_done = min(deaths[name] for name in VICTIMS) >= options.kills
        if options.seed is not None or is_done or failed >= FAILED_MAX:
            break
        seed += 1
    print(f"{seed + 1 if options.seed is None else 1} seeds, {failed} failed, deaths: {dict(deaths)}")
    return int(failed > 0)


def _pairs(times: int) -> int:
    """Try each pair so often, a few of them a desk; return 1 if anything did not hold."""
    settings = load_settings({}).settings
    tried = died = failed = 0
    for seed in range(times):
        pairs = list(PAIRS)
        Random(seed).shuffle(pairs)
        for first in range(0, len(pairs), PAIRS_A_DESK):
            some = pairs[first : first + PAIRS_A_DESK]
            try:
                with TemporaryDirectory(dir=IN_MEMORY) as folder:
                    died += try_pairs(settings, Path(folder), seed, some)
                tried += len(some)
            except FaultError as error:
                failed += 1
                print(error, flush=True)
        print(f"{tried} pairs of {len(PAIRS)} tried, {died} died at both points, {failed} desks failed", flush=True)
    return int(failed > 0)


def _run(seed: int) -> dict[str, int]:
    settings = load_settings({}).settings
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        make = StandbyDesk if seed % 2 else MortalDesk
        return campaign(settings, Path(folder), seed, ROUNDS, make=make).deaths


if __name__ == "__main__":
    sys.exit(main())
