"""Debian's chromium, as a reader of the pages has a browser."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

WAIT_S = 60
CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run one; root has no sandbox."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def wait_until(page: Page, expression: str, arg: object = None) -> None:
    """Wait until an expression holds in a page.

    It is asked from outside again and again: a wait inside the page is code made of text, which the policy of our pages
    forbids from the second look on.
    """
    deadline = time.monotonic() + WAIT_S
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {expression}"
        page.wait_for_timeout(20)
