"""The pages of the api as HTML: the dashboard of a symbol, the calls that there are, and the list of reports."""

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from market.instrument import Instrument
from web.assets import load_assets
from web.calls_page import calls_html

_FOLDER: Final = Path(__file__).parent / "static"

# Nothing but this server's own scripts and styles, and no other page may show this one in a frame.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

# A report has a style sheet of its own inside, and neither a script nor anything that it loads.
REPORT_HEADERS: Final = {
    **HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def dashboard(symbol: str, instruments: Sequence[Instrument], market: str) -> str:
    """Return the dashboard of `symbol`, one of `instruments`, with a word on what the market is."""
    assets = load_assets()
    styles = [name for name in ("uplot.css", "dashboard.css") if name in assets.files]
    scripts = [name for name in ("lightweight-charts.js", "uplot.js") if name in assets.files]
    values = {
        "symbol": escape(symbol),
        "links": _links(symbol, instruments),
        "market": escape(market),
        "styles": "\n".join(f'<link rel="stylesheet" href="{assets.path(name)}">' for name in styles),
        "scripts": "\n".join(
            [
                *(f'<script defer src="{assets.path(name)}"></script>' for name in scripts),
                f'<script type="module" src="{assets.path("main.js")}"></script>',
            ]
        ),
        "missing": escape("; ".join(assets.missing)),
    }
    return _filled("index.html", values)


def calls_page(document: Mapping[str, Any], symbol: str, market: str, where: str, *, is_here: bool) -> str:
    """Return the page of an OpenAPI document.

    Args:
        where: in a line, where the calls are served and the document stands.
        is_here: whether this server carries the calls: then those that need nothing are links.
    """
    about = document["info"]
    values = {
        "title": escape(about["title"]),
        "about": escape(about["description"]).replace("`", ""),
        "where": escape(where),
        "calls": calls_html(document, symbol if is_here else ""),
    }
    return _filled("docs.html", {**values, "symbol": escape(symbol), "market": escape(market), "styles": _style()})


def reports_page(days: Sequence[str], market: str) -> str:
    """Return the page that links to the reports of these days, newest first."""
    rows = "\n".join(f'<li><a href="/reports/{escape(day)}">{escape(day)}</a></li>' for day in days)
    return _filled("reports.html", {"market": escape(market), "styles": _style(), "days": rows or "<li>none yet</li>"})


def waiting_page(what: str, market: str) -> str:
    """Return a page that asks again by itself until what it waits for is made."""
    return _filled("waiting.html", {"what": escape(what), "market": escape(market), "styles": _style()})


def _style() -> str:
    return f'<link rel="stylesheet" href="{load_assets().path("dashboard.css")}">'


def _links(symbol: str, instruments: Sequence[Instrument]) -> str:
    return " ".join(
        f'<a href="/?symbol={escape(each.symbol)}"{" aria-current=page" if each.symbol == symbol else ""}>'
        f"{escape(each.symbol)}</a>"
        for each in instruments
    )


@cache
def _template(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _filled(name: str, values: dict[str, str]) -> str:
    text = _template(name)
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", value)
    return text
