"""The daily document as bytes: sealed with a checksum when written, checked when read.

A file holds JSON whose last key `checksum` is the CRC-32 of all other keys, so that a flipped digit is noticed as well
as a broken bracket. It is that of the numbers, not of their spelling: 1.50, 1.5 and 15e-1 are the same, for a tool that
writes the file anew may spell them otherwise. First come the entries of `trade_history`, line by line, so that one more
is added to what is there; then all other keys. `schema` says which keys there may be (docs/performance.schema.json);
files of before it say `version` 1, and are read as they are. A file with neither `checksum` nor one of these was made
by other hands: its fixed keys are read, whatever else it holds is not.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from market import exact_json
from market.exact_json import JsonObject, JsonTexts
from reports import json_fields as fields

SCHEMA: Final = 2
FIRST_VERSION: Final = 1  # under the key `version`, before there was a `schema`
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
_BEFORE_HISTORY: Final = b',\n  "trade_history": [\n    '
_BETWEEN_ENTRIES: Final = b",\n    "
_AFTER_HISTORY: Final = b"\n  ],\n  "
_CUT: Final = b"}" + _BETWEEN_ENTRIES + b"{"
_PIECE_BYTES: Final = 256 * 1024
_NEXT_LINE: Final = re.compile(",\n *")
_LINE_END: Final = re.compile("\n *")
_PADDING: Final = re.compile(r"\.(?=[0-9]++(?<=0))([0-9]*[1-9])?0+")  # tried at points alone, and where a 0 is last
_SEAL: Final = re.compile(rb'"checksum": "(crc32:[0-9a-f]{8})"\n}\n')
_FIXED_KEYS: Final = ("date", "time", "balances", "trades", "total_trades")


class SealedHistory:
    """The entries of `trade_history` of a file whose checksum is right, read only when somebody goes through them."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def __iter__(self) -> Iterator[JsonObject]:
        """Yield the entries, of which only some are in memory at once.

        Raises:
            ValueError: if they are not JSON: no program of ours has sealed them.
        """
        for piece in self.pieces():
            yield from entries_of(piece)

    def pieces(self) -> Iterator[bytes]:
        """Yield the text of the entries, some of them at a time, with a comma and a new line between two."""
        return _pieces(self._text, 0, len(self._text))

    def as_json(self) -> JsonTexts:
        """Return the entries as they stand there, in one line, to be written once."""
        return JsonTexts(self._texts())

    def _texts(self) -> Iterator[str]:
        before = "["
        for piece in self.pieces():
            yield before + piece.replace(_BETWEEN_ENTRIES, b", ").decode("ascii")
            before = ", "
        yield "]" if before == ", " else "[]"

    def in_floats(self) -> Iterator[JsonObject]:
        """Yield the entries, their numbers as the nearest floats: for statistics, in a third of the time.

        Raises:
            ValueError: as to go through them.
        """
        for piece in self.pieces():
            yield from json.loads(b"[" + piece + b"]")


def entries_of(piece: bytes) -> list[Any]:
    """Return the entries of a piece of a `SealedHistory`.

    Raises:
        ValueError: if they are not JSON.
    """
    found: list[Any] = exact_json.loads(b"[" + piece + b"]")
    return found


class HistoryLines:
    """The entries of `trade_history` as they stand in the file, with their part of the checksum."""

    def __init__(self, entries: Iterable[JsonObject] = ()) -> None:
        self.texts: list[str] = []
        self._crcs = [0]  # before the first entry, and after each
        for entry in entries:
            self.append(exact_json.dumps(entry))

    def append(self, text: str) -> None:
        """Add an entry, as one line of JSON."""
        self.texts.append(text)
        self._crcs.append(zlib.crc32(_unpadded(text), self.crc))

    def cut(self, count: int) -> None:
        """Keep the first `count` entries."""
        del self.texts[count:], self._crcs[count + 1 :]

    @property
    def crc(self) -> int:
        """The checksum's part of these entries."""
        return self._crcs[-1]


def encode(document: JsonObject) -> bytes:
    """Return `document` as the bytes of a daily file; every balance and every trade has a line of its own."""
    head = {name: value for name, value in document.items() if name not in ("checksum", "trade_history")}
    return encode_lines(head, HistoryLines(document["trade_history"]) if "trade_history" in document else None)


def encode_lines(head: JsonObject, lines: HistoryLines | None) -> bytes:
    """Return the document of `head` and, as its `trade_history`, `lines`, as the bytes of a daily file."""
    spread = exact_json.dumps(head, spread=2)
    text = spread.removesuffix("\n}")
    seal = f'"checksum": "{_checksum(_in_one_line(spread), lines.crc if lines else 0)}"\n}}\n'.encode("ascii")
    if lines is None or not lines.texts:
        empty = "" if lines is None else ',\n  "trade_history": []'
        return f"{text}{empty},\n  ".encode("ascii") + seal
    history = _BETWEEN_ENTRIES.decode("ascii").join(lines.texts).encode("ascii")
    return b"".join((text.encode("ascii"), _BEFORE_HISTORY, history, _AFTER_HISTORY, seal))


