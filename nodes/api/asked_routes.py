"""Where a person asks for more than the live line tells: reports as pages, a moment of the past, and logs."""

import asyncio
import re
from collections.abc import Collection
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sanic.exceptions import BadRequest, NotFound, ServiceUnavailable
from sanic.request import Request
from sanic.response import HTTPResponse

from market.exact_json import dumps
from market.instrument import venue_spelling
from nodes.api.asked import Asked, Made, Run
from nodes.api.told_alerts import tail_of
from nodes.http import HttpApp
from paper.http_bounds import ERROR_FORMAT
from web.page import HEADERS, REPORT_HEADERS, reports_page, waiting_page

WAIT_S: Final = 1.0  # for what is made, before it is said that it is being made
WEEK: Final = 7
WINDOW_S: Final = 300  # before a moment of the past
LINES_MAX: Final = 500
LOG_BYTES_MAX: Final = 256 << 10
_USAGE: Final = 2  # the exit code of a command that does not understand what is asked
_TIME = re.compile(r"[0-9][0-9T:. Z+-]{0,39}", re.ASCII)
_DAILY = re.compile(r"performance_([0-9]{4})([0-9]{2})([0-9]{2})\.json", re.ASCII)
_HTML: Final = "text/html; charset=utf-8"
_METHODS: Final = ("GET", "HEAD")


class AskedRoutes:
    """Those of one desk.

    Args:
        run_dir: of the desk.
        reports_dir: where its daily files are.
        symbols: that there are; the first one is for who names none.
        market: in words.
        run: runs a command of the desk.
    """

    def __init__(self, run_dir: Path, reports_dir: Path, symbols: Collection[str], market: str, run: Run) -> None:
        self._run_dir = run_dir
        self._reports_dir = reports_dir
        self._symbols = tuple(symbols)
        self._market = market
        self._run = run
        self._asked = Asked()

    def add_to(self, app: HttpApp) -> None:
        """Serve them on `app`."""
        routes = (
            ("/reports", self._list_reports),
            ("/reports/week", self._show_week),
            ("/reports/<day:str>", self._show_day),
            ("/api/at", self._tell_moment),
            ("/api/logs", self._tell_log),
        )
        for path, handler in routes:
            app.add_route(handler, path, methods=_METHODS, name=handler.__name__, error_format=ERROR_FORMAT)

    # --- reports ---

    async def _list_reports(self, _: Request) -> HTTPResponse:
        days = sorted(
            (each.stem.partition("_")[2] for each in self._reports_dir.glob("performance_*.json")), reverse=True
        )
        texts = [f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in days if len(day) == 8 and day.isdecimal()]
        return HTTPResponse(reports_page(texts, self._market), headers=HEADERS, content_type=_HTML)

    async def _show_week(self, _: Request) -> HTTPResponse:
        return await self._report(["--days", str(WEEK)], f"the last {WEEK} days")

    async def _show_day(self, _: Request, day: str) -> HTTPResponse:
        try:
            found = date.fromisoformat(day)
        except ValueError:
            raise NotFound(f"expected a day as 2026-11-30, was {day[:20]!r}") from None
        return await self._report(["--date", str(found)], str(found))

    async def _report(self, words: list[str], what: str) -> HTTPResponse:
        async def make() -> Made:
            with TemporaryDirectory(prefix="page-", dir=self._run_dir) as folder:
                file = Path(folder) / "report.html"
                made = await self._run(["report", *words, "--html", str(file)])
                return made._replace(content=file.read_bytes() if file.exists() else b"")

        made = await self._asked.answer(("report", *words), make, WAIT_S)
        if made is None:
            page = waiting_page(f"The report of {what} is being made", self._market)
            return HTTPResponse(page, 202, headers=HEADERS, content_type=_HTML)
        if not made.content:
            raise NotFound(made.why or f"there is no report of {what}")
        return HTTPResponse(made.content, headers=REPORT_HEADERS, content_type=_HTML)

    # --- the past, and what was written down ---

    async def _tell_moment(self, request: Request) -> HTTPResponse:
        symbol = venue_spelling(request.args.get("symbol", self._symbols[0]))
        if symbol not in self._symbols:
            raise NotFound(f"there is no symbol {symbol[:20]!r}")
        time = request.args.get("time", "")
        if _TIME.fullmatch(time) is None:
            raise BadRequest(f"expected a time as 2026-11-30T14:03:07.250 or 14:03, was {time[:40]!r}")
        words = ["at", time, "--symbol", symbol, "--window", str(WINDOW_S), "--json"]
        made = await self._asked.answer(tuple(words), lambda: self._run(words), WAIT_S)
        if made is None:
            text = dumps({"making": f"the journal is replayed up to {time}"})
            return HTTPResponse(text, 202, content_type="application/json")
        if made.code == _USAGE:
            raise BadRequest(made.why)
        if made.code:
            raise NotFound(made.why or "nothing is known of that moment")
        return HTTPResponse(made.content, content_type="application/json")

    async def _tell_log(self, request: Request) -> HTTPResponse:
        paths = {path.stem: path for path in sorted((self._run_dir / "logs").glob("*.log"))}
        name, lines = request.args.get("node", ""), []
        if name:
            if name not in paths:
                raise NotFound(f"there is no log of {name[:40]!r}; there are {', '.join(paths) or 'none'}")
            try:
                lines = await asyncio.to_thread(tail_of, paths[name], LOG_BYTES_MAX, LINES_MAX)
            except OSError as error:  # one that is just being put aside, too
                raise ServiceUnavailable(f"{paths[name]} cannot be read: {error.strerror}") from None
        return HTTPResponse(dumps({"logs": [*paths], "node": name, "lines": lines}), content_type="application/json")
