"""The desk's alerts as a screen has them: what stands, and what was told of late."""

import json
from pathlib import Path
from typing import Any

from desk.outlet import put_log_aside
from nodes.api.told_alerts import LAST_MAX, ToldAlerts, tail_of


def _line(number: int, severity: str = "warning", state: str = "begins") -> str:
    time = f"2026-11-30T18:00:{number % 60:02d}.000Z"
    return json.dumps({"time": time, "state": state, "key": "k", "severity": severity, "text": f"told {number}"}) + "\n"


def _texts(value: dict[str, Any]) -> list[str]:
    return [each["text"] for each in value["last"]]


def test_tells_what_stands_and_the_last_without_fills(tmp_path: Path) -> None:
    """Newest first; a fill has a panel of its own, and would push all else out of sight."""
    alerts = ToldAlerts(tmp_path)
    assert alerts.look() == {"standing": [], "last": []}
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "alerts.log"
    log.write_text(_line(1) + _line(2, "info", "happens") + _line(3, "critical"))
    standing = {"key": "withdrawn", "severity": "critical", "text": "look", "after_s": 0.0}
    (tmp_path / "alerts.json").write_text(json.dumps([standing]))
    value = alerts.look()
    assert _texts(value) == ["told 3", "told 1"]
    assert value["standing"] == [{"key": "withdrawn", "severity": "critical", "text": "look"}]
    assert alerts.look() is value, "what has not changed is not read again"
    with log.open("a") as file:
        file.write(_line(4, state="ends"))
    assert _texts(alerts.look()) == ["told 4", "told 3", "told 1"]


def test_is_bounded_and_says_what_is_no_alert(tmp_path: Path) -> None:
    """A log that has grown long, and the line that tells of lost ones, as `desk.outlet` writes it."""
    (tmp_path / "logs").mkdir()
    lost = "(3 writes before this one were lost)\n"
    (tmp_path / "logs" / "alerts.log").write_text("".join(map(_line, range(1_000))) + lost)
    texts = _texts(ToldAlerts(tmp_path).look())
    assert texts[:2] == [lost.strip(), "told 999"]
    assert len(texts) == LAST_MAX


def test_a_log_that_cannot_be_read_is_said_and_ends_nothing(tmp_path: Path) -> None:
    """The api follows the feed in the same loop: it would end with it."""
    log = tmp_path / "logs" / "alerts.log"
    log.mkdir(parents=True)
    alerts = ToldAlerts(tmp_path)
    (text,) = _texts(alerts.look())
    assert text == f"what the desk has told cannot be read: Is a directory: {log}"
    assert alerts.look() is alerts.look(), "it is told once"
    log.rmdir()
    log.write_text(_line(1))
    assert _texts(alerts.look()) == ["told 1"]


def test_fills_push_nothing_out_of_sight(tmp_path: Path) -> None:
    """After some hundred of them the page said that nothing was told since the log began."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "alerts.log"
    fills = "".join(_line(number, "info", "happens") for number in range(2_000))
    log.write_text(_line(1, "critical") + fills)
    alerts = ToldAlerts(tmp_path)
    assert _texts(alerts.look()) == ["told 1"]
    with log.open("a") as file:
        file.write(fills + _line(2))
    assert _texts(alerts.look()) == ["told 2", "told 1"]
    assert _texts(ToldAlerts(tmp_path).look()) == ["told 2", "told 1"], "an api that starts again"


def test_a_log_that_is_put_aside_is_read_to_its_end(tmp_path: Path) -> None:
    """Also what came to it since the last look; and between two looks there may be none at all."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "alerts.log"
    log.write_text(_line(1))
    alerts = ToldAlerts(tmp_path)
    assert _texts(alerts.look()) == ["told 1"]
    with log.open("a") as file:
        file.write(_line(2))
    put_log_aside(log)
    assert _texts(alerts.look())[-1] == "told 1"
    log.write_text(_line(3))
    assert _texts(alerts.look()) == ["told 3", "told 2", "told 1"]


def test_a_line_that_is_being_written_is_told_once_it_is_whole(tmp_path: Path) -> None:
    """Its half would be told as something that is no alert."""
    (tmp_path / "logs").mkdir()
    log, line = tmp_path / "logs" / "alerts.log", _line(2)
    log.write_text(_line(1) + line[:20])
    alerts = ToldAlerts(tmp_path)
    assert _texts(alerts.look()) == ["told 1"]
    with log.open("a") as file:
        file.write(line[20:])
    assert _texts(alerts.look()) == ["told 2", "told 1"]


def test_a_tail_has_whole_lines_alone(tmp_path: Path) -> None:
    """Half of a line would be read as another one."""
    path = tmp_path / "a.log"
    path.write_text("first\nsecond\nthird\n")
    assert tail_of(path, 100, 10) == ["first", "second", "third"]
    assert tail_of(path, 9, 10) == ["third"]
    assert tail_of(path, 100, 2) == ["second", "third"]
