"""Where alerts go: to a log in any case, to a URL and to a command if they are bad enough; no secret with them."""

import contextlib
import json
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from desk.alerts.outlets import WAITING_MAX, AlertOutlets, Delivery
from desk.alerts.watch import Alert
from market.mendable import MendableError
from tests.desk.desk_process import until

HALTED = Alert("begins", "halted BTCUSDT", "warning", "BTCUSDT is halted")
FILL = Alert("happens", "fill maker", "info", "maker: BUY 0.01 at 91000")


class Hook:
    """A web server that takes alerts, or answers with the codes that it is given first."""

    def __init__(self, *codes: int) -> None:
        self.taken: list[dict[str, Any]] = []
        self.asked = 0
        self._codes = list(codes)
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.asked += 1
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = hook._codes.pop(0) if hook._codes else 200
                if code == 200:
                    hook.taken.append(body)
                self.send_response(code)
                if code // 100 == 3:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/secret-token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def told() -> list[str]:
    """What a person is told."""
    return []


@contextmanager
def _outlets(folder: Path, told: list[str], url: str = "", **delivery: Any) -> Iterator[AlertOutlets]:
    if url:
        file = folder / "webhook"
        file.touch(0o600)
        file.write_text(f"{url}\n")
        delivery["webhook_file"] = file
    outlets = AlertOutlets(folder / "alerts.log", Delivery(**delivery), told.append, pauses_s=(0.01,))
    try:
        yield outlets
    finally:
        outlets.close()


def _log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "alerts.log").read_text().splitlines()]


def test_the_log_has_all_and_the_webhook_what_is_bad_enough(tmp_path: Path, told: list[str]) -> None:
    """One line of JSON each, with the time; the log is nobody else's."""
    hook = Hook()
    with _outlets(tmp_path, told, hook.url) as outlets:
        outlets.give(FILL)
        outlets.give(HALTED)
        until("it has come", lambda: hook.taken, 30)
    hook.close()
    assert [line["key"] for line in _log(tmp_path)] == ["fill maker", "halted BTCUSDT"]
    assert hook.taken == [_log(tmp_path)[1]]
    assert hook.taken[0] | {"time": ""} == {"time": "", **HALTED._asdict()}
    assert stat.S_IMODE((tmp_path / "alerts.log").stat().st_mode) == 0o600
    assert told == []


def test_a_webhook_that_fails_is_asked_again_and_its_url_is_told_to_nobody(tmp_path: Path, told: list[str]) -> None:
    """The first alert comes through at the third try, the second one not at all."""
    hook = Hook(500, 503, 200, 500, 500, 404)
    with _outlets(tmp_path, told, hook.url) as outlets:
        outlets.give(HALTED)
        outlets.give(HALTED._replace(state="ends"))
        until("it has given up", lambda: told, 30)
    hook.close()
    assert [line["state"] for line in hook.taken] == ["begins"]
    assert hook.asked == 6
    assert told == ["an alert was not delivered: the webhook: HTTP 404"]


