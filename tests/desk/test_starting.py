"""A desk that cannot start: the reason in one line, the same on every way, and nothing left behind."""

import os
import resource
import socket
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.desk.desk_process import FREE_PORTS, Desk, node_processes, until

COMMANDS = (
    ["up"], ["up", "--detach"], ["node", "engine"], ["down"], ["status"], ["stop", "maker"], ["start", "maker"],
    ["logs"], ["orders"], ["trades"], ["balances"], ["report"], ["accounts"], ["book", "--once"],
    ["feed", "--count", "1"], ["keys"], ["halt"], ["resume"], ["replay"], ["journal", "inspect"], ["config", "show"],
)  # fmt: skip


def _nothing_is_left(run_dir: Path) -> bool:
    left = [path for path in run_dir.iterdir() if path.suffix in (".ipc", ".lock")] if run_dir.is_dir() else []
    return not left and node_processes(run_dir) == []


def test_all_taken_ports_are_told_at_once_before_anything_starts(desk: Desk) -> None:
    """They were told one at a time, after the nodes had started, and without what helps."""
    with ExitStack() as taken:
        ports = [taken.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
        options = ("--gateway-port", "--paper-port", "--api-port")
        words = [word for option, port in zip(options, ports, strict=True) for word in (option, str(port))]
        for how in ([], ["--detach"]):
            result = desk.cli("up", *how, *words)
            assert result.returncode == 1
            assert [line for line in result.stderr.splitlines() if line.startswith("error: ")] == [
                f"error: {node}: cannot listen on 127.0.0.1:{port}: Address already in use; "
                f"--{node}-port 0 takes a free one"
                for node, port in zip(("gateway", "paper", "api"), ports, strict=True)
            ]
    assert list((desk.run_dir / "logs").glob("engine.log*")) == []
    assert _nothing_is_left(desk.run_dir)


def test_keys_that_are_missing_are_told_before_anything_starts(desk: Desk) -> None:
    """A keyless start at the testnet booted the engine first."""
    for how in ([], ["--detach"]):
        result = desk.cli("up", *how, "--venue", "binance-testnet", *FREE_PORTS)
        assert result.returncode == 1
        assert "error: binance-testnet needs keys: set TICKBUS_VENUE__API_KEY and " in result.stderr
    assert _nothing_is_left(desk.run_dir) or not desk.run_dir.exists()


def test_a_node_that_cannot_start_is_told_alike_in_the_foreground_and_detached(desk: Desk) -> None:
    """The foreground said why; `--detach` said that the desk does not answer."""
    desk.run_dir.mkdir(mode=0o700)
    tokens = desk.run_dir / "tokens"
    tokens.write_text("no equals sign")
    tokens.chmod(0o600)
    desk.environment["TICKBUS_GATEWAY__TOKENS_FILE"] = str(tokens)
    words = ("--only", "engine", "--only", "gateway", *FREE_PORTS)
    said = []
    for how in ([], ["--detach"]):
        result = desk.cli("up", *how, *words)
        assert result.returncode == 1
        said.append([line for line in result.stderr.splitlines() if line.startswith("error: ")])
        until("nothing is left", lambda: _nothing_is_left(desk.run_dir))
    assert said[0] == said[1]
    assert said[0][0].startswith("error: gateway: ")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_run_directory_that_nobody_can_make_is_one_line(desk: Desk, command: list[str]) -> None:
    """Of every command: it was a traceback."""
    desk.run_dir = Path("/proc/foo")
    result = desk.cli(*command)
    assert "Traceback" not in result.stderr
    if command not in (["config", "show"], ["replay"], ["journal", "inspect"]):  # which find nothing, and say so
        assert result.returncode in (1, 3)
        assert len(result.stderr.splitlines()) == 1
        assert "/proc/foo" in result.stderr


def test_a_file_in_the_place_of_the_run_directory_is_one_line(desk: Desk) -> None:
    """What all commands read first says so."""
    desk.run_dir = desk.run_dir.parent / "file"
    desk.run_dir.write_text("x")
    for command in (["up"], ["status"], ["orders"], ["config", "show"]):
        result = desk.cli(*command)
        assert result.returncode == 1
        assert result.stderr.startswith(f"error: run_dir: expected a folder, and {desk.run_dir} is none")
        assert len(result.stderr.splitlines()) == 1


def test_a_run_directory_that_others_can_change_is_refused(desk: Desk) -> None:
    """Its sockets take orders: whoever can put one there is the engine."""
    desk.run_dir.mkdir()
    desk.run_dir.chmod(0o777)
    result = desk.cli("up", "--only", "engine")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"error: others may write to the run directory {desk.run_dir} (mode 0777): chmod 700 it"
    ]
    desk.run_dir.chmod(0o755)
    desk.start("--only", "engine")
    assert stat.S_IMODE(desk.run_dir.stat().st_mode) == 0o700
    assert f"others could read {desk.run_dir}: its mode is 0700 now" in desk.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_run_directory_of_somebody_else_is_refused(desk: Desk) -> None:
    """Its owner can change it whatever its mode says."""
    desk.run_dir.mkdir(mode=0o700)
    os.chown(desk.run_dir, 12_345, -1)
    result = desk.cli("up", "--only", "engine")
    assert result.returncode == 1
    assert "belongs to another user (uid 12345)" in result.stderr


def test_only_nodes_that_trade_get_the_venue_s_keys_and_none_dumps_core(plain_desk: Desk) -> None:
    """What a process does not know it cannot lose."""
    plain_desk.environment |= {"TICKBUS_VENUE__API_KEY": "the-key", "TICKBUS_VENUE__SECRET": "the-secret"}
    plain_desk.start("--only", "engine", "--only", "paper", "--only", "api")
    for name in ("engine", "paper", "api"):
        pid = plain_desk.node(name)["pid"]
        variables = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"the-key" not in variables
        assert b"the-secret" not in variables
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    plain_desk.stop()
