"""JSON whose numbers are exact decimals: written plainly, read as `Decimal`, never through a float.

`0.1` is written `0.1`, `Decimal("1E-5")` is written `0.00001`, and a float is refused. The text is ASCII. Read is what
other tools write for the same number, too: `1E-5`, `1e+2`, `-0.0`, `1.500`.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any, Final

JsonObject = dict[str, Any]

_NUMBER_DIGITS_MAX: Final = 60  # before the point, and after it
_NUMBER_TEXT_MAX: Final = 1_000  # characters; more are no number that anybody meant
_DIGITS: Final = bytes.maketrans(b".123456789E", b"0000000000e")
_DIGITS_TOO_MANY: Final = b"0" * (_NUMBER_DIGITS_MAX + 1)
_SPACED_NAME: Final = re.compile(rb'"[ \t\r\n]+:')
_MINUS_ZERO: Final = re.compile(rb"-0(\.0*)?([^.0-9]|$)")
_EXPONENTS: Final = re.compile(rb"(^|[\s:,\[])-?[0-9.]+[eE]")
_EXPONENT = re.compile(r"[eE][+-]?0*([0-9]*)$", re.ASCII)


@dataclass(frozen=True, slots=True)
class JsonTexts:
    """What is JSON already, in one line, and is written as it is, piece by piece: to read it first would cost much."""

    texts: Iterable[str]


def dumps(value: Any, *, spread: int = 0) -> str:
    """Return `value` as JSON.

    Args:
        value: None, bool, int, str, Decimal, or lists, tuples and dicts (with text keys) of these.
        spread: how many outer levels have each of their items on a line of its own; 0 writes one line.

    Raises:
        TypeError: for any other type, floats among them.
        ValueError: for a number that JSON has no plain decimal for: NaN, infinity, a huge exponent.
    """
    return _text(value, spread, "\n")


def pieces(value: Any) -> Iterator[str]:
    """Yield what `dumps` returns, in pieces: of a long document only some is in memory at once.

    Args:
        value: as there; besides, in it or in dicts of it, iterators, which are written as lists, and `JsonTexts`.
    """
    if isinstance(value, dict):
        yield "{"
        for index, (name, item) in enumerate(value.items()):
            yield f"{', ' if index else ''}{_name(name)}: "
            yield from pieces(item)
        yield "}"
    elif isinstance(value, JsonTexts):
        yield from value.texts
    elif isinstance(value, Iterator):
        yield "["
        for index, item in enumerate(value):
            yield f"{', ' if index else ''}{_text(item, 0, '')}"
        yield "]"
    else:
        yield _text(value, 0, "")


def loads(text: str | bytes) -> Any:
    """Return the value that the JSON `text` spells; numbers with a point or an exponent become Decimal, the others int.

    A byte order mark before it is passed over.

    Raises:
        ValueError: with what was expected, for bytes that are not UTF-8, anything that is not JSON, NaN, infinity,
            a number that takes more than 60 digits before or after its point, a name that stands twice in an object,
            too deep nesting.
    """
    try:
        content = text.decode("utf-8") if isinstance(text, bytes) else text
        if _is_usual(text):
            with contextlib.suppress(ValueError, RecursionError):  # what it is, is told below
                return _usual(content)
        return json.loads(
            content.removeprefix("\ufeff"),
            parse_float=_read_decimal,
            parse_int=_read_int,
            parse_constant=_read_decimal,
            object_pairs_hook=_read_object,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8, {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("expected JSON of a reasonable depth, was nested too deep") from error


def _is_usual(text: str | bytes) -> bool:
    """Say whether `_usual` reads a text as it is to be read: its numbers are of the form that `dumps` gives them.

    It may say no of others, of which a text within looks like a number.
    """
    try:
        content = text if isinstance(text, bytes) else text.encode("ascii")
    except UnicodeEncodeError:
        return False
    digits = content.translate(_DIGITS)
    if _DIGITS_TOO_MANY in digits or _SPACED_NAME.search(content) or _MINUS_ZERO.search(content):
        return False
    return b"0e" not in digits or not _EXPONENTS.search(content)


def _usual(text: str) -> Any:
    """Return what the JSON spells, in half of the time: names that stand twice are found by how many names there are.

    Raises:
        ValueError: if a name stands twice, or it is no JSON.
    """
    count = 0

    def counted(found: JsonObject) -> JsonObject:
        nonlocal count
        count += len(found)
        return found

    value = json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_hook=counted)
    if count != text.count('":'):
        raise ValueError("a name stands twice, or a text looks like one")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _text(value: Any, spread: int, new_line: str) -> str:
    write = _SCALARS.get(type(value))
    if write is not None:  # as nearly all are
        return write(value)
    inner = new_line + "  " if spread > 0 else ""
    if isinstance(value, dict):
        begin, end = "{", "}"
        items = [f"{_name(name)}: {_text(item, spread - 1, inner)}" for name, item in value.items()]
    elif isinstance(value, list | tuple):
        begin, end = "[", "]"
        items = [_text(item, spread - 1, inner) for item in value]
    else:
        return _scalar_of_a_kind(value)
    if not (inner and items):
        return f"{begin}{', '.join(items)}{end}"
    return f"{begin}{inner}{f',{inner}'.join(items)}{new_line}{end}"


def _scalar_of_a_kind(value: Any) -> str:
    """Return a text or a number of a class of its own, an enum's member for instance."""
    for kind in (str, int, Decimal):
        if isinstance(value, kind):
            return _SCALARS[kind](value)
    raise TypeError(f"expected None, bool, int, str, Decimal, list or dict, was {type(value).__name__}")


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"expected a text as name in an object, was {type(name).__name__}")
    return encode_basestring_ascii(name)


