"""The pictures of docs/dashboard.md, made anew: `python -m tests.web.screenshots [FOLDER]`, docs without one."""

import argparse
import os
import signal
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.desk.desk_process import ROOT, Desk, short_directory, until
from tests.pages.browser import chromium, wait_until

FILLS_MIN = 25  # before there is something to see
TALL, WIDE, PHONE = (1_440, 1_440), (1_440, 900), (360, 740)
PATIENCE_S = 600


def _page(browser: Browser, desk: Desk, size: tuple[int, int], theme: str, state: str) -> Page:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.set_default_timeout(PATIENCE_S * 1_000)
    page.goto(desk.url("api"))
    page.evaluate("(theme) => localStorage.setItem('theme', theme)", theme)
    page.reload()
    page.wait_for_selector(f"body[data-state={state}]")
    page.wait_for_selector("#sources tbody tr")
    return page


def take(folder: Path) -> None:
    """Take all of them, of desks of their own."""
    with short_directory() as path, chromium() as browser:
        desk = Desk(path / "run", "--flow", "synthetic:normal", "--half-spread", "0.0003").start()
        try:
            # A page that has looked for a minute has a minute to show.
            dark = _page(browser, desk, TALL, "dark", "live")
            until("it has traded", lambda: desk.node("maker")["figures"].get("filled", 0) >= FILLS_MIN, PATIENCE_S)
            for name, size, theme in (("light", WIDE, "light"), ("phone", PHONE, "dark")):
                _page(browser, desk, size, theme, "live").screenshot(path=folder / f"dashboard-{name}.png")
            wait_until(dark, "document.querySelectorAll('#markouts tbody tr').length > 5")
            dark.screenshot(path=folder / "dashboard-dark.png")
            dark.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
            dark.focus("#past-time")
            dark.keyboard.type(dark.inner_text("#clock"))
            dark.keyboard.press("Enter")
            dark.wait_for_selector("#past-banner:has-text('THE PAST: 20')")
            dark.screenshot(path=folder / "dashboard-past.png")
            dark.click("#past-back")
            engine = desk.node("engine")["pid"]
            os.kill(engine, signal.SIGSTOP)
            try:
                dark.wait_for_selector("body[data-state=stale]")
                dark.screenshot(path=folder / "dashboard-stale.png")
            finally:
                os.kill(engine, signal.SIGCONT)
        finally:
            desk.end()
        empty = Desk(path / "empty", "--flow", "none").start()
        try:
            page = _page(browser, empty, WIDE, "dark", "live")
            page.wait_for_selector("#quoting .big:text-is('No')")
            page.screenshot(path=folder / "dashboard-empty.png")
        finally:
            empty.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs")
    take(parser.parse_args().folder)
