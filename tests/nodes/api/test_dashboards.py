"""What deploy/ has for Prometheus and Grafana names metrics that there are, and Prometheus's own tool passes it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from market.clock import monotonic_ns
from nodes.api.metrics import metrics_text
from nodes.api.sources import DeskView

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus"
PROMTOOL = shutil.which("promtool")
_SUFFIX = re.compile(r"_(?:bucket|count|sum)$")


def _names() -> set[str]:
    """Return the names of all metrics of a desk, as they are written in an expression."""
    status: dict[str, Any] = {"symbol": "BTCUSDT", "halted": [], "withdrawn": None, "nodes": []}
    text = metrics_text(DeskView(status, monotonic_ns()), {}, 0).decode()
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def _used(expressions: str) -> set[str]:
    return {_SUFFIX.sub("", name) for name in re.findall(r"\btickbus_\w+", expressions)}


def test_there_are_many_metrics() -> None:
    """At least thirty."""
    assert len(_names()) >= 60


def test_each_is_in_the_docs() -> None:
    """By its name."""
    page = (DEPLOY.parent / "docs" / "metrics.md").read_text()
    assert {name for name in _names() if f"`{name}`" not in page} == set()


def test_alerts_name_metrics_that_there_are() -> None:
    """A rule of a metric that nobody tells is silent for ever."""
    expressions = re.findall(r"^\s+expr: (.+)$", (RULES / "alerts.yml").read_text(), re.MULTILINE)
    assert len(expressions) == (RULES / "alerts.yml").read_text().count("- alert:")
    assert _used("\n".join(expressions)) <= _names()


def test_the_dashboard_names_metrics_that_there_are() -> None:
    """Each panel asks for something, and none covers another."""
    board: dict[str, Any] = json.loads((DEPLOY / "grafana" / "tickbus.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert all(panel["targets"] for panel in panels)
    assert _used("\n".join(target["expr"] for panel in panels for target in panel["targets"])) <= _names()
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(places) == len(set(places))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here: Debian's package prometheus has it")
def test_of_a_desk_that_is_not_seen_the_dashboard_says_nothing(tmp_path: Path) -> None:
    """It said that no node is down, and nothing halted, in green."""
    board: dict[str, Any] = json.loads((DEPLOY / "grafana" / "tickbus.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] == "stat"]
    unseen = [{"expr": target["expr"], "eval_time": "1m"} for panel in panels for target in panel["targets"]]
    assert len(unseen) >= 6
    series = [
        ('tickbus_node_up{node="engine"}', "0x9"),
        ('tickbus_node_up{node="maker"}', "1x9"),
        ("tickbus_withdrawn", "0x9"),
        *((f'tickbus_source_stale{{source="maker",symbol="{symbol}"}}', "1x9") for symbol in ("BTCUSDT", "ETHUSDT")),
    ]
    known = {"Nodes that are not ready": [1], "Sources that are old": [1], "Halted or withdrawn": [0, 0]}
    seen = [
        {"expr": target["expr"], "eval_time": "1m", "exp_samples": [{"labels": labels, "value": value}]}
        for panel in panels
        for target, value in zip(panel["targets"], known.get(panel["title"], ()), strict=False)
        for labels in ["tickbus_withdrawn" if target["expr"] == "tickbus_withdrawn" else "{}"]
    ]
    assert len(seen) == 4
    told = [{"series": name, "values": values} for name, values in series]
    tests = [
        {"interval": "15s", "input_series": told, "promql_expr_test": seen},
        {"interval": "15s", "input_series": [], "promql_expr_test": unseen},
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "15s", "tests": tests}))
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "test", "rules", str(file)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here: Debian's package prometheus has it")
@pytest.mark.parametrize("words", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")])
def test_the_tool_of_prometheus_passes_them(words: tuple[str, str, str]) -> None:
    """Their syntax, and what the alerts do on series that are made for them."""
    assert PROMTOOL is not None
    command = [PROMTOOL, *words[:2], str(RULES / words[2])]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
