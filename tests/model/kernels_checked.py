"""Run both engines side by side with the kernels checked: `python -m tests.model.kernels_checked`.

Twice, each in a process of its own: compiled with every array index checked (which finds what reads or writes beside
its array), and not compiled at all (which finds what is right only because compiled integers wrap or mix). Streams are
short: an interpreted kernel takes a thousand times as long.
"""

import os
import subprocess
import sys
from typing import Final

from tests.model.pair import Pair
from tests.model.random_commands import MARKETS, RandomCommands

SEED: Final = 7
MODES: Final[dict[str, tuple[dict[str, str], int]]] = {
    "indices checked": ({"NUMBA_BOUNDSCHECK": "1"}, 6_000),
    "not compiled": ({"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore:overflow encountered:RuntimeWarning"}, 400),
}


def run_here(command_count: int) -> None:
    """Drive both engines through each market, comparing everything after every tenth command."""
    for name, market in MARKETS.items():
        pair = Pair(market.symbol_count, market.orders_max, market.pages_max, market.event_slots)
        commands = RandomCommands(market, SEED)
        for index in range(command_count):
            pair.step(commands.next(pair.open_ids), is_thorough=index % 10 == 0)
        pair.compare()
        print(f"  {name}: {command_count:,} commands agree", flush=True)


def main() -> None:
    """Run every mode in a process whose environment numba reads at its start."""
    if len(sys.argv) == 2:
        run_here(int(sys.argv[1]))
        return
    for mode, (environment, command_count) in MODES.items():
        print(f"kernels {mode}", flush=True)
        arguments = [sys.executable, "-m", "tests.model.kernels_checked", str(command_count)]
        subprocess.run(arguments, env=os.environ | environment, check=True)


if __name__ == "__main__":
    main()
