"""Nodes with their lanes and without: `LANE=on` gives all that tests begin as processes a lane, where that can be."""

import os
from typing import Final

LANES: Final[dict[str, dict[str, str]]] = {
    "without lanes": {},
    "with lanes": {"TICKBUS_ENGINE__LANE": "on"},
}
EVERYWHERE: Final = LANES["with lanes"] if os.environ.get("LANE") == "on" else {}
