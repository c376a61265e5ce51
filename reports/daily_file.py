"""The daily document as bytes: sealed with a checksum when written, checked when read.

A file holds JSON whose last key `checksum` is the CRC-32 of all other keys, so that a flipped digit is noticed as well
as a broken bracket. A file with neither `checksum` nor `version` was made by other hands: its fixed keys are read,
whatever else it holds is not.
"""

import zlib
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from market import exact_json
from market.exact_json import JsonObject
from reports import json_fields as fields
from reports.performance import DOCUMENT_VERSION

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
_FIXED_KEYS: Final = ("date", "time", "balances", "trades", "total_trades")


def encode(document: JsonObject) -> bytes:
    """Return `document` as the bytes of a daily file; every balance and every trade has a line of its own."""
    sealed = {name: value for name, value in document.items() if name != "checksum"}
    return (exact_json.dumps(sealed | {"checksum": _checksum(sealed)}, spread=2) + "\n").encode("ascii")


def decode(content: bytes, day: date) -> JsonObject:
    """Return the document of `day` that the bytes hold, without its checksum.

    Raises:
        ValueError: saying what was expected and what was there.
    """
    document = exact_json.loads(content)
    if not isinstance(document, dict):
        raise ValueError(f"expected a JSON object, was {type(document).__name__}")  # noqa: TRY004
    if "checksum" in document or "version" in document:
        _check_seal(document)
    else:
        document = {name: document[name] for name in _FIXED_KEYS if name in document}
    _check_fixed_keys(document, day)
    return document


def _checksum(document: JsonObject) -> str:
    return f"crc32:{zlib.crc32(exact_json.dumps(document).encode('ascii')):08x}"


def _check_seal(document: JsonObject) -> None:
    """Take the checksum out of `document` and compare it."""
    found = document.pop("checksum", None)
    expected = _checksum(document)
    if found != expected:
        raise ValueError(f"checksum must be {expected}, was {found!r}: the file was damaged or edited")
    if document.get("version") != DOCUMENT_VERSION:
        raise ValueError(f"version must be {DOCUMENT_VERSION}, was {document.get('version')!r}")


def _check_fixed_keys(document: JsonObject, day: date) -> None:
    if fields.text(document, "date") != day.isoformat():
        raise ValueError(f"date must be {day} as the file's name says, was {document['date'][:40]!r}")
    fields.text(document, "time")
    balances = fields.child(document, "balances")
    for asset in balances:
        _check_numbers(f"balances.{asset}", fields.child(balances, asset), ("free", "locked"))
    trades = fields.child(document, "trades")
    _check_numbers("trades", trades, ("pnl", "avg_buy_price", "avg_sell_price"))
    for entry, name in ((trades, "total_buys"), (trades, "total_sells"), (document, "total_trades")):
        fields.integer(entry, name)


def _check_numbers(where: str, entry: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        try:
            fields.number_or_none(entry, name)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
