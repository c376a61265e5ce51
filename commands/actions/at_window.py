"""What came before a moment of the past: trades, mid and our quotes by the second, our fills, and the position."""

from decimal import Decimal
from typing import Final

from commands.actions.kept_fills import KeptFills
from desk.settings import Settings
from desk.venue import is_own_paper
from engine.fast.engine import FastEngine
from market.account import VenueTrade
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time
from market.codes import Side, Tag
from market.exact_json import JsonObject
from market.instrument import Instrument
from market.kernels.row_codes import EXECUTED
from market.kernels.rows import TAG, Int64Array
from nodes.api.live_bars import Bar
from nodes.engine.past import Moment, Past
from simulation.journaled import OURS

RECORDS_MAX: Final = 100_000  # some 4 s of replay; a default desk takes 40 minutes for as many
FILLS_MAX: Final = 2_000

_SIDE, _PRICE, _OWNER = 1, 2, 5  # columns of the resting orders, as an engine tells them


class Seconds:
    """A book by the second, as a replay of its engine goes through it: see `nodes.engine.past.Watch`.

    Attributes:
        bars: of each second that was gone through, oldest first.
    """

    def __init__(self, symbol_id: int) -> None:
        self.bars: dict[int, Bar] = {}
        self._symbol_id = symbol_id
        self._second: int | None = None
        self._seen: tuple[int | None, tuple[int | None, int | None]] | None = None  # None: something has happened

    def pass_to(self, time_ns: int, engine: FastEngine) -> None:
        """Note how the book was at the end of each second that is over."""
        second = time_ns // NS_PER_SECOND
        first = second if self._second is None else self._second
        for each in range(first, second):
            self._look(each, engine)
        self._second = second

    def see(self, events: Int64Array) -> None:
        """Take the trades among them."""
        self._seen = None
        is_ours = (events[:, TAG] == Tag.EXECUTED) & (events[:, EXECUTED.symbol_id] == self._symbol_id)
        for row in events[is_ours]:
            second = int(row[EXECUTED.time_ns]) // NS_PER_SECOND
            self._bar(second).trade(int(row[EXECUTED.price_ticks]), int(row[EXECUTED.qty_lots]))

    def end(self, engine: FastEngine) -> None:
        """Note how the book was at the end, within a second."""
        assert self._second is not None, "nothing was gone through"
        self._look(self._second, engine)

    def _look(self, second: int, engine: FastEngine) -> None:
        if self._seen is None:
            best = engine.best(self._symbol_id)
            has_both = best.bid_qty_lots and best.ask_qty_lots
            orders = engine.orders(self._symbol_id)
            ours = orders[orders[:, _OWNER] == OURS]
            bids, asks = (ours[ours[:, _SIDE] == side][:, _PRICE] for side in Side)
            quotes = int(bids.max()) if len(bids) else None, int(asks.min()) if len(asks) else None
            self._seen = best.bid_price_ticks + best.ask_price_ticks if has_both else None, quotes
        bar = self._bar(second)
        bar.mid_ticks_x2, bar.own = self._seen

    def _bar(self, second: int) -> Bar:
        if (bar := self.bars.get(second)) is None:
            bar = self.bars[second] = Bar(second)
        return bar


def window_of(
    settings: Settings, past: Past, moment: Moment, since_ns: int, until_ns: int, kept: KeptFills
) -> JsonObject:
    """Return what was from a time until the moment, as a document; `not_kept` says what of it nobody has.

    Args:
        past: of the symbol's engine.
        since_ns, until_ns: ns since 1970; the latter is that of the moment.
        kept: our fills in between.

    Raises:
        JournalError, OSError: if the journal cannot be read.
    """
    instrument = settings.instrument
    not_kept: dict[str, str] = {}
    bars: list[Bar] = []
    if not is_own_paper(settings):
        not_kept["bars"] = f"prices and quotes at {settings.venue.name} are not kept: our engine's journal has none"
    elif moment.sequence:
        bars, why = _bars(past, moment, since_ns, until_ns, instrument)
        not_kept |= {"bars": why} if why else {}
    else:
        not_kept["bars"] = "nothing had happened in this engine's journal"
    if kept.missing:
        not_kept["fills"] = f"fills and position are not kept: {kept.missing}"
    elif kept.until_ns < until_ns:
        not_kept["fills"] = f"fills and position are known up to {_clock(kept.until_ns)}"
    if len(kept.fills) > FILLS_MAX:
        not_kept["fills"] = f"of {len(kept.fills):,} fills the last {FILLS_MAX:,} are told"
    return {
        "since": iso_time(since_ns // NS_PER_MS),
        "bars": [_told(bar, instrument) for bar in bars],
        "fills": [_fill(trade, position) for trade, position in kept.fills[-FILLS_MAX:]],
        "position_before": kept.before,
        "fills_until": iso_time(kept.until_ns // NS_PER_MS),
        "not_kept": not_kept,
    }


def _bars(past: Past, moment: Moment, since_ns: int, until_ns: int, instrument: Instrument) -> tuple[list[Bar], str]:
    """Return the seconds that the journal tells of, and what it does not."""
    seconds, why = Seconds(instrument.symbol_id), list[str]()
    end_ns = until_ns
    if moment.next_ns is None and moment.time_ns < until_ns - NS_PER_SECOND:
        end_ns = moment.time_ns
        why.append(f"nothing has happened since {_clock(end_ns)}: the engine may have been down")
        if end_ns < since_ns:
            return [], why[0]
    first_sequence = moment.sequence - RECORDS_MAX
    began_ns = past.watch(since_ns, end_ns, seconds, first_sequence)
    seconds.end(moment.engine)
    if began_ns // NS_PER_SECOND > since_ns // NS_PER_SECOND:
        is_busy = first_sequence > 0
        cause = f"that is more than {RECORDS_MAX:,} records" if is_busy else "the engine's journal begins there"
        why.append(f"nothing is told of before {_clock(began_ns)}: {cause}")
    within = range(since_ns // NS_PER_SECOND, end_ns // NS_PER_SECOND + 1)
    return [seconds.bars[each] for each in within if each in seconds.bars], "; ".join(why)


def _told(bar: Bar, instrument: Instrument) -> list[Decimal | int | None]:
    """Return a second, its first, highest, lowest and last price, what was traded, our bid and ask, and the mid."""
    ticks = (*(bar.prices or (None,) * 4), *bar.own)
    prices = [None if each is None else instrument.ticks_to_price(each) for each in ticks]
    mid = None if bar.mid_ticks_x2 is None else bar.mid_ticks_x2 * instrument.tick_size / 2
    return [bar.second, *prices[:4], instrument.lots_to_qty(bar.lots), *prices[4:], mid]


def _fill(trade: VenueTrade, position: Decimal) -> JsonObject:
    return {
        "id": trade.trade_id,
        "time_ms": trade.time_ms,
        "side": trade.side.name,
        "price": trade.price,
        "qty": trade.qty,
        "position": position,
    }


def _clock(time_ns: int) -> str:
    return iso_time(time_ns // NS_PER_MS)[11:19]
