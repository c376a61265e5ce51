"""What commands advise: words that work as they stand, in the run directory that was asked about."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from commands.actions import node_control
from commands.actions.by_hand import place
from commands.app import app
from desk import client
from desk.client import DeskError, NoDeskError, require_node
from desk.halted_file import HaltedFile
from desk.settings import load_settings
from desk.venue import venue_keys
from venues.venue import VenueKeysError


def test_says_where_a_relative_run_directory_is() -> None:
    """Guards a command that was given in another folder: which `run` was meant."""
    assert str(NoDeskError(Path("run"))) == (
        f"no desk runs in run ({Path.cwd() / 'run'}); start it with: python cli.py up"
    )
    assert str(NoDeskError(Path("/r/b"))) == "no desk runs in /r/b; start it with: python cli.py up --run-dir /r/b"


@pytest.mark.parametrize(
    ("run_dir", "needed_by", "lines"),
    [
        ("run", [], ["engine is stopped; it stays so until: python cli.py start engine"]),
        (
            "/r/b",
            ["maker"],
            [
                "engine is stopped; it stays so until: python cli.py start engine --run-dir /r/b",
                "needed by maker, which goes on without it as well as it can",
            ],
        ),
        (
            "run",
            ["maker", "tracker"],
            [
                "engine is stopped; it stays so until: python cli.py start engine",
                "needed by maker, tracker, which go on without it as well as they can",
            ],
        ),
    ],
)
def test_start_is_told_with_its_run_directory(
    monkeypatch: pytest.MonkeyPatch, run_dir: str, needed_by: list[str], lines: list[str]
) -> None:
    """Guards `stop NODE --run-dir`: the way back is to the same desk."""
    answer = {"seconds": 1, "process": ["engine"], "needed_by": needed_by}
    row = {"name": "engine", "state": "stopped", "why": ""}
    monkeypatch.setattr(node_control, "ask_desk", lambda *_: answer)
    monkeypatch.setattr(node_control, "_await", lambda *_: row)
    assert node_control.stop_node(Path(run_dir), "engine") == lines


@pytest.mark.parametrize(("run_dir", "named"), [("run", ""), ("/r/b", " --run-dir /r/b")])
def test_what_a_command_lacks_is_started_in_its_run_directory(
    monkeypatch: pytest.MonkeyPatch, run_dir: str, named: str
) -> None:
    """Guards commands that ask a node that is stopped, or the keys of an exchange that never ran."""
    monkeypatch.setattr(client, "desk_pid", lambda _: 1)
    monkeypatch.setattr(client, "desk_status", lambda _: {"nodes": [{"node": "paper", "state": "stopped"}]})
    with pytest.raises(DeskError) as stopped:
        require_node(Path(run_dir), "paper")
    assert str(stopped.value) == f"paper of the desk in {run_dir} is stopped: python cli.py start paper{named}"
    monkeypatch.chdir("/")
    with pytest.raises(VenueKeysError) as never:
        venue_keys(load_settings({"run_dir": Path(run_dir)}).settings)
    assert str(never.value).endswith(f" {run_dir}; start the desk with: python cli.py up{named}")


@pytest.mark.parametrize("state", ["waiting", "starting", "warming"])
def test_node_that_has_yet_to_start_is_told_from_one_that_comes_back(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """Guards `record` beside an `up` with free ports: it was told that nobody listens at port 0."""
    row: dict[str, Any] = {"node": "paper", "state": state, "endpoints": {}}
    monkeypatch.setattr(client, "desk_pid", lambda _: 1)
    monkeypatch.setattr(client, "desk_status", lambda _: {"nodes": [row]})
    with pytest.raises(DeskError, match=f"^paper of the desk in run is {state}: ask again when it is ready$"):
        require_node(Path("run"), "paper")
    row["endpoints"] = {"http": "http://127.0.0.1:8084"}  # whoever asks waits, or tries again
    require_node(Path("run"), "paper")


def test_order_by_hand_first_wants_a_desk(tmp_path: Path) -> None:
    """Guards the order of what is said: `resume` cannot help where no desk runs."""
    settings = load_settings({"run_dir": tmp_path}).settings
    HaltedFile(tmp_path, ["BTCUSDT"]).change(["BTCUSDT"], is_halted=True)
    with pytest.raises(NoDeskError):
        place(settings, "buy", "0.01", "90000", is_post_only=False, is_ioc=False)


@pytest.mark.parametrize("name", ["halt", "resume", "orders", "trades", "balances", "account"])
def test_a_pair_without_its_option_is_told_how_it_is_named(name: str) -> None:
    """`halt ETHUSDT` said that an argument was unexpected; a desk that is to be halted is no place to guess."""
    result = CliRunner().invoke(app, [name, "ETHUSDT"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "a pair is named with --symbol ETHUSDT" in " ".join(result.output.split())
