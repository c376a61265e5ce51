"""What the maker's fills were worth a while later: all of them, and those that were picked off.

`quoting` of the daily document has it from here, and not from the maker, which marks a fill when it hears of it, late
where it, or the venue, stood still. These are the mids that the markouts are made of.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import plain
from reports.exact import EXACT
from reports.trade_history import HistoryRow

HORIZON_S: Final = 10
_KINDS: Final = ("fills", "picked_off")


@dataclass(slots=True)
class _Sums:
    """Fills of one kind; `marked_notional` is of those whose mids are known."""

    count: int = 0
    notional: Decimal = Decimal(0)
    marked_notional: Decimal = Decimal(0)
    markout: Decimal = Decimal(0)


class MakerFills:
    """The sums of a day, kept up fill by fill."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], _Sums] = defaultdict(_Sums)

    def take(self, row: HistoryRow, times: int = 1) -> None:
        """Count a fill, -1 times one that is known better now; one that the maker has not placed is none of them."""
        detail, trade = row.detail, row.trade
        if detail is None or detail.rule is None:
            return
        notional, later = EXACT.multiply(trade.price, trade.qty), detail.mids.get(HORIZON_S)
        for kind in _KINDS[: 2 if detail.is_picked_off else 1]:
            sums = self._sums[trade.symbol, kind]
            sums.count += times
            sums.notional += times * notional
            if detail.mid is not None and later is not None:
                gain = later - trade.price if trade.side is Side.BUY else trade.price - later
                sums.marked_notional += times * notional
                sums.markout += times * EXACT.multiply(gain, trade.qty)

    def told_with(self, quoting: JsonObject | None) -> JsonObject | None:
        """Return `quoting` of a daily document with its fills as they are known here."""
        if quoting is None or "symbol" not in quoting:
            return quoting
        found = {kind: _told(self._sums.get((quoting["symbol"], kind), _Sums())) for kind in _KINDS}
        return {name: found.get(name, value) for name, value in quoting.items()}


def _told(sums: _Sums) -> JsonObject:
    bps = plain(round(sums.markout / sums.marked_notional * 10_000, 4)) if sums.marked_notional else None
    money = {"notional": plain(sums.notional), "markout": plain(sums.markout)}
    return {"count": sums.count, **money, "markout_bps": bps}
