"""The dashboard in a real browser, on an api whose feed, desk and clock are the test's: is what it says still true?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route

from bus.feed import Topic
from market.clock import NS_PER_SECOND, iso_time, monotonic_ns, time_ns
from market.codes import Side
from market.feed_messages import BookOrder
from nodes.api.sources import DeskView
from tests.nodes.api.served import BTC, ETH, MID, TOKEN, Api
from tests.pages.browser import chromium, needs_chromium, wait_until
from tests.web.passage import Passage

pytestmark = [needs_chromium, pytest.mark.slow]
HOUR_NS = 3_600 * NS_PER_SECOND
DAY_MS = 86_400_000
WAIT_MS = 60_000

_TOO_WIDE = """() => [...document.querySelectorAll("main > section, .rows, .answer, dialog[open]")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.id || each.parentElement.id)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of them."""
    with chromium() as one:
        yield one


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """One whose feed is in step, and will not be silent for an hour."""
    one = Api(tmp_path)
    for each in (BTC, ETH):
        one.tell_all(each.symbol)
    for topic in one.subscriber.replicas:
        one.subscriber._heard_ns[topic] = monotonic_ns() + HOUR_NS
    yield one
    one.close()


@pytest.fixture
def passage(api: Api) -> Iterator[Passage]:
    """The way to it."""
    one = Passage(int(api.url.rpartition(":")[2]))
    yield one
    one.close()


def _row(node: str, state: str = "ready", why: str = "", **figures: Any) -> dict[str, Any]:
    common = {"doing": "", "why": why, "restarts": 0, "pid": 7, "heard_s": 0.1, "since": "2026-11-28T13:14:22Z"}
    return {"node": node, "kind": node, "process": node, "state": state, **common, "figures": figures}


def _maker(state: str = "ready", **figures: Any) -> dict[str, Any]:
    known = {"position": "-0.01", "lost_today": "-1.50", "position_use": "0.4", "loss_max": "1000"}
    rule = {f"{side}_{name}": "WANTED" for side in ("bid", "ask") for name in ("rule", "why")}
    return _row("maker", state, **{**known, **rule, **figures})


def _tracker(**figures: Any) -> dict[str, Any]:
    read_ms = (time_ns() + HOUR_NS) // 10**6  # it is read in time, for an hour
    day = {"pnl": "2", "marked_pnl": "2", "position": "0", "equity": "5", "equity_asset": "USDT", "equity_assets": []}
    parts = {"unrealized": "0", "spread_capture": "3", "inventory_pnl": "0", "fees": "1"}
    return _row("tracker", **{**day, **parts, "trades": 3, "buys": 1, "sells": 2, "read_ms": read_ms, **figures})


def _say(api: Api, *rows: dict[str, Any], **changes: Any) -> None:
    """Let the supervisor say that, and nothing else for an hour."""
    told = {"run_dir": "/srv/run", "symbol": BTC.symbol, "halted": [], "withdrawn": None, "nodes": list(rows)}
    alerts = changes.pop("alerts", {"standing": [], "last": []})
    api.desk = DeskView({**told, **changes}, monotonic_ns() + HOUR_NS, None, alerts)


def _open(browser: Browser, url: str, path: str = "/", width: int = 1_440, state: str = "live") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(WAIT_MS)
    page.goto(url + path)
    page.wait_for_selector(f"body[data-state={state}]")
    return page


def _answer(page: Page, name: str, big: str, more: str) -> None:
    page.wait_for_selector(f'#{name} .big:text-is("{big}")')
    page.wait_for_selector(f'#{name} .more:has-text("{more}")')


def test_all_is_well_only_if_every_node_is(browser: Browser, api: Api) -> None:
    """It counted the nodes that there are as ready."""
    _say(api, _row("engine"), _maker(), _tracker(), _row("gateway", "restarting", "killed by SIGKILL"))
    page = _open(browser, api.url, state="trouble")
    _answer(page, "health", "Look here", "gateway is restarting: killed by SIGKILL")
    assert "LIVE, but gateway is restarting" in page.inner_text("#state")
    _say(api, _row("engine"), _maker(), _tracker(), _row("gateway"))
    _answer(page, "health", "All well", "4 nodes ready")
    page.close()


def test_a_result_is_of_the_maker_s_pair_and_in_its_asset(browser: Browser, api: Api) -> None:
    """On the page of a pair that is priced in another asset it stood there in that."""
    hello = json.loads(api.line._hello[ETH.symbol])
    hello["hello"]["quote"] = "BTC"
    api.line._hello[ETH.symbol] = json.dumps(hello)  # type: ignore[index]
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, api.url, f"/?symbol={ETH.symbol}")
    _answer(page, "result", "+1.50 USDT", "of BTCUSDT · spread +3.00")
    _answer(page, "position", "–", "no maker of this pair")
    assert "of 1,000 USDT" in page.inner_text("#bounds")
    page.close()


def test_what_is_held_is_by_the_books_when_the_maker_is_away(browser: Browser, api: Api) -> None:
    """After a flatten the page showed what had been sold."""
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, api.url)
    _answer(page, "position", "−0.01 BTC", "40 % of its limit")
    _answer(page, "result", "+1.50 USDT", "spread +3.00")
    _say(api, _row("engine"), _maker("stopped"), _tracker())
    _answer(page, "position", "flat", "by the books, read ")
    _answer(page, "result", "+2.00 USDT", "read ")
    _say(api, _row("engine"), _maker("stopped"))
    _answer(page, "position", "–", "the maker does not tell")
    _answer(page, "result", "–", "the account was not read")
    assert page.inner_text("#money .empty") == "no tracker tells of it"
    _say(api, _row("engine"), _maker(), _row("tracker", writes=0, failures=1))
    page.wait_for_selector("#money .empty:text-is('the tracker has not read the account yet')")
    page.close()


def test_of_many_quotes_the_nearest_of_both_sides_are_shown(browser: Browser, api: Api) -> None:
    """It showed the bids alone, as the nearest 12 of 40."""
    bids = [BookOrder(100 + n, Side.BUY, MID - 10 * n, 5) for n in range(20)]
    asks = [BookOrder(200 + n, Side.SELL, MID + 1 + 10 * n, 5) for n in range(20)]
    api.tell(Topic.BOOK.of(BTC.symbol), *bids, *asks)
    api.subscriber._heard_ns[Topic.BOOK.of(BTC.symbol)] = monotonic_ns() + HOUR_NS
    api.views.mark_own(frozenset(order.order_id for order in (*bids, *asks)))
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, api.url)
    page.wait_for_selector("#orders-count:text-is('the nearest 12 of 40')")
    rows = page.locator("#orders tbody tr").all_inner_texts()
    assert [row.split()[1] for row in rows] == ["buy"] * 6 + ["sell"] * 6
    assert [float(row.split("\t")[4]) for row in rows] == sorted(float(row.split("\t")[4]) for row in rows[:6]) * 2
    page.close()


def test_a_time_that_is_none_is_said_so_and_stays_said(browser: Browser, api: Api) -> None:
    """The reason was wiped at once by the way back to the present."""
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, api.url)
    page.fill("#past-time", "yesterday")
    page.keyboard.press("Enter")
    wait_until(page, "location.hash === '#live'")
    page.wait_for_selector("#past-error:has-text('expected a time as')")
    page.wait_for_timeout(300)  # for what would wipe it
    assert "expected a time as" in page.inner_text("#past-error")
    page.close()


def test_midnight_makes_yesterday_of_today(browser: Browser, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a page that stays open times of yesterday looked as those of today, and "today" led to yesterday."""
    days = 0
    midnight_ms = (time_ns() // 10**6 // DAY_MS) * DAY_MS

    def told_ns() -> int:
        return (midnight_ms * 10**6 + 12 * HOUR_NS) + time_ns() % (60 * NS_PER_SECOND) + days * DAY_MS * 10**6

    monkeypatch.setattr("nodes.api.live_line.time_ns", told_ns)
    fill = {
        "number": 1,
        "time_ms": midnight_ms + 1_000,
        "side": "BUY",
        "price": "9",
        "qty": "1",
        "is_picked_off": False,
    }
    day = [iso_time(midnight_ms + n * DAY_MS)[:10] for n in range(2)]
    event = {"time": f"{day[0]}T00:00:02.000Z", "state": "begins", "severity": "warning", "text": "something"}
    decision = {"time": f"{day[0]}T00:00:03.000Z", "action": "place", "side": "BUY", "rule": "WANTED", "why": "it is"}
    tracker = _tracker(read_ms=midnight_ms + 3 * DAY_MS)
    rows = _row("engine"), _maker(recent_fills=[fill], last_decision=decision), tracker
    _say(api, *rows, alerts={"standing": [], "last": [event]})
    page = _open(browser, api.url)
    page.wait_for_selector("#fills td:text-is('00:00:01')")
    page.wait_for_selector("#events td:text-is('00:00:02')")
    page.wait_for_selector(f"#report-today[href='/reports/{day[0]}']")
    days = 1
    page.wait_for_selector(f"#report-today[href='/reports/{day[1]}']")
    page.wait_for_selector(f"#fills td:text-is('{day[0]} 00:00:01')")
    page.wait_for_selector(f"#events td:text-is('{day[0]} 00:00:02')")
    page.wait_for_selector(f"#why dd:has-text('{day[0]} 00:00:03 place')")
    page.close()


def test_a_connection_that_nobody_answers_on_is_given_up(browser: Browser, api: Api, passage: Passage) -> None:
    """A network that is gone tells nobody so: the page said STALE for as long as the connection stood."""
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, passage.url)
    passage.cut()
    page.wait_for_selector("body[data-state=stale]")
    assert "nothing from the api" in page.inner_text("#state")
    page.wait_for_selector("body[data-state=live]")
    page.close()


