"""All that the journal of decisions says of one order, however long ago."""

from datetime import datetime
from pathlib import Path

from desk.decisions_file import decision_days, decisions_path, is_decision
from market.exact_json import JsonObject, dumps, loads


def decisions_of(run_dir: Path, client_order_id: str) -> list[JsonObject]:
    """Return the decisions about an order, oldest first; none if no file that is kept has any.

    Files are looked through from the newest one back, to the one that tells why it was placed.

    Raises:
        OSError: if a file cannot be read.
    """
    name = f'"client_order_id": {dumps(client_order_id)}'.encode()
    found: list[JsonObject] = []
    for day in reversed(decision_days(run_dir)):
        found = _decisions_in(decisions_path(run_dir, day).read_bytes(), name) + found
        if found and found[0]["action"] == "place":
            break
    return found


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _decisions_in(text: bytes, name: bytes) -> list[JsonObject]:
    found = []
    at = text.find(name)
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        end = end if end >= 0 else len(text)
        try:
            told = loads(text[start:end])
        except ValueError:
            told = None  # cut by a crash, or by a full disk
        if isinstance(told, dict) and is_decision(told) and _is_time(told["time"]):
            found.append(told)
        at = text.find(name, end)
    return found
