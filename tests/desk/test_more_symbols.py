"""A desk with a pair of its own: every node counts it in the same ticks and lots."""

import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from paper.access.accounts import TOKEN_HEADER, load_keys
from tests.desk.desk_process import ANSWER_S, Desk, until
from tests.paper.clients import ccxt_settings_of

CONFIGURATION = """
[[symbols]]
symbol = "SOLUSDT"
base = "SOL"
quote = "USDT"
tick_size = "0.05"
lot_size = "0.002"
min_notional = "7"
maker_fee = "0.001"
taker_fee = "0.002"
"""


def _ccxt(desk: Desk) -> Any:
    keys = load_keys(desk.run_dir / "paper" / "keys.env")
    exchange = ccxt.binance(ccxt_settings_of(desk.url("paper"), keys))
    exchange.load_markets()
    return exchange


def test_a_pair_of_its_own_trades_through_every_node(directory: Path) -> None:
    """Steps, fees and smallest notional are those of tickbus.toml, and an open order survives kill -9 of the engine."""
    (directory / "tickbus.toml").write_text(CONFIGURATION)
    desk = Desk(directory / "run", "--only", "engine", "--only", "paper", "--only", "api")
    try:
        desk.start()
        exchange = _ccxt(desk)
        market = exchange.market("SOL/USDT")
        assert (market["precision"]["price"], market["precision"]["amount"]) == (0.05, 0.002)
        assert market["limits"]["cost"]["min"] == 7
        resting = exchange.create_order("SOL/USDT", "limit", "sell", 1, 150.05)
        taken = exchange.create_order("SOL/USDT", "limit", "buy", 0.2, 150.05, {"selfTradePreventionMode": "NONE"})
        assert taken["status"] == "closed"
        fees = {
            (each["takerOrMaker"], each["fee"]["currency"], each["fee"]["cost"])
            for each in exchange.fetch_my_trades("SOL/USDT")
        }
        assert fees == {("maker", "USDT", 0.03001), ("taker", "SOL", 0.0004)}
        desk.kill("engine")
        until("the api is back with the order", lambda: _asks(desk) == [(Decimal("150.05"), Decimal("0.8"))])
        assert exchange.fetch_order(resting["id"], "SOL/USDT")["remaining"] == 0.8
        halt = _switch(desk, "POST", {"kind": "halt", "symbol": "SOLUSDT"})
        assert (halt["symbol"], desk.node("engine")["state"]) == ("SOLUSDT", "ready")
        with pytest.raises(ccxt.ExchangeError, match="Market is closed"):
            exchange.create_order("SOL/USDT", "limit", "sell", 1, 150.05)
        until("status says so", lambda: desk.node("engine")["figures"].get("halted") == ["SOLUSDT"])
        assert len(_switch(desk, "DELETE")["cleared"]) == 1
        until("the exchange takes orders", lambda: _is_taken(exchange))  # its link may come back after the api's feed
        desk.stop()
    finally:
        desk.end()


def _is_taken(exchange: Any) -> bool:
    try:
        return bool(exchange.create_order("SOL/USDT", "limit", "sell", 1, 150.05)["id"])
    except ccxt.OperationFailed:
        return False


def _switch(desk: Desk, method: str, document: object = None) -> Any:
    """Set or clear fault switches with the desk's own token: a halt goes through the operator's line to the engine."""
    token = (desk.run_dir / "paper" / "admin.token").read_text().strip()
    data = None if document is None else json.dumps(document).encode()
    url = f"{desk.url('paper')}/admin/v1/faults"
    request = urllib.request.Request(url, data, {TOKEN_HEADER: token}, method=method)
    with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
        return json.load(response)


def _asks(desk: Desk) -> list[tuple[Decimal, Decimal]]:
    levels = desk.get("/api/orderbook?symbol=SOLUSDT").get("asks", [])
    return [(Decimal(str(level["price"])), Decimal(str(level["orders"][0]["quantity"]))) for level in levels]