def test_what_comes_late_is_called_stale(browser: Browser, api: Api, passage: Passage) -> None:
    """A slow line tells something all the time: of how it was."""
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, passage.url)
    passage.delay_s = 4.0
    page.wait_for_selector("#state:has-text('what comes is 4 s old, the line is slow')")
    assert page.get_attribute("body", "data-state") == "stale"
    passage.delay_s = 0.0
    page.wait_for_selector("body[data-state=live]")
    page.close()


def test_an_api_that_starts_anew_takes_back_what_the_one_before_knew(
    browser: Browser, api: Api, passage: Passage
) -> None:
    """Position, limits and a command that was not done stood there as if somebody still told of them."""
    standing = {"key": "k", "severity": "critical", "text": "it stands"}
    _say(api, _row("engine"), _maker(), _tracker(), alerts={"standing": [standing], "last": []})
    words = {"number": 1, "name": "flatten", "words": ["flatten", BTC.symbol], "began_ms": 5, "lines": []}
    api.commands.told = {**words, "exit_code": None, "before": None}
    page = _open(browser, passage.url)
    page.wait_for_selector("#last-command:has-text('is carried out')")
    page.wait_for_selector("#standing-alerts li")

    async def begin() -> None:
        api.desk, api.commands.told = DeskView(None, 0), None
        api.states[BTC.symbol].__init__(api.subscriber, BTC, "engine", 5, is_elsewhere=False)  # type: ignore[misc]

    api.run(begin())
    passage.drop()
    page.wait_for_selector("#standing:text-is('no supervisor has told of it')")
    _answer(page, "position", "–", "no supervisor has told of it")
    assert page.inner_text("#bounds") == ""
    assert page.locator("#standing-alerts li").count() == page.locator("#nodes tbody tr").count() == 0
    page.wait_for_selector("#last-command:has-text('what became of it is not known here')")
    page.close()


