"""The tables of the documents say what the code says."""

import re

import pytest

from market.codes import Tag
from tests.docs.tables import OPERATING, PROTOCOL, TABLES, rules_table, settings_table, written

HINT = "run: python -m tests.docs.tables"


@pytest.mark.parametrize("name", TABLES)
def test_equals_the_code(name: str) -> None:
    """A field, code, channel, limit or setting that the documents do not tell of would be found by surprise."""
    path, render = TABLES[name]
    document = path.read_text(encoding="utf-8")
    assert written(name, document) == render(document), HINT


def test_gives_every_setting_a_meaning() -> None:
    """The generated columns of a new setting are not enough for a person."""
    document = OPERATING.read_text(encoding="utf-8")
    empty = [line for line in settings_table(document).splitlines() if line.endswith("|  |")]
    assert not empty


def test_gives_every_rule_a_meaning() -> None:
    """A comment that went to a line of its own was lost, and the row empty."""
    assert "|  |" not in rules_table("")


def test_tells_of_every_tag_once() -> None:
    """Tags are never reused, so each has one section."""
    headings = re.findall(r"^### (\d+) ", PROTOCOL.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number in headings] == [int(tag) for tag in Tag]
