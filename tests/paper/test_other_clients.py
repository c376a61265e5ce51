"""Clients that are not ccxt, each in an environment of its own, against the exchange on a real socket.

The environments are made from the caches of uv and npm, so that a test never waits for the network. To fill them:

    python -m uv run --no-project --with python-binance==1.0.37 python -c "import binance"
    npm install --prefix "$(mktemp -d)" binance-api-node@0.13.10
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paper.desk import ALICE, BOB
from tests.paper.server import Server

PROGRAMS = Path(__file__).parent / "programs"
UV_RUN = [sys.executable, "-m", "uv", "run", "--offline", "--quiet", "--no-project", "--no-config"]


def run(server: Server, command: list[str]) -> str:
    """Run a client with the exchange's URL and two accounts' keys; return what it prints."""
    keys = [(server.keys[account].api_key, server.keys[account].secret) for account in (ALICE, BOB)]
    environment = os.environ | {"EXCHANGE_URL": server.url, "EXCHANGE_KEYS": json.dumps(keys)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_python_binance_trades_over_http_and_sockets(server: Server) -> None:
    """Markets, balance, place, replace, cancel, fill, history, streams, user data, refusals."""
    python = [*UV_RUN, "--with", "python-binance==1.0.37", "python"]
    found = subprocess.run([*python, "-c", "import binance"], capture_output=True, text=True, timeout=60, check=False)
    if found.returncode != 0:
        pytest.skip(f"python-binance is not in uv's cache: {found.stderr.strip()[-200:]}")
    assert run(server, [*python, str(PROGRAMS / "python_binance.py")]).endswith("done\n")


def test_binance_api_node_trades_over_http_and_sockets(server: Server, tmp_path: Path) -> None:
    """The same with a Node client, which puts a POST's parameters into the query."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no Node on this machine")
    command = [npm, "install", "--offline", "--no-audit", "--no-fund", "--prefix", str(tmp_path)]
    made = subprocess.run(
        [*command, "binance-api-node@0.13.10"], capture_output=True, text=True, timeout=60, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"binance-api-node is not in npm's cache: {made.stderr.strip()[-200:]}")
    program = shutil.copy(PROGRAMS / "binance_api_node.cjs", tmp_path)
    assert run(server, [node, str(program)]).endswith("done\n")
