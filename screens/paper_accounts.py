"""The paper exchange's accounts as text, from the documents of its admin calls."""

from collections.abc import Iterable, Sequence
from typing import Any

from market.clock import iso_time
from market.instrument import Instrument

_HEAD = ("account", "api keys", "open orders", "resets", "fees in", "balances")
_KEY_CHARACTERS = 8


def accounts_text(accounts: Sequence[dict[str, Any]], instruments: Iterable[Instrument]) -> str:
    """Return a line for each account, with its balances in the assets that are traded."""
    assets = list(dict.fromkeys(asset for pair in instruments for asset in (pair.base, pair.quote)))
    rows = [_HEAD, *(_row(account, assets) for account in accounts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", f"Total Accounts: {len(accounts)}"])


def _row(account: dict[str, Any], assets: Sequence[str]) -> tuple[str, ...]:
    keys = ", ".join(f"{key[:_KEY_CHARACTERS]}..." for key in account["apiKeys"])
    resets = str(account["resets"])
    if account["resets"]:
        resets += f", last {iso_time(account['resetTime'])}"
    balances = account["balances"]
    held = ", ".join(f"{balances[asset].rstrip('0').rstrip('.')} {asset}" for asset in assets if asset in balances)
    fees = "BNB" if account["paysInBnb"] else "-"
    return str(account["account"]), keys, str(account["openOrders"]), resets, fees, held
