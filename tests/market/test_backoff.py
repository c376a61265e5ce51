"""The pause that grows, market/backoff.py."""

from market.backoff import Backoff


def test_doubles_up_to_its_bound_and_begins_anew_after_a_success() -> None:
    """What fails again and again is asked less and less often, but never forgotten."""
    backoff = Backoff(100, 500)
    assert [backoff.fail(0) for _ in range(40)] == [100, 200, 400] + 37 * [500]
    backoff.end()
    assert not backoff.is_on(0)
    assert backoff.fail(7, why="busy") == 100
    assert (backoff.is_on(106), backoff.is_on(107), backoff.why) == (True, False, "busy")


def test_waits_as_long_as_the_other_side_says() -> None:
    """A venue that names a time is not asked before it, whatever the dice and the bound say."""
    backoff = Backoff(100, 500, jitter=lambda: 0.5)
    assert backoff.fail(0) == 50
    assert backoff.fail(0, at_least_ns=9_000) == 9_000
