"""Rows of anything as text, in columns."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from market.instrument import format_decimal

_NUMBERS = (int, Decimal)


def rows_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return the rows under their columns' names; numbers stand to the right, and nothing for null."""
    lines = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_right = [any(isinstance(row[index], _NUMBERS) for row in rows) for index in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_right, strict=True)
        ).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format_decimal(value) if isinstance(value, Decimal) else str(value)
