"""The question of docs/history.md about each fill: what its order was placed for, and whether it was picked off."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from history import keeping
from history.analysis import ask
from history.database import Database
from market.account import VenueOrder
from market.codes import Side
from reports.trade_history import valued
from tests.reports.fills import BTC, NOON_MS, fill

_PAGE = Path(__file__).parents[2] / "docs" / "history.md"


def _decision(action: str, name: str, at_ms: int) -> dict[str, Any]:
    level = 1 if action == "place" else None
    told = {"symbol": "BTCUSDT", "side": "BUY", "price": Decimal(100), "qty": Decimal(1), "level": level, "model": None}
    why = {"rule": "WANTED" if level else "MOVED", "why": "it is so", "numbers": "{}"}
    return {"action": action, "client_order_id": name, "time_ms": NOON_MS + at_ms} | told | why


def test_tells_which_fills_were_picked_off(tmp_path: Path) -> None:
    """Guards the page's question: two fills of one order around its cancel, one of an order that was only amended."""
    (statement,) = re.findall(r"(?m)(?:^    .*\n)+", _PAGE.read_text())
    database = Database(tmp_path / "history.sqlite3")
    with database.transaction() as connection:
        account = keeping.begin_account(connection, "paper", "1", NOON_MS, None)
        numbers = Decimal(100), Decimal(2), Decimal(1)
        orders = [
            VenueOrder(f"o{order}", f"c{order}", "BTCUSDT", Side.BUY, *numbers, "FILLED", NOON_MS + order)
            for order in (1, 2)
        ]
        keeping.keep_orders(connection, account, "BTCUSDT", orders)
        for number, order, at_ms in ((1, 1, 400), (2, 1, 600), (3, 2, 700)):
            trade = fill(number, Side.BUY, "1", "100", time_ms=NOON_MS + at_ms, order_id=f"o{order}")
            keeping.keep_trades(connection, account, [valued(trade, BTC, {})])
        told = [
            ("place", "c1", 1),
            ("place", "c2", 2),
            ("amend", "c2", 300),
            ("cancel", "c1", 500),
            ("cancel", "c1", 550),
        ]
        keeping.keep_decisions(connection, account, [_decision(*each) for each in told])
    answer = ask(database, statement, 10)
    database.close()
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    assert [(row["quote_age_ms"], row["rule"], row["is_picked_off"]) for row in rows] == [
        (399, "WANTED", False),
        (599, "WANTED", True),
        (698, "WANTED", False),
    ]
