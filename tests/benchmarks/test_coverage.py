"""The runs that error bars are measured with."""

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks.coverage import judged
from benchmarks.coverage_kept import Key, kept_run, keys_in, read_run
from benchmarks.coverage_runs import Fill, Run, run

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


def test_runs_are_judged_by_side_against_all_others_and_a_pnl_that_does_not_add_up_is_counted() -> None:
    """Forty runs of fills 40 s from each other: buys are worth 2 bps in the mean, sells 4; no mid is known at 60 s."""
    dice = random.Random("coverage")

    def fill(number: int) -> Fill:
        sign = 1 if number % 2 else -1
        later = 100 + sign * (3 - sign + dice.gauss(0, 5)) / 100
        return 40_000 * number, sign, 100.0, 1.0, "noise", [100.0, later, later, None]

    runs = [Run([fill(number) for number in range(100)], {"noise": Fraction(1)}, Fraction(1)) for _ in range(40)]
    keys = [Key(0.1, seed, 4_000) for seed in range(40)]
    rows, wrong = judged(keys, runs)
    means = {row["side"]: row for row in rows if row["horizon_s"] == 10}
    assert [round(means[side]["mean_bps"]) for side in ("buy", "sell", "both")] == [2, 4, 3]
    assert [means[side]["fills"] for side in ("buy", "sell", "both")] == [50, 50, 100]
    assert all(row["covered"] >= 0.85 for row in means.values())
    assert all(abs(row["told_bps"] / row["plain_bps"] - 1) < 0.1 for row in means.values())
    assert {row["horizon_s"] for row in rows} == {1, 10}
    assert wrong == 0
    runs[3] = runs[3]._replace(own_pnl=Fraction(1, 3))
    assert judged(keys, runs)[1] == 1
