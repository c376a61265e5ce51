"""Any screen: 40 to 200 columns, and one that has ASCII alone."""

from decimal import Decimal

import pytest

from market.exact_json import JsonObject
from reports.recommendations import recommendations
from reports.weekly import week_of, week_to_json
from screens.fold import folded, lookalike
from screens.report import day_text
from screens.week import sparkline, week_text
from tests.pages.days import day_of, days_of
from tests.reports.fills import DAY


@pytest.fixture(scope="module")
def week() -> JsonObject:
    """Return a week with a day of 5,000 fills."""
    week = week_of(DAY, days_of([300, 2, 0, 5_000]), {})
    return week_to_json(week, recommendations(week))


@pytest.mark.parametrize("columns", [40, 55, 80, 120, 200])
def test_a_report_fits_the_screen(week: JsonObject, columns: int) -> None:
    """Guards narrow terminals: no line is longer than they are wide, and the day and its PnL are always there."""
    text = folded(day_text(day_of(300)) + "\n\n" + week_text(week, columns), columns)
    assert max(map(len, text.splitlines())) <= columns
    for day in week["days"][3:]:
        (line,) = [line for line in text.splitlines() if line.startswith(f"   {day['date']}  ") and "$" in line]
        assert line.split()[2] == f"{day['trades']:,}"


def test_a_wider_screen_shows_more_of_a_day(week: JsonObject) -> None:
    """The columns go from the right."""
    heads = [week_text(week, columns).splitlines()[1].split() for columns in (40, 60, 200)]
    names = ["day", "PnL", "fills", "won", "drawdown", "fees", "volume"]
    assert heads == [names[:3], names[:4], names]


def test_folds_a_line_under_itself() -> None:
    """Guards lists, words longer than the line, and lines that fit."""
    text = "   - " + "word " * 9 + "end\nshort"
    assert folded(text, 40) == "   - word word word word word word word\n      word word end\nshort"
    assert folded("x" * 90, 40) == "x" * 90
    assert folded("a " * 300, 9_999).splitlines()[0] == ("a " * 100).strip()


def test_has_an_ascii_character_for_each_of_its_own() -> None:
    """Guards an encoding without pictures and blocks: a report ended with an error there."""
    assert lookalike("📊 Won – ▁█ …é") == "* Won - _# ...?"


def test_a_sparkline_is_of_the_values_and_zero() -> None:
    """Guards days of loss, days that are not known, and one day alone."""
    assert sparkline([Decimal(-7), None, Decimal(0), Decimal(7)]) == "▁ ▄█"
    assert sparkline([Decimal(5), Decimal(10)]) == "▄█"
    assert sparkline([Decimal(0), Decimal(0), None]) == "▁▁"
    assert sparkline([Decimal(5), None]) == ""
