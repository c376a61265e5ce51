"""Instrument: text and decimals become ticks and lots exactly, or not at all."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.instrument import Instrument, format_decimal, parse_decimal, text_of_steps
from market.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX
from tests.pairs import default_instruments

BTC, ETH, *_ = default_instruments()
ODD = Instrument(2, "ODDUSD", "ODD", "USD", Decimal("0.25"), Decimal("0.003"))  # steps that are no power of ten

NOT_NUMBERS = (
    "",
    " ",
    "-1",
    "+1",
    "1 ",
    "\n1",
    "1\n",
    "1_000",
    "1,000",
    ".5",
    "1.2.3",
    "1e5",
    "1E+300000",
    "NaN",
    "sNaN",
    "inf",
    "Infinity",
    "0x10",
    "\u0661\u0662",  # Arabic digits, which Decimal() takes
    "\uff11",  # a fullwidth digit
    "\u00b2",  # a superscript digit
    "1\u2212",
    "9" * 21,
    "0." + "1" * 21,
    "1" * 1_000_000,
)

NOT_AMOUNTS = tuple(map(Decimal, ("NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "0", "-0", "0E+10", "-0.01", "-1")))


@pytest.mark.parametrize("text", NOT_NUMBERS, ids=lambda text: ascii(text[:12]))
def test_refuses_text_that_is_not_plain_ascii_digits(text: str) -> None:
    """Decimal() takes Unicode digits, underscores, NaN and exponents; a venue's text must not."""
    with pytest.raises(ValueError, match="expected a plain decimal number"):
        parse_decimal(text)


def test_shows_only_the_beginning_of_text_that_it_refuses() -> None:
    """An error message is no place for a megabyte from a stranger."""
    with pytest.raises(ValueError, match="plain decimal") as caught:
        parse_decimal("1" * 1_000_000)
    assert len(str(caught.value)) < 100


@given(st.integers(0, 10**20 - 1), st.integers(0, 20))
def test_reads_what_it_writes(digits: int, decimals: int) -> None:
    """Text and decimal are the same number, and the text has no exponent and no idle zeros."""
    value = Decimal(digits).scaleb(-decimals)
    text = format_decimal(value)
    assert parse_decimal(text) == value
    assert "E" not in text
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    ("value", "text"), [("0.50", "0.5"), ("10000", "10000"), ("1E+4", "10000"), ("1E-8", "0.00000001"), ("0.00", "0")]
)
def test_writes_a_decimal_plainly(value: str, text: str) -> None:
    """Zeros before the point stay, zeros at the end go."""
    assert format_decimal(Decimal(value)) == text


@given(st.sampled_from([BTC, ETH, ODD]), st.integers(1, PRICE_TICKS_MAX), st.integers(1, QTY_LOTS_MAX))
def test_comes_back_to_the_same_ticks_and_lots(instrument: Instrument, ticks: int, lots: int) -> None:
    """Every price and quantity that the engine can hold has one decimal, and the decimal leads back to it."""
    assert instrument.price_to_ticks(instrument.ticks_to_price(ticks)) == ticks
    assert instrument.qty_to_lots(instrument.lots_to_qty(lots)) == lots


@given(st.sampled_from([BTC, ETH, ODD]), st.integers(1, PRICE_TICKS_MAX - 1), st.decimals("0.0001", "0.9999", places=4))
def test_never_rounds(instrument: Instrument, ticks: int, fraction: Decimal) -> None:
    """A price between two ticks is refused, however near it is to one of them."""
    with pytest.raises(ValueError, match=r"price must be a multiple of"):
        instrument.price_to_ticks((ticks + fraction) * instrument.tick_size)


@pytest.mark.parametrize("value", NOT_AMOUNTS, ids=str)
def test_refuses_amounts_that_are_not_positive_numbers(value: Decimal) -> None:
    """NaN must fail the range check, and a signalling one must not escape it as another exception."""
    with pytest.raises(ValueError, match="price must be positive"):
        BTC.price_to_ticks(value)
    with pytest.raises(ValueError, match="qty must be positive"):
        BTC.qty_to_lots(value)


@pytest.mark.parametrize(("value", "kind"), [(0.5, "float"), (1, "int"), ("0.5", "str"), (None, "NoneType")], ids=str)
def test_says_that_a_decimal_is_wanted(value: Any, kind: str) -> None:
    """A strategy that gave it a float had an AttributeError of is_finite: no word of what to give instead."""
    for name, convert in (("price", BTC.price_to_ticks), ("qty", BTC.qty_to_lots)):
        with pytest.raises(TypeError, match=rf"^{name} must be a Decimal, was {value}, a {kind}: Decimal\(str"):
            convert(value)


@pytest.mark.parametrize("value", ["1E+300000", "1E+28", "1000000.01"])
def test_refuses_a_price_that_is_too_large_without_spelling_it_out(value: str) -> None:
    """int(Decimal("1E+300000")) takes seconds; the range check must come first."""
    with pytest.raises(ValueError, match=r"price must be positive and at most 1000000\.00") as caught:
        BTC.price_to_ticks(Decimal(value))
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("value", ["1E-300000", "0.001", "0.010000000000000000000000000000000000001"])
def test_refuses_a_price_that_is_too_fine(value: str) -> None:
    """A price below one tick, or one that differs from a tick only beyond 28 digits, is between two ticks."""
    with pytest.raises(ValueError, match="price must be a multiple of") as caught:
        BTC.price_to_ticks(Decimal(value))
    assert len(str(caught.value)) < 200


def test_takes_the_largest_price_and_quantity() -> None:
    """Both ends of the range are in it."""
    assert BTC.price_to_ticks(Decimal("1000000.00")) == PRICE_TICKS_MAX
    assert BTC.qty_to_lots(Decimal("10000000.00000")) == QTY_LOTS_MAX
    assert BTC.price_to_ticks(Decimal("0.01")) == 1
    assert BTC.qty_to_lots(Decimal("0.00001")) == 1


def test_measures_money_in_ticks_times_lots() -> None:
    """The unit of the desk's money is exact and so is every notional in it."""
    assert BTC.notional_unit == Decimal("0.0000001")
    notional = BTC.ticks_to_price(9_120_223) * BTC.lots_to_qty(1_094)
    assert notional == 9_120_223 * 1_094 * BTC.notional_unit == Decimal("997.7523962")


def test_knows_each_default_instrument_by_its_index() -> None:
    """A symbol id is an index into the desk's list."""
    instruments = default_instruments()
    assert [instrument.symbol_id for instrument in instruments] == list(range(len(instruments)))
    assert len({instrument.symbol for instrument in instruments}) == len(instruments)


@pytest.mark.parametrize("step", ["0.01", "0.00001", "1", "5", "0.5", "0.25", "10", "1E+2"])
def test_text_is_what_the_decimal_says(step: str) -> None:
    """The quick way to text and the exact one must not differ."""
    text = text_of_steps(Decimal(step))
    for count in (0, 1, 7, 99, 100, 12_345, 99_999_999):
        assert Decimal(text(count)) == count * Decimal(step)
        assert "E" not in text(count)
