"""A mid that becomes known after its fill was taken: figures as if it had been known, at the cost of what is new."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import VenueTrade
from reports import curve as module
from reports.day_book import DayBook
from reports.identity import identity_and_equity
from reports.metrics import metrics
from reports.trade_history import FillDetail, key_of
from tests.reports.fills import BTC, DAY, FILLS, buy, sell

_MARKS = {"BTCUSDT": Decimal(50_000)}


def _figures(book: DayBook) -> Any:
    equity = identity_and_equity(book, _MARKS, None)["equity"]
    return book.figures(_MARKS), metrics(book, _MARKS, equity, None), book.entries(), book.lines.crc


def _book(fills: list[VenueTrade], details: dict[Any, FillDetail]) -> DayBook:
    book = DayBook(DAY, {"BTCUSDT": BTC})
    book.add(fills, {"BNBUSDT": Decimal(600)}, details)
    return book


@pytest.mark.parametrize("late_max", [1, 3, 4_096])
def test_figures_are_those_of_a_day_whose_mids_were_known(late_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards spread, drawdown and count, whichever mids come when, of fills of long ago, too."""
    monkeypatch.setattr(module, "LATE_MAX", late_max)

    @settings(deadline=None, max_examples=40)
    @given(FILLS.filter(bool), st.data())
    def holds(fills: list[VenueTrade], data: st.DataObject) -> None:
        mids = data.draw(st.lists(st.integers(1, 20_000_000), min_size=len(fills), max_size=len(fills)))
        details = {key_of(one): FillDetail(mid=Decimal(mid) / 100) for one, mid in zip(fills, mids, strict=True)}
        rounds = data.draw(st.lists(st.integers(0, 3), min_size=len(fills), max_size=len(fills)))
        book = _book(fills, {key: one for (key, one), turn in zip(details.items(), rounds, strict=True) if not turn})
        for turn in (1, 2, 3):
            book.describe({key: one for (key, one), at in zip(details.items(), rounds, strict=True) if at == turn})
        assert _figures(book) == _figures(_book(fills, details))

    holds()


def test_late_mid_costs_what_came_since_its_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the long day: each mid that was known with the next reading alone made all of it anew."""
    fills = [(buy if number % 2 else sell)(number, "1", str(100 + number % 7)) for number in range(1, 3_001)]
    whole = _book(fills, {key_of(one): FillDetail(mid=Decimal(101)) for one in fills})
    book = _book(fills, {key_of(one): FillDetail(mid=Decimal(101)) for one in fills[:-5]})
    monkeypatch.setattr(book, "_append", lambda _: pytest.fail("the day was made anew"))
    book.describe({key_of(fills[-5]): FillDetail(mid=Decimal(101))})
    book.describe({key_of(one): FillDetail(mid=Decimal(101)) for one in fills[-4:]})
    assert _figures(book) == _figures(whole)


def test_mid_that_is_another_now_makes_the_day_anew() -> None:
    """Guards what is no late mid: by hand, a purchase at 99 against 100, then against 103."""
    (fill,) = [buy(1, "1", "99")]
    book = _book([fill], {key_of(fill): FillDetail(mid=Decimal(100))})
    assert book.symbols["BTCUSDT"].spread.capture == 1
    book.describe({key_of(fill): FillDetail(mid=Decimal(103))})
    assert (book.symbols["BTCUSDT"].spread.capture, book.curve.count) == (Fraction(4), 1)
    assert book.symbols["BTCUSDT"].spread.count == 1