def _plain(value: Decimal) -> str:
    text = str(value)
    if value.is_finite() and value and len(text) <= _NUMBER_DIGITS_MAX and "E" not in text:
        return text  # as nearly all are
    if not _has_plain_form(value):
        raise ValueError(f"expected a number that JSON can hold, was {value}")
    return f"{abs(value):f}" if not value else f"{value:f}"  # there is no -0


_SCALARS: Final[dict[type, Callable[[Any], str]]] = {
    str: encode_basestring_ascii,
    Decimal: _plain,
    int: int.__repr__,  # an enum's member, too, as its number
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
}


def _has_plain_form(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and abs(value.adjusted()) <= _NUMBER_DIGITS_MAX and -exponent <= _NUMBER_DIGITS_MAX


def _read_decimal(text: str) -> Decimal:
    """Return the number that `text` spells; without an exponent, without a minus before zero, its zeros as they are."""
    if len(text) <= _NUMBER_DIGITS_MAX and text[-1].isdigit() and "e" not in text and "E" not in text:
        value = Decimal(text)  # as nearly all are
        return value or abs(value)
    exponent = _EXPONENT.search(text)
    is_short = len(text) <= _NUMBER_TEXT_MAX and (exponent is None or len(exponent[1]) <= len(str(_NUMBER_TEXT_MAX)))
    value = Decimal(text if is_short else "NaN")
    if value.is_finite() and not value:
        value = Decimal(0) if exponent else abs(value)
    if value.is_finite() and -int(value.as_tuple().exponent) > _NUMBER_DIGITS_MAX:
        value = _without_last_zeros(value)
    if not _has_plain_form(value):
        raise ValueError(f"expected a plain decimal number, was {text[:40]}")
    return Decimal(f"{value:f}") if exponent else value


def _without_last_zeros(value: Decimal) -> Decimal:
    """Return the same number without zeros at the end of its digits; `normalize` would round it to 28."""
    sign, digits, exponent = value.as_tuple()
    kept = len("".join(map(str, digits)).rstrip("0"))
    return Decimal((sign, digits[:kept] or (0,), int(exponent) + len(digits) - kept))


def _read_int(text: str) -> int:
    if len(text.removeprefix("-")) > _NUMBER_DIGITS_MAX:
        raise ValueError(f"expected an integer of at most {_NUMBER_DIGITS_MAX} digits, was {text[:40]}...")
    return int(text)


def _read_object(pairs: list[tuple[str, Any]]) -> JsonObject:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"expected each name once in an object, {twice!r} stands twice")
    return document