def test_what_waits_when_the_desk_ends_is_told(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook that takes its time: who reads the desk's last words knows that somebody else may not."""
    monkeypatch.setattr("desk.alerts.outlets.CLOSE_S", 0.2)
    may_end = threading.Event()
    monkeypatch.setattr(AlertOutlets, "_post", lambda *_: "" if may_end.wait(30) else "no answer in time")
    with _outlets(tmp_path, told, "http://127.0.0.1:1/") as outlets:
        for _ in range(3):
            outlets.give(HALTED)
        until("the first one is on its way", lambda: outlets._waiting.qsize() == 2, 30)
    may_end.set()
    assert told == ["3 alerts may not be delivered: the desk ends, the log has all of them"]


def test_nobody_at_the_url(tmp_path: Path, told: list[str]) -> None:
    """One line that does not name it."""
    hook = Hook()
    hook.close()
    with _outlets(tmp_path, told, hook.url) as outlets:
        outlets.give(HALTED)
        until("it has given up", lambda: told, 30)
    assert told == ["an alert was not delivered: the webhook: Connection refused"]


def test_a_command_has_each_on_its_standard_input(tmp_path: Path, told: list[str]) -> None:
    """And what it writes goes nowhere; a fill, too, if that is wanted."""
    kept = tmp_path / "kept"
    with _outlets(tmp_path, told, least="info", command=f"tee -a '{kept}'") as outlets:
        outlets.give(FILL)
        outlets.give(HALTED)
        until("both have come", lambda: kept.exists() and kept.read_text().count("\n") == 2, 30)
    assert [json.loads(line) for line in kept.read_text().splitlines()] == _log(tmp_path)


@pytest.mark.parametrize(
    ("command", "why"), [("false", "exit code 1"), ("/nowhere/at-all", "No such file or directory")]
)
def test_a_command_that_fails_is_told(tmp_path: Path, told: list[str], command: str, why: str) -> None:
    """After it was tried again."""
    with _outlets(tmp_path, told, command=command) as outlets:
        outlets.give(HALTED)
        until("it has given up", lambda: told, 30)
    assert told == [f"an alert was not delivered: the command: {why}"]


def test_who_gives_many_never_waits(tmp_path: Path, told: list[str]) -> None:
    """A command that hangs: what is too much is told, and in the log all the same."""
    with _outlets(tmp_path, told, command="sleep 2") as outlets:
        for _ in range(WAITING_MAX + 10):
            outlets.give(HALTED)
    assert len(_log(tmp_path)) == WAITING_MAX + 10
    assert len([line for line in told if "wait already" in line]) >= 9


def test_what_cannot_be_used_is_said_at_once(tmp_path: Path, told: list[str]) -> None:
    """A file that others can read, one without a URL, none, and words that are no words."""
    file = tmp_path / "url"
    for mode, content in ((0o644, "https://example.com/x"), (0o600, "example.com"), (0o600, "http://a b")):
        file.touch()
        file.chmod(mode)
        file.write_text(content)
        with pytest.raises(MendableError, match=str(file)) as failure:
            AlertOutlets(tmp_path / "log", Delivery(webhook_file=file), told.append)
        assert "example.com" not in str(failure.value)
    for delivery in (Delivery(webhook_file=tmp_path / "gone"), Delivery(command="say 'it")):
        with pytest.raises(MendableError):
            AlertOutlets(tmp_path / "log", delivery, told.append)


def test_a_webhook_that_has_moved_has_not_taken_it(tmp_path: Path, told: list[str]) -> None:
    """Who is sent elsewhere comes with a GET, which has no alert in it."""
    hook = Hook(301, 302, 303)
    with _outlets(tmp_path, told, hook.url) as outlets:
        outlets.give(HALTED)
        until("it has given up", lambda: told, 30)
    hook.close()
    assert told == ["an alert was not delivered: the webhook: HTTP 303"]


def test_an_answer_that_is_no_http_ends_nothing(tmp_path: Path, told: list[str]) -> None:
    """The next alert is delivered, or told to be not."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            with contextlib.suppress(OSError):  # closed: the test is over
                while True:
                    caller = server.accept()[0]
                    caller.recv(4_096)
                    caller.sendall(b"SSH-2.0-secret\r\n\r\n")
                    caller.close()

        threading.Thread(target=talk, daemon=True).start()
        with _outlets(tmp_path, told, f"http://127.0.0.1:{server.getsockname()[1]}/secret") as outlets:
            outlets.give(HALTED)
            outlets.give(HALTED)
            until("both are told", lambda: len(told) == 2, 30)
    assert set(told) == {"an alert was not delivered: the webhook: what it says is no HTTP"}


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1/x", "http://host:port/x", "http:///x", "https://exämple.org/ü"]
)
def test_a_url_that_nobody_can_be_asked_at_is_said_at_once(tmp_path: Path, told: list[str], url: str) -> None:
    """Not when the first alert is due, and without it."""
    with pytest.raises(MendableError) as failure, _outlets(tmp_path, told, url):
        pass
    assert url not in str(failure.value)


def test_a_command_may_leave_something_behind_and_write_without_end(tmp_path: Path, told: list[str]) -> None:
    """It has ended when it has ended; what it says is thrown away as it comes."""
    kept = tmp_path / "kept"
    command = f"sh -c 'sleep 15 & head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; cat >> {kept}'"
    with _outlets(tmp_path, told, least="info", command=command) as outlets:
        outlets.give(HALTED)
        outlets.give(FILL)
        until("both are taken", lambda: kept.exists() and kept.read_text().count("\n") == 2, 30)
    assert [json.loads(line) for line in kept.read_text().splitlines()] == _log(tmp_path), "the first one once"
    assert told == []


def test_a_command_has_no_keys_of_a_venue(tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As no node has that does not trade; of all else it has what the desk has."""
    kept = tmp_path / "kept"
    for name in ("TICKBUS_VENUE__SECRET", "tickbus_venue__api_key", "TICKBUS_SYMBOL"):
        monkeypatch.setenv(name, "hush")
    with _outlets(tmp_path, told, command=f"sh -c 'env > {kept}.new; mv {kept}.new {kept}'") as outlets:
        outlets.give(HALTED)
        until("it has run", kept.exists, 30)
    named = [line.partition("=")[0] for line in kept.read_text().splitlines() if line.endswith("=hush")]
    assert named == ["TICKBUS_SYMBOL"]
