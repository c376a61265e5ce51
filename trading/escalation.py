"""How far a maker withdraws when it loses too much: stages, what leads to each, and the account they are read from.

A stage is reached when its number has stood for a second, and is left only when a person says so; a peak must have
stood as long. What a day begins with is the median of the first three seconds in which it was looked at; until then
nothing is lost of it. What stands is part of the account, so that looks of several lives of a process count together.
What is earned or lost is read from the balances, so that fees are in it: all that there is of the quote asset, and of
the base asset what is more than neutral, at the mid. What comes to the account or leaves it without a trade of ours is
nothing earned or lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from market.account import Balance
from market.clock import NS_PER_SECOND
from market.instrument import Instrument
from trading.readings import Amounts
from trading.reasons import Reason, Rule
from trading.shown import beside

STANDS_NS: Final = NS_PER_SECOND  # for which a number must stand: a sweep moves the mid for a moment
BEGINS_NS: Final = 3 * STANDS_NS  # of a day; what stands for less than half of it is not its beginning
DAY_NS: Final = 86_400 * NS_PER_SECOND


class Stage(IntEnum):
    """How far it has withdrawn; each does what those before it do."""

    QUOTES = 0
    WIDENS = 1  # quotes farther from the mid
    STOPS_NEW = 2  # has no order but what makes the position smaller
    CANCELS_ALL = 3  # has no order in the book
    FLATTENS = 4  # trades its position away
    DISCONNECTS = 5  # has no connection to the venue, and ends

    @property
    def title(self) -> str:
        """Its name for a person."""
        return self.name.lower().replace("_", " ")


class Triggers(NamedTuple):
    """What leads to each stage.

    Attributes:
        daily_loss: quote amount, since the UTC day began; None: as much as one likes.
        drawdown: quote amount below the most that there ever was; None: likewise.
        widens: part of either of these.
        stops_new: times the limit of the position: orders of ours alone cannot bring that about.
        cancels_all: times `drawdown`.
        flattens, disconnects: times `daily_loss`.
        widen_by: times the distance from the mid.
    """

    daily_loss: Decimal | None = None
    drawdown: Decimal | None = None
    widens: Decimal = Decimal("0.5")
    stops_new: Decimal = Decimal("1.5")
    cancels_all: Decimal = Decimal(1)
    flattens: Decimal = Decimal(1)
    disconnects: Decimal = Decimal("1.5")
    widen_by: Decimal = Decimal(2)


NEVER: Final = Triggers()


class Look(NamedTuple):
    """The account at one look.

    Attributes:
        at_ns: when, ns since 1970 UTC.
        worth: of all that there was of both assets, quote amount.
        mid: quote per base.
    """

    at_ns: int
    worth: Decimal
    mid: Decimal

    def equity(self, neutral_qty: Decimal) -> Decimal:
        """Return what counts of it if so much of the base asset is no position."""
        return self.worth - neutral_qty * self.mid


class High(NamedTuple):
    """Since when there is more than the peak, ns since 1970 UTC, and the least of it."""

    since_ns: int
    least: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """What outlives a process.

    Attributes:
        day: UTC, days since 1970.
        neutral_qty: of the base asset, since the day began.
        start: what there was when the day began, or when a person has resumed; quote amount.
        peak: the most that there was since a person has resumed.
        is_begun: whether `start` and `peak` have stood, and not only been seen once.
        has: the balances that were believed last, in which what comes and goes meanwhile is found; None: not known.
        stage: how far it has withdrawn.
        why: the number that has led there, for a person.
        since_ns: when, ns since 1970 UTC; together with the stage it names what a person resumes.
        numbers: what `why` says, by name: each number, and from where on it has led there.
        beginning: the looks at a day that has not begun for long enough.
        standing: of each stage whose number is reached, since when, ns since 1970 UTC.
        high: of a peak that has not stood for long enough; None if there is none.
    """

    day: int
    neutral_qty: Decimal
    start: Decimal
    peak: Decimal
    stage: Stage = Stage.QUOTES
    why: str = ""
    since_ns: int = 0
    has: Amounts | None = None
    numbers: Mapping[str, Decimal] = field(default_factory=dict)
    is_begun: bool = True
    beginning: Sequence[Look] = ()
    standing: Mapping[Stage, int] = field(default_factory=dict)
    high: High | None = None

    @property
    def trip(self) -> str:
        """The name of what a person resumes; empty if there is nothing."""
        return f"{self.stage.name} {self.since_ns}" if self.stage else ""


class Seen(NamedTuple):
    """What a look has found: quote amounts, and the position as times its limit."""

    loss: Decimal
    drawdown: Decimal
    position_use: Decimal


class Escalation:
    """The stages of one trader.

    Attributes:
        triggers: what leads to each.
        account: as it is to be kept; None before the first look, and after a resume until the next.
        seen: by the last look.
    """

    def __init__(self, triggers: Triggers, instrument: Instrument) -> None:
        self.triggers = triggers
        self._instrument = instrument
        self.account: Account | None = None
        self.seen = Seen(Decimal(0), Decimal(0), Decimal(0))

    @property
    def stage(self) -> Stage:
        """How far it has withdrawn."""
        return Stage.QUOTES if self.account is None else self.account.stage

    @property
    def why(self) -> Reason:
        """Why it has, with the numbers that have led there."""
        if self.account is None:
            return Reason(Rule.WITHDRAWN, f"{self.stage.title}: ")
        return Reason(Rule.WITHDRAWN, f"{self.stage.title}: {self.account.why}", self.account.numbers)

    def resume(self) -> None:
        """Begin anew with what there is at the next look: a person has seen what is lost."""
        self.account = None

    def flow(self, value: Decimal) -> None:
        """Take it that so much was paid in, or out if it is negative, quote amount: that is neither earned nor lost."""
        if self.account is not None:
            looks = tuple(each._replace(worth=each.worth + value) for each in self.account.beginning)
            self.account = replace(_moved(self.account, value), beginning=looks)

    def count_from(self, neutral_qty: Decimal, mid: Decimal) -> None:
        """Take another quantity for neutral: what is lost stays what it is."""
        if self.account is not None:
            moved = _moved(self.account, (self.account.neutral_qty - neutral_qty) * mid)
            self.account = replace(moved, neutral_qty=neutral_qty)

    def look(
        self, now_ns: int, mid: Decimal, balances: Mapping[str, Balance], neutral_qty: Decimal, position_use: Decimal
    ) -> Stage | None:
        """Look at the account; return the stage that is reached by that, None if none is.

        Args:
            now_ns: ns since 1970 UTC.
            neutral_qty: how much of the base asset is no position.
            position_use: the position as times its limit, at its worst.
        """
        account, is_of_today = self._of_today(now_ns, mid, balances, neutral_qty)
        equity = self._amounts(balances).value(mid) - account.neutral_qty * mid
        peak, high = self._peak(now_ns, account, equity) if account.is_begun else (account.peak, None)
        loss = account.start - equity if is_of_today else Decimal(0)
        drawdown = max(Decimal(0), peak - equity) if account.is_begun else Decimal(0)
        self.seen = Seen(loss, drawdown, position_use)
        told = reached_by(self.triggers, self.seen, self._instrument.quote)
        # Kept of before a clock was set back, it stands from now on.
        standing = {stage: min(account.standing.get(stage, now_ns), now_ns) for stage in told}
        account = replace(account, peak=peak, high=high, has=self._amounts(balances), standing=standing)
        self.account = account
        stood = [stage for stage, since_ns in standing.items() if now_ns - since_ns >= STANDS_NS]
        reached = max(stood, default=Stage.QUOTES)
        if reached <= account.stage:
            return None
        why, numbers = told[reached].why, told[reached].numbers
        self.account = replace(account, stage=reached, why=why, numbers=numbers, since_ns=now_ns)
        return reached

    def _of_today(
        self, now_ns: int, mid: Decimal, balances: Mapping[str, Balance], neutral_qty: Decimal
    ) -> tuple[Account, bool]:
        """Return the account, and whether it is that of the day that it is now: not before that has begun for long."""
        day, account = now_ns // DAY_NS, self.account
        look = Look(now_ns, self._amounts(balances).value(mid), mid)
        if account is None:
            equity = look.equity(neutral_qty)
            account = Account(day, neutral_qty, equity, equity, is_begun=False)
        if account.is_begun and account.day >= day:  # a clock that was set back begins no day
            return account, True
        looks = *(each for each in account.beginning if each.at_ns // DAY_NS == day), look
        old_qty = account.neutral_qty
        stood = _middle([(each.at_ns, each.equity(neutral_qty), each.equity(old_qty)) for each in looks])
        if stood is None:
            return replace(account, beginning=looks), False
        start, before = stood
        drawdown = max(Decimal(0), account.peak - before) if account.is_begun else Decimal(0)  # goes with the peak
        begun = replace(account, day=max(day, account.day), neutral_qty=neutral_qty, start=start)
        return replace(begun, peak=start + drawdown, is_begun=True, beginning=(), high=None), True

    def _peak(self, now_ns: int, account: Account, equity: Decimal) -> tuple[Decimal, High | None]:
        """Return the most that there was for long enough, and for not so long: a sweep moves the mid, also upwards."""
        if equity <= account.peak:
            return account.peak, None
        since_ns, least = account.high or High(now_ns, equity)
        since_ns, least = min(since_ns, now_ns), min(least, equity)
        is_standing = now_ns - since_ns >= STANDS_NS
        return (least, High(now_ns, equity)) if is_standing else (account.peak, High(since_ns, least))

    def _amounts(self, balances: Mapping[str, Balance]) -> Amounts:
        pair = self._instrument.base, self._instrument.quote
        return Amounts(*(balances[asset].total if asset in balances else Decimal(0) for asset in pair))


class Reached(NamedTuple):
    """The numbers that lead to a stage, for a person and by name."""

    texts: list[str]
    numbers: dict[str, Decimal]

    @property
    def why(self) -> str:
        """All of them: both, if two lead there."""
        return "; ".join(self.texts)


def reached_by(triggers: Triggers, seen: Seen, quote: str) -> Mapping[Stage, Reached]:
    """Return the stages that numbers lead to if they stand; `quote` is the asset that they are of."""
    loss, drawdown, position_use = seen
    lost = ("lost_today", "lost today", loss, triggers.daily_loss)
    fallen = ("below_peak", "below the peak", drawdown, triggers.drawdown)
    used = ("position_use", "times the limit of the position", position_use, Decimal(1))
    rows = (
        (Stage.DISCONNECTS, *lost, triggers.disconnects),
        (Stage.FLATTENS, *lost, triggers.flattens),
        (Stage.CANCELS_ALL, *fallen, triggers.cancels_all),
        (Stage.STOPS_NEW, *used, triggers.stops_new),
        (Stage.WIDENS, *lost, triggers.widens),
        (Stage.WIDENS, *fallen, triggers.widens),
    )
    reached: dict[Stage, Reached] = {}
    for stage, name, what, number, limit, times in rows:
        if limit is not None and number >= (bound := times * limit):
            texts, numbers = reached.setdefault(stage, Reached([], {}))
            unit = "" if stage == Stage.STOPS_NEW else f" {quote}"
            texts.append(f"{beside(number, bound)}{unit} {what}, from {bound:f} on")
            numbers |= {name: number, f"{name}_from": bound}
    return reached


def _moved(account: Account, value: Decimal) -> Account:
    """Return an account whose beginning and peak are so much more."""
    high = account.high and account.high._replace(least=account.high.least + value)
    return replace(account, start=account.start + value, peak=account.peak + value, high=high)


def _middle(seen: Sequence[tuple[int, Decimal, Decimal]]) -> tuple[Decimal, Decimal] | None:
    """Return the median of each of two numbers, over time; None if they were not looked at for long enough.

    Each counts until the next look, a second at most: one that was seen before a long pause is no more than a moment.
    """
    lasts_ns = [min(max(0, later[0] - each[0]), STANDS_NS) for each, later in pairwise(seen)]
    if sum(lasts_ns) < BEGINS_NS:
        return None

    def median(numbers: Sequence[Decimal]) -> Decimal:
        by_size = sorted(zip(numbers, lasts_ns, strict=False))  # of the last look nobody knows how long it lasts
        reached_ns = accumulate(ns for _, ns in by_size)
        return next(number for (number, _), ns in zip(by_size, reached_ns, strict=True) if 2 * ns >= sum(lasts_ns))

    return median([new for _, new, _ in seen]), median([old for _, _, old in seen])
