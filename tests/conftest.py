"""Which test files begin first: one of minutes that a worker takes last is waited for by all the others.

The order needs `--no-loadscope-reorder`, which `make test` gives: else files with many tests begin first.
"""

import gc
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.reliability import PROPERTY, FaultRow

# Those of three quarters of a minute and more on two slow cores, longest first; of a desk's processes and of one
# process in turns, as two files that both start desks all the time wait for each other.
LONG = (
    "simulation/test_faults.py",
    "desk/test_faults.py",
    "desk/test_halt.py",
    "desk/test_flatten.py",
    "nodes/tracker/test_historian.py",
    "desk/test_endings.py",
    "desk/test_standby.py",
    "commands/test_whatif.py",
    "engine/model/test_random_streams.py",
    "desk/test_watchdog.py",
    "desk/test_lagging_venue.py",
    "simulation/test_switches.py",
    "desk/test_hanging_venue.py",
    "benchmarks/test_parity_live.py",
    "desk/test_venue_faults.py",
    "simulation/test_moves.py",
    "desk/test_record.py",
    "desk/test_commands.py",
    "nodes/gateway/test_back_pressure.py",
    "desk/test_desk_life.py",
    "web/test_dashboard.py",
    "pages/test_browser.py",
    "desk/test_starting.py",
    "commands/test_output.py",
    "desk/test_fault_scenario.py",
    "nodes/tracker/test_bookkeeper_days.py",
    "venues/test_trader_over_sockets.py",
    "desk/test_withdrawal.py",
    "venues/test_socket_line.py",
    "flow/test_synthetic.py",
    "desk/test_live_desk.py",
)
_FOLDER = Path(__file__).parent
_RANKS = {_FOLDER / name: rank for rank, name in enumerate(LONG)}


@pytest.fixture
def fault_row(record_property: Callable[[str, object], None]) -> FaultRow:
    """Let a test tell which fault it has caused, and how often, for the table of `tests.reliability`."""

    def tell(fault: str, cause: str, runs: int, back_s: Sequence[float] = ()) -> None:
        record_property(PROPERTY, json.dumps({"fault": fault, "cause": cause, "runs": runs, "back_s": [*back_s]}))

    return tell


def pytest_configure() -> None:
    """Refuse a list that names what is not there any more."""
    gone = [name for name, path in zip(LONG, _RANKS, strict=True) if not path.is_file()]
    if gone:
        raise pytest.UsageError(f"tests/conftest.py: LONG names files that are not there: {', '.join(gone)}")


def pytest_collectstart() -> None:
    """Look for no garbage while all is imported: each worker collects all tests, and spent a fifth of that on it."""
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the others, and the tests of each, stay as they were."""
    items.sort(key=rank_of)


def pytest_collection_finish() -> None:
    """Look for it from here on, and not among what stays to the end."""
    gc.freeze()
    gc.enable()


def rank_of(item: pytest.Item) -> int:
    """Return where an item's file is in the list, or behind it."""
    return _RANKS.get(item.path, len(LONG))
