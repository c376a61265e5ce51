"""Which test files begin first: one of minutes that a worker takes last is waited for by all the others.

The order needs `--no-loadscope-reorder`, which `make test` gives: else files with many tests begin first.
"""

import gc
from pathlib import Path

import pytest

# Those of a minute and more on two slow cores, longest first; of a desk's processes and of one process in turns,
# as two files that both start desks all the time wait for each other.
LONG = (
    "simulation/test_faults.py",
    "desk/test_commands.py",
    "commands/test_whatif.py",
    "desk/test_halt.py",
    "commands/test_backtest.py",
    "desk/test_watchdog.py",
    "flow/test_mirror.py",
    "desk/test_flatten.py",
    "engine/model/test_random_streams.py",
    "desk/test_venue_faults.py",
    "trading/test_rough_venue.py",
    "desk/test_desk_life.py",
    "simulation/test_backtest.py",
    "desk/test_by_hand.py",
    "flow/test_same_commands.py",
    "desk/test_live_settings.py",
    "commands/test_output.py",
    "desk/test_running_desk.py",
    "flow/test_replay.py",
    "desk/test_fault_scenario.py",
    "independent/test_daily_file_check.py",
    "desk/test_backup.py",
    "commands/test_record.py",
    "desk/test_starting.py",
    "desk/test_colocated.py",
    "desk/test_which_desk.py",
    "nodes/tracker/test_historian.py",
    "pages/test_browser.py",
    "simulation/test_switches.py",
    "nodes/gateway/test_gateway.py",
    "flow/test_synthetic.py",
)
_FOLDER = Path(__file__).parent
_RANKS = {_FOLDER / name: rank for rank, name in enumerate(LONG)}


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
