"""Fault switches: one table of what can be made to go wrong on demand, and which faults are armed.

For practice and for tests. A fault meets the next calls that fit its conditions, as often as it says, over HTTP and
over the WebSocket API alike; some stand until they are cleared, some happen at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final

from market.clock import NS_PER_MS
from paper.errors import ErrorKind, ExchangeError

ARMED_MAX: Final = 100

_COUNT_MAX: Final = 1_000_000
_DELAY_MS_MAX: Final = 60_000
_DAY_MS: Final = 86_400_000
_TEXT_LENGTH_MAX: Final = 200


class Effect(StrEnum):
    """When a switch acts."""

    ON_CALLS = "on calls"  # on the next calls that fit, then it is spent
    STANDING = "standing"  # from now on, until it is cleared
    AT_ONCE = "at once"  # now, and never again


class FaultError(Exception):
    """A switch was set wrongly; the text says what was expected."""


class Channel(StrEnum):
    """How a call came."""

    REST = "rest"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a switch.

    Attributes:
        is_right: whether a JSON value may be its value.
        expected: the same in words.
        is_required: whether it has no default.
    """

    name: str
    is_right: Callable[[Any], bool]
    expected: str
    default: Any = None
    is_required: bool = False


def _integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(name: str, low: int, high: int, default: int | None = None) -> Option:
    return Option(name, _integer(low, high), f"an integer from {low} to {high}", default, default is None)


def _choice(name: str, *choices: object, default: object = None) -> Option:
    words = " or ".join(str(choice) for choice in choices)
    return Option(name, lambda value: any(value is each or value == each for each in choices), words, default)


def _flag(name: str) -> Option:
    return Option(name, lambda value: isinstance(value, bool), "true or false", default=False)


def _text(name: str, *, is_required: bool = False) -> Option:
    def is_right(value: Any) -> bool:
        return isinstance(value, str) and 0 < len(value) <= _TEXT_LENGTH_MAX

    return Option(name, is_right, f"a text of at most {_TEXT_LENGTH_MAX} characters", is_required=is_required)


# Which calls a fault meets; what is not given fits every call.
_CONDITIONS: Final = (
    Option(
        "count",
        lambda value: value is None or _integer(1, _COUNT_MAX)(value),
        f"an integer from 1 to {_COUNT_MAX}, or null for no end",
        default=1,
    ),
    _choice("method", "GET", "POST", "PUT", "DELETE"),
    _text("path"),
    _choice("channel", *Channel),
    Option("account", _integer(1, 2**31), "the number of an account"),
)


class FaultKind(Enum):
    """What can be made to go wrong: one row per switch, with when it acts, what it does, and its settings."""

    DELAY = (
        Effect.ON_CALLS,
        "the call waits on its way to the exchange, or its reply on the way back",
        (_number("ms", 0, _DELAY_MS_MAX, 1_000), _choice("where", "before", "after", default="before")),
    )
    DROP_REPLY = (
        Effect.ON_CALLS,
        "the call is carried out and its reply is lost: HTTP hangs up, the socket says nothing",
    )
    SERVER_ERROR = (
        Effect.ON_CALLS,
        "a 5xx with Binance's document or, as from a proxy, with a page of HTML; carried out or not",
        (_number("status", 500, 599, 503), _flag("is_executed"), _flag("is_html")),
    )
    RATE_LIMIT = (
        Effect.ON_CALLS,
        "429 or 418 with Retry-After; not carried out",
        (_choice("status", 429, 418, default=429), _number("retry_after_s", 1, 3 * 86_400, 1)),
    )
    REJECT = (
        Effect.ON_CALLS,
        "refused with one of Binance's codes; not carried out",
        (_number("code", -9_999, -1), _text("msg")),
    )
    WRONG_CLOCK = (
        Effect.STANDING,
        "the exchange's clock is wrong: its time, and what it thinks of timestamps",
        (_number("offset_ms", -_DAY_MS, _DAY_MS),),
    )
    HALT = (
        Effect.STANDING,
        "the engine takes no new orders of a symbol, whoever sends them; cancels go through",
        (_text("symbol", is_required=True),),
    )
    DISCONNECT = (
        Effect.AT_ONCE,
        "connections of market streams, of the WebSocket API or of both are cut, or closed with a close frame",
        (_choice("streams", "all", "market", "account", default="all"), _flag("is_clean")),
    )
    WIPE = (
        Effect.AT_ONCE,
        "as on the testnet: every account begins anew without notice; keys stay",
    )

    def __init__(self, effect: Effect, says: str, options: tuple[Option, ...] = ()) -> None:
        self.effect = effect
        self.says = says
        self.options = options

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def all_options(self) -> tuple[Option, ...]:
        """The settings that it takes, those of its effect among them."""
        return (*self.options, *_CONDITIONS) if self.effect is Effect.ON_CALLS else self.options


