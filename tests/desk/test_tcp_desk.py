"""A desk whose bus goes over tcp with CURVE, and a node of it on what might be another machine."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

from bus.curve import load_or_make_keys
from market.codes import OrderType, Side
from market.events import Accepted
from tests.bus.test_tcp import free_ports
from tests.desk.desk_process import BTCUSDT, CLI, Desk, environment, until
from tests.nodes.gateway_process import free_port
from venues.gateway import GatewaySession


def _get(port: int, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            document: dict[str, Any] = json.load(response)
            return document
    except urllib.error.HTTPError as error:
        with error:
            return {"status": error.code}
    except OSError:
        return {}


def test_a_desk_trades_over_tcp_and_lets_in_whom_it_knows(desk: Desk) -> None:
    """Gateway and paper exchange reach the engine over tcp; an api elsewhere does so once its key is allowed."""
    first, api_port = free_ports(), free_port()
    tcp = {"TICKBUS_BUS__TRANSPORT": "tcp", "TICKBUS_BUS__PORT": str(first)}
    desk.environment |= tcp
    desk.start("--only", "engine", "--only", "gateway", "--only", "paper")
    host, port = desk.node("gateway")["endpoints"]["tcp"].split(":")
    with GatewaySession("ann", host, int(port)) as session:
        ours = session.buy("BTCUSDT", "90000.00", "0.00111", order_type=OrderType.LIMIT)
        until("the order is accepted", lambda: [e for e in session.receive(0.1) if isinstance(e, Accepted)])
        assert ours == 1
        desk.venue().place(BTCUSDT, Side.BUY, 8_900_000, 1_000, "a-1")
        key = desk.cli("keys").stdout.split()[2]
        elsewhere = desk.run_dir.parent / "other"
        command = [sys.executable, str(CLI), "node", "api", "--run-dir", str(elsewhere)]
        settings = environment(**tcp, TICKBUS_BUS__SERVER_KEY=key, TICKBUS_API__PORT=str(api_port))
        process = subprocess.Popen(command, env=settings, cwd=desk.run_dir.parent, stderr=subprocess.DEVNULL)
        try:
            until("the engine has refused the other's key", lambda: "connections were refused" in desk.log("engine"))
            assert _get(api_port, "/api/orderbook").get("status") in (None, 503)
            stranger = load_or_make_keys(elsewhere / "bus" / "curve.keys").public.decode()
            until("the engine names it", lambda: stranger in desk.log("engine"))
            assert desk.cli("keys", "--allow", stranger, "--whose", "the other").stdout.count(stranger) == 1
            until("the other has the book", lambda: len(_get(api_port, "/api/orderbook").get("bids", [])) == 2)
        finally:
            process.terminate()
            process.wait(10)
    halted = desk.cli("halt")
    assert halted.returncode == 0, halted.stderr
    secret = (desk.run_dir / "bus" / "curve.keys").read_text().split("secret=")[1].strip()
    assert not [path for path in (desk.run_dir / "logs").iterdir() if secret in path.read_text()]
    desk.stop()


def test_a_desk_beyond_loopback_without_keys_does_not_start(desk: Desk) -> None:
    """One line, and nothing is made."""
    desk.environment |= {"TICKBUS_BUS__TRANSPORT": "tcp", "TICKBUS_BUS__HOST": "0.0.0.0", "TICKBUS_BUS__CURVE": "false"}
    result = desk.cli("up")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: bus.curve: expected true: bus.host 0.0.0.0 is not loopback")
    assert not desk.run_dir.exists()
