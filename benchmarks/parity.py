"""Whether a backtest is true: `python -m benchmarks.parity FLOW [--seconds S] [--set KEY=VALUE ...] [--json]`.

A desk on real processes plays FLOW, for instance replay:FILE, and a trader quotes on it over the venue's sockets. Then
the same trader and settings run in a simulation of the same market. It steps when the live one did, and its actions
reach the engine when those did: between the same two orders of the market, as the live engine's journal has them, so
that nothing depends on how busy the machine was. The orders of both should be the same in the same order at the same
prices, and so should their fills; what differs is told by its reason. Exit code 1 if too much differs, or something is
unexplained. Beside it stands a backtest that knows nothing of the live run: it decides at other moments.
"""

import argparse
import json
import sys
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Final

from benchmarks.parity_live import live
from benchmarks.parity_records import Order, Run
from benchmarks.parity_simulated import alone, followed
from market.clock import NS_PER_MS
from market.codes import Side

SECONDS: Final = 120.0
# That there is much to compare; and that the trader is there when the recording begins, the first book stands still.
BUSY: Final = {"maker.half_spread": "0.00002", "maker.requote_tolerance": "0.000005", "flow.opening_s": "15"}
SAME_SHARE_MIN: Final = 0.99  # of the orders, and of what was filled
APART_MAX: Final = 1  # orders that may differ in any run: of a short one they are more than a hundredth
APART_NS: Final = 100 * NS_PER_MS  # two decisions that are as far apart are not the same
UNEXPLAINED: Final = "unexplained"


@dataclass(frozen=True, slots=True)
class Parity:
    """How alike two runs are.

    Attributes:
        apart: how many orders are in one alone or were filled otherwise.
        order_share: of all orders, those that both have, in the same order at the same price and size.
        fill_share: of all that was filled, in lots, what was filled in both.
        reasons: why something is in one alone, and how often.
    """

    live_orders: int
    backtest_orders: int
    apart: int
    order_share: float
    live_fills: int
    backtest_fills: int
    fill_share: float
    reasons: dict[str, int]

    @property
    def is_good(self) -> bool:
        """Whether the backtest can be trusted; runs in which nothing was filled show nothing."""
        is_same = min(self.order_share, self.fill_share) >= SAME_SHARE_MIN or self.apart <= APART_MAX
        return self.live_fills > 0 and is_same and UNEXPLAINED not in self.reasons


def compare(one: Run, other: Run) -> Parity:
    """Return how alike a live run and its backtest are."""
    reasons: Counter[str] = Counter()
    pairs: list[tuple[Order, Order]] = []
    for side in Side:
        ours, theirs = ([order for order in run.orders if order.side == side] for run in (one, other))
        same = list(_same(ours, theirs))
        pairs += same
        reasons.update(_why_alone(order, one, other) for order in _without(ours, [pair[0] for pair in same]))
        reasons.update(_why_alone(order, other, one) for order in _without(theirs, [pair[1] for pair in same]))
    reasons.update(_why_filled_otherwise(*pair, one.market_ns) for pair in pairs if pair[0].fills != pair[1].fills)
    both_lots = sum(min(ours.filled_lots, theirs.filled_lots) for ours, theirs in pairs)
    lots = max(sum(order.filled_lots for order in run.orders) for run in (one, other))
    return Parity(
        len(one.orders),
        len(other.orders),
        reasons.total(),
        2 * len(pairs) / max(1, len(one.orders) + len(other.orders)),
        sum(len(order.fills) for order in one.orders),
        sum(len(order.fills) for order in other.orders),
        both_lots / lots if lots else 1.0,
        dict(reasons.most_common()),
    )


def _same(one: Sequence[Order], other: Sequence[Order]) -> Iterator[tuple[Order, Order]]:
    """Yield the pairs of a longest common sequence."""
    matcher = SequenceMatcher(None, [each.terms for each in one], [each.terms for each in other], autojunk=False)
    for at, at_other, size in matcher.get_matching_blocks():
        yield from zip(one[at : at + size], other[at_other : at_other + size], strict=True)


def _without(orders: Sequence[Order], some: Sequence[Order]) -> Iterator[Order]:
    return (order for order in orders if not any(order is each for each in some))


def _why_alone(order: Order, one: Run, other: Run) -> str:
    """Return why only `one` has an order: by what its trader saw when it decided, and the other's at that time."""
    ours, theirs = one.decision_at(order.entered_ns), other.decision_at(order.entered_ns)
    if ours is None or theirs is None or abs(ours.now_ns - theirs.now_ns) > APART_NS:
        return "the other trader did not decide then"
    if (ours.bid_ticks, ours.ask_ticks) != (theirs.bid_ticks, theirs.ask_ticks):
        return "the best prices moved while they travelled to the trader"
    if ours.wanted != theirs.wanted:
        return UNEXPLAINED
    if ours.own != theirs.own:
        return "other orders of its own were open, after an earlier difference"
    return "refused, or on its way when the run ended"


def _why_filled_otherwise(ours: Order, theirs: Order, market_ns: Sequence[int]) -> str:
    """Return why an order has other fills: between the same two of the market it has the same place in its queue."""
    if ours.filled_lots == theirs.filled_lots:
        return "the same quantity in other pieces"
    is_same_place = bisect(market_ns, ours.entered_ns) == bisect(market_ns, theirs.entered_ns)
    return UNEXPLAINED if is_same_place else "entered earlier or later among the market's orders"


def main() -> None:
    """Run both, and print how alike they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flow")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    settings = BUSY | dict(text.split("=", 1) for text in given.set)
    one, steps = live(given.flow, settings, given.seconds)
    parity = compare(one, followed(given.flow, settings, one, steps))
    unled = compare(one, alone(given.flow, settings, one))
    if given.json:
        print(json.dumps({"followed": asdict(parity), "alone": asdict(unled)}, indent=2))
    else:
        orders, fills = f"{parity.live_orders} live, {parity.backtest_orders} backtested", parity.live_fills
        print(f"orders: {orders}, {parity.order_share:.1%} the same")
        print(f"fills:  {fills} live, {parity.backtest_fills} backtested, {parity.fill_share:.1%} of the lots the same")
        for reason, count in parity.reasons.items():
            print(f"{count:8} {reason}")
        print("a backtest that knows nothing of the live run:")
        print(f"        {unled.backtest_orders} orders, {unled.order_share:.1%} the same")
        print(f"        {unled.backtest_fills} fills, {unled.fill_share:.1%} of the lots the same")
    sys.exit(0 if parity.is_good else 1)


if __name__ == "__main__":
    main()
