"""Run the kernels checked: `python -m tests.engine.model.kernels_checked`.

Twice, each in a process of its own: compiled with every array index checked (which finds what reads or writes beside
its array), and not compiled at all (which finds what is right only because compiled integers wrap or mix). First a
broken link shows that an index out of bounds is found. Then both engines run side by side, and, with indices checked,
the tests of the codec and of the sessions; at last every kernel of the house must have been called. Streams are short:
an interpreted kernel takes a thousand times as long.
"""

import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

import pytest
from numba.core.dispatcher import Dispatcher

import engine
import flow.mirror
import sessions
import simulation.replaying
from desk.warm import warm_kernels
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from engine.rows.memory import HEAD, QUEUE_SIZE
from market.commands import NewOrder
from market.kernels.compiling import IS_COMPILED
from market.kernels.rows import write_command
from tests.engine.model.pair import Pair
from tests.engine.model.random_commands import MARKETS, RandomCommands

SEED: Final = 7
MODES: Final[dict[str, tuple[dict[str, str], int]]] = {
    "indices checked": ({"NUMBA_BOUNDSCHECK": "1"}, 6_000),
    "not compiled": ({"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore:overflow encountered:RuntimeWarning"}, 400),
}
OTHER_TESTS: Final = (
    "tests/engine/wire",
    "tests/sessions",
    "tests/engine/test_fast_engine.py",
    "tests/flow/test_mirror.py",
    "tests/simulation/test_recorded_market.py",
    "tests/simulation/test_market_news.py",
)


def check_that_faults_are_found() -> None:
    """Let the front of every queue lead beyond the orders, and meet it.

    Raises:
        AssertionError: if the kernel goes on without noticing.
    """
    broken = FastEngine(Capacity(symbol_count=1, orders_max=10, pages_max=1))
    for order_id, side in ((1, 0), (2, 1)):
        write_command(broken.commands.rows, broken.commands.claim(), NewOrder(order_id, 0, side, 100, 5))
        broken.commands.publish()
        if order_id == 1:
            broken.match()
            broken.memory.queues[HEAD::QUEUE_SIZE] = 1_000_000
    try:
        broken.match()
    except IndexError:
        return
    raise AssertionError("expected an IndexError from a queue whose front is order 1,000,000 of 10")


def run_here(command_count: int) -> None:
    """Drive both engines through each market, comparing everything after every tenth command."""
    if IS_COMPILED:
        warm_kernels(lambda line: print(f"  {line}", flush=True))  # on two processors
    check_that_faults_are_found()
    print("  an index out of bounds is found", flush=True)
    for name, market in MARKETS.items():
        pair = Pair(market.symbol_count, market.orders_max, market.pages_max, market.event_slots)
        commands = RandomCommands(market, SEED)
        for index in range(command_count):
            pair.step(commands.next(pair.open_ids), is_thorough=index % 10 == 0)
        pair.compare()
        print(f"  {name}: {command_count:,} commands agree", flush=True)
    if IS_COMPILED:
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", *OTHER_TESTS])
        assert code == 0, f"tests failed with indices checked: {code!r}"
        idle = [name for name, kernel in kernels() if not kernel.signatures]
        assert not idle, f"expected every kernel to be called, were not: {', '.join(idle)}"
        print(f"  {len(dict(kernels()))} kernels were called", flush=True)


def kernels() -> Iterator[tuple[str, Any]]:
    """Yield the name and the dispatcher of every kernel that Python calls."""
    for room in (engine, sessions, flow.mirror, simulation.replaying):
        for module in _modules(room):
            for name, value in vars(module).items():
                is_compiled = isinstance(value, Dispatcher) and value.__module__ == module.__name__
                if is_compiled and not value.targetoptions.get("no_cpython_wrapper"):
                    yield f"{module.__name__}.{name}", value


def _modules(room: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        yield importlib.import_module(found.name)


def main() -> None:
    """Run every mode in a process whose environment numba reads at its start."""
    if len(sys.argv) == 2:
        run_here(int(sys.argv[1]))
        return
    for mode, (environment, command_count) in MODES.items():
        print(f"kernels {mode}", flush=True)
        arguments = [sys.executable, "-m", "tests.engine.model.kernels_checked", str(command_count)]
        subprocess.run(arguments, env=os.environ | environment, check=True)


if __name__ == "__main__":
    main()
