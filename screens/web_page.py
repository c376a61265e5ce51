"""The api's page for a browser: the book of one symbol, and the names of the endpoints."""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from market.instrument import Instrument

_FOLDER: Final = Path(__file__).parent / "page"
ASSETS: Final = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}

# Nothing but this server's own script and style, and no other page may show this one in a frame.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@cache
def asset(name: str) -> str:
    """Return one of `ASSETS` as text."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def page(symbol: str, instruments: Sequence[Instrument], market: str) -> str:
    """Return the page of `symbol`, one of `instruments`, with a word on what the market is."""
    shown = next(each for each in instruments if each.symbol == symbol)
    links = [
        f'<a href="/?symbol={escape(each.symbol)}"{" aria-current" if each is shown else ""}>{escape(each.symbol)}</a>'
        for each in instruments
    ]
    values = {
        "symbol": escape(symbol),
        "links": " ".join(links),
        "market": escape(market),
        "price_decimals": str(_decimals(shown.tick_size)),
        "qty_decimals": str(_decimals(shown.lot_size)),
    }
    text = (_FOLDER / "index.html").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _decimals(step: Decimal) -> int:
    return len(f"{step:f}".partition(".")[2])
