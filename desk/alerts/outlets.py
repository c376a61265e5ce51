"""Where alerts go: a log, a URL, a command. In a thread of its own: no node waits for a stranger."""

import contextlib
import json
import os
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from desk.alerts.severities import SEVERITIES, Severity
from desk.alerts.watch import Alert
from desk.outlet import Outlet
from desk.run_dir import NodeError
from desk.template import SECRETS
from market.clock import NS_PER_MS, iso_time, time_ns
from market.private_file import read_private_file
from market.words import counted

WAITING_MAX: Final = 256  # alerts; of more the last are not delivered, but all are in the log
TRIES: Final = 3
PAUSES_S: Final = (1.0, 5.0)  # between them
TIMEOUT_S: Final = 10.0
CLOSE_S: Final = 3.0  # for what waits still at the end

Tell = Callable[[str], None]


class Delivery(NamedTuple):
    """Who gets alerts besides the log.

    Attributes:
        least: alerts below it are in the log alone.
        webhook_file: of mode 0600, with the URL that each is posted to as JSON: whoever knows it can write there.
        command: words; each alert is a line of JSON on its standard input.
    """

    least: Severity = "warning"
    webhook_file: Path | None = None
    command: str = ""


class AlertOutlets:
    """All of them; `tell` is given a line for a person where an alert could not be delivered.

    Raises:
        PrivateFileError: if the URL cannot be had.
        NodeError: if it is none, the command is no command, or the log cannot be written.
    """

    def __init__(self, log: Path, delivery: Delivery, tell: Tell, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        self._url = "" if delivery.webhook_file is None else webhook_url(delivery.webhook_file)
        try:
            self._command = shlex.split(delivery.command)
        except ValueError as error:
            raise NodeError(f"alerts.command: {error}") from None
        self._least = SEVERITIES.index(delivery.least)
        self._tell = tell
        self._pauses_s = pauses_s
        try:
            self._log = Outlet(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), log)
        except OSError as error:
            raise NodeError(f"{log} cannot be written: {error.strerror}") from None
        self._waiting: queue.Queue[tuple[int, str] | None] = queue.Queue(WAITING_MAX)
        self._number = 0
        self._undelivered: dict[int, Alert] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        if self._url or self._command:
            self._thread = threading.Thread(target=self._deliver_all, name="alerts", daemon=True)
            self._thread.start()

    def give(self, alert: Alert) -> None:
        """Write an alert down, and have it delivered."""
        line = json.dumps({"time": iso_time(time_ns() // NS_PER_MS), **alert._asdict()})
        self._log.write(f"{line}\n")
        if self._thread is None or SEVERITIES.index(alert.severity) < self._least:
            return
        self._number += 1
        self._undelivered[self._number] = alert
        try:
            self._waiting.put_nowait((self._number, line))
        except queue.Full:
            del self._undelivered[self._number]
            self._tell(f"an alert is not delivered, as {WAITING_MAX} wait already: {alert.text}")

    @property
    def undelivered(self) -> list[Alert]:
        """Those that nobody has got yet, oldest first; none that was given up."""
        return list(self._undelivered.values())

    def close(self) -> None:
        """Deliver what waits, as far as that is soon done, and end."""
        if self._thread is not None:
            self._ending.set()
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)
            if self._thread.is_alive() and (left := self._waiting.qsize()):  # the end waits in place of the one at work
                self._tell(f"{counted(left, 'alert')} may not be delivered: the desk ends, the log has all of them")
        os.close(self._log.fileno())

    def _deliver_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            number, line = waiting
            if self._url:
                self._until_done("the webhook", partial(self._post, line))
            if self._command:
                self._until_done("the command", partial(self._run, line))
            del self._undelivered[number]

    def _until_done(self, name: str, deliver: Callable[[], str]) -> None:
        """Deliver, trying again after a pause; at the desk's end there is none."""
        why = ""
        for attempt in range(TRIES):
            if attempt and self._ending.wait(self._pauses_s[min(attempt, len(self._pauses_s)) - 1]):
                break
            if not (why := deliver()):
                return
        self._tell(f"an alert was not delivered: {name}: {why}")

    def _post(self, line: str) -> str:
        """Return why the URL did not take it; empty if it did. The URL itself is nobody's business."""
        import http.client  # they take longer than the rest of a start: only where they are wanted
        import urllib.error
        import urllib.request

        class Stay(urllib.request.HTTPRedirectHandler):  # it would come there with a GET, without the alert
            def redirect_request(self, *_: object) -> None:
                return None

        headers = {"Content-Type": "application/json", "User-Agent": "tickbus"}
        request = urllib.request.Request(self._url, line.encode(), headers, method="POST")  # noqa: S310
        try:
            with urllib.request.build_opener(Stay).open(request, timeout=TIMEOUT_S):
                return ""
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except urllib.error.URLError as error:
            return error.reason.strerror if isinstance(error.reason, OSError) and error.reason.strerror else "no answer"
        except OSError as error:
            return error.strerror or "no answer in time"
        except http.client.HTTPException:  # its text is the stranger's
            return "what it says is no HTTP"

    def _run(self, line: str) -> str:
        """Return why the command failed; empty if it did not."""
        try:
            done = subprocess.run(  # noqa: S603 - the settings' own command
                self._command,
                check=False,
                input=f"{line}\n".encode(),
                timeout=TIMEOUT_S,
                stdout=subprocess.DEVNULL,  # not a pipe: what it leaves behind would hold it open
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name.upper() not in SECRETS},
            )
        except subprocess.TimeoutExpired:
            return f"it did not end within {TIMEOUT_S:.0f} s"
        except OSError as error:
            return error.strerror or "it cannot be started"
        return f"exit code {done.returncode}" if done.returncode else ""


def webhook_url(path: Path) -> str:
    """Return the URL that a file has.

    Raises:
        PrivateFileError: if it cannot be read, or others can read it.
        NodeError: if it is no http or https URL.
    """
    url = read_private_file(path).strip()
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not url.isascii() or any(letter.isspace() for letter in url):
        raise NodeError(f"{path}: expected an http or https URL in one line")
    return url
