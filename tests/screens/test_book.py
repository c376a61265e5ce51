"""The ladder at the sizes that terminals have."""

from decimal import Decimal
from typing import Any

import pytest

from screens.book import ladder
from screens.desk import UNBOUNDED


def _side(best: int, step: int, own_at: int | None = None) -> list[dict[str, Any]]:
    return [
        {
            "price": Decimal(best + step * place).scaleb(-2),
            "orders": [{"id": 1, "quantity": Decimal("0.00500")} | ({"own": True} if place == own_at else {})],
        }
        for place in range(300)
    ]


def _document(own_at: int | None = None) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "sequence": 12_345,
        "bids": _side(9_138_450, -100, own_at),
        "asks": _side(9_138_550, 100, own_at),
    }


def _sides(text: str) -> tuple[list[str], list[str]]:
    lines = text.splitlines()
    middle = next(number for number, line in enumerate(lines) if "mid, spread" in line)
    return lines[2:middle], lines[middle + 1 :]


@pytest.mark.parametrize(("width", "height"), [(40, 12), (80, 20), (80, 24), (120, 40), (30, 8), (200, 100)])
@pytest.mark.parametrize("own_at", [None, 0, 250])
def test_fits_and_cuts_both_sides_alike(width: int, height: int, own_at: int | None) -> None:
    """At 80 by 20 it lost 7 of 12 bids and no ask."""
    text = ladder(_document(own_at), 12, width, height).plain
    lines = text.splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    asks, bids = _sides(text)
    assert len(asks) == len(bids) == min(12 + (own_at == 250), (height - 3) // 2)
    assert asks[-1].split()[0] == "91,385.50"
    assert bids[0].split()[0] == "91,384.50"
    assert text.count("●") == (0 if own_at is None else 2)


def test_shows_own_orders_that_are_farther_away() -> None:
    """A maker's quotes stand 200 levels from the best; they are what a person looks for."""
    asks, bids = _sides(ladder(_document(250), 12, 80, UNBOUNDED).plain)
    assert asks[0].split()[:4] == ["91,635.50", "0.00500", "1", "●"]
    assert bids[-1].split()[:4] == ["91,134.50", "0.00500", "1", "●"]


def test_drops_the_orders_and_the_bar_before_it_cuts_a_number() -> None:
    """Price and quantity are what the ladder is for."""
    text = ladder(_document(), 3, 20, 40).plain
    assert "orders" not in text
    assert "█" not in text
    assert "91,385.50   0.00500" in text
    assert "orders" in ladder(_document(), 3, 30, 40).plain


def test_says_that_a_side_is_empty() -> None:
    """There is no mid then."""
    assert "one side is empty" in ladder({**_document(), "asks": []}, 3, 80, 24).plain
    assert "the book is empty" in ladder({**_document(), "asks": [], "bids": []}, 3, 80, 24).plain
