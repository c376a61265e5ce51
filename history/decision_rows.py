"""Decisions of the maker's journal as rows of the history: each is looked at, for a line may hold anything."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Integer, String

from history.schema import DECISIONS, Exact
from market.exact_json import JsonObject, dumps
from market.words import counted

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_INTEGER_MAX: Final = 2**31 - 1
_COLUMNS: Final = ("symbol", "side", "action", "price", "qty", "client_order_id", "rule", "why", "level", "model")


def decision_rows(told: Sequence[JsonObject], file_name: str) -> tuple[list[dict[str, Any]], str]:
    """Return the decisions with the names of the table's columns, and what a person should be told of the others.

    What is no decision is left out: one bad line must not stand in the way of all later ones.
    """
    rows: list[dict[str, Any]] = []
    reasons: list[str] = []
    for each in told:
        try:
            rows.append(_row(each))
        except ValueError as error:
            reasons.append(str(error))
    if not reasons:
        return rows, ""
    lines = f"{counted(len(reasons), 'line')} of {file_name}"
    return rows, f"{lines} cannot be kept in the history, left out: {reasons[0]}"


def _row(told: JsonObject) -> dict[str, Any]:
    """Return one with the names of the table's columns.

    Raises:
        ValueError: naming the field that is wrong.
    """
    if not isinstance(told, dict):
        raise ValueError(f"expected an object, was {str(told)[:40]!r}")  # noqa: TRY004 - a line that may hold anything
    time = told.get("time")
    try:
        time_ms = (datetime.fromisoformat(time) - _EPOCH) // _MS  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise ValueError(f"time must be one, in UTC, was {str(time)[:40]!r}") from None
    row = {name: _cell(name, told.get(name)) for name in _COLUMNS}
    return row | {"time_ms": time_ms, "numbers": dumps(told.get("numbers"))}


def _cell(name: str, value: Any) -> Any:
    column = DECISIONS.c[name]
    if value is None:
        if not column.nullable:
            raise ValueError(f"{name} must be there")
        return None
    if isinstance(column.type, Exact):
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError(f"{name} must be a number, was {str(value)[:40]!r}")  # noqa: TRY004
        return Decimal(value)
    if isinstance(column.type, Integer):
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _INTEGER_MAX:
            raise ValueError(f"{name} must be a whole number up to {_INTEGER_MAX}, was {str(value)[:40]!r}")
        return value
    assert isinstance(column.type, String), name
    most = column.type.length
    if not isinstance(value, str) or (most is not None and len(value) > most) or not _is_storable(value):
        wanted = "text" if most is None else f"text of at most {most} characters"
        raise ValueError(f"{name} must be {wanted}, was {ascii(value)[:40]}")
    return value


def _is_storable(text: str) -> bool:
    """Say whether a database takes a text: JSON may spell half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
