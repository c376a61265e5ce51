"""What begins is told once, what is over once, and what was told before a restart not again."""

from pathlib import Path
from typing import Any

import pytest

from desk.alerts.watch import IDLE_S, NODE_S, Alert, Watch

SECOND = 10**9


def _row(node: str, **changes: Any) -> dict[str, Any]:
    common = {"state": "ready", "why": "", "restarts": 0, "pid": 7, "process": node, "figures": {}}
    return {"node": node, "kind": node, **common, **changes}


def _status(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    run_dir = str(Path("run").resolve())
    return {"run_dir": run_dir, "halted": [], "withdrawn": None, "is_ready": True, "nodes": list(rows), **changes}


def _told(alerts: list[Alert]) -> list[tuple[str, str]]:
    return [(alert.state, alert.key) for alert in alerts]


WELL = _status(
    _row("engine"),
    _row("maker", figures={"bid_idle": None, "ask_idle": None}),
    _row("tracker", figures={"is_sound": True}),
)


@pytest.mark.parametrize(
    ("status", "key", "severity", "after_s"),
    [
        (_status(halted=["BTCUSDT"]), "halted BTCUSDT", "warning", 0),
        (_status(withdrawn={"stage": 2}), "withdrawn", "critical", 0),
        (_status(_row("engine", state="silent")), "down engine", "critical", NODE_S),
        (_status(_row("flow", state="stopped")), "stopped flow", "warning", 0),
        (_status(_row("maker", figures={"failing": "no answer"})), "failing maker", "critical", NODE_S),
        (_status(_row("tracker", figures={"failing": {"why": "full"}})), "failing tracker", "warning", NODE_S),
        (_status(_row("tracker", figures={"history_failing": {"why": "full"}})), "failing tracker", "warning", NODE_S),
        (_status(_row("maker", figures={"heard": {"silent": "no answer"}})), "stale maker", "warning", NODE_S),
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


@pytest.mark.parametrize(("run_dir", "named"), [("run", ""), ("/srv/desk two", " --run-dir /srv/desk two")])
def test_what_it_advises_is_of_the_same_desk(run_dir: str, named: str) -> None:
    """`python cli.py resume` alone would resume another desk, or none."""
    at = {"run_dir": str(Path(run_dir).resolve())}
    stopped = _status(_row("flow", state="stopped"), halted=["BTCUSDT"], withdrawn={"stage": 2}, **at)
    unsound = _status(_row("tracker", figures={"is_sound": False}), **at)
    texts = [alert.text for status in (stopped, unsound) for alert in Watch({}).look(status, 0)]
    commands = [part for text in texts for part in text.split(": ") if part.startswith("python cli.py ")]
    assert [each.removesuffix(" says by how much") for each in commands] == [
        f"python cli.py {words}{named}" for words in ("resume --symbol BTCUSDT", "status", "start flow", "report")
    ]


def test_says_how_many_fills_it_has_not_told() -> None:
    """A maker shows its last ones: of a sweep through many levels the first are gone before anybody looks."""
    watch = Watch({})

    def fills(*numbers: int) -> dict[str, Any]:
        shown = [{"number": number, "side": "BUY", "qty": "0.01", "price": "91000"} for number in numbers]
        return _status(_row("maker", figures={"recent_fills": shown}))

    assert len(watch.look(fills(1, 2), 0)) == 2
    assert [alert.text for alert in watch.look(fills(24, 25), 0)] == [
        "maker: BUY 0.01 at 91000 (21 fills before it, not told one by one)",
        "maker: BUY 0.01 at 91000",
    ]


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


def test_fills_of_a_maker_that_is_gone_are_not_told_again() -> None:
    """Its last figures stand until the next one speaks: while none runs, and while that one starts."""
    watch = Watch({})
    fills = [{"number": number, "side": "BUY", "qty": "0.01", "price": "91000"} for number in (1, 2)]
    maker = _row("maker", figures={"recent_fills": fills})
    assert _told(watch.look(_status(maker), 0)) == [("happens", "fill maker")] * 2
    for gone in ({"state": "restarting", "pid": None}, {"state": "starting", "pid": 8}):
        assert watch.look(_status({**maker, **gone}), 0) == []
    anew = {**maker, "pid": 8, "figures": {"recent_fills": fills[:1]}}
    assert _told(watch.look(_status(anew), 0)) == [("happens", "fill maker")], "the first one of the new one"


@pytest.mark.parametrize(
    ("node", "key", "figures", "well"),
    [
        ("maker", "failing maker", {"failing": "no answer"}, {"failing": None}),
        ("maker", "stale maker", {"heard": {"silent": "no answer"}}, {"heard": {"silent": None}}),
        ("tracker", "identity tracker", {"is_sound": False}, {"is_sound": True}),
        ("engine", "standby engine", {"standby_follows": False}, {"standby_follows": True}),
        ("maker", "idle maker bid", {"bid_idle": "a limit"}, {"bid_idle": None}),
    ],
)
def test_what_a_dead_node_said_is_not_over(node: str, key: str, figures: dict[str, Any], well: dict[str, Any]) -> None:
    """Nobody knows until it speaks again; then it goes on, untold, or is over."""
    watch = Watch({})
    watch.look(_status(_row(node, figures=figures)), 0)
    watch.look(_status(_row(node, figures=figures)), 10**12)
    assert key in watch.told
    for figures_now in (figures, {}):
        dead = _status(_row(node, state="restarting", pid=None, figures=figures_now))
        assert watch.look(dead, 10**12 + 1) == []
    if node == "tracker":
        assert watch.look(_status(_row(node)), 10**12 + 1) == [], "it has not read the account yet"
    assert watch.look(_status(_row(node, figures=figures)), 10**12 + 2) == []
    assert _told(watch.look(_status(_row(node, figures=well)), 10**12 + 3)) == [("ends", key)]


def test_an_idle_side_is_not_over_because_its_maker_is_halted() -> None:
    """Only the halt is news."""
    idle = {"bid_idle": "a limit"}
    watch = Watch({})
    for at in (0, 10**12):
        watch.look(_status(_row("maker", figures=idle)), at)
    halted = _status(_row("maker", figures={"bid_idle": "halted", "halted": True}), halted=["BTCUSDT"])
    assert _told(watch.look(halted, 10**12)) == [("begins", "halted BTCUSDT")]


def test_a_node_that_a_person_stops_is_not_down_while_it_does() -> None:
    """A maker may take its time; that it is stopped is told, and what it may have left."""
    watch = Watch({})
    stopping = _status(_row("maker", state="stopping"))
    for at in (0, int(2 * NODE_S * SECOND)):
        assert watch.look(stopping, at) == []
    stopped = _status(_row("maker", state="stopped", why="its orders may be left at the venue: no answer"))
    (alert,) = watch.look(stopped, 10**12)
    assert (alert.key, alert.severity) == ("stopped maker", "warning")
    assert "its orders may be left at the venue: no answer" in alert.text
