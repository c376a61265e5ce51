"""What a strategy is: a step from what has happened to the quotes that are wanted.

`step(now_ns, inbox) -> Wanted`, without a clock, a venue or I/O of its own: so the same strategy runs on a desk, on a
simulated one, and in a backtest. What turns the quotes that are wanted into orders is `trading.execution`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from market.account import Balance
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument
from market.limits import MODEL_NAME_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX, QUOTES_MAX
from market.mendable import MendableError
from trading.news import MarketTrade
from trading.order_rules import OrderRules
from trading.quoting import Quote
from trading.reasons import NOT_WANTED, PENDING, Reason, Rule, flaw_of_reason, reason_of


class OwnOrder(NamedTuple):
    """One of our orders in the book.

    Attributes:
        leaves_lots: what is still open of it.
        since_ns: when it was first heard of, as `now_ns` of a step.
    """

    client_order_id: str
    side: Side
    price_ticks: int
    leaves_lots: int
    since_ns: int = 0


class Fill(NamedTuple):
    """What was just filled of one of our orders."""

    client_order_id: str
    side: Side
    price_ticks: int
    qty_lots: int


class Inbox(NamedTuple):
    """What a strategy sees.

    Attributes:
        instrument: what is traded: its tick and lot sizes, its assets.
        rules: the venue's bounds of an order.
        depth: the book without our own orders, best first; a side may be empty.
        trades: the market's since the last step, oldest first.
        orders: ours that are open.
        fills: of ours since the last step.
        position: what we hold of the base asset more than when the desk first traded, or than `maker.neutral`; None
            while that is not known.
        balances: of every asset, all that the account has; empty while that is not known.
    """

    instrument: Instrument
    rules: OrderRules
    depth: Depth
    trades: Sequence[MarketTrade] = ()
    orders: Sequence[OwnOrder] = ()
    fills: Sequence[Fill] = ()
    position: Decimal | None = None
    balances: Mapping[str, Balance] = {}


class Wanted(NamedTuple):
    """What a strategy wants.

    Attributes:
        quotes: the orders that are to be in the book, any number a side; whatever else of ours is there, is cancelled.
        wake_ns: step again at this time, even if nothing happens; None: when something happens. Either not sooner than
            `maker.interval_ms` after this step.
        idle: by side, why it is not quoted: a text for a person, or a `Reason` with a code of its own.
        obstacle: why nothing can ever be quoted until a person changes a setting, naming it; None if that is not so.
    """

    quotes: Sequence[Quote]
    wake_ns: int | None = None
    idle: Mapping[Side, Reason | str] = {}
    obstacle: str | None = None

    @property
    def why_idle(self) -> dict[Side, Reason]:
        """By side, why it is not quoted, as far as the strategy says."""
        if self.obstacle is not None:
            return dict.fromkeys(Side, Reason(Rule.OBSTACLE, self.obstacle))
        return {side: reason_of(why) for side, why in self.idle.items()}

    @property
    def why_none(self) -> dict[Side, Reason]:
        """By side, why nothing of ours is there, if nothing is and nothing holds it up."""
        pending = {quote.side: PENDING for quote in self.quotes}
        return dict.fromkeys(Side, NOT_WANTED) | pending | self.why_idle


class ObstacleError(MendableError):
    """Nothing of these settings can ever be an order here; the text names the setting to change."""


class Strategy(Protocol):
    """Whoever decides what is quoted. It may remember; it may not look elsewhere."""

    def step(self, now_ns: int, inbox: Inbox, /) -> Wanted:
        """Return what is wanted now; `now_ns` is ns since 1970 UTC, never earlier than at the last step."""


def flaw_of(wanted: object) -> str:
    """Return what makes of an answer of a strategy nothing that could be carried out, empty if it can be."""
    if not isinstance(wanted, Wanted):
        return f"expected a Wanted, was {wanted!r}"
    quotes, wake_ns, idle, obstacle = wanted
    if not isinstance(quotes, Sequence):
        return f"expected a list of quotes, was {quotes!r}"
    if len(quotes) > QUOTES_MAX:
        return f"expected at most {QUOTES_MAX} quotes, were {len(quotes)}"
    if flaw := _flaw_of_quotes(quotes):
        return flaw
    if wake_ns is not None and type(wake_ns) is not int:
        return f"expected wake_ns to be a whole number, was {wake_ns!r}"
    if not isinstance(idle, Mapping) or not all(isinstance(side, Side) for side in idle):
        return f"expected idle to be reasons by Side, was {idle!r}"
    for side, why in idle.items():
        if flaw := flaw_of_reason(why):
            return f"why {side.name} is idle: {flaw}"
    if not isinstance(obstacle, str | None):
        return f"expected obstacle to be a text, was {obstacle!r}"
    return ""


def _flaw_of_quotes(quotes: Sequence[object]) -> str:
    known: list[Quote] = []
    for quote in quotes:
        if not isinstance(quote, Quote) or not isinstance(quote.side, Side):
            return f"expected a Quote of a Side, was {quote!r}"
        for name, value, most in (
            ("price_ticks", quote.price_ticks, PRICE_TICKS_MAX),
            ("qty_lots", quote.qty_lots, QTY_LOTS_MAX),
        ):
            if type(value) is not int or not 0 < value <= most:
                return f"expected {name} to be a whole number from 1 to {most}, was {value!r}"
        if flaw := flaw_of_reason(quote.why):
            return f"why {quote.side.name} is quoted: {flaw}"
        if quote.level is not None and (type(quote.level) is not int or not 0 < quote.level <= QUOTES_MAX):
            return f"expected level to be None, or a whole number from 1 to {QUOTES_MAX}, was {quote.level!r}"
        if not isinstance(quote.model, str) or len(quote.model) > MODEL_NAME_MAX:
            return f"expected model to be a text of {MODEL_NAME_MAX} characters at most, was {quote.model!r}"
        known.append(quote)
    bid_ticks = max((each.price_ticks for each in known if each.side == Side.BUY), default=0)
    ask_ticks = min((each.price_ticks for each in known if each.side == Side.SELL), default=PRICE_TICKS_MAX + 1)
    if bid_ticks >= ask_ticks:
        return f"expected bids below asks, were {bid_ticks} and {ask_ticks} ticks"
    return ""
