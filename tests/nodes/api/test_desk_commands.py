"""Commands from the dashboard: nobody gives one without the token, and what is meant must be typed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from desk.command_token import TOKEN_FILE, load_or_make_token, load_token
from market.private_file import PrivateFileError
from nodes.api.commands import TOKEN_HEADER, DeskCommands, run_command
from tests.desk.desk_process import until
from tests.nodes.api.served import BTC, ETH, TOKEN, Answer, Api

KINDS = ("halt", "resume", "preview", "flatten")


@pytest.fixture
def served(app: Api) -> Api:
    """The app, of which no command was asked yet."""
    app.given.clear()
    return app


def _give(served: Api, kind: str, body: Any, **headers: str) -> Answer:
    sent = {"Content-Type": "application/json", TOKEN_HEADER: TOKEN, **headers}
    return served.get(f"/api/commands/{kind}", "POST", sent, json.dumps(body).encode())


def _outcome(served: Api, number: int) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        told = served.commands.told
        if told is not None and told["number"] == number and told["exit_code"] is not None:
            return told
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "t", None])
def test_refuses_without_the_token(served: Api, kind: str, token: str | None) -> None:
    """Whoever reaches the port may look; nobody may trade who cannot read the desk's files."""
    body = {"symbol": BTC.symbol, "typed": BTC.symbol}
    if token is None:
        answer = served.get(f"/api/commands/{kind}", "POST", {}, json.dumps(body).encode())
    else:
        answer = _give(served, kind, body, **{TOKEN_HEADER: token})
    assert (answer.status, served.given) == (403, [])
    assert "python cli.py token" in answer.document["error"]


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_refuses_another_site_s_page(served: Api, headers: dict[str, str]) -> None:
    """Even with the token, which such a page cannot know."""
    assert _give(served, "halt", {"symbol": BTC.symbol}, **headers).status in (403, 421)
    assert served.given == []


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("halt", {"symbol": "btc/usdt"}, ("halt", "--symbol", "BTCUSDT")),
        ("halt", {"symbol": "BTCUSDT", "cancel_all": True}, ("halt", "--symbol", "BTCUSDT", "--cancel-all")),
        ("resume", {"symbol": "BTCUSDT"}, ("resume", "--symbol", "BTCUSDT")),
        ("preview", {"symbol": "BTCUSDT"}, ("flatten", "BTCUSDT", "--preview")),
        ("flatten", {"symbol": "BTCUSDT", "typed": "BTCUSDT"}, ("flatten", "BTCUSDT", "--yes")),
    ],
)
def test_is_the_command_of_that_name(served: Api, kind: str, body: Any, words: tuple[str, ...]) -> None:
    """What it says is told on the live line, to everybody who looks."""
    answer = _give(served, kind, body)
    assert answer.status == 202
    told = _outcome(served, answer.document["number"])
    assert (served.given, told["lines"], told["exit_code"]) == ([words], [f"given {' '.join(words)}"], 0)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("flatten", {"symbol": "BTCUSDT"}),
        ("flatten", {"symbol": "BTCUSDT", "typed": "ETHUSDT"}),
        ("flatten", {"symbol": "BTCUSDT", "typed": True}),
        ("halt", {"symbol": "--all"}),
        ("halt", {"symbol": ["BTCUSDT"]}),
        ("halt", []),
        ("halt", None),
        ("down", {"symbol": "BTCUSDT"}),
    ],
)
def test_refuses_what_is_not_meant(served: Api, kind: str, body: Any) -> None:
    """A symbol that is not typed, words that are no symbol, and a command that there is not."""
    assert _give(served, kind, body).status == 400
    assert served.given == []


def test_one_at_a_time_and_a_failure_is_told(served: Api) -> None:
    """Two flattens would trade the same position; a program that cannot be run leaves the next one its turn."""
    served.may_end.clear()
    first = _give(served, "halt", {"symbol": ETH.symbol})
    assert _give(served, "halt", {"symbol": BTC.symbol}).status == 409
    served.may_end.set()
    told = _outcome(served, first.document["number"])
    assert (told["exit_code"], told["lines"][-1]) == (1, "the command cannot be run: no such program")
    assert _give(served, "halt", {"symbol": BTC.symbol}).status == 202


def test_a_halt_waits_for_no_other_command(served: Api) -> None:
    """A flatten may trade for minutes, a preview ask a venue that hangs; both are told until they are done."""
    of = {"symbol": BTC.symbol}
    first = until("no other is at work", lambda: _give(served, "resume", of).document.get("number"), 20)
    _outcome(served, first)
    served.may_end.clear()
    other, halt = (_give(served, kind, of).document["number"] for kind in ("preview", "halt"))
    assert [_give(served, kind, of).status for kind in ("halt", "resume", "preview")] == [409] * 3
    served.may_end.set()

    def both() -> list[tuple[int, int | None]]:
        told = served.commands.told
        assert told is not None
        return [(each["number"], each["exit_code"]) for each in (told, told["before"])]

    until("both are told to be done", lambda: both() == [(halt, 0), (other, 0)], 20)
    last = _give(served, "resume", {"symbol": BTC.symbol}).document["number"]
    assert _outcome(served, last)["before"] is None


def test_the_last_line_is_told_without_an_end_of_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program says with its last breath."""
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint('first')\nsys.stdout.write('last')\n")
    monkeypatch.setattr("nodes.api.commands.CLI_FILE", program)
    lines: list[str] = []
    assert run_command(tmp_path)(["halt"], lines.append) == 0
    assert lines == ["first", "last"]


def test_a_command_runs_in_the_desk_s_folder_and_its_lines_are_told(tmp_path: Path) -> None:
    """A real one, of a folder in which no desk has ever run."""
    lines: list[str] = []
    assert run_command(tmp_path)(["halt", "--symbol", BTC.symbol], lines.append) == 3
    assert len(lines) == 1
    assert lines[0].startswith(f"error: no desk runs in {tmp_path}")


def test_the_token_is_its_owner_s_alone_and_stays(tmp_path: Path) -> None:
    """Made once; a file that others can read opens nothing, and the dashboard takes no command then."""
    token = load_or_make_token(tmp_path)
    assert (load_or_make_token(tmp_path), load_token(tmp_path)) == (token, token)
    path = tmp_path / TOKEN_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(PrivateFileError, match="must be your own file with mode 0600, was 0640"):
        load_or_make_token(tmp_path)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(PrivateFileError, match="expected a token of 32 characters"):
        load_token(tmp_path)
    path.unlink()
    with pytest.raises(PrivateFileError, match="cannot be read: No such file"):
        load_token(tmp_path)


def test_without_a_token_of_its_own_nobody_gives_a_command(served: Api) -> None:
    """Not even one who sends an empty one."""
    commands = DeskCommands(None, [BTC.symbol], served._run, lambda *_, **__: None, "the file is everybody's")
    own = served.commands
    served.commands._token, served.commands._why_not = commands._token, commands._why_not
    try:
        answer = _give(served, "halt", {"symbol": BTC.symbol}, **{TOKEN_HEADER: ""})
    finally:
        own._token = TOKEN
    assert (answer.status, served.given) == (403, [])
    assert answer.document["error"] == "no command can be given here: the file is everybody's"
