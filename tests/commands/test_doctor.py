"""Every kind of thing that can be wrong with a run directory is named, with what to do; and nothing is changed."""

import json
import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib import metadata
from pathlib import Path
from time import time
from typing import Any

import pytest

import commands.actions.doctor as doctor
from commands.actions.doctor import desk_health
from desk.halted_file import HaltedFile
from desk.risk_file import RISK_FILE
from desk.run_dir import LockFile
from desk.settings import load_settings
from history.database import Database
from journal.format import JournalMode
from journal.journal import Journal
from nodes.engine.command_record import COMMANDS
from nodes.engine.making import engine_figures
from paper.money.ledger import Ledger
from sessions.session_store import IN_CHECKPOINT, NAMES_FILE, SessionStore, StoredSession
from tests.journal.records import records_of
from tests.paper.desk import INSTRUMENTS, ONE_ENGINE

Rows = list[dict[str, Any]]


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run directory with a store of each kind; its desk would take free ports."""
    for name in ("GATEWAY", "API", "PAPER"):
        monkeypatch.setenv(f"TICKBUS_{name}__PORT", "0")
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "run"
    (made / "paper").mkdir(mode=0o700, parents=True)
    made.chmod(0o700)
    (made / "reports").mkdir(mode=0o700)
    Ledger(made / "paper" / "ledger.sqlite3", INSTRUMENTS, ONE_ENGINE).close()
    figures = engine_figures(load_settings({"run_dir": made}).settings, "engine")
    with Journal(made / "journal", COMMANDS, figures, 7, JournalMode.WRITE) as journal:
        journal.recover(lambda *_: None)
        journal.append(records_of(1, 20), 0)
    Database(made / "reports" / "history.sqlite3").close()
    store = SessionStore(made / "gateway")
    store.recover(lambda *_: None)
    store.save([StoredSession("one", 0, 0, 0, False)])
    store.close()
    return made


def found_in(run_dir: Path, check: str, state: str) -> Rows:
    """Return what a check has found that is in this state; the document's verdict must agree."""
    document, text = desk_health(run_dir)
    assert document["is_sound"] == all(row["state"] != "wrong" for row in document["findings"])
    assert all(row["what"] in text for row in document["findings"])
    return [row for row in document["findings"] if (row["check"], row["state"]) == (check, state)]


def only(run_dir: Path, check: str) -> dict[str, Any]:
    """Return the one thing that is wrong, which this check has found."""
    document, _ = desk_health(run_dir)
    (row,) = (row for row in document["findings"] if row["state"] == "wrong")
    assert row["check"] == check, row
    assert row["do"], row
    return dict(row)


