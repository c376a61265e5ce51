"""Reports, moments of the past and logs over HTTP: made by commands, one at a time, and never by what was not asked."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sanic.exceptions import ServiceUnavailable

from nodes.api import asked_routes
from nodes.api.asked import FRESH_NS, WAITING_MAX, Asked, Made, command_runner
from tests.nodes.api.served import Answer, Api

AT = "/api/at?symbol=BTCUSDT&time="


@pytest.fixture
def served(app: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The app, of which nothing was asked yet, and which keeps no answer."""
    monkeypatch.setattr("nodes.api.asked.FRESH_NS", 0)
    app.asked.clear()
    app.made = Made(0, b"{}", "")
    yield app
    app.is_held = False


def _until_made(served: Api, path: str) -> Answer:
    deadline = time.monotonic() + 20
    while (answer := served.get(path)).status == 202:
        assert time.monotonic() < deadline
    return answer


@pytest.fixture
def kept(served: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The app, which keeps its answers."""
    monkeypatch.setattr("nodes.api.asked.FRESH_NS", FRESH_NS)
    return served


def test_a_report_is_what_the_command_writes(kept: Api) -> None:
    """No second page is drawn: the words are those of `report --html`; and the folder for it is gone then."""
    kept.made = Made(1, b"<p>a report", "")
    answer = _until_made(kept, "/reports/2026-11-29")
    assert (answer.status, answer.body) == (200, b"<p>a report")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none';")
    ((*words, file),) = kept.asked
    assert words == ["report", "--date", "2026-11-29", "--html"]
    assert not Path(file).parent.exists()
    assert _until_made(kept, "/reports/week").status == 200
    assert kept.asked[-1][:4] == ("report", "--days", "7", "--html")


def test_a_moment_is_what_the_command_tells(kept: Api) -> None:
    """Bytes of `at --json`, kept for a while."""
    kept.made = Made(0, b'{"record": 7}', "")
    for _ in range(2):
        answer = _until_made(kept, AT + "2026-11-30T14:03:07.250Z")
        assert (answer.status, answer.document) == (200, {"record": 7})
    assert kept.asked == [("at", "2026-11-30T14:03:07.250Z", "--symbol", "BTCUSDT", "--window", "300", "--json")]


@pytest.mark.parametrize(
    "path",
    [
        AT + "--help",
        AT,
        AT + "now",
        AT + "14:03%20--run-dir",
        AT + "1" * 41,
        AT + "%D9%A1%D9%A2:00",
        "/api/at?symbol=--help&time=14:03",
        "/reports/--help",
        "/reports/2026-13-01",
        "/reports/20261130x",
    ],
)
def test_runs_nothing_for_what_is_no_day_time_or_symbol(served: Api, path: str) -> None:
    """A word of an address must not become an option of a command."""
    assert served.get(path).status in {400, 404}
    assert served.asked == []


@pytest.mark.parametrize(("code", "status"), [(2, 400), (1, 404)])
def test_says_why_there_is_nothing(kept: Api, code: int, status: int) -> None:
    """In the command's own words."""
    kept.made = Made(code, b"", f"nothing is kept of before {code}")
    answer = _until_made(kept, f"{AT}14:0{code}")
    assert (answer.status, answer.document) == (status, {"error": f"nothing is kept of before {code}"})


def test_says_that_it_is_being_made(kept: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay may take a minute: a page asks again by itself, and is told no word of an answer to come."""
    monkeypatch.setattr(asked_routes, "WAIT_S", 0.01)
    kept.made, kept.is_held = Made(0, b"<p>done", ""), True
    answer = kept.get("/reports/2026-11-27")
    assert (answer.status, b'http-equiv="refresh"' in answer.body) == (202, True)
    assert kept.get(AT + "11:11").status == 202
    assert kept.get(AT + "11:11").status == 202
    kept.is_held = False
    assert _until_made(kept, "/reports/2026-11-27").body == b"<p>done"
    assert _until_made(kept, AT + "11:11").status == 200
    assert len(kept.asked) == 2


def test_lists_the_days_that_have_a_report(served: Api) -> None:
    """Newest first; files put aside are none."""
    folder = served.run_dir / "reports"
    folder.mkdir()
    for name in ("performance_20261129.json", "performance_20261130.json", "performance_20261130.reset-1.json"):
        (folder / name).touch()
    text = served.get("/reports").body.decode()
    assert text.index('href="/reports/2026-11-30"') < text.index('href="/reports/2026-11-29"')
    assert text.count("<li>") == 2


def test_tells_the_last_lines_of_a_log_that_there_is(served: Api) -> None:
    """Of names alone that are in the folder, whatever way they are spelt."""
    folder = served.run_dir / "logs"
    folder.mkdir(exist_ok=True)
    (folder / "maker.log").write_text("one\ntwo\n")
    assert served.get("/api/logs").document == {"logs": ["maker"], "node": "", "lines": []}
    assert served.get("/api/logs?node=maker").document["lines"] == ["one", "two"]
    (folder / "worn.log").mkdir()
    answer = served.get("/api/logs?node=worn")
    assert (answer.status, "Is a directory" in answer.document["error"]) == (503, True)
    for name in ("../api.token", "..%2fapi.token", "%2e%2e/logs/maker", "nobody"):
        assert served.get(f"/api/logs?node={name}").status == 404


def test_one_is_made_at_a_time_and_few_wait() -> None:
    """However many ask; what is made is kept for the one who comes back for it, whoever else has asked meanwhile."""

    async def work() -> None:
        now, running, most, go = 0, 0, 0, asyncio.Event()
        asked = Asked(lambda: now)

        async def make() -> Made:
            nonlocal running, most
            running, most = running + 1, max(most, running + 1)
            await go.wait()
            running -= 1
            return Made(0, b"x", "")

        assert [asked.ask(key, make) for key in range(WAITING_MAX)] == [None] * WAITING_MAX
        assert asked.ask(0, make) is None
        with pytest.raises(ServiceUnavailable):
            asked.ask("one more", make)
        for _ in range(WAITING_MAX):
            await asyncio.sleep(0)  # all of them have had their turn to begin
        assert running == 1
        go.set()
        assert await asked.answer(WAITING_MAX - 1, make, 10) == Made(0, b"x", "")
        assert most == 1
        assert [asked.ask(key, make) for key in range(WAITING_MAX)] == [Made(0, b"x", "")] * WAITING_MAX
        now = FRESH_NS
        assert asked.ask(0, make) is None

    asyncio.run(work())


def test_a_command_that_cannot_be_run_and_one_with_a_bug_are_told_apart() -> None:
    """A full disk is said; a bug ends the request of who asks next, and the one after may try again."""

    async def work() -> None:
        asked = Asked()

        async def full() -> Made:
            raise OSError(28, "No space left on device")

        async def bug() -> Made:
            raise KeyError("bug")

        made = await asked.answer("full", full, 10)
        assert made == Made(1, b"", "it cannot be made: No space left on device")
        with pytest.raises(KeyError):
            await asked.answer("bug", bug, 10)
        assert asked.ask("bug", full) is None

    asyncio.run(work())


def test_runs_a_real_command(tmp_path: Path) -> None:
    """What it prints, its exit code, and its last line where something is wrong."""

    async def ask() -> Made:
        return await command_runner(tmp_path)(["at", "14:03", "--json"])

    made = asyncio.run(ask())
    assert made.code != 0
    assert made.why
    assert "Traceback" not in made.why
    assert not made.why.startswith("error")
