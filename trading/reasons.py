"""Why a quote is placed, cancelled or not placed: the code of the rule, for programs, and a text for a person."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from market.exact_json import dumps

_Key = TypeVar("_Key")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,31}")


class Rule(StrEnum):
    """The rules of the house; a strategy of one's own may have more."""

    # A quote is placed, or stands.
    WANTED = "WANTED"  # the strategy wants it, and nothing of ours stood for it
    REFERENCE = "REFERENCE"  # a side of the book is empty: its last best price stands for it, maker.reference_s at most
    ADOPTED = "ADOPTED"  # the order was there before this run of the maker
    # An order is cancelled, and maybe another one placed for it.
    TOLERANCE = "TOLERANCE"  # the order was further from the wanted price than maker.requote_tolerance
    CROSSING = "CROSSING"  # a quote that is wanted on the other side would trade with the order
    AGE = "AGE"  # the order was older than maker.age_max_s
    QUEUE = "QUEUE"  # a new order would stand so much further ahead in the queue as maker.queue_gain asks for
    HANGING = "HANGING"  # the order hangs further from the mid than maker.hanging, or more than 20 do
    TOP_UP = "TOP_UP"  # less was left of the order than the part maker.replace_below of the wanted quantity
    TOO_LARGE = "TOO_LARGE"  # the order was larger than wanted, by more than what may be missing
    SURPLUS = "SURPLUS"  # more orders on this side than wanted quotes; the others are closer
    OFF_GRID = "OFF_GRID"  # the order's price or quantity lies between the pair's steps: it is of an earlier run
    DENIED = "DENIED"  # the venue says that there is no such order; a cancel makes sure
    WATCHDOG = "WATCHDOG"  # the maker has ended, or was silent for too long: its watchdog has cancelled the order
    AT_VENUE = "AT_VENUE"  # the venue has ended the order, or somebody there, not this maker
    # A side is not quoted; what stands there is cancelled by the same rule.
    NOT_WANTED = "NOT_WANTED"  # the strategy wants no quote on this side, and does not say why
    STRATEGY = "STRATEGY"  # the strategy wants no quote on this side, and says why in its own words
    OBSTACLE = "OBSTACLE"  # no quote of these settings can be an order at this venue; the text names the setting
    NO_MID = "NO_MID"  # a side of the book is empty, or was for longer than maker.reference_s
    VENUE_BOUNDS = "VENUE_BOUNDS"  # the venue would take no quantity and price of the model's on this side
    HALTED = "HALTED"  # the kill switch is on
    STOPPING = "STOPPING"  # the maker stops
    SILENT = "SILENT"  # the venue's streams tell nothing, or have ended: what is known may be old
    OTHER_STEPS = "OTHER_STEPS"  # the venue trades the pair in other ticks or lots than the desk has: it needs these
    # A limit takes something from what is wanted of a side; if it takes all of it, the side is not quoted.
    POSITION_LIMIT = "POSITION_LIMIT"  # the position could become larger than maker.limits.position
    EXPOSURE_LIMIT = "EXPOSURE_LIMIT"  # the position could be worth more than maker.limits.exposure
    ORDER_LIMIT = "ORDER_LIMIT"  # a quote is larger than maker.limits.order
    BAND_LIMIT = "BAND_LIMIT"  # a quote is farther from the mid than maker.limits.band
    OPEN_ORDERS_LIMIT = "OPEN_ORDERS_LIMIT"  # more quotes are wanted than maker.limits.open_orders or the venue allow
    NO_FUNDS = "NO_FUNDS"  # less is there to pay with than the quotes need, what our own orders hold included
    NO_MEASURE = "NO_MEASURE"  # neither mid nor position was ever known: nothing can be held against limits
    # A side is not quoted though it is wanted; what stands there stays.
    WITHDRAWN = "WITHDRAWN"  # too much is lost, or held: a stage was reached, until a person resumes
    NO_BOOK = "NO_BOOK"  # the book is not known yet
    JUST_FILLED = "JUST_FILLED"  # the side was filled within the last maker.refill_pause_s
    RUN_OVER = "RUN_OVER"  # maker.run_over_orders of the side were filled in a row, within maker.run_over_s
    WOULD_TAKE = "WOULD_TAKE"  # a quote would trade at once: it stands a tick behind that, or its side waits for a book
    REFUSED = "REFUSED"  # the venue has refused a quote of this side, which pauses
    BREAKER = "BREAKER"  # the venue has refused this side for one reason again and again: it pauses for long
    RATE_LIMIT = "RATE_LIMIT"  # as many orders were sent, or as much request weight used, as may be
    UNKNOWN = "UNKNOWN"  # an order of this side has no answer yet: it may rest, or still arrive
    PENDING = "PENDING"  # a quote is wanted, but has ended or was not taken: another one is placed next, or on its way
    AWAY = "AWAY"  # the maker does not run, or has only begun
    FLOW = "FLOW"  # money was paid in or out, or others have traded on the account: nothing is earned or lost by that
    FAILED = "FAILED"  # the venue fails; the maker waits, and its orders stay as they are


