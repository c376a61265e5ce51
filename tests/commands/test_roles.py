"""Which of an engine and its standby rules, as their run directories tell, and what `doctor` says of each."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import commands.actions.promote as promoting
from commands.actions.doctor_roles import role_findings
from commands.actions.promote import promote
from commands.actions.ruling import ruling_settings
from desk.client import DeskError
from desk.role_file import Role, RoleFile
from desk.settings import Settings, load_settings

ABROAD = "10.0.0.6:8090"


def _settings(run_dir: Path, **engine: Any) -> Settings:
    run_dir.mkdir(exist_ok=True)
    return load_settings({"run_dir": run_dir, **{f"engine.{name}": value for name, value in engine.items()}}).settings


def _keep(run_dir: Path, **role: Any) -> None:
    RoleFile(run_dir, "engine").write(Role(**role))


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """The run directories of an engine and its standby."""
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    return folders


def test_the_engine_that_rules_is_found_from_either_side(two: tuple[Path, Path], monkeypatch: Any) -> None:
    """The primary until its standby is promoted, that one then, and by the higher term when the place is had back."""
    first, second = two
    a = _settings(first, standby="must", standby_at=str(second))
    b = _settings(second, follows=str(first))
    theirs = {first: a, second: b}
    monkeypatch.setattr("commands.actions.ruling.desk_settings", theirs.__getitem__)
    assert [ruling_settings(each, "engine").run_dir for each in (a, b)] == [first, first]
    _keep(second, role="standby", who=5, is_awaited=True, is_whole=True)
    assert [ruling_settings(each, "engine").run_dir for each in (a, b)] == [first, first]
    _keep(second, role="primary", who=5, term=1)
    assert [ruling_settings(each, "engine").run_dir for each in (a, b)] == [second, second]
    _keep(first, role="standby", who=6, term=1)
    assert [ruling_settings(each, "engine").run_dir for each in (a, b)] == [second, second]
    _keep(first, role="primary", who=6, term=2)
    assert [ruling_settings(each, "engine").run_dir for each in (a, b)] == [first, first]


def test_a_standby_that_is_none_of_ours_to_read_is_left_alone(two: tuple[Path, Path], monkeypatch: Any) -> None:
    """Its settings may be wrong, or its folder gone: the engine here rules all the same."""
    first, second = two
    a = _settings(first, standby="must", standby_at=str(second))

    def wrong(_: Path) -> Settings:
        raise DeskError("engine.follows: no such place")

    monkeypatch.setattr("commands.actions.ruling.desk_settings", wrong)
    second.rmdir()
    assert ruling_settings(a, "engine") is a
    second.mkdir()
    _keep(second, role="standby", who=5, term=3)
    assert ruling_settings(a, "engine") is a
    _keep(second, role="primary", who=5, term=3)
    with pytest.raises(DeskError, match="no such place"):
        ruling_settings(a, "engine")


def test_one_on_another_machine_is_named(tmp_path: Path) -> None:
    """Its journal is not here."""
    settings = _settings(tmp_path / "a", standby_at=ABROAD)
    _keep(settings.run_dir, role="standby", who=6, term=1)
    with pytest.raises(DeskError, match=rf"another engine rules, perhaps that of {ABROAD}: ask on its machine"):
        ruling_settings(settings, "engine")


def _found(settings: Settings) -> tuple[str, str, str]:
    (found,) = role_findings(settings)
    assert found.check == "role"
    return found.state, found.what, found.do


def test_a_role_and_settings_that_agree_are_well(two: tuple[Path, Path]) -> None:
    """Each of the two, before and after a promotion."""
    first, second = two
    a = _settings(first, standby="must", standby_at=str(second))
    assert _found(_settings(first))[:2] == ("ok", "engine: primary; nobody may follow it")
    assert _found(a)[:2] == ("ok", "engine: primary; it acknowledges nothing that a standby has not kept")
    b = _settings(second, follows=str(first))
    assert _found(b)[:2] == (
        "note",
        f"engine: standby of {first}, knows term 0; may not take its place: that one does not wait for it, or was "
        "never heard",
    )
    _keep(second, role="standby", who=5, is_awaited=True)
    state, what, do = _found(b)
    assert (state, "it has not had all of it yet" in what, "let both run until" in do) == ("note", True, True)
    _keep(second, role="standby", who=5, is_awaited=True, is_whole=True)
    state, what, do = _found(b)
    assert (state, do) == ("ok", "")
    assert what.startswith(
        f"engine: standby of {first}, knows term 0; has all that is acknowledged: if that one is gone"
    )
    _keep(second, role="primary", who=5, term=1)
    text = f"engine: primary, of term 1; it was promoted, and followed {first} before; nobody may follow it"
    assert _found(b)[:2] == ("ok", text)


def test_a_role_and_settings_that_do_not_agree_are_told_with_what_to_do(two: tuple[Path, Path]) -> None:
    """Its place is taken, and it knows or not; it follows itself; it has no journal; its role is no role."""
    first, second = two
    a = _settings(first, standby="must", standby_at=str(second))
    _keep(second, role="primary", who=5, term=1)
    state, what, do = _found(a)
    assert (state, what) == ("wrong", f"engine in {second} was promoted instead of this one")
    assert f"set engine.follows to {second}" in do
    _keep(first, role="standby", who=6, term=1)
    assert _found(a)[:2] == ("wrong", "another engine has the place of engine, of term 1")
    follows = _settings(first, follows=str(second))
    assert _found(follows)[0] == "note"
    assert _found(_settings(first, follows=str(first)))[:2] == ("wrong", "engine follows itself")
    state, what, _ = _found(_settings(first, follows=str(second), journal="none"))
    assert (state, what) == ("wrong", f"engine has no journal, and is to follow {second}")
    RoleFile(first, "engine").path.write_bytes(b"")
    state, what, do = _found(a)
    assert (state, "is damaged" in what, "restore it from a backup" in do) == ("wrong", True, True)


def test_two_who_promote_at_once_hear_both_that_it_is_primary(tmp_path: Path, monkeypatch: Any) -> None:
    """The wish of one is written over by that of the other, and is never answered."""
    settings = _settings(tmp_path / "a", follows=ABROAD)
    _keep(settings.run_dir, role="standby", who=5, is_awaited=True, is_whole=True)
    monkeypatch.setattr(promoting, "desk_pid", lambda _: 1)
    monkeypatch.setattr(promoting, "asked", lambda socket, *_: socket.close())
    other = threading.Timer(0.2, lambda: _keep(settings.run_dir, role="primary", who=5, term=1, asked="of another"))
    other.start()
    assert promote(settings, None).startswith("engine is primary now, of term 1")
    other.join()


@pytest.mark.parametrize(("is_taken", "text"), [(False, "does not answer: is it up"), (True, "has not answered yet")])
def test_a_wish_that_is_not_answered_in_time(tmp_path: Path, monkeypatch: Any, is_taken: bool, text: str) -> None:
    """Taken back if the engine has not taken it; else its answer may still come, and that is said."""
    settings = _settings(tmp_path / "a", follows=ABROAD)
    _keep(settings.run_dir, role="standby", who=5, is_awaited=True, is_whole=True)
    monkeypatch.setattr(promoting, "desk_pid", lambda _: 1)
    monkeypatch.setattr(promoting, "ANSWER_S_MAX", 0.3)
    file = RoleFile(settings.run_dir, "engine")

    def take() -> None:
        deadline = time.monotonic() + 5
        while is_taken and not file.take_wish() and time.monotonic() < deadline:
            time.sleep(0.01)

    engine = threading.Thread(target=take)
    engine.start()
    with pytest.raises(DeskError, match=text):
        promote(settings, None)
    engine.join()
    assert not file.wish_path.exists()
