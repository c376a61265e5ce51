"""What begins is told once, what is over once, and what was told before a restart not again."""

from typing import Any

import pytest

from desk.alerts import IDLE_S, NODE_S, Alert, Watch

SECOND = 10**9


def _row(node: str, **changes: Any) -> dict[str, Any]:
    common = {"state": "ready", "why": "", "restarts": 0, "pid": 7, "process": node, "figures": {}}
    return {"node": node, "kind": node, **common, **changes}


def _status(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"halted": [], "withdrawn": None, "is_ready": True, "nodes": list(rows), **changes}


def _told(alerts: list[Alert]) -> list[tuple[str, str]]:
    return [(alert.state, alert.key) for alert in alerts]


WELL = _status(_row("engine"), _row("maker", figures={"bid_idle": None, "ask_idle": None}), _row("tracker"))


@pytest.mark.parametrize(
    ("status", "key", "severity", "after_s"),
    [
        (_status(halted=["BTCUSDT"]), "halted BTCUSDT", "warning", 0),
        (_status(withdrawn={"stage": 2}), "withdrawn", "critical", 0),
        (_status(_row("engine", state="silent")), "down engine", "critical", NODE_S),
        (_status(_row("flow", state="stopped")), "stopped flow", "warning", 0),
        (_status(_row("maker", figures={"failing": "no answer"})), "failing maker", "critical", NODE_S),
        (_status(_row("tracker", figures={"failing": {"why": "full"}})), "failing tracker", "warning", NODE_S),
        (_status(_row("tracker", figures={"is_sound": False})), "identity tracker", "critical", 0),
        (_status(_row("engine", figures={"standby_follows": False})), "standby engine", "critical", NODE_S),
        (_status(_row("maker", figures={"bid_idle": "a limit"})), "idle maker bid", "warning", IDLE_S),
    ],
)
def test_a_condition_begins_once_and_ends_once(status: dict[str, Any], key: str, severity: str, after_s: float) -> None:
    """Not before it has been for as long as it must; a shorter one was never there."""
    watch = Watch({})
    assert watch.look(WELL, 0) == []
    if after_s:
        assert watch.look(status, 0) == []
        assert watch.look(WELL, int(after_s * SECOND)) == []
        assert watch.look(status, int(after_s * SECOND) + 1) == [], "that is its beginning"
    (begun,) = watch.look(status, int(2 * after_s * SECOND) + 1)
    assert (begun.state, begun.key, begun.severity) == ("begins", key, severity)
    assert watch.look(status, 10**15) == []
    assert _told(watch.look(WELL, 10**15)) == [("ends", key)]
    assert watch.look(WELL, 2 * 10**15) == []


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    """A desk that starts knows nothing yet: what stands is neither told to begin nor to be over."""
    first = Watch({})
    assert _told(first.look(_status(halted=["BTCUSDT", "ETHUSDT"]), 0)) == [
        ("begins", "halted BTCUSDT"),
        ("begins", "halted ETHUSDT"),
    ]
    second = Watch(first.told)
    assert second.look(_status(_row("engine", state="starting"), is_ready=False), 0) == []
    assert _told(second.look(_status(halted=["ETHUSDT"]), 1)) == [("ends", "halted BTCUSDT")]


def test_what_a_node_said_before_it_died_is_not_told() -> None:
    """Its figures are those of another life."""
    watch = Watch({})
    dead = _status(_row("tracker", state="restarting", why="killed", figures={"is_sound": False}))
    assert [alert.text for alert in watch.look(dead, 0)] == []
    assert [alert.text for alert in watch.look(dead, int(NODE_S * SECOND))] == ["tracker is restarting: killed"]


def test_a_halted_maker_is_not_told_to_be_idle() -> None:
    """The halt is."""
    figures = {"halted": True, "bid_idle": "halted", "ask_idle": "halted"}
    watch = Watch({})
    for at in (0, 10**15):
        assert watch.look(_status(_row("maker", figures=figures)), at) == []


def test_restarts_and_fills_happen_each_once() -> None:
    """Nodes of one process start again together; a maker that starts again counts its fills anew."""
    watch = Watch({})
    fill = {"number": 1, "side": "BUY", "qty": "0.01", "price": "91000"}
    maker = _row("maker", figures={"recent_fills": [fill]})
    both = [_row(node, process="gateway+engine") for node in ("gateway", "engine")]
    assert _told(watch.look(_status(maker, *both), 0)) == [("happens", "fill maker")]
    assert watch.look(_status(maker, *both), 0) == []
    again = [{**row, "restarts": 1, "why": "killed"} for row in both]
    assert [alert.text for alert in watch.look(_status(maker, *again), 0)] == [
        "gateway+engine ended and is started again (1): killed"
    ]
    anew = {**maker, "pid": 8, "figures": {"recent_fills": [fill, {**fill, "number": 2}]}}
    assert _told(watch.look(_status(anew, *again), 0)) == [("happens", "fill maker")] * 2
    assert watch.look(_status({**anew, "figures": {}}, *again), 0) == []
    assert watch.look(_status(anew, *again), 0) == [], "it shows them again"
