"""The dashboard in chromium while the engine takes orders: `python -m benchmarks.dashboard`.

First contentful paint of a cold start, tasks longer than 50 ms, the time between frames, and the page's heap. Before
anything is printed, the ladder of the page must be the book that the api serves.
"""

import argparse
import os
import shutil
import sys
import threading
import time
from decimal import Decimal
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.engine_process import WAIT_S, folder_of_a_desk, node_process
from benchmarks.live_line import Load, book_of_api
from benchmarks.orderbook_http import free_port, get
from desk.settings import Settings

PAINT_MS_MAX: Final = 1_000
TASK_MS_MAX: Final = 50
FRAME_MS_MAX: Final = 17
STARTS: Final = 5
SHOWN: Final = 12  # levels a side

_WATCH: Final = """() => {
  window.tasks = [];
  window.frames = [];
  new PerformanceObserver((list) => list.getEntries().forEach((each) => window.tasks.push(each.duration)))
    .observe({type: "longtask"});
  let last = performance.now();
  const frame = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""
_LADDER: Final = """() => ["bids", "asks"].flatMap((id, side) =>
  [...document.querySelectorAll(`#${id} tr:not(.far)`)].map((row) =>
    [side, row.cells[2].textContent, row.cells[1].textContent]))"""


def first_paint_ms(browser: Browser, port: int) -> float:
    """Return the first contentful paint of a browser that has nothing of the page yet."""
    page = browser.new_page(viewport={"width": 1_440, "height": 900})
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector("body[data-state]:not([data-state=connecting])")
    found = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.context.close()
    return float(found)


def heap_mb(page: Page) -> float:
    """Return the page's heap after its garbage is collected."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def check_ladder(page: Page, port: int) -> None:
    """Assert that the page shows the api's book, which stands still."""
    pair = Settings().instruments[0]
    deadline = time.monotonic() + WAIT_S
    while True:
        rows = page.evaluate(_LADDER)
        shown = sorted(
            [side, _steps(price, pair.tick_size), _steps(quantity, pair.lot_size)] for side, price, quantity in rows
        )
        served = book_of_api(port)
        best = [row for row in served if row[0] == 0][-SHOWN:] + [row for row in served if row[0] == 1][:SHOWN]
        if shown == best:
            return
        assert time.monotonic() < deadline, f"the page has another book than the api: {shown} {best}"
        time.sleep(0.1)


def _steps(text: str, step: Decimal) -> int:
    return int(Decimal(text.replace(",", "")) / step)


def run(seconds: float, orders_per_s: int) -> dict[str, Any]:
    """Return all figures."""
    port = free_port()
    settings = {"ENGINE__JOURNAL": "write", "API__PORT": str(port)}
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with folder_of_a_desk() as run_dir, node_process("engine", run_dir, settings):
        load = Load(run_dir, orders_per_s)
        with node_process("api", run_dir, settings), sync_playwright() as playwright:
            get(port, "/api/orderbook?depth=1")
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
            paints = sorted(first_paint_ms(browser, port) for _ in range(STARTS))
            page = browser.new_page(viewport={"width": 1_440, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/")
            giving = threading.Thread(target=load.give, args=(seconds + 2,))
            giving.start()
            page.wait_for_timeout(2_000)
            page.evaluate(_WATCH)
            heaps = [heap_mb(page)]
            page.wait_for_timeout(1_000 * seconds)
            tasks, frames = page.evaluate("[window.tasks, window.frames.slice(5).sort((a, b) => a - b)]")
            heaps.append(heap_mb(page))
            giving.join()
            check_ladder(page, port)
            browser.close()
        load.close()
    return {
        "paint_ms": paints[len(paints) // 2],
        "tasks": sorted(tasks)[::-1],
        "frame_ms": frames[len(frames) // 2],
        "frame_p99_ms": frames[len(frames) * 99 // 100],
        "heaps_mb": heaps,
    }


def main() -> int:
    """Measure and print; exit code 1 if a number is beyond its bound."""
    parser = argparse.ArgumentParser(description="the dashboard in chromium")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the trace")
    parser.add_argument("--orders", type=int, default=20_000, help="orders a second: 50,000 events are some 20,000")
    options = parser.parse_args()
    found = run(options.seconds, options.orders)
    longest = found["tasks"][0] if found["tasks"] else 0.0
    print(
        f"{options.orders:,} orders/s for {options.seconds:.0f} s; the page had the api's book\n"
        f"first contentful paint, median of {STARTS} cold starts: {found['paint_ms']:.0f} ms\n"
        f"tasks of more than {TASK_MS_MAX} ms: {len(found['tasks'])}, the longest {longest:.0f} ms\n"
        f"time between frames: median {found['frame_ms']:.1f} ms, p99 {found['frame_p99_ms']:.1f}\n"
        f"heap: {found['heaps_mb'][0]:.1f} MB at the beginning, {found['heaps_mb'][1]:.1f} at the end"
    )
    is_slow = found["paint_ms"] > PAINT_MS_MAX or longest > TASK_MS_MAX or found["frame_ms"] > FRAME_MS_MAX
    return int(is_slow)


if __name__ == "__main__":
    sys.exit(main())
