"""How fast nodes go, as two looks at the counts that they tell once a second say it."""

from typing import Any

import pytest

from commands.actions.pace import PaceMeter
from market.clock import NS_PER_SECOND
from nodes.latencies import Latencies
from screens.pace import Pace, rate_text, took_text

US, MS = 1_000, 1_000_000


def _status(**nodes: dict[str, Any]) -> dict[str, Any]:
    usual = {"pid": 1, "state": "ready", "heard_s": 0.0}
    return {"nodes": [{"node": name, "kind": name, **usual, **row} for name, row in nodes.items()]}


def _latencies(*took_ns: int) -> dict[str, Any]:
    found = Latencies()
    for each in took_ns:
        found.add(each)
    return found.figure()


def _paces(*looks: dict[str, Any]) -> dict[str, Pace]:
    meter = PaceMeter()
    for second, look in enumerate(looks):
        found = meter.look(look, second * NS_PER_SECOND)
    return found


def test_counts_what_each_kind_of_node_does() -> None:
    """Commands, orders, messages and requests; of a flow those of all symbols."""
    looks = [
        _status(
            engine={"figures": {"commands": 1_000 + 300 * second}},
            flow={"figures": {"BTCUSDT.commands": 100 * second, "ETHUSDT.command_count": 20 * second}},
            maker={"figures": {"venue": {"requests": {"Place": 2 * second, "Move": second}}}},
            tracker={"figures": {"writes": second}},
        )
        for second in range(4)
    ]
    assert {name: pace.per_s for name, pace in _paces(*looks).items()} == {
        "engine": 300,
        "flow": 120,
        "maker": 3,
        "tracker": None,
    }


def test_percentiles_are_of_late() -> None:
    """What took long before the window does not count; each is the bound of its bucket."""
    slow, quick = [500 * MS] * 50, [4 * US] * 98 + [90 * US] * 2
    before = {"figures": {"commands": 0, "latencies": {"engine": _latencies(*slow)}}}
    after = {"figures": {"commands": 9, "latencies": {"engine": _latencies(*slow, *quick)}}}
    pace = _paces(_status(engine=before), _status(engine=after))["engine"]
    assert (pace.median_ns, pace.most_ns) == (5 * US, 100 * US)
    assert _paces(_status(engine=after), _status(engine=after))["engine"] == Pace(per_s=0)


def test_window_moves() -> None:
    """A burst is forgotten after ten seconds."""
    counts = [0, 1_000, *[1_000] * 15]
    looks = [_status(engine={"figures": {"commands": count}}) for count in counts]
    assert _paces(*looks[:6])["engine"].per_s == 200
    assert _paces(*looks)["engine"].per_s == 0


@pytest.mark.parametrize("change", [{"pid": 2}, {"state": "restarting"}])
def test_node_that_starts_anew_begins_anew(change: dict[str, Any]) -> None:
    """Its counts do, too: it went backwards."""
    looks = [_status(engine={"figures": {"commands": 5_000}}), _status(engine={"figures": {"commands": 9}, **change})]
    assert _paces(*looks).get("engine", Pace()) == Pace()


def test_same_word_twice_is_one_look() -> None:
    """The screen looks twice a second, nodes tell once, and how long ago that was is rounded: nothing had happened."""
    meter = PaceMeter()
    for now_ns, heard_s in ((0, 0.0), (NS_PER_SECOND // 2, 0.4)):
        row = {"figures": {"commands": 100}, "heard_s": heard_s}
        assert meter.look(_status(engine=row), now_ns)["engine"] == Pace()
    row = {"figures": {"commands": 250}, "heard_s": 0.0}
    assert meter.look(_status(engine=row), NS_PER_SECOND)["engine"] == Pace(per_s=150)


def test_says_rates_and_durations_shortly() -> None:
    """In a column there is room for eight characters."""
    assert [rate_text(each) for each in (None, 0, 0.25, 9.96, 151.4, 12_345.6)] == [
        "",
        "0",
        "0.2",
        "10.0",
        "151",
        "12,346",
    ]
    assert [took_text(each) for each in (None, US, 20 * MS, 10 * NS_PER_SECOND)] == ["", "1 µs", "20 ms", "10 s"]
