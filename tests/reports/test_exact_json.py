"""Exact JSON: plain decimals out, the same decimals in, and a clear error for anything else."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.exact_json import dumps, loads

_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | _DECIMALS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E-5", "0.00001"),
        ("1E+3", "1000"),
        ("12.50", "12.50"),
        ("-0.00", "0.00"),
        ("-0.1", "-0.1"),
        ("91202.23000000", "91202.23000000"),
    ],
)
def test_writes_a_decimal_plainly(value: str, text: str) -> None:
    """Guards readers that know no exponents, and the digits themselves."""
    assert dumps(Decimal(value)) == text


@given(_VALUES, st.integers(0, 3))
def test_reads_back_what_it_wrote(value: Any, spread: int) -> None:
    """Guards both directions, in every layout."""
    text = dumps(value, spread=spread)
    assert text.isascii()
    assert loads(text) == value == loads(text.encode())


@given(_VALUES)
def test_writes_what_every_json_reader_takes(value: Any) -> None:
    """Guards the format against the standard library's reader."""
    assert json.loads(dumps(value), parse_float=Decimal) == value


def test_spreads_the_outer_levels_over_lines() -> None:
    """Guards the layout that a person reads."""
    text = '{\n  "a": [\n    1,\n    {"b": 2}\n  ],\n  "c": {}\n}'
    assert dumps({"a": [1, {"b": 2}], "c": {}}, spread=2) == text


@pytest.mark.parametrize("value", [0.1, {"a": 1.0}, {1: 2}, b"x", {"a": {1, 2}}])
def test_refuses_a_type_that_has_no_exact_form(value: Any) -> None:
    """Guards against floats above all."""
    with pytest.raises(TypeError, match="expected"):
        dumps(value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "sNaN", "1E+300000", "1E-300000"])
def test_refuses_a_number_without_a_plain_form(value: str) -> None:
    """Guards against text that no JSON reader takes, or of 300,000 digits."""
    with pytest.raises(ValueError, match="a number that JSON can hold"):
        dumps(Decimal(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1E+2", "100"),
        ("1e2", "100"),
        ("1e-8", "0.00000001"),
        ("1.094E-05", "0.00001094"),
        ("2.50e1", "25.0"),
        ("1e007", "10000000"),
        ("-0.0", "0.0"),
        ("-0e5", "0"),
        ("0e999", "0"),
        ("-1.5E0", "-1.5"),
        ("91202.23000000", "91202.23000000"),
        ("1." + "0" * 80, "1"),
        ("0.1" + "0" * 80, "0.1"),
        ("1" + "0" * 59, "1" + "0" * 59),
        ("-" + "9" * 60, "-" + "9" * 60),
        ("1e60", "1" + "0" * 60),
        ("1e-60", "0." + "0" * 59 + "1"),
        ("123456789012345678901234567890.12345678", "123456789012345678901234567890.12345678"),
    ],
)
def test_reads_every_spelling_of_an_exact_decimal(text: str, value: str) -> None:
    """Guards files that another tool has written anew: the same number, and its plain text when it is written again."""
    assert dumps(loads(f"[{text}]")) == f"[{value}]"


def test_passes_over_a_byte_order_mark_and_blanks() -> None:
    """Guards files that went through an editor of another system."""
    assert loads(b'\xef\xbb\xbf\r\n\t{"a" :\r\n 1.5 }\r\n') == {"a": Decimal("1.5")}
    assert loads("\ufeff[]") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"\xff", "expected UTF-8"),
        ("{", "expected JSON"),
        ("", "expected JSON"),
        ("[NaN]", "plain decimal number, was NaN"),
        ("-Infinity", "plain decimal number, was -Infinity"),
        ("1e400", "plain decimal number, was 1e400"),
        ("1.0E+300000", "plain decimal number"),
        ("1e61", "plain decimal number"),
        ("1e-61", "plain decimal number"),
        ("1e" + "9" * 5_000, "plain decimal number"),
        ("0." + "0" * 2_000 + "1", "plain decimal number"),
        ("01", "expected JSON"),
        ("+1", "expected JSON"),
        (".5", "expected JSON"),
        ("1.", "expected JSON"),
        ("0x10", "expected JSON"),
        ("1_000", "expected JSON"),
        ("1,5", "expected JSON"),
        ("\u0661", "expected JSON"),
        ("\ufeff\ufeff1", "expected JSON"),
        ("9" * 5_000, "an integer of at most"),
        ("1." + "9" * 61, "plain decimal number"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
        ("[" * 200_000, "nested too deep"),
    ],
)
def test_says_what_is_wrong_with_a_text(text: str | bytes, complaint: str) -> None:
    """Guards the reader: one kind of error, whatever is in the file."""
    with pytest.raises(ValueError, match=complaint):
        loads(text)
