"""What flows count: a recording has names of its own, and several symbols theirs as `SYMBOL.name`."""

from collections.abc import Mapping
from typing import Any, Final

_COUNTS: Final = {
    "commands": "commands",
    "command_count": "commands",
    "trades": "trades",
    "trade_count": "trades",
}


def flow_counts(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return `commands` and `trades` of all symbols of a flow's node, and `behind_ms_max` of the latest of them."""
    found: dict[str, float] = {}
    for path, value in figures.items():
        name = path.rpartition(".")[2]
        if name == "behind_ms_max":
            found[name] = max(found.get(name, 0), value)
        elif name in _COUNTS:
            found[_COUNTS[name]] = found.get(_COUNTS[name], 0) + value
    return found
