"""What we hold: the balances as the venue has told them, and what was filled since."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from market.account import Balance, VenueOrder
from market.clock import NS_PER_SECOND
from market.codes import Side
from market.instrument import Instrument
from trading.readings import Amounts, FillSeen, Readings

WIPE_NS: Final = 60 * NS_PER_SECOND  # within which a wiped account has shown it in its balances and in its orders
SEEN_NS_MAX: Final = 10 * NS_PER_SECOND  # after so long others may have traded, paid in or paid out on the account


class Held(NamedTuple):
    """The least and the most that a position may be by what is known of it, base asset."""

    low: Decimal
    high: Decimal

    def reach(self, side: Side) -> Decimal:
        """Return how far it may be out already in the direction of a side."""
        return self.high if side == Side.BUY else -self.low


class Position:
    """One account's, in the eyes of who trades one pair.

    Args:
        neutral_qty: how much of the base asset is no position; None: what is there when the balances are told for the
            first time, and anew when the account was wiped.
        lag_ns: for how long after a fill balances may not know of it yet.
        kept_qty: what an earlier run has found for neutral.
        fee, had: as Readings has them.

    Attributes:
        balances: of every asset, as last told and believed; empty before.
        is_known: whether any were.
        asked_ns: when they were last asked for.
        is_old: whether something was filled since they were last asked for.
    """

    def __init__(
        self,
        instrument: Instrument,
        neutral_qty: Decimal | None = None,
        lag_ns: int = 0,
        kept_qty: Decimal | None = None,
        fee: Decimal = Decimal(0),
        had: Amounts | None = None,
    ) -> None:
        self._base, self._quote = instrument.base, instrument.quote
        self._is_set = neutral_qty is not None
        self._neutral_qty = neutral_qty if self._is_set else kept_qty
        self._flow_ns: int | None = None  # when something was last seen that no fill explains
        self._forgotten_ns: int | None = None  # when the venue last denied for good an order that it had taken
        self._lag_ns = lag_ns
        self.asked_ns = 0
        self._told_qty = Decimal(0)  # as the balances had it
        self._readings = Readings(fee, had)
        self._unsure: list[FillSeen] = []  # fills that the balances may lack
        self._held_qty: Decimal | None = None  # locked or not, with the fills since it was told, but not their fees
        self.balances: Mapping[str, Balance] = {}
        self.is_known = False
        self.is_old = True

    @property
    def neutral_qty(self) -> Decimal | None:
        """How much of the base asset is no position; None while that is not known."""
        return self._neutral_qty

    @property
    def qty(self) -> Decimal | None:
        """What there is of the base asset more than is neutral, negative if it is less; None while not known."""
        if self._held_qty is None or self._neutral_qty is None:
            return None
        return self._held_qty - self._neutral_qty

    @property
    def held(self) -> Held | None:
        """What it may be at worst: any of the fills of late may be in the balances, or not; None while not known."""
        if not self.is_known:
            return None
        qty = self._told_qty - (self._neutral_qty or Decimal(0))
        of_side = {side: sum((qty for _, each, qty, _ in self._unsure if each == side), Decimal(0)) for side in Side}
        return Held(qty - of_side[Side.SELL], qty + of_side[Side.BUY])

    def take_over(self, left: Iterable[VenueOrder], now_ns: int) -> None:
        """Know what orders of an earlier run have filled: of late, perhaps, so that the first balances may lack it."""
        for order in left:
            if order.filled_qty:
                self.doubt(order.side, order.filled_qty, order.price, now_ns)

    def is_to_be_asked(self, now_ns: int) -> bool:
        """Whether nothing is known or all is old, or whether an answer would now be sure where the last one was not."""
        is_sure_now = bool(self._unsure) and now_ns - self._unsure[-1][0] > self._lag_ns
        is_due = self._readings.is_to_be_confirmed(now_ns) or self.is_older_than(SEEN_NS_MAX, now_ns)
        return not self.is_known or is_sure_now or is_due

    def is_older_than(self, age_ns: int, now_ns: int) -> bool:
        """Whether the balances were last asked for so long ago."""
        return now_ns - self.asked_ns >= age_ns

    def ask(self, now_ns: int) -> None:
        """Note that the balances are asked for: what is filled from now on may be missing in the answer."""
        self.is_old, self.asked_ns = False, now_ns

    @property
    def flow(self) -> Amounts:
        """What the balances have shown that no fill of ours explains, when they were last heard."""
        return self._readings.flow

    @property
    def is_doubtful(self) -> bool:
        """Whether balances were told that are not believed yet."""
        return self._readings.is_doubtful

    def hear(self, balances: Mapping[str, Balance]) -> bool:
        """Take the balances; return whether they are believed: if not, all stays as it was."""
        base, quote = (
            balances[asset].total if asset in balances else Decimal(0)  # what is not told is not there
            for asset in (self._base, self._quote)
        )
        if not self._readings.believe(Amounts(base, quote), self._unsure, self.asked_ns):
            return False
        self._told_qty = self._held_qty = base
        self.balances = balances
        self._unsure = [each for each in self._unsure if self.asked_ns - each[0] <= self._lag_ns]
        if self._neutral_qty is None:
            self._neutral_qty = self._held_qty
        self.is_known = True
        if any(self.flow):
            self._flow_ns = self.asked_ns
            self._begin_anew_if_wiped()
        return True

    def forget(self, side: Side, qty: Decimal, price: Decimal, now_ns: int) -> None:
        """Take it that the venue does not know an order any more that it had taken; `qty` of it was left."""
        self.doubt(side, qty, price, now_ns)
        self._forgotten_ns = now_ns
        self._begin_anew_if_wiped()

    def fill(self, side: Side, qty: Decimal, price: Decimal, now_ns: int) -> None:
        """Take a fill of ours, base asset, at the price of its order."""
        self.doubt(side, qty, price, now_ns)
        if self._held_qty is not None:
            self._held_qty += qty if side == Side.BUY else -qty

    def doubt(self, side: Side, qty: Decimal, price: Decimal, now_ns: int) -> None:
        """Take what was filled, or may have been: only balances that are asked for later tell for sure."""
        self.is_old = True
        self._unsure.append(FillSeen(now_ns, side, qty, price))

    def _begin_anew_if_wiped(self) -> None:
        """Take for neutral what is there now if the venue has forgotten orders and moved the balances."""
        if self._flow_ns is None or self._forgotten_ns is None or self._is_set:
            return
        if abs(self._flow_ns - self._forgotten_ns) <= WIPE_NS:
            self._neutral_qty, self._flow_ns, self._forgotten_ns = self._held_qty, None, None
