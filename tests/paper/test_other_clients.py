"""Clients in environments of their own, without anything of ours, against the exchange on a real socket."""

import json
import os
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from market.codes import Side
from tests.environments.made import node_program, python_of
from tests.paper.conformance import unheard
from tests.paper.desk import ALICE, BOB
from tests.paper.server import ADMIN_TOKEN, Server

PROGRAMS = Path(__file__).parent / "programs"


def run(server: Server, tester: str, command: list[str]) -> str:
    """Run a client with the exchange's URL and two accounts' keys; return what it prints.

    Everything that docs/paper.md claims of it must have been heard by the exchange.
    """
    server.calls.clear()
    server.streams.clear()
    keys = [(server.keys[account].api_key, server.keys[account].secret) for account in (ALICE, BOB)]
    environment = os.environ | {
        "EXCHANGE_URL": server.url,
        "EXCHANGE_KEYS": json.dumps(keys),
        "EXCHANGE_ED25519": json.dumps([server.ed25519_api_key, pem_of(server.ed25519_key)]),
        "EXCHANGE_ADMIN": ADMIN_TOKEN,
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else ccxt's hundred exchanges are compiled anew at every start
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert unheard(tester, server.calls, server.streams) == []
    return result.stdout


def pem_of(key: Ed25519PrivateKey) -> str:
    """Return a key as its holder keeps it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_python_binance_trades_over_http_and_sockets(server: Server) -> None:
    """Markets, balance, place, replace, amend, cancel, fill, history, streams, faults, an error of each kind."""
    python = python_of(PROGRAMS / "requirements.lock")
    assert run(server, "python", [str(python), str(PROGRAMS / "python_binance.py")]).endswith("done\n")


def test_binance_api_node_trades_over_http_and_sockets(server: Server, tmp_path: Path) -> None:
    """The same with a Node client, which puts a POST's parameters into the query."""
    command = node_program(PROGRAMS / "binance_api_node.cjs", PROGRAMS, tmp_path)
    assert run(server, "node", command).endswith("done\n")


def test_ccxt_trades_in_all_its_three_ways(server: Server) -> None:
    """The same with ccxt as it comes, synchronous, asynchronous and pro: its other tests share our environment."""
    python = python_of(PROGRAMS / "ccxt.lock")
    assert run(server, "ccxt", [str(python), str(PROGRAMS / "ccxt_all.py")]).endswith("done\n")


def test_binances_own_sdk_walks_through_every_call_that_it_has(server: Server) -> None:
    """Each answer is read by the SDK's models, and holds nothing that they do not know; what is not there is named."""
    python = python_of(PROGRAMS / "binance_sdk.lock")
    assert run(server, "sdk", [str(python), str(PROGRAMS / "binance_sdk.py")]).endswith("done\n")


def test_nautilus_trader_loads_all_instruments_and_trades(server: Server) -> None:
    """Its node as it comes: reconciliation at the start, quotes and trades, and every kind of order that it has."""
    server.flow(Side.SELL, "90000", "1")
    server.flow(Side.BUY, "90000", "5")
    server.flow(Side.SELL, "90100", "5")
    python = python_of(PROGRAMS / "nautilus.lock", "3.12")
    assert run(server, "nautilus", [str(python), str(PROGRAMS / "nautilus.py")]).endswith("done\n")
