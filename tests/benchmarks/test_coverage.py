"""The runs that error bars are measured with."""

from fractions import Fraction

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
