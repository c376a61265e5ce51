"""What `/metrics` tells, read by Prometheus's own parser: of a desk that is well, of one that is not, and of none."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from market.clock import monotonic_ns
from nodes.api.sources import DeskView
from nodes.latencies import BOUNDS_NS, Latencies
from tests.nodes.api.served import BTC, Api

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One for all of them."""
    one = Api(Path(tmp_path_factory.mktemp("run")))
    yield one
    one.close()


def _row(name: str, **figures: Any) -> dict[str, Any]:
    common = {"state": "ready", "doing": "", "why": "", "restarts": 2, "pid": 7, "heard_s": 0.25, "uptime_s": 60.5}
    return {"node": name, "kind": name, **common, "figures": figures}


def _status(*rows: dict[str, Any]) -> dict[str, Any]:
    common = {"run_dir": "/srv/run", "symbol": BTC.symbol, "withdrawn": None}
    return {**common, "halted": ["ETHUSDT"], "nodes": list(rows)}


def _told(api: Api, *rows: dict[str, Any]) -> Samples:
    api.desk = DeskView(_status(*rows), monotonic_ns())
    return _asked(api)


def _asked(api: Api) -> Samples:
    answer = api.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert all(name.startswith("tickbus_") for name in names)
    assert len(names) == len(set(names))
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())): each.value for one in families for each in one.samples}


def _of(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"tickbus_{name}", frozenset(labels.items())]


def test_figures_of_all_kinds_of_values(api: Api) -> None:
    """Integers, texts of decimals, yes and no, several by name, and what is not known."""
    venue = {"requests": {"Place": 4}, "errors": {"-2010": 2}, "unfilled": {"10s": 3}, "unfilled_max": {"10s": None}}
    maker = _row("maker", position="-0.01096093", bid="91263.6", ask=None, mid=None, placed=5, venue=venue)
    engine = _row("engine", commands=6_377, rejects={"BAD_PRICE": 262}, standby_follows=True, journal="write 1416")
    told = _told(api, engine, maker, _row("flow", behind_ms_max=44))
    assert _of(told, "engine_commands_total", node="engine") == 6_377
    assert _of(told, "engine_rejects_total", node="engine", reason="BAD_PRICE") == 262
    assert _of(told, "standby_follows", node="engine") == 1
    assert _of(told, "position", node="maker") == -0.01096093
    assert _of(told, "venue_requests_total", node="maker", request="Place") == 4
    assert _of(told, "venue_errors_total", node="maker", code="-2010") == 2
    assert _of(told, "venue_unfilled_orders", node="maker", window="10s") == 3
    assert _of(told, "flow_behind_seconds", node="flow") == 0.044
    of = {"node": "maker", "symbol": BTC.symbol}
    assert [_of(told, "quoted", side=side, **of) for side in ("bid", "ask")] == [1, 0]
    assert _of(told, "halted", symbol="ETHUSDT") == 1
    assert _of(told, "node_restarts_total", node="flow") == 2
    names = {name for name, _ in told}
    assert not names & {"tickbus_mid_price", "tickbus_ask_price", "tickbus_venue_unfilled_orders_max"}, "not known"


@pytest.mark.parametrize(
    ("figures", "counts"),
    [
        ({"commands": 7, "trades": 2, "behind_ms_max": 44}, (7, 2, 0.044)),
        ({"flow": "replay", "command_count": 7, "trade_count": 2, "behind_ms_max": 44}, (7, 2, 0.044)),
        (
            {
                "flow": "side by side",
                "BTCUSDT.commands": 7,
                "BTCUSDT.trades": 2,
                "BTCUSDT.behind_ms_max": 44,
                "ETHUSDT.command_count": 3,
                "ETHUSDT.trade_count": 1,
                "ETHUSDT.behind_ms_max": 50,
            },
            (10, 3, 0.05),
        ),
    ],
)
def test_a_flow_is_told_of_whatever_kind_it_is(api: Api, figures: dict[str, Any], counts: tuple[float, ...]) -> None:
    """A recording counts under names of its own, and several symbols are added up."""
    told = _told(api, _row("flow", **figures))
    names = ("flow_commands_total", "flow_trades_total", "flow_behind_seconds")
    assert tuple(_of(told, name, node="flow") for name in names) == counts


def test_of_a_node_that_is_not_ready_only_that_is_told(api: Api) -> None:
    """What it last said of itself is old."""
    told = _told(api, {**_row("engine", commands=7, latencies={"engine": Latencies().figure()}), "state": "silent"})
    assert _of(told, "node_up", node="engine", kind="engine") == 0
    assert not [name for name, _ in told if "engine_commands" in name or "latency" in name]


def test_latencies_are_a_histogram(api: Api) -> None:
    """A time on a bound belongs to it; one beyond all of them is in the last."""
    latencies = Latencies()
    latencies.add(1_000, 3)
    latencies.add(1_001)
    latencies.add(BOUNDS_NS[-1] + 1, 2)
    told = _told(api, _row("engine", latencies={"engine": latencies.figure()}))
    of = {"node": "engine", "stage": "engine"}
    bounds = {"1e-06": 3, "2e-06": 4, "5e-06": 4, "10.0": 4, "+Inf": 6}
    assert {bound: _of(told, "latency_seconds_bucket", le=bound, **of) for bound in bounds} == bounds
    assert _of(told, "latency_seconds_count", **of) == 6
    assert _of(told, "latency_seconds_sum", **of) == pytest.approx((4_001 + 2 * (BOUNDS_NS[-1] + 1)) / 1e9)


def test_a_status_that_is_old_tells_nothing_of_the_nodes(api: Api) -> None:
    """A supervisor that hangs: its nodes may be dead, and their orders gone."""
    for age_s, is_told in ((1, True), (6, False)):
        api.desk = DeskView(_status(_row("engine", commands=7)), monotonic_ns() - age_s * 10**9)
        told = _asked(api)
        assert ("tickbus_node_up" in {name for name, _ in told}) == is_told
        assert _of(told, "source_stale", symbol="BTCUSDT", source="desk") == (not is_told)


def test_what_nobody_tells_of_is_stale(api: Api) -> None:
    """A feed that is in step, and a supervisor that has never answered."""
    api.tell_all(BTC.symbol)
    api.desk = DeskView(None, 0)
    told = _asked(api)
    assert _of(told, "source_stale", symbol="BTCUSDT", source="feed") == 0
    assert _of(told, "source_age_seconds", symbol="BTCUSDT", source="feed") < 60
    assert _of(told, "source_stale", symbol="BTCUSDT", source="desk") == 1
    assert _of(told, "source_stale", symbol="ETHUSDT", source="feed") == 1
    assert _of(told, "feed_orders", symbol="BTCUSDT") == 2
    assert not [name for name, _ in told if "node_up" in name]