def decode(content: bytes, day: date) -> JsonObject:
    """Return the document of `day` that the bytes hold, without its checksum.

    Raises:
        ValueError: saying what was expected and what was there.
    """
    document = exact_json.loads(content)
    if not isinstance(document, dict):
        raise ValueError(f"expected a JSON object, was {type(document).__name__}")  # noqa: TRY004
    is_ours = not document.keys().isdisjoint(("checksum", "version", "schema"))
    if is_ours:
        _check_seal(document, content)
    else:
        document = {name: document[name] for name in _FIXED_KEYS if name in document}
    _check_fixed_keys(document, day)
    return document


def decode_sealed(content: bytes, day: date) -> JsonObject | None:
    """Return what `decode` does of a file that is as `encode` lays it out and whose checksum is right; None of others.

    Its `trade_history` is a `SealedHistory`: neither its entries nor its figures are looked at, so that a long run of
    days costs what their other keys cost. None says nothing of what is wrong: that is `decode`'s to find.
    """
    begin, end = content.find(_BEFORE_HISTORY), content.rfind(_AFTER_HISTORY)
    at = begin + len(_BEFORE_HISTORY)
    seal = _SEAL.fullmatch(content, end + len(_AFTER_HISTORY)) if begin >= 0 and end >= at else None
    if seal is None:
        return None
    try:
        head = content[:begin].decode("ascii") + "\n}"
        if seal[1].decode("ascii") != _checksum(_in_one_line(head), _crc_of(content, at, end)):
            return None
        document = exact_json.loads(head)
        if document.get("schema") != SCHEMA:
            return None
        _check_fixed_keys(document, day)
    except ValueError:
        return None
    return {**document, "trade_history": SealedHistory(content[at:end])}


def _checksum(head: str, history_crc: int) -> str:
    return f"crc32:{zlib.crc32(_unpadded(head), history_crc):08x}"


def _in_one_line(text: str) -> str:
    """Return JSON without its layout: no line ends within a text, where that is an escape."""
    return _LINE_END.sub("", _NEXT_LINE.sub(", ", text))


def _unpadded(text: str) -> bytes:
    """Return `text` with its numbers as short as they can be: without zeros at the end of their decimals."""
    return _PADDING.sub(lambda found: f".{found[1]}" if found[1] else "", text).encode("utf-8")


def _check_seal(document: JsonObject, content: bytes) -> None:
    """Take the checksum out of `document` and compare it."""
    found = document.pop("checksum", None)
    if found is None or found != _checksum_of_layout(document, content):
        head = dict(document)
        history = head.pop("trade_history") if isinstance(document.get("trade_history"), list) else ()
        expected = _checksum(exact_json.dumps(head), HistoryLines(history).crc)
        if found not in (expected, _checksum_of_spelling(document)):
            raise ValueError(f"checksum must be {expected}, was {found!r}: the file was damaged or edited")
    if "schema" in document and document["schema"] != SCHEMA:
        raise ValueError(f"schema must be {SCHEMA}, was {document['schema']!r}")
    if "schema" not in document and document.get("version") != FIRST_VERSION:
        raise ValueError(f"version must be {FIRST_VERSION}, was {document.get('version')!r}")


def _checksum_of_layout(document: JsonObject, content: bytes) -> str | None:
    """Return the checksum of a file that is laid out as we do it, without writing its entries again; None of others."""
    begin, end = content.find(_BEFORE_HISTORY), content.rfind(_AFTER_HISTORY)
    at = begin + len(_BEFORE_HISTORY)
    if begin < 0 or end < at:
        return None
    head = {name: value for name, value in document.items() if name != "trade_history"}
    return _checksum(exact_json.dumps(head), _crc_of(content, at, end))


def _crc_of(content: bytes, at: int, end: int) -> int:
    """Return the part of the checksum that the entries between two places of a file have."""
    crc = 0
    for piece in _pieces(content, at, end):
        crc = zlib.crc32(_unpadded(piece.replace(_BETWEEN_ENTRIES, b"").decode("utf-8")), crc)
    return crc


def _pieces(content: bytes, at: int, end: int) -> Iterator[bytes]:
    """Yield the entries between two places some at a time: a long day would stand in memory several times over."""
    while at < end:
        cut = content.find(_CUT, min(at + _PIECE_BYTES, end), end)
        until = end if cut < 0 else cut + 1
        yield content[at:until]
        at = until if cut < 0 else until + len(_BETWEEN_ENTRIES)


def _checksum_of_spelling(document: JsonObject) -> str:
    """Return the checksum of a file that was written before it was made of the numbers alone."""
    return f"crc32:{zlib.crc32(exact_json.dumps(document).encode('ascii')):08x}"


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
