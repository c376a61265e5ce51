"""What the others' mid was around each fill: as much as is known of it by now."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from market.account import VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.instrument import Instrument
from nodes.tracker.mids import Mids
from reports.markouts import HORIZONS_S
from reports.trade_history import FillDetail, TradeKey, key_of


class FillMids:
    """The mids around the fills of one pair.

    Args:
        mids: of the others, by the clock that the venue's trades have.
    """

    def __init__(self, instrument: Instrument, mids: Mids) -> None:
        self._instrument = instrument
        self._mids = mids

    def details_of(
        self, trades: Iterable[VenueTrade], known: Callable[[VenueTrade], FillDetail | None]
    ) -> dict[TradeKey, FillDetail]:
        """Return what is known now of fills, but for those of which all was `known` before; what was, stays."""
        found: dict[TradeKey, FillDetail] = {}
        for trade in trades:
            before = known(trade) or FillDetail()
            if trade.symbol != self._instrument.symbol or _is_whole(before):
                continue
            at_ns = trade.time_ms * NS_PER_MS
            later = {each: self._mids.at(at_ns + each * NS_PER_SECOND) for each in HORIZONS_S}
            detail = replace(
                before,
                mid=before.mid or self._price(self._mids.before(at_ns)),
                mids={each: before.mids.get(each) or self._price(mid_x2) for each, mid_x2 in later.items()},
            )
            if detail.mid is not None or any(detail.mids.values()):
                found[key_of(trade)] = detail
        return found

    def _price(self, mid_x2: int | None) -> Decimal | None:
        return None if mid_x2 is None else mid_x2 * self._instrument.tick_size / 2


def _is_whole(detail: FillDetail) -> bool:
    return detail.mid is not None and all(detail.mids.get(each) is not None for each in HORIZONS_S)
