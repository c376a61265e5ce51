"""What records change, as arrays: `flow.recordings.changes` makes them."""

from typing import NamedTuple

from market.kernels.rows import Int64Array

# What a record is: levels changed; and the best prices are these; a trade; a book from nothing, after another's end.
LEVELS, BEST, TRADE, BOOK = range(4)


class Changes(NamedTuple):
    """What some records change, one after the other.

    Attributes:
        times_ns: `[records]`, when each is due: when it was received, or earlier (`flow.recordings.trade_placement`).
        kinds: `[records]`.
        values: `[records, 4]`: of best prices bid, its lots, ask, its lots; of a trade taker's side, price, lots, 0.
        ends: `[records]`: where in the levels those of a record end; they begin where the last one's ended.
        keys: `[levels]`: price x 2 + side, of each record the bids before the asks, each by price.
        lots: `[levels]`: what rests there now.
        counts: records that were read for this piece, messages of no use, gaps.
    """

    times_ns: Int64Array
    kinds: Int64Array
    values: Int64Array
    ends: Int64Array
    keys: Int64Array
    lots: Int64Array
    counts: Int64Array
