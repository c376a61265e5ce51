"""The FIFO book of integers says of any fills what the one of fractions says, to the last digit."""

from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.account import VenueTrade
from reports.exact import FIGURE_PLACES, figure
from reports.exact_sum import VALUE_PLACES, ExactSum
from reports.lots import Lot, fee_in_quote
from reports.pnl import FifoBook
from tests.reports.fills import FILLS, buy, sell
from tests.reports.fraction_books import FractionBook, FractionLot
from tests.reports.fraction_books import fee_in_quote as fee_in_fractions

_MIDS = {"BNB": Decimal("612.34")}
_SUMS = ("realized_gross", "realized_fees", "realized_net", "open_fees", "paid_fees", "won", "lost", "position")
_COUNTS = ("round_trips", "wins", "undecided", "unvalued_fees")


def _cut(trade: VenueTrade) -> VenueTrade:
    """Return the fill at a venue that cuts its money to 4 decimals, so that its price is none that has an end."""
    return replace(trade, quote_qty=trade.quote_qty.quantize(Decimal("0.0001"), ROUND_DOWN))


def _assert_same(book: FifoBook, slow: FractionBook, mark: Decimal) -> None:
    for name in (*_SUMS, *_COUNTS):
        assert getattr(book, name) == getattr(slow, name), name
    for name in ("unrealized", "marked", "identity_gap", "worth"):
        assert getattr(book, name)(mark) == getattr(slow, name)(mark), name
    assert list(map(_told, book.open_lots)) == list(map(_told, slow.open_lots))


def _told(lot: Lot | FractionLot) -> tuple[object, ...]:
    numbers = (lot.left, lot.price, lot.fee_per_unit, lot.opened, lot.gross, lot.fees)
    return (lot.trade, lot.side, lot.sign, lot.is_unvalued, *numbers)


@given(FILLS, st.integers(0, 20_000_000), st.booleans(), st.integers(0, 30))
def test_says_what_a_book_of_fractions_says(
    fills: list[VenueTrade], mark_ticks: int, is_cut: bool, midnight: int
) -> None:
    """Guards every sum, every lot and what each fill realizes, over a midnight, and of rounded money."""
    mark = Decimal(mark_ticks) / 100
    book, slow = FifoBook("BTC"), FractionBook("BTC")
    for index, fill in enumerate(map(_cut, fills) if is_cut else fills):
        if index == midnight:
            book, slow = _carried(book, slow)
            _assert_same(book, slow, mark)
        value = fee_in_quote(fill, "BTC", "USDT", _MIDS)
        slow_value = fee_in_fractions(fill, "BTC", "USDT", _MIDS)
        assert value == slow_value
        assert book.apply(fill, value) == slow.apply(fill, slow_value)
    _assert_same(book, slow, mark)


def _carried(book: FifoBook, slow: FractionBook) -> tuple[FifoBook, FractionBook]:
    next_book, next_slow = FifoBook("BTC"), FractionBook("BTC")
    for lot in book.open_lots:
        next_book.carry(lot.copied())
    for slow_lot in slow.open_lots:
        next_slow.carry(replace(slow_lot))
    return next_book, next_slow


def test_leaves_the_lots_of_before_as_they_were() -> None:
    """Guards the copy of a carried lot: what the next day closes is still open at the end of the day before."""
    book = FifoBook("BTC")
    book.apply(buy(1, "3", "100", "0.1"), Fraction("0.1"))
    book.apply(sell(2, "1", "101"), Fraction(0))
    before = _told(book.open_lots[0])
    later = FifoBook("BTC")
    later.carry(book.open_lots[0].copied())
    later.apply(sell(3, "2", "102", "0.3"), Fraction("0.3"))
    assert _told(book.open_lots[0]) == before


def test_keeps_no_shares_that_have_added_up() -> None:
    """Guards the cost of a long day: three thirds of a fee are whole again, and nothing is kept of them."""
    total = ExactSum()
    for _ in range(3):
        total.add(0, 1, 3)
    assert (total.whole, total.parts) == (1, {})
    assert total.units == 1


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-50, 50), st.integers(1, 40)), max_size=60), st.booleans())
def test_adds_shares_of_any_denominators_up(rows: list[tuple[int, int, int]], is_asked: bool) -> None:
    """Guards the sum of many shares, whether it is asked for in between or not."""
    total, expected = ExactSum(), Fraction(0)
    for whole, part, denominator in rows:
        total.add(whole, part, denominator)
        expected += whole + Fraction(part, denominator)
        assert not is_asked or total.units == expected
    twice = ExactSum()
    twice.add_sum(total, -2)
    assert (total.units, twice.units) == (expected, -2 * expected)


@given(
    st.integers(-(10**112), 10**112),
    st.integers(-(10**4), 10**4),
    st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 40)), max_size=20),
    st.booleans(),
)
def test_rounds_a_sum_as_its_fraction_is_rounded(
    whole: int, halves: int, shares: list[tuple[int, int]], is_tie: bool
) -> None:
    """Guards what each fill realizes, and whether a round trip has won: near ties, and near nothing, of any shares."""
    half = 10 ** (VALUE_PLACES - FIGURE_PLACES) // 2
    total = ExactSum(halves * half + (0 if is_tie else whole))
    for part, denominator in shares:
        total.add(0, part, denominator)
    units, is_exact = total.nearest(FIGURE_PLACES)
    assert units == round(total.value * 10**FIGURE_PLACES)
    assert not is_exact or Fraction(units, 10**FIGURE_PLACES) == total.value
    assert total.is_positive == (total.value > 0)
    small = ExactSum(halves % 5 - 2)
    small.add_shares(total)
    assert small.is_positive == (small.units > 0)


@given(st.fractions(), st.integers(0, 30))
def test_rounds_a_figure_as_a_fraction_is_rounded(value: Fraction, places: int) -> None:
    """Guards the one rounding of a figure: half to even."""
    assert Fraction(figure(value, places)) == Fraction(round(value * 10**places), 10**places)


@pytest.mark.parametrize(("value", "expected"), [("0.5", "0"), ("1.5", "2"), ("-0.5", "0"), ("-1.5", "-2")])
def test_rounds_half_to_even(value: str, expected: str) -> None:
    """Guards the last digit of a tie."""
    assert figure(Fraction(value) / 10**FIGURE_PLACES) == Decimal(expected).scaleb(-FIGURE_PLACES)


def test_refuses_a_quantity_that_no_file_could_hold() -> None:
    """Guards the units: 61 decimals are none, and are not cut."""
    with pytest.raises(ValueError, match="at most 60 decimals"):
        FifoBook("BTC").apply(buy(1, "1." + "0" * 60 + "1", "100"), Fraction(0))
