"""The trades of a daily file that are spelt as we spell them, read by one pattern and not as JSON.

A long day is nearly all such entries. The pattern takes their texts apart in a third of the time of `json.loads`, and
of each number makes just the one that is kept: no dict, no text of a key, nothing twice where two keys say the same.
What is spelt otherwise (by another tool, with other keys, an escape, an exponent, a zero below nothing) is not read
here, and costs nothing but the look: `trade_history.row_from_json` reads it, and says what is wrong.
"""

import re
from decimal import Decimal
from sys import intern
from typing import Final

from market.account import VenueTrade
from market.clock import iso_time
from market.codes import Side
from reports.trade_history import FillDetail, HistoryRow

# Numbers of at most 18 digits are below 2**63; those of 14 are times before the year 9999.
_TEXT: Final = r'"([^"\\\x00-\x1f]*+)"'
_COUNT: Final = r"(0|[1-9][0-9]{0,17}+)"
_TIME_MS: Final = r"(0|[1-9][0-9]{0,13}+)"
_POSITIVE: Final = r"(?:0|[1-9][0-9]{0,28}+)\.[0-9]{1,29}+"
_NUMBER: Final = rf"(?!-0\.0*+[^0-9])-?{_POSITIVE}"
_MID: Final = rf"(?:({_POSITIVE})|null)"
_MIDS: Final = rf'\{{((?:"[1-9][0-9]{{0,5}}+": (?:{_POSITIVE}|null)(?:, (?!\}})|(?=\}})))*+)\}}'
_ENTRY: Final = re.compile(
    rf'\{{"id": {_COUNT}, "order_id": {_TEXT}, "time": {_TEXT}, "time_ms": {_TIME_MS}, "symbol": {_TEXT}, '
    rf'"side": "(BUY|SELL)", "price": ({_POSITIVE}), "qty": ({_POSITIVE}), "quote_qty": ({_POSITIVE}), '
    rf'"fee": ({_NUMBER}), "fee_asset": {_TEXT}, "fee_in_quote": (?:({_NUMBER})|null)'
    rf'(?:, "fee_price": ({_POSITIVE}))?, "is_maker": (true|false), "realized": ({_NUMBER})'
    rf'(?:, "mid": {_MID}, "mids": {_MIDS}, "quote_age_ms": (?:{_COUNT}|null), "level": (?:{_COUNT}|null), '
    rf'"model": (?:{_TEXT}|null), "rule": (?:{_TEXT}|null)(?:, "is_picked_off": (?:(true|false)|null))?)?'
    r"\}(?:,\n    |\Z)"
)
_SIDES: Final = dict(Side.__members__)

ToldRow = tuple[HistoryRow, Decimal]  # a trade, and what it is told to have realized


def usual_rows(piece: bytes) -> list[ToldRow] | None:
    """Return the trades of a piece of a file, see `SealedHistory.pieces`; None if one of them is not as we spell it."""
    if not piece.isascii():
        return None
    text, at, rows = piece.decode("ascii"), 0, list[ToldRow]()
    for found in _ENTRY.finditer(text):
        if found.start() != at:
            return None
        row = _row(found)
        if row is None:
            return None
        rows.append(row)
        at = found.end()
    return rows if at == len(text) and not text.endswith(" ") else None  # no comma is after the last


def _row(found: re.Match[str]) -> ToldRow | None:
    """Return the trade of an entry; None if what it says is not what an entry may say."""
    (
        trade_id, order_id, time, time_ms_text, symbol, side, price, qty_text, quote_qty, fee_text, asset, fee_in_quote,
        fee_price, is_maker, realized, mid_text, mids_text, age_ms, level, model, rule, is_picked_off,
    ) = found.groups()  # fmt: skip
    time_ms, qty, fee = int(time_ms_text), Decimal(qty_text), Decimal(fee_text)
    if time != iso_time(time_ms) or not qty:
        return None
    trade = VenueTrade(
        int(trade_id),
        order_id,
        intern(symbol),
        _SIDES[side],
        Decimal(price),
        qty,
        Decimal(quote_qty),
        fee,
        intern(asset),
        time_ms,
        is_maker == "true",
    )
    paid = fee if fee_in_quote == fee_text else None if fee_in_quote is None else Decimal(fee_in_quote)
    detail = None
    if mids_text is not None:
        mid = None if mid_text is None else Decimal(mid_text)
        told = [one.split(": ") for one in mids_text.split(", ")] if mids_text else []
        mids = {int(name[1:-1]): _mid(one, mid_text, mid) for name, one in told}
        if len(mids) != len(told):  # one stands twice
            return None
        detail = FillDetail(
            mid,
            mids,
            None if age_ms is None else int(age_ms),
            None if level is None else int(level),
            None if model is None else intern(model),
            None if rule is None else intern(rule),
            None if is_picked_off is None else is_picked_off == "true",
        )
    return HistoryRow(trade, paid, None if fee_price is None else Decimal(fee_price), detail), Decimal(realized)


def _mid(text: str, known: str | None, mid: Decimal | None) -> Decimal | None:
    """Return a mid; the one that is `known`, where it is the same."""
    return mid if text == known else None if text == "null" else Decimal(text)
