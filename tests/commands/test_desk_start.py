"""`up --detach`: what it says while it waits, and what it gives up on."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands.actions import desk_start
from commands.actions.desk_start import _await_ready
from desk.client import DeskError

NAMES = ("engine", "paper", "maker")


class _Process:
    """A supervisor that runs."""

    pid = 1

    def poll(self) -> int | None:
        return None


def _status(*rows: tuple[str, str], is_ready: bool = False) -> dict[str, Any]:
    nodes = [{"node": name, "state": state, "doing": doing} for name, (state, doing) in zip(NAMES, rows, strict=False)]
    return {"is_ready": is_ready, "nodes": nodes}


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes a second on with each look."""
    now = [0.0]
    clock = SimpleNamespace(sleep=lambda _: now.append(now.pop() + 1), monotonic=lambda: now[0])
    monkeypatch.setattr(desk_start, "time", clock)
    return now


def _awaited(monkeypatch: pytest.MonkeyPatch, told: Iterator[Any]) -> Any:
    monkeypatch.setattr(desk_start, "_status", lambda *_: next(told))
    return _await_ready(Path("run"), _Process())  # type: ignore[arg-type]


def test_a_start_is_told_in_few_lines(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There was one for each change of a node's state; what takes long is said as soon as it is known."""
    states = itertools.product(("waiting", "starting"), ("waiting", "starting", "ready"), ("waiting", "starting"))
    changing = [_status(*((state, "") for state in each)) for each in states]
    compiling = [_status(("warming", "compiles its kernels"), ("waiting", ""))] * 5
    told = iter([*changing, *compiling, _status(is_ready=True)])
    assert _awaited(monkeypatch, told)["is_ready"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    assert lines[-1] == "waiting for engine (compiles its kernels), paper (waiting)"


@pytest.mark.parametrize(
    ("state", "doing", "after_s"),
    [("warming", "compiles its kernels", desk_start.WARMING_S_MAX), ("starting", "", desk_start.QUIET_S_MAX)],
)
def test_what_is_given_up_on_is_named(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch, state: str, doing: str, after_s: float
) -> None:
    """One that compiles has longer."""
    with pytest.raises(DeskError) as failed:
        _awaited(monkeypatch, itertools.repeat(_status((state, doing))))
    assert f"s of waiting for engine ({doing or state}); the desk is stopped" in str(failed.value)
    assert after_s < seconds[0] < after_s + 5


def test_a_long_start_is_said_again_with_its_time_and_nodes_in_one_state_together(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same long line came four times: once for each node that began the same, and without a time."""
    rows = [("warming", "compiles its kernels")] * 3
    begun = [_status(*rows[:count], *[("waiting", "")] * (3 - count)) for count in (1, 2, 3)]
    told = iter([*begun, *[_status(*rows)] * 70, _status(is_ready=True)])
    assert _awaited(monkeypatch, told)["is_ready"]
    assert capsys.readouterr().err.splitlines() == [
        "waiting for engine (compiles its kernels), paper and maker (waiting)",
        "waiting for engine and paper and maker (compiles its kernels)",
        "waiting for engine and paper and maker (compiles its kernels), for 62 s so far",
    ]
