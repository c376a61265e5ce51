"""`--json` of what reads little: each a document, and never a secret."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bus.curve import load_or_make_keys
from commands.app import app
from desk.settings import load_settings
from tests.recordings import KEPT


def _ran(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_keys_tell_the_public_ones_alone(tmp_path: Path) -> None:
    """The secret one is in its file, for its owner."""
    path = load_settings({"run_dir": tmp_path}).settings.bus_keys_file
    other = load_or_make_keys(tmp_path / "other").public.decode()
    text = _ran("keys", "--allow", other, "--whose", "desk b", "--run-dir", tmp_path, "--json")
    own = load_or_make_keys(path)
    assert json.loads(text) == {
        "public_key": own.public.decode(),
        "file": str(path),
        "allowed": [{"public_key": other, "whose": "desk b"}],
    }
    assert own.secret.decode() not in text


def test_a_check_of_a_recording_tells_what_is_wrong_with_it(tmp_path: Path) -> None:
    """By its exit code, too."""
    good = json.loads(_ran("recording", "check", KEPT, "--json"))
    assert good == {"file": str(KEPT), "is_sound": True, "faults": []}
    cut = tmp_path / "cut.gz"
    cut.write_bytes(KEPT.read_bytes()[:-9])
    bad = json.loads(_ran("recording", "check", cut, "--json", code=1))
    assert (bad["is_sound"], len(bad["faults"])) == (False, 1)


def test_a_replay_tells_of_each_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the line says, in figures; where nothing was compared that is null."""
    monkeypatch.setenv("TICKBUS_ENGINE__ORDERS_MAX", "262144")  # as a simulated one has it
    _ran("simulate", "--seconds", "5", "--out", tmp_path / "out")
    (engine,) = load_settings({"run_dir": tmp_path / "run"}).settings.plan.engines.values()
    engine.journal_folder.parent.mkdir()
    (tmp_path / "out" / "journal").rename(engine.journal_folder)
    line = _ran("replay", "--run-dir", tmp_path / "run")
    found = json.loads(_ran("replay", "--run-dir", tmp_path / "run", "--json"))["engine"]
    assert f"{found['commands']:,} commands in {found['records']:,} records replayed" in line
    assert line.endswith(f"{found['open_orders']} open orders, state {found['state']}\n")
    assert found["is_same_as_live"] is None
    assert found["last_record"] == found["records"] > 0


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a run directory with logs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    lines = [
        "timestamp='2026-11-30T22:00:00Z' level='info' node='maker' event='quoted' why=\"it's wanted\" wait_s=0.5",
        "Traceback (most recent call last):",
        "timestamp='2026-11-30T22:00:01Z' level='info' node='maker' event='a=b' none=None",
        "timestamp='2026-11-30T22:00:02Z' level='in",
    ]
    (folder / "maker.log").write_text("\n".join(lines))
    (folder / "alerts.log").write_text('{"severity": "critical", "text": "down"}\n{"cut\n')
    return tmp_path


def test_logs_tell_a_document_a_line(logs: Path) -> None:
    """With the keys of our own lines; what is none of ours is the line, and one that is not whole waits."""
    documents: list[dict[str, Any]] = [*map(json.loads, _ran("logs", "--run-dir", logs, "--json").splitlines())]
    alert, cut = documents[:2]
    assert (alert, cut["line"]) == ({"log": "alerts", "severity": "critical", "text": "down"}, '{"cut')
    quoted, traceback, other = documents[2:]
    assert (quoted["event"], quoted["why"], quoted["wait_s"]) == ("quoted", "it's wanted", 0.5)
    assert traceback == {"log": "maker", "line": "Traceback (most recent call last):"}
    assert (other["log"], other["event"], other["none"]) == ("maker", "a=b", None)
    (last,) = map(json.loads, _ran("logs", "maker", "-n", "2", "--run-dir", logs, "--json").splitlines())
    assert last == other
