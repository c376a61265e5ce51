"""What every page is made of: tiles of figures, charts with their captions, tables, words of warning."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pages.markup import Html, element, joined, style_sheet

_STYLE: Final = Path(__file__).parent / "page.css"
_PRINTED_WORDS: Final = 3
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that is read first: what it is, what it comes to, and of how much that is said."""

    name: str
    value: str
    of: str = ""


def page(title: str, head: Sequence[Html | None], body: Sequence[Html | None], foot: str) -> str:
    """Return the whole page, which asks nobody for anything and says so to the browser."""
    return "<!doctype html>\n" + element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("title", title),
            style_sheet(_style()),
        ),
        element(
            "body",
            element("header", element("h1", title), *head),
            element("main", *body),
            element("footer", foot),
        ),
        lang="en",
    )


def words(texts: Iterable[str]) -> list[Html]:
    """Return what is to be read before any figure; on paper there is room for some of it, and how many are left out."""
    found = [
        element("p", text, class_="word" if index < _PRINTED_WORDS else "word more") for index, text in enumerate(texts)
    ]
    left = len(found) - _PRINTED_WORDS
    return [*found, element("p", f"and {left:,} more", class_="word less")] if left > 0 else found


def tiles(rows: Iterable[Tile]) -> Html:
    """Return the figures that are read first."""
    return element("dl", *map(_tile, rows), class_="tiles")


def section(title: str, *parts: Html | None, kind: str | None = None) -> Html:
    """Return parts under a title; of `kind` `next` they begin a printed page."""
    return element("section", element("h2", title), *parts, class_=kind)


def grid(kind: str, parts: Iterable[Html | None]) -> Html:
    """Return `charts` or `tables` beside each other, as many as there is room for."""
    return element("div", *parts, class_=kind)


def chart(title: str, drawing: Html, caption: str, keys: Sequence[tuple[str, str]] = ()) -> Html:
    """Return a chart under its title, with the `keys` to its colours: class and words."""
    told = (element("span", text, class_=f"key {kind}") for kind, text in keys)
    return element("figure", element("h3", title, *told), drawing, element("figcaption", caption), class_="chart")


def no_chart(title: str, why: str) -> Html:
    """Return the place of a chart that cannot be drawn, and why."""
    return element("figure", element("h3", title), element("p", why, class_="none"), class_="chart")


def table(
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    most: int = 12,
    wide: Sequence[int] = (),
    printed: int | None = None,
) -> Html | None:
    """Return a table, None without rows; its first column names the row.

    Args:
        most: how many rows there are at most; of the rest there is the number, in a last line.
        wide: the columns that a narrow screen leaves out.
        printed: how many rows paper has room for, if not for all, and there is the number of the rest.
    """
    if not rows:
        return None
    kinds = ["wide" if index in wide else None for index in range(len(names))]
    head = (element("th", name, scope="col", class_=kind) for name, kind in zip(names, kinds, strict=True))
    room = most if printed is None or printed + 1 >= len(rows) else min(printed, most)
    body = [_row(row, kinds, "more" if index >= room else None) for index, row in enumerate(rows[:most])]
    rest = [(most, "more"), (room, "less")] if room < most else [(most, None)]  # on the screen, and on paper
    body += [
        element("tr", element("td", f"and {len(rows) - count:,} more", colspan=len(names)), class_=kind)
        for count, kind in rest
        if len(rows) > count
    ]
    return element("table", element("caption", title), element("thead", element("tr", *head)), element("tbody", *body))


def _tile(one: Tile) -> Html:
    value = element("span", one.value, class_="value")
    of = element("div", one.of, class_="of") if one.of else None
    return element("div", element("dt", one.name), element("dd", value, of))


def _row(row: Sequence[str], kinds: Sequence[str | None], kind: str | None) -> Html:
    cells = (element("td", cell, class_=each) for cell, each in zip(row[1:], kinds[1:], strict=True))
    return element("tr", element("th", row[0], scope="row"), joined(*cells), class_=kind)


@cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")
