"""The others' mid as it was: what is not known is not known, whatever was known before."""

import pytest

from market.clock import NS_PER_SECOND
from nodes.tracker.mids import Mids

S = NS_PER_SECOND


def heard(*changes: tuple[int, int | None], kept_s: int = 600) -> Mids:
    """Return what has heard these mids, at these seconds."""
    mids = Mids(kept_s * S)
    for at_s, mid_x2 in changes:
        mids.hear(at_s * S, mid_x2)
    return mids


def test_a_mid_holds_until_the_next_one() -> None:
    """Before the first nothing is known, and nothing of what is still to come."""
    mids = heard((10, 200), (20, 202))
    assert [mids.at(at_s * S) for at_s in (9, 10, 19, 20, 21)] == [None, 200, 200, 202, None]
    mids.pass_to(21 * S)
    assert mids.at(21 * S) == 202


def test_just_before_a_fill_is_not_what_the_fill_has_made_of_it() -> None:
    """Guards the mid at the fill: a book that was told at the same moment shows the trade already."""
    mids = heard((10, 200), (20, 260))
    assert [mids.before(at_s * S) for at_s in (10, 20)] == [None, 200]
    assert mids.at(20 * S) == 260


def test_what_was_silent_is_unknown_from_its_last_word_on() -> None:
    """Guards against the last mid standing in for a gap: nobody knows since when the stream was dead."""
    mids = heard((10, 200))
    mids.pass_to(12 * S)
    mids.lose(15 * S)
    assert [mids.at(at_s * S) for at_s in (12, 13, 15, 16)] == [200, None, None, None]
    mids.hear(18 * S, 200)
    assert [mids.at(at_s * S) for at_s in (12, 13, 17, 18)] == [200, None, None, 200]


def test_an_empty_side_is_no_mid() -> None:
    """Until there is one again."""
    mids = heard((10, 200), (11, None), (13, 200))
    assert [mids.at(at_s * S) for at_s in (10, 11, 12, 13)] == [200, None, None, 200]


def test_a_clock_that_is_set_back_takes_back_what_was_heard_later() -> None:
    """Two mids of one moment cannot both be right; the latest news is."""
    mids = heard((10, 200), (20, 202), (15, 204))
    assert [mids.at(at_s * S) for at_s in (14, 15, 20)] == [200, 204, None]


def test_what_is_kept_is_bounded_and_what_holds_is_kept() -> None:
    """100,000 changes in a ring of 10 minutes: those of the last 10 are all there, and not many more."""
    mids = heard(*((at_s, at_s) for at_s in range(1, 100_000)), kept_s=600)
    assert mids.at(99_400 * S) == 99_400
    assert mids.at(90_000 * S) is None
    assert mids.count < 2_000


@pytest.mark.parametrize("quiet_s", [1, 10_000])
def test_a_market_that_does_not_move_is_known_for_as_long_as_it_is_followed(quiet_s: int) -> None:
    """Nothing that holds is too old."""
    mids = heard((10, 200))
    mids.pass_to((10 + quiet_s) * S)
    assert mids.at((10 + quiet_s) * S) == mids.at(10 * S) == 200
