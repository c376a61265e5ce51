"""The words for bytes that are not messages: what was expected, what was there, in which message, at which byte."""

from engine.wire.table import ITEMS_MAX
from market.kernels.integers import Ending
from market.messages import SPEC_BY_TAG


class MalformedBytesError(ValueError):
    """The bytes are not messages that go this way; the text says what was expected and what was there.

    Args:
        text: what is wrong.
        message_index: how many good messages stand before it.
        byte_offset: where it is, from the first byte that was handed over.
    """

    def __init__(self, text: str, message_index: int, byte_offset: int) -> None:
        super().__init__(f"{text}, in message {message_index} at byte {byte_offset}")


def refusal_text(ending: Ending, buffer: memoryview, message_at: int, at: int, item: int) -> str:
    """Return why the message that begins at `message_at` is malformed: `at` and `item` are where reading stopped."""
    match ending:
        case Ending.NOT_AN_ARRAY:
            return f"expected an array that starts with a tag, was byte {buffer[at]:#04x}"
        case Ending.NO_ITEMS:
            return "expected an array that starts with a tag, was an empty one"
        case Ending.TOO_MANY_ITEMS:
            return f"expected an array of at most {ITEMS_MAX} items, was {_item_count(buffer, at)}"
        case Ending.NOT_AN_INTEGER if item == 0:
            return f"expected an array that starts with a tag, was byte {buffer[at]:#04x}"
        case Ending.UNKNOWN_TAG | Ending.TOO_LARGE if item == 0:
            tag = _integer(buffer, at)
            spec = SPEC_BY_TAG.get(tag)
            return f"{spec.name} does not go this way" if spec else f"unknown tag {tag}"
    tag_at = message_at + _header_bytes(buffer, message_at)
    spec = SPEC_BY_TAG[_integer(buffer, tag_at)]
    if ending == Ending.WRONG_ITEM_COUNT:
        least, most = spec.required_count, len(spec.fields)
        return f"{spec.name} has {least} to {most} fields, was {_item_count(buffer, message_at) - 1}"
    field = spec.fields[item - 1]
    name = f"{spec.name}.{field.name}"
    if ending == Ending.NOT_AN_INTEGER:
        return f"{name} must be int, was byte {buffer[at]:#04x}"
    return f"{name} must be {field.bounds.low} to {field.bounds.high}, was {_integer(buffer, at)}"


def _header_bytes(buffer: memoryview, at: int) -> int:
    return {0xDC: 3, 0xDD: 5}.get(buffer[at], 1)


def _item_count(buffer: memoryview, at: int) -> int:
    size = _header_bytes(buffer, at) - 1
    return int.from_bytes(buffer[at + 1 : at + 1 + size], "big") if size else buffer[at] & 0x0F


def _integer(buffer: memoryview, at: int) -> int:
    """Return the integer that is known to stand there whole."""
    form = buffer[at]
    if form < 0x80:
        return form
    if form >= 0xE0:
        return form - 0x100
    return int.from_bytes(buffer[at + 1 : at + 1 + (1 << (form & 3))], "big", signed=form >= 0xD0)
