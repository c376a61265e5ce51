"""Markup: text is escaped wherever it comes from."""

import re

import pytest

from pages.markup import Html, element, joined, style_sheet
from pages.parts import table, words

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


@pytest.mark.parametrize(
    ("count", "most", "printed", "on_screen", "on_paper"),
    [
        (8, 8, 2, (8, ""), (2, "and 6 more")),
        (3, 8, 2, (3, ""), (3, "")),
        (9, 8, 2, (8, "and 1 more"), (2, "and 7 more")),
    ],
)
def test_says_how_many_rows_are_left_out(
    count: int, most: int, printed: int, on_screen: tuple[int, str], on_paper: tuple[int, str]
) -> None:
    """Guards paper, which has room for fewer: a row that is left out without a word is a figure that is hidden."""
    text = table("Rows", ("Name", "n"), [(f"r{index}", "1") for index in range(count)], most, printed=printed)
    assert text is not None
    lines = re.findall(r'<tr(?: class="(\w+)")?>(.*?)</tr>', text.partition("<tbody>")[2])
    for hidden, expected in (("less", on_screen), ("more", on_paper)):
        shown = [line for kind, line in lines if kind != hidden]
        rest = "".join(re.findall(r"and \d+ more", "".join(shown)))
        assert (sum("<th" in line for line in shown), rest) == expected


def test_says_how_many_warnings_are_left_out() -> None:
    """Guards paper, on which there is room for three: a fourth was left out without a word."""
    found = words(f"w{number}" for number in range(5))
    assert [re.findall('class="([^"]+)">(.*)</p>', one)[0] for one in found] == [
        *(("word", f"w{number}") for number in range(3)),
        *(("word more", f"w{number}") for number in (3, 4)),
        ("word less", "and 2 more"),
    ]
    assert len(words(["w"] * 3)) == 3
