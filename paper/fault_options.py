"""Settings of fault switches: what a JSON value must be to be one, and the same in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

TEXT_LENGTH_MAX: Final = 200


def what_was(given: Mapping[str, Any], name: str) -> str:
    """Return the end of a sentence that says what was expected under a name: what was given, shortened."""
    return f"was {repr(given[name])[:TEXT_LENGTH_MAX]}" if name in given else "was not given"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a switch.

    Attributes:
        is_right: whether a JSON value may be its value.
        expected: the same in words.
        is_required: whether it has no default.
    """

    name: str
    is_right: Callable[[Any], bool]
    expected: str
    default: Any = None
    is_required: bool = False

    def is_met_by(self, given: Mapping[str, Any]) -> bool:
        """Say whether what is given has a value for it that may be one, or may do without and does."""
        return self.is_right(given[self.name]) if self.name in given else not self.is_required


def integer(low: int, high: int) -> Callable[[Any], bool]:
    """Return what says whether a value is an integer between these, both among them."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def number(name: str, low: int, high: int, default: int | None = None) -> Option:
    """Return a setting that is an integer; without a default it must be given."""
    return Option(name, integer(low, high), f"an integer from {low} to {high}", default, default is None)


def choice(name: str, *choices: object, default: object = None) -> Option:
    """Return a setting that is one of these."""
    words = " or ".join(map(str, choices))
    return Option(name, lambda value: any(value is each or value == each for each in choices), words, default)


def flag(name: str) -> Option:
    """Return a setting that is true or, if not given, false."""
    return Option(name, lambda value: isinstance(value, bool), "true or false", default=False)


def text(name: str, *, is_required: bool = False) -> Option:
    """Return a setting that is a text of some length."""

    def is_right(value: Any) -> bool:
        return isinstance(value, str) and 0 < len(value) <= TEXT_LENGTH_MAX

    return Option(name, is_right, f"a text of at most {TEXT_LENGTH_MAX} characters", is_required=is_required)
