"""Typed reading of the fields of a JSON object; every function raises ValueError naming the field that is wrong."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from market.exact_json import JsonObject

T = TypeVar("T")


def number(entry: Mapping[str, Any], name: str) -> Decimal:
    """Return the number `entry[name]`."""
    value = entry.get(name)
    if type(value) is Decimal:  # as nearly all are
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(entry, name, "a number")
    return Decimal(value)


def number_or_none(entry: Mapping[str, Any], name: str) -> Decimal | None:
    """Return the number `entry[name]`, None where it is null or missing."""
    return None if entry.get(name) is None else number(entry, name)


def integer(entry: Mapping[str, Any], name: str, largest: int = 2**63 - 1) -> int:
    """Return the integer `entry[name]`, from 0 to `largest`; other tools write 8 as 8.0, or 100 as 1e2."""
    value = entry.get(name)
    if type(value) is int and 0 <= value <= largest:  # as nearly all are
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise _wrong(entry, name, f"an integer from 0 to {largest}")
    return value


def _reader(kind: type[T], expected: str) -> Callable[[Mapping[str, Any], str], T]:
    """Return what reads a field that is of just this `kind`."""

    def read(entry: Mapping[str, Any], name: str) -> T:
        value = entry.get(name)
        if not isinstance(value, kind):
            raise _wrong(entry, name, expected)
        return value

    return read


text = _reader(str, "a text")
flag = _reader(bool, "true or false")
child: Callable[[Mapping[str, Any], str], JsonObject] = _reader(dict, "an object")
array: Callable[[Mapping[str, Any], str], list[Any]] = _reader(list, "an array")


def _wrong(entry: Mapping[str, Any], name: str, expected: str) -> ValueError:
    was = f"was {str(entry[name])[:40]!r}" if name in entry else "is missing"
    return ValueError(f"{name} must be {expected}, {was}")
