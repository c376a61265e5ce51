"""Markouts by hand."""

from decimal import Decimal
from typing import Any

import pytest

from market.codes import Side
from reports.marked_fills import MarkedFill
from reports.markouts import block_s_of, markouts


def fill(at_s: float, side: Side, price: str, mid: str | None, later: str | None, qty: str = "1") -> MarkedFill:
    """Return a fill with one mid 10 s later."""
    mids = {10: None if later is None else Decimal(later)}
    known = None if mid is None else Decimal(mid)
    return MarkedFill(round(at_s * 1_000), side, Decimal(price), Decimal(qty), known, mids)


def row(fills: list[MarkedFill], horizon_s: int = 10, side: str = "both") -> dict[str, Any]:
    """Return a row of the document."""
    (found,) = (one for one in markouts(fills) if (one["horizon_s"], one["side"]) == (horizon_s, side))
    return found


def test_a_markout_is_what_the_mid_was_better_than_the_price_later() -> None:
    """Bought at 99 where the mid was 100: 100 bp captured; at 99.50 later: 50 bp kept, 50 lost to the market."""
    found = row([fill(0, Side.BUY, "99", "100", "99.5")])
    assert (found["mean_bps"], found["capture_bps"], found["adverse_bps"]) == (50, 100, 50)
    assert (found["n"], found["missing"], found["low_bps"], found["high_bps"]) == (1, 0, None, None)


def test_a_sale_gains_where_a_purchase_loses() -> None:
    """Sold at 101 where the mid was 100, and 103 later: 200 bp lost, of the mid at the fill."""
    fills = [fill(0, Side.SELL, "101", "100", "103"), fill(1, Side.BUY, "99", "100", "103")]
    assert row(fills, side="sell")["mean_bps"] == -200
    assert row(fills, side="buy")["mean_bps"] == 400


def test_fills_count_by_their_notional() -> None:
    """3 x 100 at 10 bp and 1 x 100 at -30 bp: (3 x 10 - 30) / 4 = 0; the plain mean would be -10."""
    fills = [fill(0, Side.BUY, "100", "100", "100.1", "3"), fill(60, Side.BUY, "100", "100", "99.7", "1")]
    assert row(fills)["mean_bps"] == 0


@pytest.mark.parametrize(("mid", "later"), [(None, "100"), ("100", None)])
def test_what_is_not_known_is_missing_and_never_nought(mid: str | None, later: str | None) -> None:
    """Guards null for a missing mid: as 0, or as the last one known, it would be a fill without adverse selection."""
    known = fill(0, Side.BUY, "99.9", "100", "100")
    found = row([known, fill(60, Side.BUY, "99", mid, later)])
    assert (found["n"], found["missing"], found["mean_bps"]) == (1, 1, 10)
    nothing = row([fill(60, Side.BUY, "99", mid, later)])
    assert (nothing["n"], nothing["missing"], nothing["mean_bps"], nothing["adverse_bps"]) == (0, 1, None, None)
    assert row([known], horizon_s=60)["missing"] == 1


def test_an_interval_of_one_sweep_is_not_told_and_one_of_many_fills_is() -> None:
    """Fifty fills of one second are one event; fifty, ten minutes from each other, are fifty."""
    price = {0: "99.9", 1: "99.95"}
    sweep = [fill(number / 50, Side.BUY, price[number % 2], "100", "100") for number in range(50)]
    assert (row(sweep)["n"], row(sweep)["low_bps"]) == (50, None)
    spread = row([fill(600 * number, Side.BUY, price[number % 2], "100", "100") for number in range(50)])
    assert spread["low_bps"] < spread["mean_bps"] < spread["high_bps"]
    assert spread["blocks"] == pytest.approx(50, rel=Decimal("0.001"))
    assert (spread["block_s"], row(sweep)["block_s"], row([])["block_s"]) == (75, 30, block_s_of(10))


def test_there_is_a_row_for_each_horizon_and_side() -> None:
    """Also of a day without fills."""
    assert [(one["horizon_s"], one["side"], one["n"]) for one in markouts([])] == [
        (horizon_s, side, 0) for horizon_s in (1, 10, 60) for side in ("buy", "sell", "both")
    ]
