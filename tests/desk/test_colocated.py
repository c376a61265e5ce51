"""Nodes as threads of one process: `up --colocate gateway,engine`, and `node engine gateway`."""

import signal

import pytest

from desk.plan import processes
from desk.settings import Settings
from tests.desk.desk_process import Desk, node_processes, until
from tests.desk.gateway_client import accepted, cancel
from venues.gateway import GatewaySession

PLAN = Settings().plan
NODES = ("engine", "gateway", "api", "paper")


def _names(colocated: list[str], *only: str) -> list[tuple[str, ...]]:
    groups = processes(PLAN.chosen(only), colocated)
    return [tuple(node.name for node in nodes) for nodes in groups]


def test_a_process_starts_when_all_that_its_nodes_need_is_up() -> None:
    """The order of processes follows from the needs of their nodes, whatever the order of the names."""
    assert _names(["gateway,engine"])[0] == ("engine", "gateway")
    assert sorted(name for group in _names(["gateway,engine", "api,tracker"]) for name in group) == sorted(
        node.name for node in PLAN.chosen()
    )
    assert ("flow", "maker") in _names(["flow,maker"])
    assert [node.name for node in PLAN.named(["api", "engine"])] == ["engine", "api"]


@pytest.mark.parametrize(
    ("colocated", "only", "why"),
    [
        (["gateway,nobody"], (), "this desk runs no nobody"),
        (["gateway,engine", "engine,api"], (), "engine is in another process already"),
        (["gateway,engine"], ("engine", "api"), "this desk runs no gateway"),
        (["api,engine,paper"], (), "serves HTTP once, not for paper and api"),
        (["maker,engine"], (), "others stand between them"),
    ],
)
def test_nodes_that_cannot_share_a_process_are_named(colocated: list[str], only: tuple[str, ...], why: str) -> None:
    """A misspelt node, one in two processes, and a process that would wait for itself are refused at the start."""
    with pytest.raises(ValueError, match=why):
        _names(colocated, *only)


def _sizes(desk: Desk) -> list[float]:
    bids = desk.get("/api/orderbook").get("bids", [])
    return [order["quantity"] for level in bids for order in level["orders"]]


def test_gateway_and_engine_share_a_process_and_come_back_together(desk: Desk) -> None:
    """Orders go over inproc, the others reach the engine over ipc; a kill -9 of the process loses nothing."""
    desk.start(*(word for name in NODES for word in ("--only", name)), "--colocate", "gateway,engine")
    rows = {name: desk.node(name) for name in NODES}
    assert rows["engine"]["process"] == rows["gateway"]["process"] == "engine+gateway"
    assert rows["engine"]["pid"] == rows["gateway"]["pid"]
    assert len(node_processes(desk.run_dir)) == 3
    host, port = rows["gateway"]["endpoints"]["tcp"].split(":")
    with GatewaySession("ann", host, int(port)) as session:
        first = accepted(session, "BTCUSDT", "90000.00", "0.00111")
        until("the api shows it, which hears of it over ipc", lambda: _sizes(desk) == [0.00111])
        desk.kill("gateway")
        assert desk.node("engine")["restarts"] == desk.node("gateway")["restarts"] == 1
        assert desk.node("engine")["pid"] == desk.node("gateway")["pid"] != rows["engine"]["pid"]
        until("the engine has the order still", lambda: _sizes(desk) == [0.00111])
        accepted(session, "BTCUSDT", "89000.00", "0.00222")
        cancel(session, first)
    until("the paper exchange is in step", lambda: desk.node("paper")["figures"].get("is_connected"))
    assert "node='gateway'" in desk.cli("logs", "gateway").stdout
    desk.stop()
    log = desk.log("engine+gateway")
    assert log.index("node='gateway' event='stopped'") < log.index("node='engine' event='stopped'")
    assert node_processes(desk.run_dir) == []
    assert not [path for path in desk.run_dir.iterdir() if path.suffix in (".ipc", ".lock")]


def test_a_thread_that_fails_ends_its_process(desk: Desk) -> None:
    """The nodes of a process share one life: none of them lives on beside a dead one."""
    desk.environment["TICKBUS_GATEWAY__TOKENS_FILE"] = str(desk.run_dir / "absent")
    desk.run_dir.mkdir()
    result = desk.cli("node", "gateway", "engine")
    assert result.returncode == 1
    assert "node='gateway' event='stopped'" in result.stderr
    assert "node='engine' event='stopped' after_s" in result.stderr
    assert "Traceback" not in result.stderr
    assert not [path for path in desk.run_dir.iterdir() if path.suffix in (".ipc", ".lock")]


def test_asyncio_nodes_are_threads_too(desk: Desk) -> None:
    """They stop by a word from another thread, not by a signal, and in the reverse order of their start."""
    desk.start("--only", "engine", "--only", "paper", "--colocate", "engine,paper")
    pid = desk.node("paper")["pid"]
    assert node_processes(desk.run_dir) == [pid]
    desk.kill("paper", number=signal.SIGTERM)
    assert desk.node("engine")["pid"] == desk.node("paper")["pid"] != pid
    log = desk.log("engine+paper")
    assert log.index("node='paper' event='stopped'") < log.index("node='engine' event='stopped'")
    desk.stop()
