"""The number that each gateway has among the sources of orders, kept in the run directory for good.

The number stands in front of a gateway's order ids and owners, in the engines' journals and in its clients' sessions:
so it stays with the gateway's name, also of one that is taken out of the settings and comes back.
"""

import json
from pathlib import Path
from typing import Final

from desk.plan import gateway_numbers
from desk.run_dir import NodeError
from desk.settings import Settings
from market.lock import locked_folder
from market.whole_file import write_whole

NUMBERS_FILE: Final = "sources.json"
LOCK_WAIT_S: Final = 5.0
_BEFORE: Final = {"gateway": 1, "gateway2": 5, "gateway3": 6, "gateway4": 7}  # of desks that kept no such file


def with_source_numbers(settings: Settings) -> Settings:
    """Return the settings with the number of every gateway in its row, and keep those that are new.

    Raises:
        NodeError: if the numbers of the settings are not those that were kept, or these cannot be read or written.
    """
    path = settings.run_dir / NUMBERS_FILE
    try:
        with locked_folder(settings.run_dir, LOCK_WAIT_S):  # nodes of one desk may start side by side
            kept = _read(path)
            numbers = gateway_numbers(settings.gateways, kept)
            if numbers != kept or not path.exists():
                write_whole(path, json.dumps(numbers, indent=1).encode() + b"\n")
    except OSError as error:
        raise NodeError(f"{path} cannot be used: {error.strerror}") from None
    except ValueError as error:
        raise NodeError(f"{path}: {error}") from None
    rows = (row.model_copy(update={"source": numbers[row.name]}) for row in settings.gateways)
    return settings.model_copy(update={"gateways": tuple(rows)})


def _read(path: Path) -> dict[str, int]:
    try:
        numbers = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {name: number for name, number in _BEFORE.items() if (path.parent / name).is_dir()}
    if not (isinstance(numbers, dict) and all(type(number) is int for number in numbers.values())):
        raise ValueError("expected the number of every gateway by its name")
    return numbers
