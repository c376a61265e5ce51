"""Exact JSON: plain decimals out, the same decimals in, and a clear error for anything else."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market import exact_json
from market.exact_json import dumps, loads, pieces

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
def test_pieces_are_the_text(value: Any) -> None:
    """Guards long documents, which never stand in memory whole; an iterator in one is a list."""
    assert "".join(pieces(value)) == dumps(value)
    rows = value if isinstance(value, list) else [value]
    assert "".join(pieces({"a": {"rows": iter(rows)}, "b": value})) == dumps({"a": {"rows": rows}, "b": value})


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


def _slowly(text: str | bytes) -> Any:
    """Return what `loads` does of each number and each object by itself, or what it says of a text that it refuses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_json, "_is_usual", lambda _: False)
        return _read(text)


def _read(text: str | bytes) -> Any:
    try:
        return repr(loads(text))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    "text",
    [
        '{"id": 1, "price": 1E2}',
        '{"id": 1, "price": 1.5e-7}',
        '{"id": 1, "fee": -0.00}',
        '{"id": 1, "fee": -0}',
        '{"id": 1, "fee": -0.01}',
        '{"id": 1, "id": 2}',
        '{"id": 1, "mids": {"1": 2.0, "1": 3.0}}',
        '{"id": 1, "mids": {"1": 2.0, "10": 3.0}}',
        '{"id": 1, "mids": "1: "}',
        '{"id": 1, "mids": 7}',
        '{"id": 1, "more": {"a": 1.0, "a": 2.0}}',
        '{"id": 1, "model": "a\\": b", "model": "c"}',
        '{"id": 1, "model": "1e5 and -0 and a\\": b"}',
        f'{{"id": 1, "qty": {"9" * 60}}}',
        f'{{"id": 1, "qty": {"9" * 61}}}',
        f'{{"id": 1, "qty": 0.{"1" * 60}}}',
        f'{{"id": 1, "qty": 0.{"1" * 61}}}',
        '{"id": 1, "qty": NaN}',
        '{"id": 1, "qty": -Infinity}',
        '{"id": 1, "qty": 1.0',
        "7",
        "[1, 2.50]",
        '"caf\u00e9"',
        "[" * 100_000,
    ],
)
def test_reads_what_is_not_as_we_write_it(text: str) -> None:
    """Guards the quick reading: of other programs' numbers, of names that stand twice, of what is no JSON."""
    for whole in (text, f'[{{"id": 0, "price": 1.50}}, {text}]'):
        assert _read(whole) == _slowly(whole)
        assert _read(whole.encode()) == _slowly(whole.encode())


_NUMBERS = st.sampled_from(
    ["0", "-0", "-0.0", "-0.00", "-0.10", "1.50", "1e2", "1E-3", "-1.e1", "01", "NaN", "-1", "10.0"]
)
_TEXTS = st.sampled_from(['"a"', '"b"', '"-0"', '"1e5"', '" 1e5"', '"\\":"', '"\\" :"', '"caf\u00e9"', '"":'[:2]])
_SPACES = st.sampled_from(["", "", " ", "\n"])


def _objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.builds("{}{}:{}{}".format, _TEXTS, _SPACES, _SPACES, inner), max_size=4)
    return pairs.map(lambda each: "{" + ", ".join(each) + "}") | st.lists(inner, max_size=3).map(
        lambda each: "[" + ",".join(each) + "]"
    )


@given(st.recursive(_NUMBERS | _TEXTS, _objects, max_leaves=12))
def test_reads_any_text_quickly_or_slowly_alike(text: str) -> None:
    """Guards the same with objects of all kinds: spaces before colons, colons in texts, names twice at any depth."""
    assert _read(text) == _slowly(text)
    assert _read(text.encode()) == _slowly(text.encode())
