"""A long day: whatever happens in it, the desk does not grow. SIMULATED_S seconds of it; a whole one nightly."""

import gc
import os
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from desk.settings import load_settings
from market.clock import NS_PER_SECOND
from reports.performance import is_sound
from simulation.desk import SimulatedDesk
from tests.simulation.test_desk import START_NS

SECONDS: Final = int(os.environ.get("SIMULATED_S", "600"))
SETTLED_S: Final = 120  # by then all that is bounded by numbers of its own is about as large as it gets
GROWTH_BYTES_MAX: Final = 24 << 20


def resident_bytes() -> int:
    """Return what of this process lies in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(60 + SECONDS // 10)
def test_memory_is_flat_and_the_books_are_right_at_the_end(tmp_path: Path) -> None:
    """What a day adds is what the account did: its orders and trades in the ledger."""
    settings = load_settings({"run_dir": tmp_path}).settings
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports")
    desk.run(START_NS + SETTLED_S * NS_PER_SECOND)
    gc.collect()
    before = resident_bytes()
    desk.run(START_NS + SECONDS * NS_PER_SECOND)
    gc.collect()
    grown = resident_bytes() - before
    assert grown < GROWTH_BYTES_MAX, f"{grown >> 20} MB more after {SECONDS} s"
    desk.close_books()
    desk.exchange.ledger.check()
    document = desk.folder.read(date(2026, 1, 1))
    assert document is not None
    assert is_sound(document)
