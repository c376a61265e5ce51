"""Recommendations that are tried on a day that has been."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from commands.actions import whatif
from commands.actions.replayed import replay_recommendations
from desk.settings import Settings, load_settings
from simulation.whatif import Played, play
from tests.commands.test_whatif import _short_blocks, run, run_dir

__all__ = ["_short_blocks", "run", "run_dir"]


def week(to: str | None) -> dict[str, Any]:
    """Return a week in which a spread is recommended, beside a notice."""
    row = {"kind": "recommendation", "rule": "spread_too_wide", "setting": "maker.half_spread", "advice": "Nearer."}
    return {
        "quote": "USDT",
        "days": [{"date": "2025-12-31", "state": "missing"}, {"date": "2026-01-01", "state": "reported"}],
        "recommendations": [
            {"kind": "notice", "rule": "missing_days", "advice": "One."},
            row | {"to": None if to is None else Decimal(to), "replay": None},
        ],
    }


def test_recommendations_are_traded_on_the_last_whole_day(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came of each is told with its interval, in the row and for a person; the day as it was is traded once."""
    traded: list[Decimal] = []

    def counted(settings: Settings, *rest: Any) -> Played:
        traded.append(settings.maker.half_spread)
        return play(settings, *rest)

    monkeypatch.setattr(whatif, "play", counted)
    tried, other = week("0.0005"), week("0.0007")
    tried["recommendations"] += other["recommendations"][1:]
    replay_recommendations(load_settings({"run_dir": run_dir}).settings, tried)
    notice, *rows = tried["recommendations"]
    assert notice == week("0.0005")["recommendations"][0]
    for row in rows:
        assert row["replay"]["date"] == "2026-01-01"
        assert row["replay"]["low"] < row["replay"]["pnl"] < row["replay"]["high"]
        assert "Nearer. On 2026-01-01 it would have earned" in row["advice"]
        assert "95 % from" in row["advice"]
    assert traded[1:] == [Decimal("0.0005"), Decimal("0.0007")]
    assert traded[0] not in traded[1:]


@pytest.mark.parametrize(("to", "said"), [("0.0005", "It could not be tried: no journal here"), (None, "Nearer.")])
def test_what_cannot_be_tried_says_why(run_dir: Path, tmp_path: Path, to: str | None, said: str) -> None:
    """A day without a journal; a strategy of one's own has no such setting."""
    settings = load_settings({"run_dir": tmp_path}).settings
    settings.reports_dir.symlink_to(run_dir / "reports")
    tried = week(to)
    replay_recommendations(settings, tried)
    assert said in tried["recommendations"][1]["advice"]
    assert (tried["recommendations"][1]["replay"] is None) == (to is None)


def test_nothing_to_replay_is_said() -> None:
    """The report came without a word of it."""
    tried = {"days": [], "quote": "USDT", "recommendations": [{"kind": "none", "rule": "nothing_stands_out"}]}
    told = replay_recommendations(load_settings({}).settings, tried)
    assert told == "nothing was replayed, for no setting is recommended"
