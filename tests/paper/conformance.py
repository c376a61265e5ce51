"""What docs/paper.md claims of each client, and what the exchange has heard of it."""

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "paper.md").read_text(encoding="utf-8")
TESTERS = {
    "sync": "test_ccxt.py",
    "async": "test_ccxt_async.py",
    "pro": "test_ccxt_pro.py",
    "python": "programs/python_binance.py",
    "node": "programs/binance_api_node.cjs",
    "sdk": "programs/binance_sdk.py",
    "nautilus": "programs/nautilus.py",
    "raw": "test_rest.py",
}


def rows(name: str) -> list[list[str]]:
    """Return the cells of the table between two marks, without its head."""
    table = TEXT.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0].strip()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def names_of(cell: str) -> list[str]:
    """Return what a cell names in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def unheard(tester: str, calls: set[str], streams: set[str]) -> list[str]:
    """Return what the tables claim of a client and the exchange has not heard of it.

    Args:
        tester: a key of TESTERS.
        calls: what was carried out, as the table spells it: `GET order`.
        streams: the names of the market streams that were listened to.
    """
    claimed_calls = [names_of(call)[0] for call, _, _, _, testers in rows("calls") if tester in testers.split(", ")]
    missing = [call for call in claimed_calls if call not in calls]
    for cell, _, testers in rows("streams"):
        if tester in testers.split(", ") and not any(_is_one_of(stream, names_of(cell)) for stream in streams):
            missing.append(cell)
    return missing


def _is_one_of(stream: str, names: list[str]) -> bool:
    # `btcusdt@kline_1m` stands for every interval
    return stream in names or any("@kline_" in stream and "@kline_" in name for name in names)
