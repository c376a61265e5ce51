"""The dashboard in a real browser, on a desk that runs: what it shows is so, and what is old is called so."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from prometheus_client.parser import text_string_to_metric_families

from nodes.api.metrics import FIGURES
from tests.desk.desk_process import ANSWER_S, Desk, short_directory, until
from tests.pages.browser import chromium, needs_chromium, wait_until

pytestmark = [needs_chromium, pytest.mark.slow]
SHOWN_S_MAX = 1.0  # from a fill to its place on the screen
STALE_S_MAX = 2.0
TRIES = 3  # a browser on a busy machine may be late: not each time
SERIOUS = {"serious", "critical"}
# Metrics of what this desk has not: a standby, limits of its venue on a maker that has not come near them.
UNCOMMON = {"standby_lag_records", "standby_follows", "venue_errors", "engine_rejects"}

# What the page does, with the time of day: its state, our newest fill, position and result.
_WATCH = """() => {
  window.told = {};
  const note = (name, value) => {
    const rows = (window.told[name] ??= []);
    if (value && rows.at(-1)?.[1] !== value) rows.push([Date.now(), value]);
  };
  const look = () => {
    note("state", document.body.dataset.state);
    note("fill", document.querySelector("#fills tbody tr")?.textContent);
    note("position", document.querySelector("#position .big").textContent);
    note("result", document.querySelector("#result .big").textContent);
  };
  look();
  const all = {subtree: true, childList: true, characterData: true, attributes: true};
  new MutationObserver(look).observe(document.body, all);
}"""
_LADDER = """async () => {
  const numbers = (row) => [2, 1, 3].map((cell) => Number(row.cells[cell].textContent.replaceAll(",", "")));
  const read = () => ["bids", "asks"].map((id) => [...document.querySelectorAll(`#${id} tr:not(.far)`)].map(numbers));
  const before = read();
  const book = await (await fetch("/api/orderbook?depth=12")).json();
  const sum = (level) => Number(level.orders.reduce((total, order) => total + order.quantity, 0).toFixed(5));
  const rows = (levels) => levels.map((level) => [level.price, sum(level), level.orders.length]);
  const served = [rows(book.bids), rows(book.asks).reverse()];
  return {shown: JSON.stringify(before), served: JSON.stringify(served), after: JSON.stringify(read())};
}"""

# Panels of which something stands beyond their edge, in the panel beside them.
_TOO_WIDE = """() => [...document.querySelectorAll("main > section, .rows, .answer")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.id || each.parentElement.id)"""

_CELLS = """(of) => [...document.querySelectorAll(`${of} tbody tr`)]
  .map((row) => [...row.cells].map((cell) => cell.textContent))"""

_NEAR_POINTS = "document.querySelectorAll('#near .u-over').length === 1"
_LEGENDS_MATCH = """(near) => /^[0-9:]{8} · .* mid /.test(document.querySelector("#candles-legend").textContent)
  && new RegExp(near).test(document.querySelector("#near-legend").textContent)"""

_STARTS_WITH = "([of, text]) => document.querySelector(of).textContent.startsWith(text)"

# At one moment: a quote may be moved between two questions.
_QUOTES = """() => [
  [...document.querySelectorAll("#orders tbody tr")].map((row) => row.innerText),
  document.querySelectorAll("#ladder .mine").length,
  document.querySelector("#quoting .big").innerText,
  document.querySelector("#distance .big").innerText,
]"""


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """One desk for all of them."""
    with short_directory() as path:
        one = Desk(path / "run", "--without", "gateway").start()
        yield one
        one.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with chromium() as one:
        yield one


class Opened:
    """A page of the desk, with what its console has said and what it has asked for."""

    def __init__(
        self, browser: Browser, desk: Desk, path: str = "/", width: int = 1_440, scheme: Any = "light"
    ) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.set_default_timeout(120_000)  # of a machine on which all wait for each other
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.url = desk.url("api")
        self.page.goto(self.url + path)
        self.wait("live")

    def wait(self, state: str) -> None:
        """Wait until the page says that it is so."""
        self.page.wait_for_selector(f"body[data-state={state}]")

    def watch(self) -> None:
        """Begin to write down what the page shows."""
        self.page.evaluate(_WATCH)

    def told(self, name: str) -> list[tuple[float, str]]:
        """Return what it has shown, each with the time in s since 1970."""
        rows: list[tuple[int, str]] = self.page.evaluate("(name) => window.told[name] ?? []", name)
        return [(time_ms / 1_000, text) for time_ms, text in rows]

    def stale_s(self, began: float) -> float:
        """Return how long after `began` it said for the first time that it is stale; waits for that."""

        def found() -> list[float]:
            return [at for at, state in self.told("state") if state == "stale" and at > began]

        until("it says that it is stale", found, 60)
        return found()[0] - began

    def serious(self) -> dict[str, str]:
        """Return what axe finds that is serious."""
        found = Axe().run(self.page).response["violations"]
        return {each["id"]: each["nodes"][0]["html"] for each in found if each["impact"] in SERIOUS}


@pytest.fixture(scope="module")
def opened(browser: Browser, desk: Desk) -> Opened:
    """A page that stays open through all that happens to the desk."""
    one = Opened(browser, desk)
    one.watch()
    return one


def test_the_ladder_is_the_book_that_the_api_serves(opened: Opened, desk: Desk) -> None:
    """Level by level, quantities and orders; while the flow is held back, so that no change is on its way."""

    def is_same() -> bool:
        found = opened.page.evaluate(_LADDER)
        return bool(found["shown"] == found["after"] == found["served"] and len(found["shown"]) > 100)

    flow = desk.node("flow")["pid"]
    os.kill(flow, signal.SIGSTOP)
    try:
        until("the page shows the api's book", is_same, 30)
    finally:
        os.kill(flow, signal.SIGCONT)


def test_says_that_it_quotes_and_how_far_from_the_mid(opened: Opened, desk: Desk) -> None:
    """Our quotes stand 20 bps from the mid; one of them is where the account has its orders."""

    def is_shown() -> bool:
        prices = {f"{order['price']:,.2f}" for order in desk.cli_json("orders")["orders"]}
        orders, mine, answer, distance = opened.page.evaluate(_QUOTES)
        bps = [float(text) for text in distance.removesuffix(" bps").split(" / ") if text.replace(".", "").isdigit()]
        return (
            len(orders) == mine == len(bps) == 2
            and {row.split("\t")[1] for row in orders} == prices
            and answer == "Yes, both sides"
            and 0 < min(bps) <= max(bps) < 100
        )

    until("the account's orders are on the page, in the ladder and in the answers", is_shown, 60)


def test_a_fill_is_on_the_screen_within_a_second(opened: Opened, desk: Desk) -> None:
    """With its position and its result; on a machine that is busy one of several is."""

    def shown_s() -> list[float]:
        delays = []
        for fill in desk.node("maker")["figures"]["recent_fills"]:
            at = fill["time_ms"] / 1_000
            clock = time.strftime("%H:%M:%S", time.gmtime(int(at)))
            shown = [when for when, text in opened.told("fill") if text.startswith(clock) and fill["qty"] in text]
            others = [[when for when, _ in opened.told(name) if when > at] for name in ("position", "result")]
            if shown and all(others):
                delays.append(max(shown[0], *map(min, others)) - at)
        return delays

    until("a fill is shown within a second", lambda: min(shown_s(), default=9) < SHOWN_S_MAX, 240)
    assert opened.page.locator("#candles canvas").count() > 0
    assert opened.page.locator("#near canvas").count() == 1


def test_metrics_have_every_figure_that_is_promised(opened: Opened, desk: Desk) -> None:
    """Of nodes that this desk has, with a fill behind it; and the times of every stage but the gateway's.

    Each at some moment: a side has no price while it is not quoted, and a node that is restarted tells nothing.
    """
    promised = {f"tickbus_{each.name.removesuffix('_total')}" for each in FIGURES if each.kind != "gateway"}
    left = promised - {f"tickbus_{name}" for name in UNCOMMON} | {"engine", "decision", "venue"}

    def is_all() -> bool:
        with urlopen(f"{opened.url}/metrics", timeout=ANSWER_S) as response:
            text = response.read().decode()
        families = {one.name: one.samples for one in text_string_to_metric_families(text)}
        left.difference_update(name for name, samples in families.items() if samples)
        left.difference_update(
            sample.labels["stage"] for sample in families.get("tickbus_latency_seconds", ()) if sample.value
        )
        print(left)  # for who reads why it failed
        return not left

    until("all is told", is_all, 240)


def test_keys_change_the_colours_and_tell_the_words(opened: Opened) -> None:
    """Without a mouse; the dialog is closed with Escape."""
    for theme in ("dark", "light"):
        opened.page.keyboard.press("t")
        assert opened.page.evaluate("document.documentElement.dataset.theme") == theme
    opened.page.keyboard.press("?")
    assert opened.page.is_visible("#words")
    opened.page.keyboard.press("Escape")
    assert not opened.page.is_visible("#words")


def test_shows_the_markouts_of_the_daily_file_with_how_many_they_are_of(opened: Opened, desk: Desk) -> None:
    """Row by row what the tracker has written; and percentiles, each with its n."""

    def is_same() -> bool:
        document = json.loads(Path(desk.node("tracker")["endpoints"]["file"]).read_text())
        rows = [row for row in document["markouts"] if row["n"]]
        wanted = [[f"{row['horizon_s']} s", row["side"], str(row["n"])] for row in rows]
        means = [f"{row['mean_bps']:+.2f}".replace("-", "\N{MINUS SIGN}") for row in rows]
        shown = opened.page.evaluate(_CELLS, "#markouts")
        near = [abs(_number(cells[2]) - _number(mean)) < 0.011 for cells, mean in zip(shown, means, strict=False)]
        return bool(rows) and [[cells[0], cells[1], cells[-1]] for cells in shown] == wanted and all(near)

    until("the page has the markouts of the file", is_same, 120)
    latencies = {cells[0]: cells[1:] for cells in opened.page.evaluate(_CELLS, "#latencies")}
    *percentiles, count = latencies["engine: in the engine"]
    assert int(count.replace(",", "")) > 0
    assert all("\N{EN DASH}" in each for each in percentiles[:1])


def _number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").replace(",", ""))


def test_one_cursor_is_over_both_charts(opened: Opened) -> None:
    """Where one is pointed at, the other shows the same moment, and both say what was then; by keys as well."""
    page = opened.page
    wait_until(page, _NEAR_POINTS)
    box = page.locator("#near .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 20)
    wait_until(page, _LEGENDS_MATCH, arg="^bid .* · ask ")
    page.mouse.move(2, 2)
    wait_until(page, "document.querySelector('#candles-legend').textContent === ''")
    page.focus("#charts")
    seconds = []
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
        wait_until(page, _LEGENDS_MATCH, arg="ours .* mid|bps")
        seconds.append(time.strptime(page.inner_text("#candles-legend")[:8], "%H:%M:%S"))
    assert (time.mktime(seconds[0]) - time.mktime(seconds[1])) % 86_400 == 1
    assert opened.serious() == {}
    page.focus("#charts")
    page.keyboard.press("Escape")
    wait_until(page, "document.querySelector('#candles-legend').textContent === ''")


def test_shows_a_moment_of_the_past_and_says_so_until_it_is_live_again(browser: Browser, desk: Desk) -> None:
    """What `at` tells of it, with nothing of now beside it; a time that nothing is known of leaves what stands."""
    one = Opened(browser, desk, width=360)
    page, told = one.page, desk.cli_json("at", "now")
    page.keyboard.press("p")
    page.keyboard.type(told["time"])
    page.keyboard.press("Enter")
    page.wait_for_selector("#past-banner:has-text('THE PAST: 20')")
    prices = [[f"{level[0]:,.2f}" for level in told["book"][side]] for side in ("asks", "bids")]
    shown = [cells[2] for cells in page.evaluate(_CELLS, "#moment table:has(#moment-asks)")]
    assert shown == [*reversed(prices[0]), *prices[1]]
    assert page.inner_text("#state").startswith("THE PAST IS SHOWN")
    assert [page.is_visible(each) for each in ("#strip", "#commands")] == [False, False]
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert one.serious() == {}
    banner = page.inner_text("#past-banner")
    page.fill("#past-time", "1999-01-01")
    page.keyboard.press("Enter")
    page.wait_for_selector("#past-error:has-text('nothing is kept of before')")
    assert page.inner_text("#past-banner") == banner
    page.keyboard.press("Escape")
    page.click("#past-back")
    page.wait_for_selector("#strip", state="visible")
    assert page.inner_text("#state") == "LIVE"
    assert not page.is_visible("#moment")
    assert [text for text in one.said if "404" not in text] == []
    page.close()


def test_charts_of_the_past_are_of_that_time_alone(browser: Browser, desk: Desk) -> None:
    """Second by second what `at` tells, with its fills and the position; what happens now changes nothing of it."""
    one = Opened(browser, desk)
    page = one.page
    until("something was filled", lambda: desk.cli_json("at", "now", "--window", "300")["window"]["fills"], 240)
    told = desk.cli_json("at", "now", "--window", "300")
    window = told["window"]
    page.keyboard.press("p")
    page.keyboard.type(told["time"])
    page.keyboard.press("Enter")
    page.wait_for_selector("#past-banner:has-text('THE PAST: 20')")
    for chart in ("candles", "near", "held"):
        page.wait_for_selector(f"#moment-{chart} canvas >> nth=0")
    assert page.is_visible("#moment-kept-note") == bool(window["not_kept"])
    page.focus("#moment-charts")
    for key, place in (("End", -1), ("PageUp", -11)):
        page.keyboard.press(key)
        bar = window["bars"][place]
        clock = time.strftime("%H:%M:%S", time.gmtime(bar[0]))
        wait_until(page, _STARTS_WITH, arg=["#moment-candles-legend", clock])
        legend = page.inner_text("#moment-candles-legend")
        assert legend.partition(" mid ")[2].rstrip("0") == f"{bar[8]:,.4f}".rstrip("0")
        quotes = " / ".join("\N{EN DASH}" if price is None else f"{price:,.2f}" for price in bar[6:8])
        assert f"ours {quotes} " in legend
    now = page.inner_text("#clock")
    wait_until(page, "(then) => document.querySelector('#clock').textContent !== then", arg=now)
    assert page.inner_text("#moment-candles-legend") == legend, "while the present goes on"
    fills = [[cells[0], cells[2], cells[3]] for cells in page.evaluate(_CELLS, "#moment table:has(#moment-fills)")]
    shown = window["fills"][-60:][::-1]
    clocks = [time.strftime("%H:%M:%S", time.gmtime(each["time_ms"] // 1_000)) for each in shown]
    assert [cells[0] for cells in fills] == clocks
    assert [cells[1:] for cells in fills] == [[f"{each['price']:,.2f}", f"{each['qty']:.5f}"] for each in shown]
    assert one.serious() == {}
    for width in (360, 1_280, 2_560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(_TOO_WIDE) == []
    assert one.said == []
    page.close()


def test_what_nobody_has_kept_of_the_past_is_said_where_it_would_stand(browser: Browser, desk: Desk) -> None:
    """An empty chart, or that of the moment that was shown before, would be taken for what was."""
    one = Opened(browser, desk)
    page, told = one.page, desk.cli_json("at", "now", "--window", "9")
    unkept = {"bars": "prices and quotes at binance-testnet are not kept", "fills": "the daily file is not there"}
    none: dict[str, Any] = {"bars": [], "fills": [], "position_before": None, "not_kept": unkept}
    answers = [told | {"position": None, "window": told["window"] | none}, told]
    page.route("**/api/at?**", lambda route: route.fulfill(json=answers[-1]))
    for is_kept in (True, False):
        page.fill("#past-time", told["time"] if is_kept else "00:00:01")
        page.keyboard.press("Enter")
        page.wait_for_selector("#moment-candles", state="visible" if is_kept else "hidden")
        shown = [page.is_visible(f"#moment-{chart}") for chart in ("candles", "near", "held")]
        assert shown == [is_kept, is_kept, is_kept and told["position"] is not None]
        answers.pop()
    assert page.inner_text("#moment-candles-empty") == f"Not kept: {unkept['bars']}."
    assert page.inner_text("#moment-kept-note") == f"Not all is kept: {unkept['fills']}."
    assert page.inner_text("#moment-fills-empty") == "none is known"
    assert one.serious() == {}
    page.close()


def test_shows_the_logs_of_a_node(opened: Opened, desk: Desk) -> None:
    """By a key, and of another node by a choice; what the log says is on the page."""
    page = opened.page
    page.keyboard.press("l")
    page.wait_for_selector("#logs-lines:has-text(\"node='maker' event='quoted'\")")
    page.select_option("#logs-node", "engine")
    page.wait_for_selector("#logs-lines:has-text(\"node='engine'\")")
    assert opened.serious() == {}
    page.keyboard.press("Escape")
    assert not page.is_visible("#logs")


def test_leads_to_the_report_of_today(browser: Browser, desk: Desk) -> None:
    """The page that `report --html` writes; it asks for nothing but itself, and says nothing in the console."""
    one = Opened(browser, desk)
    wait_until(one.page, "document.querySelector('#report-today').href.match(/[0-9]$/)")
    one.page.click("#report-today")
    one.page.wait_for_selector("h1:has-text('Performance 20')")
    assert one.said == []
    one.page.goto(f"{one.url}/reports")
    one.page.click("text=the last 7 days")
    one.page.wait_for_selector("h1:has-text('Performance 20')")
    assert {url.split("/")[2] for url in one.asked if not url.startswith("data:")} == {one.url.partition("//")[2]}
    one.page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1_440, "light"), (360, "dark")])
def test_is_read_without_a_sideways_scroll_or_a_serious_fault(
    browser: Browser, desk: Desk, width: int, scheme: str
) -> None:
    """Guards the width, the console, what is asked for, what axe finds, and what stands beyond what is quoted."""
    one = Opened(browser, desk, "/" if scheme == "dark" else "/?symbol=ETHUSDT", width, scheme)
    one.page.wait_for_selector("#nodes tbody tr")
    wait_until(one.page, "document.querySelector('#quoting .big').textContent.length > 1")
    if scheme == "light":
        assert one.page.inner_text("#quoting .big") == "No maker here"
        for path in ("/docs", "/docs/exchange"):
            one.page.goto(f"{one.url}{path}")
            for each in (360, width):
                one.page.set_viewport_size({"width": each, "height": 900})
                one.page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
                assert one.page.evaluate("document.documentElement.scrollWidth") == each
                assert one.page.evaluate(_TOO_WIDE) == []
            assert one.serious() == {}
        one.page.goto(f"{one.url}/?symbol=ETHUSDT")
        one.wait("live")
    for each in (360, 800, 1_216, 1_280, 1_440, 2_560):
        one.page.set_viewport_size({"width": each, "height": 900})
        assert one.page.evaluate("document.documentElement.scrollWidth") == each
        assert one.page.evaluate(_TOO_WIDE) == []
    one.page.set_viewport_size({"width": width, "height": 900})
    assert one.serious() == {}
    assert one.said == []
    assert {url.split("/")[2] for url in one.asked if not url.startswith("data:")} == {one.url.partition("//")[2]}
    one.page.close()


def test_an_engine_that_stands_still_makes_it_stale(opened: Opened, desk: Desk) -> None:
    """Within 2 s, while its supervisor takes it for well; it can be read, and is live again by itself."""
    pid = desk.node("engine")["pid"]
    delays: list[float] = []
    while not delays or (delays[-1] >= STALE_S_MAX and len(delays) < TRIES):
        opened.wait("live")
        began = time.time()
        os.kill(pid, signal.SIGSTOP)
        try:
            opened.wait("stale")
            assert "STALE: the engine is silent" in opened.page.inner_text("#state")
            assert opened.serious() == {}
            assert opened.page.get_attribute("body", "data-state") == "stale"
        finally:
            os.kill(pid, signal.SIGCONT)
        delays.append(opened.stale_s(began))
    assert delays[-1] < STALE_S_MAX, delays
    opened.wait("live")


def test_a_venue_that_says_nothing_is_told_by_its_source(opened: Opened, desk: Desk) -> None:
    """While engine, maker and supervisor are well: what the maker knows of its orders is old, and the page is fresh."""
    pid, page = desk.node("paper")["pid"], opened.page
    opened.wait("live")
    os.kill(pid, signal.SIGSTOP)
    try:
        opened.wait("trouble")
        page.wait_for_selector("#sources .bad:has-text('user stream')")
        assert page.inner_text("#health .big") == "Look here"
        assert "the venue's streams tell nothing" in page.inner_text("#state")
        assert opened.serious() == {}
    finally:
        os.kill(pid, signal.SIGCONT)
    opened.wait("live")
    page.wait_for_selector("#sources .bad", state="detached")


@pytest.mark.parametrize("node", ["engine", "api"])
def test_a_killed_node_makes_it_stale_until_it_is_back(opened: Opened, desk: Desk, node: str) -> None:
    """The engine is back within a second, the line within two: in between nothing may pass for fresh."""
    delays: list[float] = []
    while not delays or (delays[-1] >= STALE_S_MAX and len(delays) < TRIES):
        opened.wait("live")
        began = time.time()
        desk.kill(node)
        delays.append(opened.stale_s(began))
    assert delays[-1] < STALE_S_MAX, delays
    opened.wait("live")
    test_the_ladder_is_the_book_that_the_api_serves(opened, desk)


def test_halts_and_resumes_with_the_token_alone(opened: Opened, desk: Desk) -> None:
    """The token is told by a command; a wrong one is refused, and the page asks for another."""
    page, token = opened.page, desk.cli("token").stdout.strip()
    page.keyboard.press("h")
    for wrong in ("", token[:-1]):
        page.fill("#command-token", wrong)
        page.click("#command-give")
        page.wait_for_selector("#command-error:has-text('token is missing or wrong')")
    assert desk.status()["halted"] == []
    page.fill("#command-token", token)
    assert "BTCUSDT halted" in _finish(opened)
    page.wait_for_selector("#standing:has-text('HALTED: BTCUSDT')")
    page.wait_for_selector("#quoting .big:text-is('No')")
    assert desk.status()["halted"] == ["BTCUSDT"]
    page.wait_for_selector("#standing-alerts .warning:has-text('BTCUSDT is halted')")
    assert opened.serious() == {}
    page.keyboard.press("r")
    assert "BTCUSDT resumed" in _finish(opened)
    page.wait_for_selector("#standing:has-text('Nothing is halted')")
    assert desk.status()["halted"] == []
    page.wait_for_selector("#standing-alerts li", state="detached")
    page.wait_for_selector("#events .over:has-text('over: BTCUSDT is halted')")


def _finish(opened: Opened) -> str:
    """Give the command that is asked for, and return what it says in the end."""
    opened.page.click("#command-give")
    opened.page.wait_for_selector("#command-state:text-matches('^(done|failed)')")
    said = opened.page.inner_text("#command-lines")
    opened.page.keyboard.press("Escape")
    return said


def test_flattens_what_was_shown_and_typed(opened: Opened, desk: Desk) -> None:
    """It shows what the book has first, and nothing can be given before the symbol is typed."""
    page = opened.page
    page.keyboard.press("f")
    page.wait_for_selector("#command-state:has-text('this is what it would do now')")
    assert "BTCUSDT at paper: position" in page.inner_text("#command-lines")
    assert page.is_disabled("#command-give")
    page.fill("#command-typed", "ETHUSDT")
    assert page.is_disabled("#command-give")
    assert desk.node("maker")["state"] == "ready"
    page.fill("#command-typed", "btcusdt")
    assert "BTCUSDT is flat" in _finish(opened)
    assert desk.node("maker")["state"] == "stopped"
    page.wait_for_selector("#state:has-text('the maker is stopped')")
    desk.cli("start", "maker")


def test_nothing_went_wrong_all_the_time(opened: Opened) -> None:
    """But that the line was gone, and that a command was refused, which the browser itself says."""
    expected = ("WebSocket connection", "403 (Forbidden)")
    assert [text for text in opened.said if not any(each in text for each in expected)] == []
