"""The pictures of the reports' pages, made anew: `python -m tests.pages.screenshots [FOLDER]`, docs without one."""

import argparse
import tempfile
from pathlib import Path
from typing import Final

from pages.day import day_page
from pages.week import week_page
from reports.by_order import realized_by_order
from reports.recommendations import recommendations
from reports.week_markouts import week_markouts
from reports.weekly import week_of, week_to_json
from tests.pages.browser import chromium
from tests.pages.days import days_of
from tests.reports.fills import DAY

COUNTS: Final = (800, 1_200, 400, 1_500, 900, 1_100, 2_000)
PHONE: Final = (360, 1_500)


def pages() -> dict[str, str]:
    """Return the pages of a busy day and of the week that it ends, of made-up fills."""
    documents = days_of(COUNTS)
    day = documents[DAY]
    week = week_of(DAY, documents, {}, len(COUNTS), min(documents))
    ordered = [documents[each] for each in sorted(documents)]
    told = week_to_json(week, recommendations(week, ordered)) | {"markouts": week_markouts(ordered)}
    source = f"reports/performance_{DAY:%Y%m%d}.json"
    return {"day": day_page(day, source, (), realized_by_order(day)), "week": week_page(told, "reports")}


def take(folder: Path) -> None:
    """Take all of them."""
    with tempfile.TemporaryDirectory(prefix="tickbus-") as scratch, chromium() as browser:
        for name, text in pages().items():
            file = Path(scratch) / f"{name}.html"
            file.write_text(text, encoding="utf-8")
            page = browser.new_page(viewport={"width": 1_280, "height": 800}, color_scheme="light")
            page.goto(file.as_uri())
            page.screenshot(path=folder / f"report-{name}.png", full_page=True)
            if name == "day":
                page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
                page.screenshot(path=folder / "report-phone.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parents[2] / "docs")
    take(parser.parse_args().folder)