def test_another_desk_or_version_loads_the_page_anew(browser: Browser, api: Api, passage: Passage) -> None:
    """Prices in ticks of another size would be read with the old one."""
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, passage.url)
    page.evaluate("() => { window.isOld = true; }")
    with page.expect_websocket():
        passage.drop()
    page.wait_for_selector("body[data-state=live]")
    assert page.evaluate("window.isOld")
    hello = json.loads(api.line._hello[BTC.symbol])
    hello["hello"]["tick"] = [1, 3]
    api.line._hello[BTC.symbol] = json.dumps(hello)  # type: ignore[index]
    with page.expect_navigation():
        passage.drop()
    page.wait_for_selector("body[data-state=live]")
    assert not page.evaluate("window.isOld")
    page.close()


def test_an_answer_to_another_question_is_not_shown(browser: Browser, api: Api) -> None:
    """A preview that was on its way stood in the dialog of a halt."""
    _say(api, _row("engine"), _maker(), _tracker())
    page = _open(browser, api.url)
    page.evaluate("(token) => sessionStorage.setItem('token', token)", TOKEN)
    page.reload()
    page.wait_for_selector("body[data-state=live]")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/commands/preview", hold)
    page.keyboard.press("f")
    while not held:
        page.wait_for_timeout(20)
    page.keyboard.press("Escape")
    wait_until(page, "document.activeElement.tagName === 'BODY'")  # what a field has is no key of the page
    page.keyboard.press("h")
    page.wait_for_selector("#command-title:has-text('Halt')")
    held[0].continue_()
    page.wait_for_selector("#last-command:has-text('--preview: done')", state="attached")
    page.wait_for_timeout(300)  # for what would be drawn
    assert (page.inner_text("#command-lines"), page.inner_text("#command-state")) == ("", "")
    page.close()


@pytest.mark.parametrize("evil", ["<img src=x onerror=alert(1)>" * 6, "x" * 300, "\x1b[2J\u202e" * 60])
def test_a_stranger_s_text_is_text_and_stays_in_its_place(browser: Browser, api: Api, evil: str) -> None:
    """On a phone, in every place where a reason, a name or a line of a command may stand."""
    nodes = [_row("engine"), _maker(failing=evil, last_decision=_decision(evil)), _row("gateway", "restarting", evil)]
    event = {"time": None, "state": "begins", "severity": "critical", "text": evil}
    standing = {"key": "k", "severity": "critical", "text": evil}
    words = {"number": 1, "name": "halt", "words": ["halt", evil], "began_ms": 5, "lines": [evil]}
    api.commands.told = {**words, "exit_code": 1, "before": None}
    _say(
        api,
        *nodes,
        withdrawn={"stage": "widens", "why": evil, "since": "2026-11-30T14:03:07.250Z"},
        alerts={"standing": [standing], "last": [event]},
    )
    page = _open(browser, api.url, width=360, state="trouble")
    said: list[str] = []

    def hear(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", hear)
    for place in ("#health .more", "#quoting .more", "#why", "#standing", "#events", "#nodes", "#last-command"):
        page.wait_for_selector(place)
        assert evil[:20] in page.evaluate("(place) => document.querySelector(place).textContent", place), place
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(_TOO_WIDE) == []
    assert page.locator("img").count() == 0
    assert said == []
    page.close()


def _decision(why: str) -> dict[str, Any]:
    return {"time": "2026-11-28T00:00:03.000Z", "action": "place", "side": "BUY", "rule": "WANTED", "why": why}
