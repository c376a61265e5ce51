"""Alerts of a desk that runs: a node that dies, a halt that outlives the desk, and what cannot be delivered at all."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from desk.alerts.desk_alerts import FILE, DeskAlerts, read_told
from desk.alerts.outlets import AlertOutlets
from desk.alerts.watch import Condition
from desk.settings import load_settings
from tests.desk.desk_process import Desk, short_directory, until

STATUS: dict[str, Any] = {
    "run_dir": str(Path("run").resolve()),
    "halted": ["BTCUSDT"],
    "withdrawn": None,
    "is_ready": True,
    "nodes": [],
}


def test_a_halt_is_told_once_over_a_restart_of_the_desk() -> None:
    """As are a killed node, and the resume, to a command that was started for each."""
    with short_directory() as path:
        kept = path / "kept"
        desk = Desk(
            path / "run", "--without", "gateway", "--without", "flow", TICKBUS_ALERTS__COMMAND=f"tee -a {kept}"
        ).start()

        def told() -> list[tuple[str, str]]:
            lines = map(json.loads, kept.read_text().splitlines() if kept.exists() else [])
            pairs = [(line["state"], line["key"]) for line in lines]
            return [pair for pair in pairs if not pair[1].startswith("idle")]  # on a market that stands still

        try:
            desk.kill("tracker")
            assert desk.cli("halt", "--symbol", "BTCUSDT").returncode == 0
            until("both are told", lambda: len(told()) == 2, 60)
            desk.stop()
            desk.start()
            assert desk.cli("resume", "--symbol", "BTCUSDT").returncode == 0
            until("the resume is told", lambda: len(told()) == 3, 60)
            assert "BTCUSDT is halted" in desk.cli("logs", "alerts").stdout
        finally:
            desk.end()
        assert told() == [("happens", "restart tracker"), ("begins", "halted BTCUSDT"), ("ends", "halted BTCUSDT")]


def test_what_was_told_is_kept_when_the_disk_takes_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile it is told once all the same; and a file that is damaged is as none."""
    (tmp_path / "logs").mkdir()
    alerts = DeskAlerts(load_settings({"run_dir": tmp_path}).settings, tmp_path, lambda _: None)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("desk.alerts.desk_alerts.write_whole", full)
        alerts.look(STATUS, 0)
    assert not (tmp_path / FILE).exists()
    alerts.look(STATUS, 1)
    alerts.close()
    text = "BTCUSDT is halted; go on with: python cli.py resume --symbol BTCUSDT"
    assert read_told(tmp_path / FILE) == {"halted BTCUSDT": Condition("halted BTCUSDT", "warning", text)}
    assert len((tmp_path / "logs" / "alerts.log").read_text().splitlines()) == 1
    for damaged in (b"", b"[", b"7", b"[7]", b'[{"key": 1}]', b'[{"key": "a", "severity": "bad", "text": ""}]'):
        (tmp_path / FILE).write_bytes(damaged)
        assert read_told(tmp_path / FILE) == {}


def test_what_is_delivered_as_the_desk_ends_is_not_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that is stopped right after a halt: it was on its way at the last look, and the next one told it anew."""
    (tmp_path / "logs").mkdir()
    may_take = threading.Event()
    monkeypatch.setattr(AlertOutlets, "_run", lambda *_: "" if may_take.wait(60) else "no answer in time")
    settings = load_settings({"run_dir": tmp_path, "alerts.command": "true"}).settings
    alerts = DeskAlerts(settings, tmp_path, lambda _: None)
    alerts.look(STATUS, 0)
    may_take.set()
    alerts.close()
    (row,) = json.loads((tmp_path / FILE).read_text())
    assert (row["key"], "is_untold" in row) == ("halted BTCUSDT", False)


def test_what_waits_when_a_desk_is_killed_is_told_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes alerts may take his time: what was on its way was lost, and a halt stood for ever."""
    (tmp_path / "logs").mkdir()
    given: list[dict[str, Any]] = []
    may_take = threading.Event()

    def take(_: AlertOutlets, line: str) -> str:
        taken = may_take.wait(60)
        given.append(json.loads(line))
        return "" if taken else "no answer in time"

    monkeypatch.setattr(AlertOutlets, "_run", take)
    settings = load_settings({"run_dir": tmp_path, "alerts.command": "true"}).settings
    well = {**STATUS, "halted": []}

    def killed(*statuses: dict[str, Any]) -> DeskAlerts:
        """Return the alerts of a desk that has looked at these, and looks at nothing any more."""
        alerts = DeskAlerts(settings, tmp_path, lambda _: None)
        for at, status in enumerate(statuses):
            alerts.look(status, at)
        return alerts

    def await_all(alerts: DeskAlerts, status: dict[str, Any]) -> None:
        until("all is delivered", lambda: not alerts._outlets.undelivered, 60)
        alerts.look(status, 9)

    first = killed(STATUS, STATUS)
    assert [*read_told(tmp_path / FILE)] == ["halted BTCUSDT"], "a screen shows it all the same"
    shorter = killed(well)
    assert read_told(tmp_path / FILE) == {}
    may_take.set()
    second = killed(STATUS)
    await_all(second, STATUS)
    may_take.clear()
    third = killed(well, well)
    assert read_told(tmp_path / FILE) == {}, "it stands no more"
    may_take.set()
    fourth = killed(well)
    await_all(third, well)
    await_all(fourth, well)
    fifth = killed(STATUS, well)
    await_all(fifth, well)
    assert json.loads((tmp_path / FILE).read_text()) == []
    for each in (first, shorter, second, third, fourth, fifth):
        each.close()
    assert [line["state"] for line in given] == ["begins", "begins", "ends", "ends", "begins", "ends"]
