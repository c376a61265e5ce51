"""Rows as they are read again: each cell is looked at, for anybody may have written into the file."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, Row, String, Table, type_coerce

from history.database import HistoryError
from history.schema import Exact
from market.codes import Side

_INTEGER_MAX: Final = 2**63 - 1
_TIME_MS_MAX: Final = 253_402_300_799_999  # the last ms of the year 9999
_DIGITS_MAX: Final = 60


class BadRowError(HistoryError):
    """A row that does not hold what its table says; the text names table, row and cell."""


def as_kept(table: Table) -> list[Any]:
    """Return the columns of a table as they are kept, whatever that is, for `checked`."""
    return [_as_kept(column) for column in table.c]


def checked(table: Table, row: Row[Any]) -> dict[str, Any]:
    """Return the values of a row that was asked for with `as_kept`.

    Raises:
        BadRowError: if one of them is not what its column says.
    """
    values = dict(row._mapping)
    found: dict[str, Any] = {}
    for column in table.c:
        try:
            found[column.name] = _value(column, values[column.name])
        except ValueError as error:
            key = ", ".join(f"{each.name} {str(values[each.name])[:40]}" for each in table.primary_key)
            raise BadRowError(f"{table.name}, row of {key}: {column.name} {error}") from None
    return found


def _as_kept(column: Column[Any]) -> Any:
    if isinstance(column.type, Exact):
        return type_coerce(column, String).label(column.name)
    return type_coerce(column, Integer).label(column.name) if isinstance(column.type, Boolean) else column


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        if not column.nullable:
            raise ValueError("must be there, was NULL")
        return None
    was = f"was {str(value)[:40]!r}"
    if isinstance(column.type, Exact):
        return _amount(value, was)
    if isinstance(column.type, Boolean):
        if value not in (0, 1):
            raise ValueError(f"must be 0 or 1, {was}")
        return bool(value)
    if isinstance(column.type, Integer | BigInteger):
        most = _TIME_MS_MAX if column.name.endswith("_ms") else _INTEGER_MAX
        if not isinstance(value, int) or not 0 <= value <= most:
            raise ValueError(f"must be a whole number from 0 to {most}, {was}")
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be text, {was}")  # noqa: TRY004 - what is in a file is no matter of types
    if column.name == "side" and value not in Side.__members__:
        raise ValueError(f"must be BUY or SELL, {was}")
    return value


def _amount(value: Any, was: str) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, str | int) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not -_DIGITS_MAX < amount.adjusted() < _DIGITS_MAX:
        raise ValueError(f"must be a decimal, {was}")
    return amount
