"""Typed reading of the fields of a JSON object; every function raises ValueError naming the field that is wrong."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from market.exact_json import JsonObject


def number(entry: Mapping[str, Any], name: str) -> Decimal:
    """Return the number `entry[name]`."""
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _wrong(entry, name, "a number")
    return Decimal(value)


def number_or_none(entry: Mapping[str, Any], name: str) -> Decimal | None:
    """Return the number `entry[name]`, None where it is null or missing."""
    return None if entry.get(name) is None else number(entry, name)


def integer(entry: Mapping[str, Any], name: str, largest: int = 2**63 - 1) -> int:
    """Return the integer `entry[name]`, from 0 to `largest`; other tools write 8 as 8.0, or 100 as 1e2."""
    value = entry.get(name)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
        raise _wrong(entry, name, f"an integer from 0 to {largest}")
    return value


def text(entry: Mapping[str, Any], name: str) -> str:
    """Return the text `entry[name]`."""
    value = entry.get(name)
    if not isinstance(value, str):
        raise _wrong(entry, name, "a text")
    return value


def flag(entry: Mapping[str, Any], name: str) -> bool:
    """Return the claim `entry[name]`."""
    value = entry.get(name)
    if not isinstance(value, bool):
        raise _wrong(entry, name, "true or false")
    return value


def child(entry: Mapping[str, Any], name: str) -> JsonObject:
    """Return the object `entry[name]`."""
    value = entry.get(name)
    if not isinstance(value, dict):
        raise _wrong(entry, name, "an object")
    return value


def array(entry: Mapping[str, Any], name: str) -> list[Any]:
    """Return the array `entry[name]`."""
    value = entry.get(name)
    if not isinstance(value, list):
        raise _wrong(entry, name, "an array")
    return value


def _wrong(entry: Mapping[str, Any], name: str, expected: str) -> ValueError:
    was = f"was {str(entry[name])[:40]!r}" if name in entry else "is missing"
    return ValueError(f"{name} must be {expected}, {was}")
