"""What the others' mid was around each fill: as much as is known of it by now."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from market.account import VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.instrument import Instrument
from nodes.tracker.mids import KEPT_NS, Mids
from reports.marked_fills import HORIZONS_S
from reports.trade_history import FillDetail, TradeKey, key_of


class FillMids:
    """The mids around the fills of one pair; each is followed until all of it is known, or nothing more can be.

    A busy minute has more fills than the venue tells at once, and their last mid is known only after it.

    Args:
        mids: of the others, by the clock that the venue's trades have.
    """

    def __init__(self, instrument: Instrument, mids: Mids) -> None:
        self._instrument = instrument
        self._mids = mids
        self._waiting: dict[TradeKey, VenueTrade] = {}

    @property
    def followed(self) -> list[VenueTrade]:
        """The fills of which something may still become known."""
        return list(self._waiting.values())

    def details_of(
        self, trades: Iterable[VenueTrade], known: Callable[[VenueTrade], FillDetail | None]
    ) -> dict[TradeKey, FillDetail]:
        """Return what is known now of fills, of these and of earlier ones, but for those of which all was `known`.

        What was known before stays.
        """
        told = {key_of(trade): trade for trade in trades if trade.symbol == self._instrument.symbol}
        self._waiting |= told
        newest_ms = max((trade.time_ms for trade in self._waiting.values()), default=0)
        until_ms = max(newest_ms, self._mids.heard_ns // NS_PER_MS) - KEPT_NS // NS_PER_MS
        found: dict[TradeKey, FillDetail] = {}
        for key, trade in list(self._waiting.items()):
            before = known(trade) or FillDetail()
            if _is_whole(before) or (trade.time_ms < until_ms and key not in told):
                del self._waiting[key]
                continue
            at_ns = trade.time_ms * NS_PER_MS
            later = {each: self._mids.at(at_ns + each * NS_PER_SECOND) for each in HORIZONS_S}
            detail = before._replace(
                mid=before.mid or self._price(self._mids.before(at_ns)),
                mids={each: before.mids.get(each) or self._price(mid_x2) for each, mid_x2 in later.items()},
            )
            if detail.mid is not None or any(detail.mids.values()):
                found[key] = detail
        return found

    def _price(self, mid_x2: int | None) -> Decimal | None:
        return None if mid_x2 is None else mid_x2 * self._instrument.tick_size / 2


def _is_whole(detail: FillDetail) -> bool:
    return detail.mid is not None and all(detail.mids.get(each) is not None for each in HORIZONS_S)