def contents(run_dir: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file with its bytes and its mode."""
    files = (path for path in sorted(run_dir.rglob("*")) if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mode) for path in files}


def test_finds_nothing_wrong_with_a_sound_one_and_changes_nothing(run_dir: Path) -> None:
    """Every store is looked at; not a byte is another one afterwards, and no file is there that was not."""
    before = contents(run_dir)
    document, text = desk_health(run_dir)
    assert document["is_sound"], text
    assert text.endswith("nothing is wrong")
    checks = {row["check"]: row["what"] for row in document["findings"]}
    assert "20 records, sound" in checks["journal"]
    assert "1 session, 0 frames" in checks["sessions"]
    assert "version 12, sound" in checks["ledger"]
    assert contents(run_dir) == before


def test_knows_a_directory_in_which_no_desk_has_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer asks before the first start: that is no fault."""
    monkeypatch.setenv("TICKBUS_GATEWAY__PORT", "0")
    monkeypatch.setenv("TICKBUS_API__PORT", "0")
    monkeypatch.setenv("TICKBUS_PAPER__PORT", "0")
    document, _ = desk_health(tmp_path / "never")
    assert document["is_sound"]
    assert not (tmp_path / "never").exists()


def test_names_who_else_may_read_or_write(run_dir: Path) -> None:
    """Of the directory, and of every file with a secret."""
    run_dir.chmod(0o755)
    assert "others may read" in found_in(run_dir, "directory", "note")[0]["what"]
    run_dir.chmod(0o777)
    assert "chmod 700" in only(run_dir, "directory")["do"]
    run_dir.chmod(0o700)
    keys = run_dir / "paper" / "accounts" / "1.env"
    keys.parent.mkdir()
    keys.write_text("API_KEY=k\n")
    keys.chmod(0o640)
    assert only(run_dir, "directory")["do"] == f"chmod 600 {keys}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_names_files_of_another_user(run_dir: Path) -> None:
    """A desk that was started once with sudo leaves what the next one cannot write."""
    os.chown(run_dir / "paper" / "ledger.sqlite3", 12_345, -1)
    assert "ledger.sqlite3" in only(run_dir, "directory")["what"]


def test_names_settings_that_cannot_be_used(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them; what depends on them is not looked at."""
    monkeypatch.setenv("TICKBUS_MAKER__HALF_SPREAD", "much")
    assert "maker.half_spread" in only(run_dir, "settings")["what"]
    monkeypatch.delenv("TICKBUS_MAKER__HALF_SPREAD")
    (run_dir / "desk.json").write_text("{")
    assert "desk.json is damaged" in only(run_dir, "settings")["what"]


def test_waits_for_a_desk_that_is_just_starting(run_dir: Path) -> None:
    """Its lock is held, its settings are not written: nothing is wrong, and nothing is known."""
    lock = LockFile(run_dir / "desk.lock", "the desk")
    try:
        assert "just starting" in found_in(run_dir, "settings", "note")[0]["what"]
        assert desk_health(run_dir)[0]["is_sound"]
    finally:
        lock.release()


def test_tells_what_a_killed_desk_and_one_with_orders_left_have_said(run_dir: Path) -> None:
    """A lock that nobody holds is a kill; a last word about orders is wrong until a person has acted."""
    (run_dir / "desk.lock").write_text("4711\n")
    assert "was killed" in found_in(run_dir, "processes", "note")[0]["what"]
    settings = {"run_dir": str(run_dir), "gateway.port": "0", "api.port": "0", "paper.port": "0"}
    (run_dir / "desk.json").write_text(json.dumps({"pid": 1, "settings": settings, "left": ["2 orders may be open"]}))
    assert "2 orders may be open" in only(run_dir, "processes")["what"]


def test_names_a_port_that_is_taken(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the option that takes another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("TICKBUS_API__PORT", str(taken.getsockname()[1]))
        assert "--api-port" in only(run_dir, "ports")["do"]


def test_names_a_disk_without_room(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room is worth a word, none is wrong."""
    monkeypatch.setattr(doctor, "_FREE_BYTES_FEW", 1 << 60)
    assert found_in(run_dir, "space", "note")
    monkeypatch.setattr(doctor, "_FREE_BYTES_MIN", 1 << 60)
    assert "make room" in only(run_dir, "space")["do"]


def test_notes_a_clock_that_was_set_back(run_dir: Path) -> None:
    """A file from the future says by how much."""
    ahead = time() + 3_600
    os.utime(run_dir / "paper" / "ledger.sqlite3", (ahead, ahead))
    assert "3,600 s behind" in found_in(run_dir, "clock", "note")[0]["what"]


def test_names_packages_of_another_version(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing one and another one than the locked one."""
    installed: dict[str, str | None] = {"sanic": "1.0", "pyzmq": None}
    plain = metadata.version

    def version(name: str) -> str:
        if name not in installed:
            return plain(name)
        if (told := installed[name]) is None:
            raise metadata.PackageNotFoundError(name)
        return told

    monkeypatch.setattr(metadata, "version", version)
    row = only(run_dir, "versions")
    assert "sanic 1.0, no pyzmq" in row["what"]
    assert row["do"] == "make setup"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _scribble(path: Path) -> None:
    path.write_bytes(b"not what was written " * 300)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 11")


def _next_format(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 4}))


def _after_a_checkpoint(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"generation": 1}))


JOURNAL = "journal/commands-00000001.journal"
LEDGER = "paper/ledger.sqlite3"
NAMES = f"gateway/{NAMES_FILE}"
DAMAGES: list[tuple[str, Callable[[Path], None], str, str, str]] = [
    (JOURNAL, _flip, "journal", "wrong", "corrupt at offset"),
    (JOURNAL, _cut, "journal", "note", "the next start cuts off"),
    (JOURNAL, _scribble, "journal", "wrong", "commands-00000001.journal"),
    (LEDGER, _scribble, "ledger", "wrong", "not a database"),
    (LEDGER, _newer, "ledger", "wrong", "newer than"),
    (LEDGER, _older, "ledger", "ok", "brings it to 12"),
    (NAMES, _scribble, "sessions", "wrong", "cannot be read"),
    (NAMES, _next_format, "sessions", "wrong", "must be of version"),
    (NAMES, _after_a_checkpoint, "sessions", "wrong", "its checksum is not that"),
    ("reports/history.sqlite3", _scribble, "history", "wrong", "not a database"),
    ("reports/performance_20261128.json", _scribble, "reports", "wrong", "performance_20261128.json"),
    (RISK_FILE, _scribble, "halts", "note", "the maker has withdrawn"),
]


@pytest.mark.parametrize(("name", "spoil", "check", "state", "word"), DAMAGES)
def test_names_a_store_that_is_spoilt(
    run_dir: Path, name: str, spoil: Callable[[Path], None], check: str, state: str, word: str
) -> None:
    """Where it is, and what is wrong with it; the other stores are told of as before."""
    path = run_dir / name
    if not path.exists():
        path.touch(0o600)
    spoil(path)
    (row,) = (row for row in found_in(run_dir, check, state) if word in row["what"])
    assert (state == "wrong") <= bool(row["do"])
    assert len({each["check"] for each in desk_health(run_dir)[0]["findings"]}) >= 13


def test_tells_what_is_halted(run_dir: Path) -> None:
    """With the command that ends it."""
    HaltedFile(run_dir, ["BTCUSDT"]).change(["BTCUSDT"], is_halted=True)
    row = found_in(run_dir, "halts", "note")[0]
    assert "BTCUSDT" in row["what"]
    assert "resume" in row["do"]


@pytest.fixture
def checkpointed(run_dir: Path) -> Path:
    """The folder of a gateway that has begun a second generation."""
    store = SessionStore(run_dir / "gateway")
    store.recover(lambda *_: None)
    store.begin_anew(b"\x90", [StoredSession("one", 0, 0, IN_CHECKPOINT, False)])
    store.close()
    return run_dir / "gateway"


def test_reads_sessions_behind_a_checkpoint(run_dir: Path, checkpointed: Path) -> None:
    """They are sound with it, and wrong without it."""
    assert found_in(run_dir, "sessions", "ok")
    (checkpointed / "checkpoint-1.msgpack").unlink()
    assert "checkpoint-1.msgpack is missing" in only(run_dir, "sessions")["what"]
