"""A run again, with other settings, in the market of its journal: what it would have earned, block by block.

Nobody else reacts to us: what they sent is what they sent. So a change that meets more of the market, or less, is shown
at its best; one that others would answer is not shown as they would answer it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

from desk.settings import Settings
from desk.strategy import quoting_model, strategy_of
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from market.exact_json import JsonObject
from nodes.engine.command_record import CommandRecord
from reports.performance import history_of
from reports.trade_history import HistoryRow
from simulation.delays import Delays
from simulation.desk import SimulatedDesk
from simulation.journaled import JournaledFlow
from simulation.known_rounds import KnownRounds
from trading.model_strategy import ModelStrategy

BLOCKS_MAX: Final = 48  # half an hour each of a whole day
BLOCK_NS_MIN: Final = 60 * NS_PER_SECOND  # shorter ones are no draws of their own: a position outlives them


class Played(NamedTuple):
    """A run as it went.

    Attributes:
        files: the bytes of its daily files.
        documents: what they hold.
        rows: all its trades, oldest first.
        mids: of the pair, in the middle between ticks, at the end of each block; None where there was none.
        digest: of all commands, events and files.
    """

    files: Mapping[date, bytes]
    documents: Mapping[date, JsonObject]
    rows: Sequence[HistoryRow]
    mids: Sequence[Fraction | None]
    digest: str


def block_ends(start_ns: int, end_ns: int) -> list[int]:
    """Return when the blocks of a time end: as many of one length as there may be, at least one."""
    count = max(1, min(BLOCKS_MAX, (end_ns - start_ns) // BLOCK_NS_MIN))
    return [start_ns + (end_ns - start_ns) * number // count for number in range(1, count + 1)]


def play(
    settings: Settings,
    start_ns: int,
    ends_ns: Sequence[int],
    delays: Delays,
    records: Iterable[CommandRecord],
    folder: Path,
    run_to: Callable[[SimulatedDesk, int], object],
    retunes: Sequence[tuple[int, Settings]] = (),
    decided_ns: Sequence[int] = (),
) -> Played:
    """Trade in the market of a journal, and return how it went.

    Args:
        ends_ns: of the blocks; the last one is the end.
        records: of the journal, oldest first; what is before the start makes the book.
        folder: for the daily files, empty.
        run_to: runs a desk up to a time.
        retunes: how its model is set from a time on, ns since 1970 UTC, oldest first.
        decided_ns: when a live maker decided anything: the trader looks at the market when that one did.
    """
    strategy = strategy_of(settings)
    desk = SimulatedDesk(settings, start_ns, folder, delays, strategy, JournaledFlow(records))
    if decided_ns:
        interval_ns = settings.maker.interval_ms * NS_PER_MS
        desk.trader.next_round_ns = KnownRounds(decided_ns, start_ns, ends_ns[-1], interval_ns).next_ns
    instrument, mids, left = settings.instrument, [], deque(retunes)
    for end_ns in ends_ns:
        while left and left[0][0] < end_ns:
            at_ns, changed = left.popleft()
            run_to(desk, max(at_ns, desk.heap.now_ns))
            if isinstance(strategy, ModelStrategy):
                strategy.retune(quoting_model(changed))
        run_to(desk, end_ns)
        bids, asks = desk.market.engine.depth(instrument.symbol_id, 1)
        has_mid = bids and asks
        ticks = Fraction(bids[0].price_ticks + asks[0].price_ticks, 2) if has_mid else None
        mids.append(None if ticks is None else ticks * Fraction(instrument.tick_size))
    desk.close_books()
    days = desk.folder.days()
    documents = {day: document for day in days if (document := desk.folder.read(day)) is not None}
    rows = [row for document in documents.values() for row in history_of(document)]
    files = {day: desk.folder.file_of(day).read_bytes() for day in days}
    return Played(files, documents, rows, mids, desk.digest.hexdigest())


def pnl_of_blocks(
    rows: Iterable[HistoryRow], symbol: str, ends_ns: Sequence[int], mids: Sequence[Fraction | None]
) -> list[Fraction | None]:
    """Return what each block earned, in quote: the change of cash and of the position at the mid, less fees.

    A block without a mid at one of its ends has no figure. A fee without a price costs nothing here.

    Args:
        rows: oldest first; of other pairs none counts.
    """
    left = iter([row for row in rows if row.trade.symbol == symbol])
    row = next(left, None)
    cash, position, before = Fraction(0), Fraction(0), Fraction(0)
    values: list[Fraction | None] = []
    known: Fraction | None = before
    for end_ns, mid in zip(ends_ns, mids, strict=True):
        while row is not None and row.trade.time_ms * NS_PER_MS < end_ns:
            sign = 1 if row.trade.side is Side.BUY else -1
            cash -= sign * Fraction(row.trade.quote_qty) + Fraction(row.fee_in_quote or 0)
            position += sign * Fraction(row.trade.qty)
            row = next(left, None)
        value = None if mid is None else cash + position * mid
        values.append(None if value is None or known is None else value - known)
        known = value
    return values


def same_fills(
    ours: Sequence[HistoryRow], theirs: Sequence[HistoryRow], apart_ms: int, *, at_one_price: bool = True
) -> Fraction | None:
    """Return which part of what was filled is in both: of one pair, side and price, at most so far apart; None of none.

    Each lot counts once: `2 x both / (ours + theirs)`, in base. Without `at_one_price` its price may be any other.
    """
    open_rows: dict[tuple[str, Side, object], list[list[Fraction]]] = {}
    for row in theirs:
        trade = row.trade
        price = trade.price if at_one_price else None
        open_rows.setdefault((trade.symbol, trade.side, price), []).append(
            [Fraction(trade.time_ms), Fraction(trade.qty)]
        )
    both = Fraction(0)
    for row in ours:
        key = row.trade.symbol, row.trade.side, row.trade.price if at_one_price else None
        both += _matched(open_rows.get(key, []), row, apart_ms)
    every = sum((Fraction(row.trade.qty) for row in (*ours, *theirs)), Fraction(0))
    return 2 * both / every if every else None


def _matched(candidates: list[list[Fraction]], row: HistoryRow, apart_ms: int) -> Fraction:
    """Take what is left of candidates near enough in time, up to the row's quantity; return how much that was."""
    wanted, got = Fraction(row.trade.qty), Fraction(0)
    for candidate in _near(candidates, row.trade.time_ms, apart_ms):
        taken = min(candidate[1], wanted - got)
        candidate[1] -= taken
        got += taken
        if got == wanted:
            break
    return got


def _near(candidates: list[list[Fraction]], time_ms: int, apart_ms: int) -> Iterator[list[Fraction]]:
    return (each for each in candidates if each[1] and abs(each[0] - time_ms) <= apart_ms)
