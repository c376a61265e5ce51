"""What a step is given is all that it reads: in the rooms that hold steps, and in all that a simulation imports."""

from functools import cache

import pytest

from tests.determinism.impurities import Found, find
from tests.determinism.rooms import EDGES, EXCEPTIONS, ROOMS, pure_files, reason_of, text_of
from tests.determinism.sets import SetWords


@cache
def _words() -> SetWords:
    words = SetWords()
    for path in pure_files():
        words.learn(text_of(path))
    return words


@cache
def _found() -> tuple[Found, ...]:
    return tuple(each for path in pure_files() for each in find(path, text_of(path), _words()))


def test_a_step_reads_only_what_it_is_given() -> None:
    """Guards the same seed, the same run: an unlisted look at a clock, at dice, at the disk or at a set's order."""
    unlisted = [str(each) for each in _found() if reason_of(each.path, each.where, each.what) is None]
    assert not unlisted, "\n".join(unlisted)


def test_every_exception_is_needed() -> None:
    """A reason that has outlived what it excuses would excuse the next one."""
    needed = {reason_of(each.path, each.where, each.what) for each in _found()}
    assert EXCEPTIONS.keys() == needed - {None}


@pytest.mark.parametrize("path", EDGES)
def test_every_edge_reads_the_world(path: str) -> None:
    """A file that has become a step is to be searched like one."""
    assert find(path, text_of(path), _words())


def test_searches_all_rooms() -> None:
    """Guards the search itself: a room that was renamed would be searched no more, and nothing would be found."""
    files = pure_files()
    assert [room for room in ROOMS if not any(path.startswith(room) for path in files)] == []
    assert "trading/trader.py" in files
    assert "engine/fast/matching.py" in files
    assert "venues/binance_account.py" in files, "what a simulation imports of other rooms"
