"""HTML as nested calls: what is a plain `str` is text and escaped, what is `Html` is markup and is not."""

from html import escape
from typing import Final

_VOID: Final = frozenset({"meta", "br", "col"})


class Html(str):
    """Markup. Only this module makes it of other text."""

    __slots__ = ()


def element(name: str, /, *children: "Html | str | None", **attributes: str | int | bool | None) -> Html:
    """Return `<name attributes>children</name>`; what is None is left out.

    An attribute's name has `-` for `_`, and none at its end: `class_="gain"`, `aria_label="Equity"`.
    """
    told = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{joined(*children)}</{name}>")


def joined(*children: "Html | str | None") -> Html:
    """Return all one after the other."""
    return Html("".join(one if isinstance(one, Html) else escape(one) for one in children if one is not None))


def style_sheet(css: str) -> Html:
    """Return a `<style>` of our own style sheet.

    Raises:
        ValueError: if it would end the element.
    """
    if "</" in css:
        raise ValueError("expected a style sheet without '</'")
    return Html(f"<style>{css}</style>")


def _attribute(key: str, value: str | int | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(str(value))}"'
