"""Trades that are read by a pattern: the same as by JSON, and what is spelt otherwise is left to it."""

import re
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.long_reports import FIRST_DAY, Account
from market import exact_json
from market.exact_json import dumps
from reports.daily_file import SealedHistory, decode_sealed, encode, entries_of
from reports.exact_sum import ExactSum
from reports.performance import told_history
from reports.trade_history import row_from_json
from reports.usual_entries import usual_rows

_ENTRY = (
    '{"id": 8, "order_id": "7", "time": "2026-01-01T00:00:00.001Z", "time_ms": 1767225600001, "symbol": "BTCUSDT", '
    '"side": "BUY", "price": 91000.07, "qty": 0.01031, "quote_qty": 938.2107217, "fee": 0.9382107217, '
    '"fee_asset": "BNB", "fee_in_quote": null, "fee_price": 612.34, "is_maker": true, "realized": -0.50, '
    '"mid": 91000.07, "mids": {"1": 91000.07, "10": null}, "quote_age_ms": 1500, "level": 1, "model": "ladder", '
    '"rule": "WANTED"}'
)


def _read_as_json(piece: bytes) -> list[object]:
    return [(row_from_json(entry), entry["realized"]) for entry in entries_of(piece)]


def test_a_day_is_read_as_by_json() -> None:
    """Guards every figure: fees in each kind of asset, with mids and without, over several pieces of a file."""
    day = FIRST_DAY + timedelta(days=1)
    document = decode_sealed(encode(Account().day(day, 2_000)), day)
    assert document is not None
    history = document["trade_history"]
    assert isinstance(history, SealedHistory)
    assert "".join(exact_json.pieces({"rows": history.as_json()})) == dumps({"rows": list(history)})
    pieces = list(history.pieces())
    assert len(pieces) > 1
    for piece in pieces:
        rows = usual_rows(piece)
        assert rows == _read_as_json(piece)
        assert str(rows) == str(_read_as_json(piece)), "the digits are the same, too"
    assert len(list(told_history(document))) == 2_000


def test_an_entry_is_read_as_by_json() -> None:
    """Guards what the made day has none of: a fee without a value, a mid that is not known, a loss."""
    for text in (
        _ENTRY,
        *(_ENTRY.replace('WANTED"}', f'WANTED", "is_picked_off": {told}}}') for told in ("true", "false", "null")),
        _ENTRY.replace('"mids": {"1": 91000.07, "10": null}', '"mids": {}'),
        re.sub(r'"quote_age_ms".*', '"quote_age_ms": null, "level": null, "model": null, "rule": null}', _ENTRY),
        re.sub(r', "mid".*', "}", _ENTRY),
        _ENTRY.replace("612.34", "0.0").replace('"fee": 0.9', '"fee": -0.9'),
    ):
        assert usual_rows(text.encode()) == _read_as_json(text.encode())


@pytest.mark.parametrize(
    ("was", "to"),
    [
        ('"id": 8', '"id": 08'),
        ('"id": 8', '"id": 8.0'),
        ('"id": 8', '"id": 8888888888888888888'),
        ('"id": 8', '"id": 8, "id": 8'),
        ('"id": 8', '"also": 1, "id": 8'),
        ('"7"', r'"\u0037"'),
        ('"7"', '"é"'),
        ("00:00:00.001Z", "00:00:00.002Z"),
        ('91000.07, "qty"', '9100007e-2, "qty"'),
        ("0.01031", "0.0"),
        ("0.01031", "-0.01031"),
        ("938.2107217", "938"),
        ('"fee": 0.9382107217', '"fee": -0.0'),
        ("-0.50", "-0.000"),
        ("-0.50", "null"),
        ("BUY", "BOUGHT"),
        ("true", "1"),
        ('"10": null', '"1": null'),
        ('"10": null', '"x": null'),
        ('"10": null', '"10": null, '),
        ('"level": 1', '"level": -1'),
        ('"model": "ladder", ', ""),
        ("{", "[{"),
        ('WANTED"}', 'WANTED"},\n    '),
    ],
)
def test_what_is_spelt_otherwise_is_left_to_json(was: str, to: str) -> None:
    """Guards every word on a damaged file: nothing is read here of which JSON says something else, or refuses it."""
    assert was in _ENTRY
    assert usual_rows(_ENTRY.replace(was, to).encode()) is None


@given(st.integers(0, len(_ENTRY) - 1), st.sampled_from(' ,:.-+0123456789eE"\\{}[]ntf\n\x00'))
def test_any_changed_character_is_read_as_by_json_or_left_to_it(at: int, character: str) -> None:
    """Guards against a pattern that is looser than JSON."""
    text = _ENTRY[:at] + character + _ENTRY[at + 1 :]
    rows = usual_rows(text.encode())
    if rows is not None:
        assert rows == _read_as_json(text.encode())


@given(st.lists(st.tuples(st.integers(-(10**70), 10**70), st.integers(1, 10**9)), max_size=40))
def test_shares_of_many_kinds_add_up(parts: list[tuple[int, int]]) -> None:
    """Guards sums of fees that have no decimal, added two by two."""
    total, due = ExactSum(), Fraction(0)
    for part, denominator in parts:
        total.add(0, part, denominator)
        due += Fraction(part, denominator)
    assert total.units == due
    assert isinstance(total.value, Fraction)
