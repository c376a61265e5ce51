"""Kills each node of a desk a thousand times; a failure is told with the seed, and `--seed` runs that one again."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from desk.settings import load_settings
from simulation.faults.campaign import FaultError, campaign
from simulation.faults.desk import VICTIMS

ROUNDS = 25
FAILED_MAX = 10  # seeds; more tell nothing new
IN_MEMORY = Path("/dev/shm")


def main() -> int:
    """Return 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1_000, help="of each node")
    parser.add_argument("--seed", type=int, help="run this one alone")
    options = parser.parse_args()
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


def _run(seed: int) -> dict[str, int]:
    settings = load_settings({}).settings
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        return campaign(settings, Path(folder), seed, ROUNDS).deaths


if __name__ == "__main__":
    sys.exit(main())
