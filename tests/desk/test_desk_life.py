"""Starting, stopping, and starting twice: what `up` promises."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from desk.run_dir import holder_pid
from tests.desk.desk_process import CLI, FREE_PORTS, LEAN, PATIENCE_S, Desk, node_processes


def _left_over(run_dir: Path) -> list[str]:
    return sorted(path.name for path in run_dir.iterdir() if path.suffix in (".ipc", ".lock"))


def test_a_service_manager_s_stop_is_the_same(plain_desk: Desk) -> None:
    """SIGTERM."""
    assert_stops(plain_desk.start(*LEAN), signal.SIGTERM)


def assert_stops(desk: Desk, number: int) -> None:
    """Stop a desk with a signal: no process, socket or lock of it is left."""
    output = desk.stop(number)
    assert "ready in" in output
    assert node_processes(desk.run_dir) == []
    assert _left_over(desk.run_dir) == []
    assert "the maker stops" in desk.log("maker")
    journals = [path.name for path in desk.run_dir.iterdir() if path.name.startswith("journal")]
    assert journals == ["journal.before"], "nothing is open, and all have acknowledged what they were told"


def test_a_taken_port_is_said_in_one_line_and_nothing_stays(desk: Desk) -> None:
    """A node that cannot start ends the desk, with the node's own last word."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = desk.cli("up", "--only", "engine", "--only", "api", "--api-port", str(port))
    assert result.returncode == 1
    assert f"error: api: cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert node_processes(desk.run_dir) == []
    assert _left_over(desk.run_dir) == []


def test_detached_desk_returns_when_ready_and_down_stops_it(desk: Desk) -> None:
    """`up --detach` prints the table and returns; `down` waits for the end."""
    result = desk.cli("up", "--detach", "--only", "engine", "--only", "api", *FREE_PORTS)
    assert result.returncode == 0, result.stderr
    assert "/api/orderbook" in result.stdout
    pid = holder_pid(desk.run_dir / "desk.lock")
    assert pid is not None
    assert [row["node"] for row in desk.status()["nodes"]] == ["engine", "api"]
    down = desk.cli("down")
    assert (down.returncode, down.stdout) == (0, f"stopped (pid {pid})\n")
    assert not _lives(pid), "it had let go of the run directory, and was still ending"
    assert node_processes(desk.run_dir) == []
    assert desk.cli("down").returncode == 3


def _lives(pid: int) -> bool:
    try:
        return b"cli.py" in Path(f"/proc/{pid}/cmdline").read_bytes()  # of one that nobody has waited for it is empty
    except FileNotFoundError:
        return False


def test_one_node_runs_in_the_foreground_and_only_once(desk: Desk) -> None:
    """`node NAME` is what systemd or a container runs; a second one of the same name says so and exits."""
    command = [sys.executable, str(CLI), "node", "engine", "--run-dir", str(desk.run_dir)]
    process = subprocess.Popen(command, env=desk.environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "ready" in process.stderr.readline()
        second = desk.cli("node", "engine")
        assert second.returncode == 1
        assert f"engine is already running, pid {process.pid}" in second.stderr
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert _left_over(desk.run_dir) == []


def test_commands_without_a_desk_fail_in_one_line(desk: Desk) -> None:
    """No traceback, a non-zero exit code, and what to do."""
    desk.environment |= {"TICKBUS_PAPER__PORT": "1", "TICKBUS_API__PORT": "1"}
    for command in (
        ["status"], ["down"], ["orders"], ["trades"], ["balances"], ["report"], ["book", "--once"], ["feed"], ["logs"],
    ):  # fmt: skip
        result = desk.cli(*command)
        assert result.returncode == (1 if command == ["logs"] else 3), command
        assert result.stderr.startswith("error: "), command
        assert len(result.stderr.splitlines()) == 1, result.stderr


def test_settings_errors_come_all_at_once_within_a_second_of_work(desk: Desk) -> None:
    """Each with its key, what was there and what was expected; nothing is started."""
    (desk.run_dir.parent / "tickbus.toml").write_text(
        '[maker]\nhalf_spread = 2\ncolour = "red"\n[venue]\nsecret = "x"\n'
    )
    result = desk.cli("up", "--symbol", "b@d")
    assert result.returncode == 1
    for key in ("maker.half_spread", "maker.colour", "venue.secret", "symbol"):
        assert f"error: {key}: " in result.stderr
    assert not desk.run_dir.exists()


def test_fresh_forgets_the_paper_accounts_and_keeps_the_keys(desk: Desk) -> None:
    """`--fresh` starts with 1 BTC and 10,000 USDT again."""
    nodes = ("--only", "engine", "--only", "paper")
    desk.start(*nodes)
    keys = (desk.run_dir / "paper" / "keys.env").read_text()
    desk.stop()
    assert (desk.run_dir / "paper" / "ledger.sqlite3").exists()
    (desk.run_dir / "paper" / "ledger.sqlite3-marker").write_text("an old file of the ledger")
    desk.start(*nodes, "--fresh")
    assert not (desk.run_dir / "paper" / "ledger.sqlite3-marker").exists()
    assert (desk.run_dir / "paper" / "keys.env").read_text() == keys
    bitcoin = desk.cli_json("balances")["balances"]["BTC"]
    assert float(bitcoin["free"]) == 1
    desk.stop()


def test_help_imports_nothing_heavy() -> None:
    """The command line answers before anybody loads numpy, zmq, sanic or ccxt."""
    heavy = ["numpy", "zmq", "sanic", "ccxt", "pydantic", "rich.live"]
    script = f"import sys, cli, commands.app; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=CLI.parent, env=os.environ, capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_config_show_tells_where_each_value_comes_from(desk: Desk) -> None:
    """Defaults, file, environment and command line, in that order, and never a secret."""
    (desk.run_dir.parent / "tickbus.toml").write_text("[maker]\nnotional = 500\ninterval_ms = 300\n")
    desk.environment |= {"TICKBUS_MAKER__INTERVAL_MS": "400", "TICKBUS_VENUE__SECRET": "hush"}
    output = desk.cli("config", "show").stdout
    origins = {line.split()[0]: line.split()[1:] for line in output.splitlines()}
    assert origins["maker.notional"] == ["500", "tickbus.toml"]
    assert origins["maker.interval_ms"] == ["400", "environment"]
    assert origins["maker.half_spread"] == ["0.002", "default"]
    assert origins["run_dir"][-2:] == ["command", "line"]
    assert "hush" not in output
