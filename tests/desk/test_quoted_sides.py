"""What the status of a desk tells of a side of its maker's quotes."""

from typing import Any

import pytest

from desk.quoted_sides import quoted_side, quotes_of
from market.codes import Side

QUOTES = [
    {"side": side, "price": price, "qty": "0.01", "rule": "TOLERANCE", "why": "near enough"} | place
    for side, price, place in (
        ("BUY", "9", {"level": 1, "is_hanging": False}),
        ("BUY", "8", {"level": 2, "is_hanging": True}),
        ("SELL", "11", {"level": None, "is_hanging": False}),
    )
]
FIGURES: dict[str, Any] = {
    "bid": "9", "bid_qty": "0.01", "bid_rule": "TOLERANCE", "bid_why": "near enough", "quotes": QUOTES,
}  # fmt: skip


def _maker(state: str, **changes: Any) -> dict[str, Any]:
    return {"state": state, "why": "", "since": "2026-11-30T18:56:01Z", "figures": FIGURES} | changes


def test_every_level_of_a_side_is_told_nearest_first() -> None:
    """The nearest alone was."""
    maker = _maker("ready")
    row = quoted_side(maker, None, Side.BUY)
    assert (row["price"], row["rule"]) == (9, "TOLERANCE")
    told = [(each["price"], each["level"], each["is_hanging"]) for each in quotes_of(maker, row)]
    assert told == [(9, 1, False), (8, 2, True)]


@pytest.mark.parametrize(
    ("state", "why", "said"),
    [
        ("stopped", "", "the maker is stopped, since 2026-11-30 18:56:01 UTC"),
        ("failed", "no keys", "the maker has failed, since 2026-11-30 18:56:01 UTC: no keys"),
        ("restarting", "was killed by SIGKILL", "the maker is restarting, since 2026-11-30 18:56:01 UTC: was killed"),
        (
            "silent",
            "",
            "the maker is silent, since 2026-11-30 18:56:01 UTC: it had BUY 0.01 at 9, BUY 0.01 at 8, SELL 0.01 at 11",
        ),
    ],
)
def test_a_maker_that_says_nothing_has_no_quote_that_is_vouched_for(state: str, why: str, said: str) -> None:
    """Those of a silent one were shown as standing; since when is told."""
    maker = _maker(state, why=why)
    row = quoted_side(maker, None, Side.BUY)
    assert (row["price"], row["qty"], row["rule"], quotes_of(maker, row)) == (None, None, "AWAY", [])
    assert row["why"].startswith(said)


def test_side_says_what_a_slow_venue_has_not_answered() -> None:
    """It said that the next round would place what was on its way."""
    figures = {"bid": None, "bid_qty": None, "bid_rule": "PENDING", "bid_why": "it has ended", "slow": "no answer"}
    row = quoted_side({"state": "ready", "figures": figures}, None, Side.BUY)
    assert (row["rule"], row["why"]) == ("PENDING", "it has ended; no answer")
