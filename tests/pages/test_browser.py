"""The pages in a real browser: on a phone, on a desk and on paper."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from market.exact_json import JsonObject
from pages.day import day_page
from pages.week import week_page
from reports.by_order import realized_by_order
from reports.recommendations import recommendations
from reports.week_markouts import week_markouts
from reports.weekly import week_of, week_to_json
from tests.pages.browser import chromium, needs_chromium
from tests.pages.days import day_of, days_of
from tests.reports.fills import DAY

pytestmark = [needs_chromium, pytest.mark.slow]
_WIDTHS = (360, 1_280)
_TALLEST = "Math.max(0, ...[...document.querySelectorAll('tbody th')].map(each => each.clientHeight))"
_SERIOUS = {"serious", "critical"}


def _week(counts: Sequence[int]) -> JsonObject:
    """Return the document of days of so many fills, and before them one that is damaged."""
    documents, first = days_of(counts), DAY - timedelta(days=len(counts))
    week = week_of(DAY, documents, {first: "cut"}, len(counts) + 1, first)
    markouts = week_markouts([documents[day] for day in sorted(documents)])
    return week_to_json(week, recommendations(week)) | {"markouts": markouts}


def _many_numbers() -> JsonObject:
    """Return a week whose markouts have long intervals, and as many fills as known mids, each its own."""
    week = _week([400, 700])
    for day in (*week["markouts"]["days"], {"rows": week["markouts"]["total"]}):
        for row, count in zip(day["rows"], (9_999, 9_888, 9_777), strict=True):
            row |= {"n": count, "mean_bps": Decimal("-12.34"), "low_bps": Decimal(-123), "high_bps": Decimal(-100)}
    return week


def _long_page() -> str:
    """Return the page of a busy day whose tables are as long as they get."""
    day = day_of(2_000, has_mids=True)
    part, by_order = day["symbols"]["BTCUSDT"], realized_by_order(day)
    rules = [{**by_order["rule"][0], "rule": f"RULE_{number}"} for number in range(8)]
    counts = {"fills": {"count": 2_000}, "picked_off": {"count": 3}}
    more = {
        "symbols": day["symbols"] | {f"S{number}USDT": part for number in range(4)},
        "flows": [{"kind": "deposit", "amount": Decimal(5), "asset": "USDT"}] * 6,
        "balances": {f"S{number}": {"free": Decimal("1.2345678"), "locked": Decimal(0)} for number in range(9)},
        "quoting": {**counts, "minutes": 1_440, "minutes_on_target": 1_000, "presence": "0.9"},
    }
    warnings = ["The figures do not add up to the balances by +0.00001 USDT, from a trade of BTCUSDT on."] * 5
    return day_page(day | more, "reports/performance_20251130.json", warnings, by_order | {"rule": rules})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as files."""
    texts = {
        "empty": day_page(day_of(0), "reports/performance_20251130.json"),
        "one fill": day_page(day_of(1, has_mids=True), "reports/performance_20251130.json"),
        "busy": day_page(day_of(8_000, has_mids=True), "reports/performance_20251130.json"),
        "long": _long_page(),
        "week": week_page(_week([0, 400, 30, 1, 700, 200]), "reports"),
        "numbers": week_page(_many_numbers(), "reports"),
        "year": week_page(_week([30] * 364), "reports", ["Not up to date: no answer."]),
    }
    folder = tmp_path_factory.mktemp("pages")
    files = {name: folder / f"{name}.html" for name in texts}
    for name, file in files.items():
        file.write_text(texts[name], encoding="utf-8")
    return files


_NAMES = pytest.mark.parametrize("name", ["empty", "one fill", "busy", "long", "week", "numbers", "year"])


def test_a_phone_shows_the_n_of_the_markout_that_it_shows(browser: Browser, written: dict[str, Path]) -> None:
    """It showed the markout after 10 s, and three numbers beside it."""
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(written["numbers"].as_uri())
    cells = page.locator("table:has(caption:text('95 %')) tbody tr:first-child :is(th, td):visible").all_inner_texts()
    assert cells == ["All", "-12.34 (-123.0 to -100.0)", "9,888"]


@_NAMES
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", _WIDTHS)
def test_is_read_without_a_sideways_scroll_or_a_fault(
    browser: Browser, written: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    """Guards the width, the console, what is asked for (the file alone), and what axe finds."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(written[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(_TALLEST) < 3 * 16, "the name of a row stands in one line, or two"
    assert said == []
    assert asked == [written[name].as_uri()]
    found = Axe().run(page).response
    serious = {each["id"]: each["nodes"][0]["html"] for each in found["violations"] if each["impact"] in _SERIOUS}
    assert serious == {}
    page.close()


@_NAMES
def test_is_two_printed_pages_at_most(browser: Browser, written: dict[str, Path], name: str) -> None:
    """A busy day fills both; a table that grows does not make a third."""
    page = browser.new_page()
    page.goto(written[name].as_uri())
    pages = re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True))
    assert len(pages) == (2 if name in ("busy", "long", "one fill", "year") else len(pages)) <= 2
    page.close()
