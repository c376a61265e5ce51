"""A map that goes back to what was saved."""

from paper.money.tracked import Tracked


def test_goes_back_to_what_it_was_when_it_was_last_saved() -> None:
    """However often an item was set since then; one that is new is gone."""
    numbers = Tracked({"one": 1, "two": 2})
    numbers["one"] = 10
    numbers["one"] = 11
    numbers["three"] = 3
    assert numbers.before == {"one": 1, "three": None}
    numbers.undo()
    assert (numbers, numbers.before) == ({"one": 1, "two": 2}, {})


def test_forgets_what_it_was_before_it_was_saved() -> None:
    """There is nothing to take back then."""
    numbers = Tracked({"one": 1})
    numbers["one"] = 2
    numbers.settle()
    numbers.undo()
    assert numbers == {"one": 2}
