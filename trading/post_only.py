"""How a post-only quote stays one: not into the others' book as it is known, nor again into one that is only told of.

A refusal because a quote would have traded at once is no fault: it says that the other side's best price has come to
the quote, before any book does. So the quote is priced anew, a tick behind that; the side waits for the next book, but
not for long, as long as that is what the refusals are about.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.depth import Depth
from market.instrument import Instrument, format_decimal
from market.limits import PRICE_TICKS_MAX
from trading.quoting import Quote
from trading.reasons import Reason, Rule

PAUSE_NS: Final = 250 * NS_PER_MS  # after such a refusal, unless there is a new book; twice as long the next time
PAUSE_NS_MAX: Final = 60 * NS_PER_SECOND
CHASES: Final = 3  # refusals in a row after which a new book does not end the pause any more


class PostOnly:
    """Of both sides."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._best_ticks: dict[Side, int] = {}  # by the side of a quote, what it would trade with: a book's best price
        self._told_ticks: dict[Side, int] = {}  # the same as a refusal has told it, until there is another book
        self._pauses = {side: Backoff(PAUSE_NS, PAUSE_NS_MAX) for side in Side}

    def look(self, depth: Depth) -> None:
        """Take the others' book as it is now."""
        for side, pause in self._pauses.items():
            levels = depth[side.opposite]
            best_ticks = levels[0].price_ticks if levels else None
            if best_ticks == self._best_ticks.get(side):
                continue
            self._told_ticks.pop(side, None)
            if best_ticks is None:
                del self._best_ticks[side]
            else:
                self._best_ticks[side] = best_ticks
            if pause.failure_count <= CHASES:
                pause.until_ns = 0

    def priced(self, wanted: Sequence[Quote]) -> Sequence[Quote]:
        """Return quotes of which none would trade at once by what is known: a tick behind what would trade with it.

        Of several of a side that would, each stands a tick behind the one before it, as far as they were wanted apart.
        """
        priced = list(wanted)
        for side in Side:
            if (most_ticks := self._most_ticks(side)) is None:
                continue
            outwards = -1 if side == Side.BUY else 1
            places = [place for place, quote in enumerate(wanted) if quote.side == side]
            before: tuple[int, int] | None = None  # the price of the quote before it: as wanted, as priced
            for place in sorted(places, key=lambda each: outwards * wanted[each].price_ticks):
                quote = wanted[place]
                if before is not None and before[0] != quote.price_ticks:
                    most_ticks = before[1] + outwards
                priced[place] = self._behind(quote, most_ticks)
                before = quote.price_ticks, priced[place].price_ticks
        return [each for each in priced if 0 < each.price_ticks <= PRICE_TICKS_MAX]

    def refuse(self, quote: Quote, now_ns: int) -> int:
        """Take note that a quote would have traded at once; return for how long its side pauses, ns."""
        best_of = min if quote.side == Side.BUY else max
        self._told_ticks[quote.side] = best_of(quote.price_ticks, self._told_ticks.get(quote.side, quote.price_ticks))
        return self._pauses[quote.side].fail(now_ns)

    def take(self, side: Side) -> None:
        """Take note of a quote that the venue has taken."""
        self._pauses[side].end()

    def left_ns(self, side: Side, now_ns: int) -> int:
        """Return for how long a side still pauses; 0 if it does not."""
        return max(0, self._pauses[side].until_ns - now_ns)

    def reasons(self, now_ns: int) -> dict[Side, Reason]:
        """Return by side why it pauses."""
        why = Reason(Rule.WOULD_TAKE, "refused: the market has come to it; the next book tells how far")
        return {side: why for side, pause in self._pauses.items() if pause.is_on(now_ns)}

    def ends_ns(self, now_ns: int) -> list[int]:
        """Return when the pauses end that are on."""
        return [pause.until_ns for pause in self._pauses.values() if pause.is_on(now_ns)]

    def _most_ticks(self, side: Side) -> int | None:
        """Return the nearest price at which a quote of a side would not trade at once; None while nothing is known."""
        known = [ticks[side] for ticks in (self._best_ticks, self._told_ticks) if side in ticks]
        if not known:
            return None
        return min(known) - 1 if side == Side.BUY else max(known) + 1

    def _behind(self, quote: Quote, most_ticks: int) -> Quote:
        is_bid = quote.side == Side.BUY
        if quote.price_ticks <= most_ticks if is_bid else quote.price_ticks >= most_ticks:
            return quote
        wanted_price, price = map(self._instrument.ticks_to_price, (quote.price_ticks, most_ticks))
        text = f"kept behind the other side's best price: it was wanted at {format_decimal(wanted_price)}"
        numbers = {"wanted_price": wanted_price, "price": price}
        return replace(quote, price_ticks=most_ticks, why=Reason(Rule.WOULD_TAKE, text, numbers))
