"""KEY=VALUE on the command line: settings, spelt as in the environment."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from desk.client import UsageError
from desk.sections import SECRET_KEYS
from desk.settings import environment_name, values_of


def assigned(texts: Sequence[str], option: str = "") -> dict[str, str]:
    """Return the text of each key of KEY=VALUE.

    Args:
        option: before which they stand, for a person; empty for arguments.

    Raises:
        DeskError: if one is not spelt so, or is there twice.
    """
    given: dict[str, str] = {}
    for each in texts:
        key, equals, text = (part.strip() for part in each.partition("="))
        if not (key and equals):
            raise UsageError(f"expected {option + ' ' if option else ''}KEY=VALUE, was {each[:60]!r}")
        if key in given:
            raise UsageError(f"{key}: expected once, was there twice")
        given[key] = text
    return given


def values_set(sets: Sequence[str], others: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings of each `--set KEY=VALUE`.

    Args:
        others: what other options of the command line set, by dotted key; None of those that were not given.

    Raises:
        DeskError, SettingsError: if one is not spelt so, is a secret, or is given by another option as well.
    """
    given = assigned(sets, "--set")
    if doubled := [key for key in given if others is not None and others.get(key) is not None]:
        raise UsageError(f"{', '.join(doubled)}: given by --set and by an option of its own; leave one out")
    for key in SECRET_KEYS & given.keys():
        raise UsageError(f"{key}: a secret must not stand on the command line; set {environment_name(key)} instead")
    return values_of(given, "command line")


def check_read(keys: Iterable[str], read: Sequence[str]) -> None:
    """Make sure that each key means something to a command that reads those.

    Raises:
        DeskError: if one would change nothing.
    """
    for key in keys:
        if not any(key == each or (each[-1] == "." and key.startswith(each)) for each in read):
            known = ", ".join(f"{each}*" if each[-1] == "." else each for each in read)
            raise UsageError(f"--set {key}: nothing here reads it; what is read is {known}")
