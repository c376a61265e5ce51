"""The rows of a real desk's daily file against the maker's journal of decisions, over restarts of both."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.desk.desk_process import BTCUSDT, Desk, until

MAKER = {
    "MAKER__LEVELS": "3",
    "MAKER__LEVEL_STEP": "0.0001",
    "MAKER__HALF_SPREAD": "0.0001",
    "MAKER__MODEL": "volatility",
    "TRACKER__INTERVAL_S": "1",
    "FLOW__PRESET": "busy",
}


def _rows(desk: Desk) -> list[dict[str, Any]]:
    paths = sorted((desk.run_dir / "reports").glob("performance_????????.json"))
    return [row for path in paths for row in json.loads(path.read_text())["trade_history"]]


def _lines(run_dir: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(run_dir.glob("decisions_????????.jsonl")):
        yield from map(json.loads, path.read_text().splitlines())


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).astimezone(UTC).timestamp() * 1_000)


def test_every_row_says_what_the_maker_says(desk: Desk) -> None:
    """Level, model, rule and age of each fill, while the maker and the tracker are killed and come back."""
    desk.environment |= {f"TICKBUS_{name}": value for name, value in MAKER.items()}
    desk.start("--without", "gateway", "--without", "api")
    until("there are fills", lambda: len(_rows(desk)) >= 10)
    for node in ("tracker", "maker"):
        desk.kill(node)
    known = len(_rows(desk))
    until("there are fills again", lambda: len(_rows(desk)) >= known + 10)
    names = {order.order_id: order.client_order_id for order in desk.venue().orders(BTCUSDT, 1_000)}
    desk.stop()
    placed = {each["client_order_id"]: each for each in _lines(desk.run_dir) if each["action"] == "place"}
    rows = _rows(desk)
    assert {row["level"] for row in rows} > {1}, "not the first level alone"
    asked = [row for row in rows if row["order_id"] in names]  # the others were placed later
    assert len(asked) >= 20
    for row in rows:
        assert (row["model"], row["level"] in {1, 2, 3}, row["quote_age_ms"] >= 0) == ("volatility", True, True), row
    for row in asked:
        said = placed[names[row["order_id"]]]
        assert [row[key] for key in ("level", "model", "rule")] == [said[key] for key in ("level", "model", "rule")]
        age_ms = row["time_ms"] - _ms(said["time"])
        assert abs(row["quote_age_ms"] - age_ms) < 2_000, "by both clocks, one of a busy machine's desk"
        assert f"{row['price']:.2f}" == f"{said['price']:.2f}"
