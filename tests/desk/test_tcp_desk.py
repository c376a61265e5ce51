"""A desk whose bus goes over tcp with CURVE, and a node of it on what might be another machine."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

from bus.curve import load_or_make_keys
from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from desk.settings import load_settings
from desk.wiring import desk_wiring
from market.clock import monotonic_ns
from market.codes import Side
from tests.bus.shown_state import best_of
from tests.bus.test_tcp import free_ports, listens
from tests.desk.desk_process import ANSWER_S, BTCUSDT, CLI, PATIENCE_S, Desk, environment, until
from tests.desk.gateway_client import accepted
from tests.nodes.gateway.gateway_process import free_port
from venues.gateway import GatewaySession


def _get(port: int, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=ANSWER_S) as response:
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
        accepted(session, "BTCUSDT", "90000.00", "0.00111")
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
            process.wait(PATIENCE_S)
    halted = desk.cli("halt")
    assert halted.returncode == 0, halted.stderr
    secret = (desk.run_dir / "bus" / "curve.keys").read_text().split("secret=")[1].strip()
    assert not [path for path in (desk.run_dir / "logs").iterdir() if secret in path.read_text()]
    desk.stop()
    assert not [path for path in (desk.run_dir / "logs").iterdir() if "a bug of ours" in path.read_text()]


def test_only_the_feed_leaves_the_machine(desk: Desk) -> None:
    """A reader whose key is allowed keeps the book over tcp; orders go over ipc, and nothing listens at their port."""
    first = free_ports()
    desk.environment |= {
        "TICKBUS_BUS__CHANNELS__FEED": "listen",
        "TICKBUS_BUS__CHANNELS__SNAPSHOTS": "listen",
        "TICKBUS_BUS__PORT": str(first),
        "TICKBUS_GATEWAY__IDLE_S": "600",
    }
    desk.start("--only", "engine", "--only", "gateway")
    assert [listens(first + offset) for offset in range(3)] == [False, True, True]
    told = {name: at for name, at in desk.node("engine")["endpoints"].items() if at.startswith("tcp:")}
    assert told == {
        "feed_tcp": f"tcp://127.0.0.1:{first + 1}",
        "snapshots_tcp": f"tcp://127.0.0.1:{first + 2}",
    }
    elsewhere = {
        "run_dir": desk.run_dir.parent / "other",
        "bus.channels.feed": "tcp",
        "bus.channels.snapshots": "tcp",
        "bus.port": first,
        "bus.server_key": desk.cli("keys").stdout.split()[2],
    }
    settings = load_settings(elsewhere).settings
    topic = Topic.BOOK.of("BTCUSDT")
    reader = FeedSubscriber(desk_wiring(settings), [topic])

    def is_live() -> bool:
        reader.tick(monotonic_ns())
        reader.receive(monotonic_ns())
        return reader.is_live(monotonic_ns())

    try:
        assert {one.endpoint for one in reader.sockets} == {f"tcp://127.0.0.1:{first + offset}" for offset in (1, 2)}
        until("the engine has refused the reader's key", lambda: "were refused" in desk.log("engine") or is_live())
        assert not is_live()
        key = load_or_make_keys(settings.bus_keys_file).public.decode()
        assert desk.cli("keys", "--allow", key, "--whose", "a reader").returncode == 0
        until("the reader is let in", is_live)
        host, port = desk.node("gateway")["endpoints"]["tcp"].split(":")
        with GatewaySession("ann", host, int(port)) as session:
            accepted(session, "BTCUSDT", "90000.00", "0.00111")
        until("the reader sees it", lambda: is_live() and best_of(reader.replicas[topic].book).bid_qty_lots == 111)
    finally:
        reader.close()
    desk.stop()


def test_a_desk_with_an_unknown_channel_does_not_start(desk: Desk) -> None:
    """One line that names it, and nothing is made."""
    desk.environment |= {"TICKBUS_BUS__CHANNELS__FEEDS": "tcp"}
    result = desk.cli("up")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: TICKBUS_BUS__CHANNELS__FEEDS: no such setting")
    assert not desk.run_dir.exists()


def test_a_desk_beyond_loopback_without_keys_does_not_start(desk: Desk) -> None:
    """One line, and nothing is made."""
    desk.environment |= {"TICKBUS_BUS__TRANSPORT": "tcp", "TICKBUS_BUS__HOST": "0.0.0.0", "TICKBUS_BUS__CURVE": "false"}
    result = desk.cli("up")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: bus: expected curve to be true: orders would go without keys to 0.0.0.0, which is")
    assert not desk.run_dir.exists()
