"""A desk with one engine and one gateway, for tests that have no settings: its wiring, and the gateway's number."""

from collections import defaultdict
from pathlib import Path
from typing import Final

from bus.wiring import Wiring

ENGINE: Final = "engine"
GATEWAY: Final = 1


def one_engine(run_dir: Path) -> Wiring:
    """Return the wiring of a desk whose one engine has every symbol."""
    return Wiring(run_dir, engine_of=defaultdict(lambda: ENGINE))
