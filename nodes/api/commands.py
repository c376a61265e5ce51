"""What a person does to the desk from the dashboard: halt, resume, flatten; each is the command of that name.

A command is a process of its own, so that it does exactly what it does in a shell, and no slow venue holds up the api.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import compare_digest
from typing import Any, Final

from sanic.exceptions import BadRequest, Forbidden, SanicException
from sanic.request import Request
from sanic.response import HTTPResponse, json

from desk.outlet import LOG_FILE
from desk.template import CLI_FILE
from market.clock import NS_PER_MS, time_ns
from market.exact_json import JsonObject
from market.instrument import venue_spelling
from nodes.http import HttpApp
from paper.http_bounds import ERROR_FORMAT

TOKEN_HEADER: Final = "X-Desk-Token"  # noqa: S105 - the name of a header
HALT: Final = "halt"  # waits for no other command: one may trade for minutes, or ask a venue that does not answer
LOOK_S: Final = 0.1
LINES_MAX: Final = 200
LINE_CHARACTERS_MAX: Final = 400

Tell = Callable[[str], None]
Run = Callable[[Sequence[str], Tell], int]


def run_command(run_dir: Path) -> Run:
    """Return what runs a command of the desk in `run_dir`, tells its lines as they come, and returns its exit code.

    It outlives an api that is stopped: what it says goes to a file, so that nobody who listens can end it.
    """

    def run(words: Sequence[str], tell: Tell) -> int:
        path = run_dir / "logs" / f"dashboard-{HALT if words[0] == HALT else 'command'}.txt"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != LOG_FILE}
        with path.open("w+b") as output, path.open(encoding="utf-8", errors="replace") as said:
            process = subprocess.Popen(  # noqa: S603 - the words are ours, and the symbol is one of the desk's
                [sys.executable, str(CLI_FILE), *words, "--run-dir", str(run_dir)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            rest = ""
            while True:
                code = process.poll()
                *lines, rest = (rest + said.read()).split("\n")
                for line in lines:
                    tell(line)
                if code is not None:
                    if rest:
                        tell(rest)
                    return code
                time.sleep(LOOK_S)

    return run


class DeskCommands:
    """The commands, one at a time but for a halt; what the last one says is for everybody who looks.

    Args:
        token: what every command must carry; None: nobody may give one, for `why_not`.
        symbols: that there are.
        run: runs the words of a command, in a thread.
        log: is told who did what.
    """

    def __init__(
        self,
        token: str | None,
        symbols: Sequence[str],
        run: Run,
        log: Callable[..., None],
        why_not: str = "",
    ) -> None:
        self._token = token
        self._why_not = why_not
        self._symbols = frozenset(symbols)
        self._run = run
        self._log = log
        self._number = 0
        self._running: dict[int, JsonObject] = {}  # by number: what each has said that is not done, and the last one
        self.told: JsonObject | None = None

    def add_to(self, app: HttpApp) -> None:
        """Serve them on `app`."""
        calls: Mapping[str, Callable[[str, Mapping[str, Any]], list[str]]] = {
            "halt": _halt,
            "resume": lambda symbol, _: ["resume", "--symbol", symbol],
            "preview": lambda symbol, _: ["flatten", symbol, "--preview"],
            "flatten": _flatten,
        }

        async def give(request: Request, name: str) -> HTTPResponse:
            self._check(request)
            if name not in calls:
                raise BadRequest(f"expected one of {', '.join(calls)}, was {name[:20]!r}")
            document = request.json
            if not isinstance(document, dict) or not isinstance(document.get("symbol"), str):
                raise BadRequest("expected an object with a symbol")
            symbol = venue_spelling(document["symbol"])
            if symbol not in self._symbols:
                raise BadRequest(f"there is no symbol {symbol[:20]!r}")
            words = calls[name](symbol, document)
            running = [each["name"] for each in self._running.values() if each["exit_code"] is None]
            if running and (name != HALT or HALT in running):
                raise SanicException("another command is not done yet", status_code=409)
            self._begin(name, words)
            return json({"number": self._number}, status=202)

        path = "/api/commands/<name:str>"
        app.add_route(give, path, methods=["POST"], name="commands", error_format=ERROR_FORMAT)

    def _check(self, request: Request) -> None:
        if self._token is None:
            raise Forbidden(f"no command can be given here: {self._why_not}")
        said = request.headers.getall(TOKEN_HEADER, [])
        if len(said) != 1 or not compare_digest(said[0].encode(), self._token.encode()):
            raise Forbidden("the token is missing or wrong; python cli.py token tells it")

    def _begin(self, name: str, words: Sequence[str]) -> None:
        self._number += 1
        lines: list[str] = []
        head = {"number": self._number, "name": name, "words": list(words), "began_ms": time_ns() // NS_PER_MS}
        self._log("a command of the dashboard", words=" ".join(words))
        loop = asyncio.get_running_loop()

        def show(exit_code: int | None) -> None:
            self._show({**head, "lines": lines[-LINES_MAX:], "exit_code": exit_code})

        def done(code: int) -> None:
            show(code)
            self._log("a command of the dashboard is done", words=" ".join(words), exit_code=code)

        def soon(action: Callable[..., None], *values: int | None) -> None:
            with contextlib.suppress(RuntimeError):  # the api has just ended
                loop.call_soon_threadsafe(action, *values)

        def tell(line: str) -> None:
            lines.append(line[:LINE_CHARACTERS_MAX])
            soon(show, None)

        def carry_out() -> None:
            code = 1
            try:
                code = self._run(words, tell)
            except OSError as error:
                lines.append(f"the command cannot be run: {error}")
            finally:
                soon(done, code)

        self._running = {number: each for number, each in self._running.items() if each["exit_code"] is None}
        show(None)
        threading.Thread(target=carry_out, name="command", daemon=True).start()

    def _show(self, document: JsonObject) -> None:
        """Tell what a command has said; `before` is another one that was not done when the last one was given."""
        self._running[document["number"]] = document
        *before, last = (self._running[number] for number in sorted(self._running))
        self.told = {**last, "before": before[-1] if before else None}


def _halt(symbol: str, document: Mapping[str, Any]) -> list[str]:
    return ["halt", "--symbol", symbol, *(["--cancel-all"] if document.get("cancel_all") is True else [])]


def _flatten(symbol: str, document: Mapping[str, Any]) -> list[str]:
    if document.get("typed") != symbol:
        raise BadRequest(f"nothing was done: expected {symbol} to be typed")
    return ["flatten", symbol, "--yes"]
