"""Why each side is quoted or is not, as a person reads it."""

from collections.abc import Sequence
from decimal import Decimal

from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import format_decimal
from screens.desk import halted_text, withdrawn_text

_NAMES = {Side.BUY.name: "bid", Side.SELL.name: "ask"}


def why_text(document: JsonObject, go_on: str) -> str:
    """Return a line for each quote of a side, or for the side, and one for each of the last decisions.

    Args:
        go_on: the commands that take a halt or a withdrawal back.
    """
    quotes = [each for side in document["sides"] for each in side["quotes"] or [side]]
    sides = [[_NAMES[each["side"]], *_columns(each, "no quote")] for each in quotes]
    has_levels = any(len(side["quotes"]) > 1 for side in document["sides"])
    if any(places := [_place(each, has_levels=has_levels) for each in quotes]):
        sides = [[*row[:2], place, *row[2:]] for row, place in zip(sides, places, strict=True)]
    last = [
        [each["time"][:19].replace("T", " "), each["action"], _NAMES.get(each["side"], ""), *_columns(each, "")]
        for each in document["decisions"]
    ]
    head = [f"{document['symbol']} on {document['venue']}, maker {document['maker']}"]
    head += [halted_text(document["halted"], go_on)] if document["halted"] else []
    head += [withdrawn_text(document["withdrawn"], go_on)] if document["withdrawn"] else []
    return "\n".join([*head, *_table(sides), *(["", "last decisions, UTC", *_table(last)] if last else [])])


def _place(row: JsonObject, *, has_levels: bool) -> str:
    """Return for which level a quote was placed, where there are several, and whether it hangs."""
    level = f"level {row['level']}" if has_levels and row.get("level") else ""
    return ", ".join(filter(None, [level, "hangs" if row.get("is_hanging") else ""]))


def _columns(row: JsonObject, none: str) -> list[str]:
    terms = none if row["price"] is None else f"{_plain(row['qty'])} at {_plain(row['price'])}"
    return [terms, row["rule"], " ".join(row["why"].split())]


def _plain(exact: Decimal | int | str) -> str:
    """Return a number as short as it can be: venue and instrument tell the same one with other zeros."""
    return format_decimal(Decimal(exact))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