_KIND_OF_NAME: Final = {str(kind): kind for kind in FaultKind}


@dataclass(slots=True)
class Fault:
    """An armed switch.

    Attributes:
        options: its settings by name.
        left: how many calls it will still meet; None for no end.
        hits: how many it has met.
    """

    number: int
    kind: FaultKind
    options: Mapping[str, Any]
    left: int | None = None
    hits: int = 0

    @property
    def document(self) -> dict[str, Any]:
        """What the admin is told of it."""
        options = {name: value for name, value in self.options.items() if value is not None and name != "count"}
        return {"id": self.number, "kind": str(self.kind), **options, "left": self.left, "hits": self.hits}

    def fits(self, method: str, path: str, channel: Channel, account: int | None) -> bool:
        """Say whether it meets a call."""
        found = {"method": method, "path": path, "channel": channel, "account": account}
        return all(self.options.get(name) in {None, value} for name, value in found.items())


class ReplyLostError(Exception):
    """The call was carried out, and nobody is to learn how."""


class PageError(Exception):
    """The reply is a page of HTML that no exchange has written."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
        super().__init__(f"status {status}")


class MadeUpError(ExchangeError):
    """A refusal with any code, status and text."""

    def __init__(self, code: int, status: int, text: str) -> None:
        super().__init__(ErrorKind.UNKNOWN)
        self.message, self.code, self.status = text, code, status


@dataclass(slots=True)
class Faults:
    """The armed faults, oldest first."""

    armed: dict[int, Fault] = field(default_factory=dict)
    _next_number: int = 1

    @property
    def clock_offset_ns(self) -> int:
        """How wrong the exchange's clock is; the fault that was armed last decides."""
        offsets = [each.options["offset_ms"] for each in self.armed.values() if each.kind is FaultKind.WRONG_CLOCK]
        return offsets[-1] * NS_PER_MS if offsets else 0

    def read(self, document: Any) -> Fault:
        """Return the fault that a document like {"kind": "delay", "ms": 500} describes, not yet armed.

        Raises:
            FaultError: saying what was expected.
        """
        name = document.get("kind") if isinstance(document, dict) else None
        kind = _KIND_OF_NAME.get(name) if isinstance(name, str) else None
        if kind is None:
            raise FaultError(f'expected {{"kind": ...}} with one of {", ".join(_KIND_OF_NAME)}')
        given = {name: value for name, value in document.items() if name != "kind"}
        options = kind.all_options
        if unknown := sorted(given.keys() - {option.name for option in options}):
            known = ", ".join(option.name for option in options) or "nothing more"
            raise FaultError(f"{kind} has no {', '.join(unknown)[:_TEXT_LENGTH_MAX]}; expected {known}")
        if isinstance(given.get("path"), str):
            given["path"] = given["path"].removeprefix("/api/v3/")
        values = {option.name: given.get(option.name, option.default) for option in options}
        for option in options:
            is_left_out = option.name not in given
            if (is_left_out and option.is_required) or (not is_left_out and not option.is_right(given[option.name])):
                raise FaultError(f"{kind}: expected {option.name} to be {option.expected}")
        return Fault(0, kind, values, values.get("count"))

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault under a number of its own.

        Raises:
            FaultError: if too many are armed.
        """
        if len(self.armed) >= ARMED_MAX:
            raise FaultError(f"expected at most {ARMED_MAX} armed faults; clear some")
        fault.number, self._next_number = self._next_number, self._next_number + 1
        self.armed[fault.number] = fault
        return fault

    def take(self, method: str, path: str, channel: Channel, account: int | None) -> list[Fault]:
        """Return the faults that meet a call, oldest first, and count them; those that are spent are armed no more."""
        met = [
            fault
            for fault in self.armed.values()
            if fault.kind.effect is Effect.ON_CALLS and fault.fits(method, path, channel, account)
        ]
        for fault in met:
            fault.hits += 1
            if fault.left is not None:
                fault.left -= 1
                if fault.left == 0:
                    del self.armed[fault.number]
        return met
