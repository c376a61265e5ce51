"""The rows of a simulated desk's daily files against what its trader asked for, over a midnight."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from desk.settings import load_settings
from market.clock import NS_PER_MS, NS_PER_SECOND
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from tests.simulation.test_desk import DAY_NS, START_NS
from trading.actions import Action, Cancel, Place, apart

SECONDS = 90
END_MS = 2**63


def test_every_row_says_what_the_trader_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fill of both days: level, model and rule of the action, the time since it was entered, and its cancel."""
    options = {"maker.levels": 3, "maker.level_step": "0.0002", "maker.half_spread": "0.0003", "maker.model": "glft"}
    settings = load_settings({"run_dir": tmp_path, "flow.seed": 7, "flow.opening_s": 2, **options}).settings
    start_ns = START_NS + DAY_NS - SECONDS // 2 * NS_PER_SECOND
    desk = SimulatedDesk(settings, start_ns, tmp_path / "reports", delays=Delays(venue_ns=30 * NS_PER_MS))
    asked: dict[str, tuple[Place, int]] = {}
    cancelled: dict[str, int] = {}
    act = desk.line.act

    def noted(actions: Sequence[Action]) -> None:
        for each in apart(actions):
            if isinstance(each, Place):
                asked[each.client_order_id] = each, desk.heap.now_ns // NS_PER_MS
            elif isinstance(each, Cancel):
                cancelled.setdefault(each.client_order_id, desk.heap.now_ns // NS_PER_MS)
        act(actions)

    monkeypatch.setattr(desk.line, "act", noted)
    desk.run(start_ns + SECONDS * NS_PER_SECOND)
    desk.close_books()
    names = {order.order_id: order.client_order_id for order in desk.account.orders(settings.instrument, 1_000)}
    found: list[tuple[date, dict[str, Any]]] = []
    for day in desk.folder.days():
        document = desk.folder.read(day)
        assert document is not None
        found += [(day, row) for row in document["trade_history"]]
    assert {day for day, _ in found} == {date(2026, 1, 1), date(2026, 1, 2)}
    assert {row["level"] for _, row in found} > {1}
    late = [cancelled.get(names[row["order_id"]], END_MS) <= row["time_ms"] for _, row in found]
    assert [row["is_picked_off"] for _, row in found] == late
    assert set(late) == {False, True}
    for _, row in found:
        place, asked_ms = asked[names[row["order_id"]]]
        assert (row["level"], row["model"], row["rule"]) == (place.level, "glft", place.why.rule)
        assert 0 <= row["quote_age_ms"] <= row["time_ms"] - asked_ms <= row["quote_age_ms"] + 1_000