class Reason(NamedTuple):
    """A rule as it has struck.

    Attributes:
        rule: its code: one of `Rule`, or a strategy's own.
        text: for a person; starts in lower case, has no full stop.
        numbers: what triggered it, by name; the unit is in the name.
        joined_of: of several that are so at once, each; empty of one alone.
    """

    rule: str
    text: str
    numbers: Mapping[str, int | float | Decimal] = {}
    joined_of: tuple["Reason", ...] = ()

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


WANTED: Final = Reason(Rule.WANTED, "it is wanted, and nothing stood for it")
ADOPTED: Final = Reason(Rule.ADOPTED, "it was there before this run")
OTHER_PAIR: Final = Reason(Rule.ADOPTED, "an earlier run has left it, in a pair that is not quoted any more")
SURPLUS: Final = Reason(Rule.SURPLUS, "another one on this side is closer")
OFF_GRID: Final = Reason(Rule.OFF_GRID, "its price or quantity lies between the pair's steps")
DENIED: Final = Reason(Rule.DENIED, "the venue says that there is no such order")
NOT_WANTED: Final = Reason(Rule.NOT_WANTED, "it is not wanted any more")
NO_MID: Final = Reason(Rule.NO_MID, "a side of the book is empty: there is no mid")
NO_QUOTE: Final = Reason(Rule.VENUE_BOUNDS, "no quantity and price of the model's is an order that the venue takes")
NO_BOOK: Final = Reason(Rule.NO_BOOK, "the book is not known yet")
NO_MEASURE: Final = Reason(Rule.NO_MEASURE, "neither a mid nor a position is known to hold limits against")
NO_PRICE: Final = Reason(Rule.WOULD_TAKE, "there is no price just behind the market's at which it could stand")
UNTRIED: Final = Reason(Rule.REFUSED, "the venue has refused the quote that was to take its place")
FATE_UNKNOWN: Final = Reason(Rule.UNKNOWN, "the fate of its last order is unknown")
PENDING: Final = Reason(Rule.PENDING, "it has ended, or was not taken: another one is placed next, or on its way")
HALTED: Final = Reason(Rule.HALTED, "halted")
STOPPING: Final = Reason(Rule.STOPPING, "the maker stops")


def reason_of(why: Reason | str) -> Reason:
    """Return what a strategy has given as a reason; a text alone has the code STRATEGY."""
    return why if isinstance(why, Reason) else Reason(Rule.STRATEGY, why)


def joined(whys: Sequence[Reason]) -> Reason:
    """Return several reasons, one at least, as one: the code of the first, the texts and numbers of all, none twice."""
    parts = {(part.rule, part.text): part for why in whys for part in (why.joined_of or (why,))}
    first, *others = parts.values()
    if not others:
        return first
    numbers = {name: number for part in reversed(parts.values()) for name, number in part.numbers.items()}
    return Reason(first.rule, "; ".join([first.text, *map(str, others)]), numbers, (first, *others))


def together(*whys: Mapping[_Key, Reason]) -> dict[_Key, Reason]:
    """Return by side, or by whatever it is, all reasons as one: those of the first mapping lead, none is said twice."""
    found: dict[_Key, list[Reason]] = {}
    for of in whys:
        for key, why in of.items():
            found.setdefault(key, []).append(why)
    return {key: joined(of) for key, of in found.items()}


def plain_numbers(numbers: Mapping[str, int | float | Decimal]) -> dict[str, int | Decimal]:
    """Return the numbers as JSON has them: a float as the shortest decimal that is meant by it."""
    return {name: Decimal(repr(each)) if isinstance(each, float) else each for name, each in numbers.items()}


def flaw_of_reason(why: object) -> str:
    """Return what makes of it no reason, empty if it is one."""
    if isinstance(why, str):
        return ""
    if not isinstance(why, Reason):
        return f"expected a text or a Reason, was {why!r}"
    if not isinstance(why.rule, str) or not _CODE.fullmatch(why.rule):
        return f"expected a code of capital letters, digits and _, 32 at most, was {why.rule!r}"
    if not isinstance(why.text, str):
        return f"expected the text of a Reason, was {why.text!r}"
    is_named = isinstance(why.numbers, Mapping) and all(isinstance(name, str) for name in why.numbers)
    if not is_named or not all(isinstance(number, int | float | Decimal) for number in why.numbers.values()):
        return f"expected numbers by name, were {why.numbers!r}"
    try:
        dumps(plain_numbers(why.numbers))
    except ValueError as error:
        return f"expected numbers that can be written down, were {why.numbers!r}: {error}"
    return ""
