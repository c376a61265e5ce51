"""What a person is told of settings that cannot be used."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from desk.sections import SECRET_KEYS

_BY_ITSELF = {"extra_forbidden": "no such setting", "missing": "expected a value, there is none"}
_IN_OUR_WORDS = {"tuple_type": "expected a list", "model_type": "expected a table"}


def error_lines(error: ValidationError, origins: Mapping[str, str], known: Iterable[str] = ()) -> Iterator[str]:
    """Yield a line for each error: its key, what was expected, what was there unless that is a secret, its origin.

    Args:
        known: the keys that one which is misspelt may mean.
    """
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        meant = meant_text(key, known) if problem["type"] == "extra_forbidden" else ""
        yield f"{key}: {_said(key, problem)} (from {_origin(key, origins)}){meant}"


def meant_text(text: str, known: Iterable[str]) -> str:
    """Return `; did you mean BTCUSDT?` of what is spelt nearly like one of `known`, else nothing."""
    near = get_close_matches(text, list(known), n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else ""


def _said(key: str, problem: Mapping[str, Any]) -> str:
    if problem["type"] in _BY_ITSELF:
        return _BY_ITSELF[problem["type"]]
    text = _IN_OUR_WORDS.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
    expected = text.replace("Input should be", "expected", 1)
    given = problem["input"]
    shown = "a secret" if key in SECRET_KEYS else repr(str(given) if isinstance(given, Path) else given)
    was = "" if isinstance(given, list | tuple | Mapping | BaseModel) else f", was {shown}"
    return f"{expected[0].lower()}{expected[1:]}{was}"


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Return where a setting came from: the list that it is an item of, or the first of its table's."""
    while key:
        for known, origin in origins.items():
            if known == key or known.startswith(f"{key}."):
                return origin
        key = key.rpartition(".")[0]
    return "default"
