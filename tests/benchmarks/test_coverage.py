"""The runs that error bars are measured with."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks.coverage_kept import Key, kept_run, keys_in, read_run
from benchmarks.coverage_runs import run

SECONDS = 90


def test_what_each_kind_of_counterparty_brought_adds_up_to_ours_to_the_last_unit() -> None:
    """Guards the table of who took what: a fill of nobody, or of the wrong account, would leave a difference."""
    told = run(0.6, 1, SECONDS)
    assert sum(told.pnl.values(), Fraction(0)) == told.own_pnl != 0
    assert {"informed", "noise", "maker"} <= told.pnl.keys()
    assert {kind for *_, kind, _ in told.fills} == told.pnl.keys()


def test_without_toxicity_nobody_is_informed_and_the_mids_around_a_fill_are_known() -> None:
    """Of the last minute but those that are still to come."""
    told = run(0.0, 1, SECONDS)
    assert "informed" not in told.pnl
    end_ms = told.fills[0][0] // 86_400_000 * 86_400_000 + SECONDS * 1_000
    for time_ms, *_, (before, *later) in told.fills:
        assert before is not None
        due = [time_ms + horizon_s * 1_000 <= end_ms for horizon_s in (1, 10, 60)]
        assert [mid is not None for mid in later] == due


def test_a_run_that_is_kept_comes_back_as_it_was_and_is_not_traded_again(tmp_path: Path) -> None:
    """Guards what is judged: equal to the last bit, and of a stopped benchmark only what is missing is traded."""
    key = Key(0.3, 2, 30)
    made = kept_run(key, tmp_path)
    assert made.fills
    assert read_run(tmp_path / key.file_name, key) == made == run(*key)
    told = made._replace(pnl={"noise": Fraction(1, 3)})
    path = tmp_path / key.file_name
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document | {"pnl": {"noise": "1/3"}}))
    assert kept_run(key, tmp_path) == told
    assert keys_in(tmp_path, [key, key._replace(seed=3)]) == [key]
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "expected a run of"),
        ({"key": [0.1, 2, 30]}, "expected a run of"),
        ({"made_of": {}}, "expected a run of"),
        ({"pnl": {"noise": "a third"}}, "cannot be read"),
        ({"fills": None}, "cannot be read"),
    ],
)
def test_a_kept_run_of_anything_else_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    """What was traded with other quotes, or is damaged, must not be judged beside the rest."""
    key = Key(0.1, 1, 2)
    kept_run(key, tmp_path)
    path = tmp_path / key.file_name
    whole = path.read_bytes()
    path.write_text(json.dumps(json.loads(whole) | change))
    with pytest.raises(ValueError, match=message) as told:
        read_run(path, key)
    assert key.file_name in str(told.value)
    path.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="cannot be read"):
        read_run(path, key)
