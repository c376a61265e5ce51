"""Fault switches: one table of what can be made to go wrong on demand, and which faults are armed.

For practice and for tests. A fault meets the next calls that fit its conditions, as often as it says, over HTTP and
over the WebSocket API alike; some stand until they are cleared, some happen at once. Nothing needs to stand for longer
than it says itself: what has a `for_s` is cleared by the exchange, whatever becomes of whoever has set it.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from random import Random
from typing import Any, Final

from market.clock import NS_PER_MS
from paper.errors import ErrorKind, ExchangeError
from paper.fault_options import TEXT_LENGTH_MAX, Option, choice, flag, integer, number, text, what_was
from paper.intervals import STREAMED_WINDOWS

ARMED_MAX: Final = 100
SEED_MAX: Final = 2**31

_COUNT_MAX: Final = 1_000_000
_FOR_S_MAX: Final = 86_400
_DELAY_MS_MAX: Final = 60_000
_DAY_MS: Final = 86_400_000


class Effect(StrEnum):
    """When a switch acts."""

    ON_CALLS = "on calls"  # on the next calls that fit, then it is spent
    STANDING = "standing"  # from now on, until it is cleared
    AT_ONCE = "at once"  # now, and never again


class FaultError(Exception):
    """A switch was set wrongly; the text has a line for each thing that is wrong with it."""


class Channel(StrEnum):
    """How a call came."""

    REST = "rest"
    SOCKET = "socket"


class Streams(StrEnum):
    """Whose events."""

    MARKET = "market"
    ACCOUNT = "account"


# By Binance's names: those of the market streams, then those of an account; what has none fits no `event`.
EVENTS: Final = (
    "trade", "aggTrade", "depthUpdate", "kline", "24hrMiniTicker", "24hrTicker",
    *(f"{window}Ticker" for window in STREAMED_WINDOWS), "avgPrice", "referencePrice",
    "executionReport", "listStatus", "outboundAccountPosition", "balanceUpdate",
)  # fmt: skip
_ACCOUNT: Final = Option("account", integer(1, 2**31), "the number of an account")
_PERCENT: Final = number("percent", 1, 100, 100)
_SEED: Final = number("seed", 0, SEED_MAX, 0)
_OF_STREAMS: Final = (choice("streams", "all", *Streams, default="all"), _ACCOUNT)
_OF_EVENTS: Final = (*_OF_STREAMS, choice("event", *EVENTS), _PERCENT, _SEED)

# How long a fault may be armed, unless it is spent or cleared before.
_LEASE: Final = Option("for_s", integer(1, _FOR_S_MAX), f"an integer from 1 to {_FOR_S_MAX}")

# Which calls a fault meets; what is not given fits every call.
_CONDITIONS: Final = (
    Option(
        "count",
        lambda value: value is None or integer(1, _COUNT_MAX)(value),
        f"an integer from 1 to {_COUNT_MAX}, or null for no end",
        default=1,
    ),
    choice("method", "GET", "POST", "PUT", "DELETE"),
    text("path"),
    choice("channel", *Channel),
    _ACCOUNT,
)


class FaultKind(Enum):
    """What can be made to go wrong: one row per switch, with when it acts, what it does, and its settings."""

    DELAY = (
        Effect.ON_CALLS,
        "the call waits on its way to the exchange, or its reply on the way back",
        (number("ms", 0, _DELAY_MS_MAX, 1_000), choice("where", "before", "after", default="before")),
    )
    DROP_REPLY = (
        Effect.ON_CALLS,
        "the call is carried out and its reply is lost: HTTP hangs up, the socket says nothing",
    )
    SERVER_ERROR = (
        Effect.ON_CALLS,
        "a 5xx with Binance's document or, as from a proxy, with a page of HTML; carried out or not",
        (number("status", 500, 599, 503), flag("is_executed"), flag("is_html")),
    )
    RATE_LIMIT = (
        Effect.ON_CALLS,
        "429 or 418 with Retry-After; not carried out",
        (choice("status", 429, 418, default=429), number("retry_after_s", 1, 3 * 86_400, 1)),
    )
    REJECT = (
        Effect.ON_CALLS,
        "refused with one of Binance's codes; not carried out",
        (number("code", -9_999, -1), text("msg")),
    )
    REJECT_RATE = (
        Effect.STANDING,
        "of new orders, so many in a hundred are refused with one of Binance's codes; not carried out",
        (number("percent", 1, 100), number("code", -9_999, -1, -2_010), text("msg"), _ACCOUNT, _SEED),
    )
    LATE_VISIBILITY = (
        Effect.STANDING,
        "for so long the status of a new order says -2013, and openOrders and allOrders are without it; it works",
        (number("ms", 1, _DELAY_MS_MAX), _ACCOUNT),
    )
    MUTE = (
        Effect.STANDING,
        "no events come, while connections live and pings and calls are answered",
        _OF_STREAMS,
    )
    DROP_EVENT = (
        Effect.STANDING,
        "of the events that fit, so many in a hundred are lost",
        _OF_EVENTS,
    )
    DUPLICATE_EVENT = (
        Effect.STANDING,
        "of the events that fit, so many in a hundred are told twice",
        _OF_EVENTS,
    )
    REORDER_EVENTS = (
        Effect.STANDING,
        "of the events that fit, so many in a hundred come after the next one of their stream",
        _OF_EVENTS,
    )
    STALE_MARKET = (
        Effect.STANDING,
        "market streams say nothing, and market data are answered as they were when first asked for; the engine trades",
    )
    WRONG_CLOCK = (
        Effect.STANDING,
        "the exchange's clock is wrong: its time, and what it thinks of timestamps",
        (number("offset_ms", -_DAY_MS, _DAY_MS),),
    )
    HALT = (
        Effect.STANDING,
        "the engine takes no new orders of a symbol, whoever sends them; cancels go through",
        (text("symbol", is_required=True),),
    )
    DISCONNECT = (
        Effect.AT_ONCE,
        "connections of market streams, of the WebSocket API or of both are cut, or closed with a close frame",
        (choice("streams", "all", "market", "account", default="all"), flag("is_clean")),
    )
    SILENT_CANCEL = (
        Effect.AT_ONCE,
        "so many open orders that fit, the oldest first, are cancelled, and no event says so",
        (number("count", 1, _COUNT_MAX, 1), text("symbol"), _ACCOUNT),
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
        match self.effect:
            case Effect.ON_CALLS:
                return (*self.options, *_CONDITIONS, _LEASE)
            case Effect.STANDING:
                return (*self.options, _LEASE)
            case Effect.AT_ONCE:
                return self.options


@dataclass(slots=True)
class Fault:
    """An armed switch.

    Attributes:
        options: its settings by name.
        left: how many calls it will still meet; None for no end.
        hits: how many calls, events or answers it has met.
        kept: what it has held back: events by their stream, or answers by their call.
        dice: say which it meets, by its seed.
    """

    number: int
    kind: FaultKind
    options: Mapping[str, Any]
    left: int | None = None
    hits: int = 0
    kept: dict[Hashable, Any] = field(default_factory=dict)
    dice: Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = Random(self.options.get("seed") or 0)  # noqa: S311 - faults are no secret

    @property
    def document(self) -> dict[str, Any]:
        """What the admin is told of it."""
        options = {name: value for name, value in self.options.items() if value is not None and name != "count"}
        return {"id": self.number, "kind": str(self.kind), **options, "left": self.left, "hits": self.hits}

    def fits(self, method: str, path: str, channel: Channel, account: int | None) -> bool:
        """Say whether it meets a call, by dice where it has some."""
        if self.kind is FaultKind.REJECT_RATE:
            is_new_order = method == "POST" and path.startswith("order") and path != "order/test"
            return is_new_order and self.is_of(account) and self.falls()
        found = {"method": method, "path": path, "channel": channel, "account": account}
        is_met = all(self.options.get(name) in {None, value} for name, value in found.items())
        return self.kind.effect is Effect.ON_CALLS and is_met

    def is_of(self, account: int | None) -> bool:
        """Say whether it is meant for an account."""
        return self.options["account"] in {None, account}

    def falls(self) -> bool:
        """Throw the dice: say whether it meets the next of what it can meet."""
        percent: int = self.options["percent"]
        return self.dice.random() * 100 < percent


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
    """The armed faults, oldest first.

    Attributes:
        armed: by their numbers.
        silenced: the ids of orders that are being cancelled without a word.
    """

    armed: dict[int, Fault] = field(default_factory=dict)
    silenced: set[int] = field(default_factory=set)
    _next_number: int = 1

    @property
    def clock_offset_ns(self) -> int:
        """How wrong the exchange's clock is; the fault that was armed last decides."""
        offsets = [each.options["offset_ms"] for each in self.of_kind(FaultKind.WRONG_CLOCK)]
        return offsets[-1] * NS_PER_MS if offsets else 0

    @property
    def stale_market(self) -> Fault | None:
        """The fault by which nobody sees what happens on the market, if there is one."""
        return next(iter(self.of_kind(FaultKind.STALE_MARKET)), None)

    def unseen_ms(self, account: int | None) -> int:
        """Return how old an order of an account must be to be told of."""
        late = self.of_kind(FaultKind.LATE_VISIBILITY)
        return max((each.options["ms"] for each in late if each.is_of(account)), default=0)

    def of_kind(self, kind: FaultKind) -> list[Fault]:
        """Return the armed faults of a kind, oldest first."""
        return [each for each in self.armed.values() if each.kind is kind]

    def read(self, document: Any) -> Fault:
        """Return the fault that a document like {"kind": "delay", "ms": 500} describes, not yet armed.

        Raises:
            FaultError: naming all that is wrong, each in a line.
        """
        given = dict(document) if isinstance(document, dict) else {}
        kind = next((each for each in FaultKind if str(each) == given.get("kind")), None)
        if kind is None:
            one = f'{{"kind": ...}} with one of {", ".join(map(str, FaultKind))}'
            raise FaultError(f"expected {one}, {what_was(given, 'kind')}")
        del given["kind"]
        if isinstance(given.get("path"), str):
            given["path"] = given["path"].removeprefix("/api/v3/")
        options, wrong = kind.all_options, []
        if unknown := sorted(given.keys() - {option.name for option in options}):
            known = ", ".join(option.name for option in options) or "nothing more"
            wrong.append(f"{kind} has no {', '.join(unknown)[:TEXT_LENGTH_MAX]}; expected {known}")
        for option in options:
            if not option.is_met_by(given):
                expected = f"expected {option.name} to be {option.expected}"
                wrong.append(f"{kind}: {expected}, {what_was(given, option.name)}")
        if wrong:
            raise FaultError("\n".join(wrong))
        values = {option.name: given.get(option.name, option.default) for option in options}
        return Fault(0, kind, values, values.get("count"))

    def require_room(self) -> None:
        """Check that one more can be armed.

        Raises:
            FaultError: if too many are.
        """
        if len(self.armed) >= ARMED_MAX:
            raise FaultError(f"expected at most {ARMED_MAX} armed faults; clear some")

    def arm(self, fault: Fault) -> Fault:
        """Arm a fault under a number of its own.

        Raises:
            FaultError: if too many are armed.
        """
        self.require_room()
        fault.number, self._next_number = self._next_number, self._next_number + 1
        self.armed[fault.number] = fault
        return fault

    def disarm(self, number: int) -> Fault | None:
        """Clear a fault and return it, None if it is not armed; events that it has held back are told."""
        fault = self.armed.pop(number, None)
        if fault is not None and fault.kind is FaultKind.REORDER_EVENTS:
            for tell in fault.kept.values():
                tell()
        return fault

    def take(self, method: str, path: str, channel: Channel, account: int | None) -> list[Fault]:
        """Return the faults that meet a call, oldest first, and count them; those that are spent are armed no more."""
        met = [fault for fault in self.armed.values() if fault.fits(method, path, channel, account)]
        for fault in met:
            fault.hits += 1
            if fault.left is not None:
                fault.left -= 1
                if fault.left == 0:
                    del self.armed[fault.number]
        return met
