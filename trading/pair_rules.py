"""The venue's rules of the pair, which it changes: when they are read again, and what comes of it.

Its bounds of an order are gone by from then on. In other ticks or lots than the desk's nothing can be quoted: prices
and quantities are counted in these, so that our orders leave until a person has given the desk the new ones.
"""

from typing import Final

from market.clock import NS_PER_SECOND
from market.instrument import Instrument, format_decimal
from trading.order_rules import MarketRules, OrderRules
from trading.reasons import Reason, Rule

RULES_NS: Final = 600 * NS_PER_SECOND  # from one look to the next; a venue tells of a change days before
DOUBT_NS: Final = 10 * NS_PER_SECOND  # likewise after a refusal for their sake, and while nothing is told of the market
UNFIT_NS: Final = 60 * NS_PER_SECOND  # likewise while the steps are others


class PairRules:
    """What one trader knows of them.

    Args:
        rules: as they were read just before its start.
        every_ns: from one look to the next; 0: they never change.

    Attributes:
        rules: the bounds of an order, as last told.
        why_unfit: why nothing can be quoted; None if it can.
    """

    def __init__(self, instrument: Instrument, rules: OrderRules, every_ns: int) -> None:
        self.rules = rules
        self.why_unfit: Reason | None = None
        self._instrument = instrument
        self._every_ns = every_ns
        self._asked_ns: int | None = None
        self._is_doubtful = False

    def step(self, now_ns: int) -> None:
        """Take the time, ns: they were read as the first step began."""
        self._asked_ns = now_ns if self._asked_ns is None else self._asked_ns

    def doubt(self) -> None:
        """Take it that they may be others than they were."""
        self._is_doubtful = True

    def is_due(self, now_ns: int) -> bool:
        """Whether to read them again."""
        wait_ns = DOUBT_NS if self._is_doubtful else self._every_ns if self.why_unfit is None else UNFIT_NS
        return bool(self._every_ns) and self._asked_ns is not None and now_ns - self._asked_ns >= wait_ns

    def ask(self, now_ns: int) -> None:
        """Note that they are asked for."""
        self._asked_ns, self._is_doubtful = now_ns, False

    def take(self, told: MarketRules) -> list[str]:
        """Take them as they are now; return what of the bounds has changed, for a person."""
        pair, steps = self._instrument, (told.tick_size, told.lot_size)
        changes = told.rules.changes_from(self.rules)
        self.rules, self.why_unfit = told.rules, None
        if steps != (pair.tick_size, pair.lot_size):
            now, ours = (
                f"ticks of {format_decimal(tick_size)} and lots of {format_decimal(lot_size)}"
                for tick_size, lot_size in (steps, (pair.tick_size, pair.lot_size))
            )
            text = f"the venue trades {pair.symbol} in {now} now, and the desk in {ours}: it needs these, and a start"
            self.why_unfit = Reason(Rule.OTHER_STEPS, text, {"tick_size": steps[0], "lot_size": steps[1]})
        return changes
