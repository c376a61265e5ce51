"""Markup: text is escaped wherever it comes from."""

import pytest

from pages.markup import Html, element, joined, style_sheet

_SCRIPT = '<i a="1">'
_ESCAPED = "&lt;i a=&quot;1&quot;&gt;"


def test_escapes_text_and_attributes_and_no_markup() -> None:
    """A symbol or a reason of a venue is text of others."""
    inside = element("b", _SCRIPT, title=_SCRIPT)
    assert inside == f'<b title="{_ESCAPED}">{_ESCAPED}</b>'
    assert element("p", inside, " & more") == f"<p>{inside} &amp; more</p>"
    assert joined("<", Html("<"), None) == "&lt;<"


def test_leaves_out_what_is_none_and_spells_names_as_html_does() -> None:
    """Guards optional parts, attributes without a value, and names that Python keeps for itself."""
    told = element("td", None, class_=None, aria_label="x", hidden=True, open=False, colspan=2)
    assert told == '<td aria-label="x" hidden colspan="2"></td>'
    assert element("meta", name="viewport") == '<meta name="viewport">'


def test_refuses_a_style_sheet_that_ends_its_element() -> None:
    """What follows would be markup."""
    with pytest.raises(ValueError, match="expected a style sheet without"):
        style_sheet("a{}</style><script>")
