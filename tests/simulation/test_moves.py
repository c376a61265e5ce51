"""Orders that are moved at the real core of the exchange while it loses, delays and refuses: nothing is made or lost.

Watched at each step, as in `tests.simulation.switched`: never two orders of a side, none that is nobody's. After it
each fill was told once, the position is what the account has, and no asset has come from nowhere. CASES=all has more.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from market.clock import NS_PER_MS
from paper.errors import ExchangeError
from tests.cases import IS_NIGHT
from tests.simulation.switched import Figures, SwitchedDesk

EXAMPLES: Final = 300 if IS_NIGHT else 15  # beside those that meet each outcome
# Quotes whose size changes every other second: an order is too large, too small, or off.
STRATEGY: Final = """
from market.codes import Side
from trading.quoting import Quote
from trading.strategy import Inbox, Wanted

def step(now_ns: int, inbox: Inbox) -> Wanted:
    if inbox.depth.mid_ticks_x2 is None:
        return Wanted(())
    lots = (300, 120, 50)[now_ns // 2_000_000_000 % 3]
    mid_ticks, off_ticks = inbox.depth.mid_ticks_x2 // 2, inbox.depth.mid_ticks_x2 // 20_000
    quotes = [Quote(Side.BUY, mid_ticks - off_ticks, lots), Quote(Side.SELL, mid_ticks + off_ticks, lots)]
    return Wanted(quotes, wake_ns=now_ns + 500_000_000)
"""
MOVE: Final = "order/cancelReplace"
AMEND: Final = "order/amend/keepPriority"


class MovingDesk(SwitchedDesk):
    """A desk that counts what became of its moves.

    Attributes:
        moved: by the words that the exchange has for both halves; and its amends, by whether they were done.
    """

    def __init__(self, folder: Path, flow_seed: int) -> None:
        self.moved: Counter[tuple[str, str]] = Counter()
        strategy = folder / "strategy.py"
        strategy.write_text(STRATEGY)
        sets = {"maker.strategy": strategy, "maker.requote_tolerance": "0.0001", "flow.opening_s": 0}
        super().__init__(folder, flow_seed, Figures(), sets)

    def begin(self, method: str, path: str, asked: Mapping[str, object], done: Callable[[Any], None]) -> None:
        """Let a call come to the exchange, and note what it answers to a move."""

        def told(answer: Any) -> None:
            halves = answer.document.get("data") if isinstance(answer, ExchangeError) else answer
            if path == MOVE and isinstance(halves, dict):
                self.moved[halves["cancelResult"], halves["newOrderResult"]] += 1
            elif path == AMEND:
                self.moved["amend", "FAILURE" if isinstance(answer, ExchangeError) else "SUCCESS"] += 1
            done(answer)

        super().begin(method, path, asked, told)


SWITCHES: Final[list[dict[str, Any]]] = [
    {"kind": "drop_event", "streams": "account", "percent": 50},
    *({"kind": "drop_reply", "path": path, "count": 2} for path in (MOVE, AMEND, "order")),
    *(
        {"kind": "server_error", "path": MOVE, "status": status, "is_executed": is_executed}
        for status, is_executed in product((500, 504), (True, False))
    ),
    *(
        {"kind": "delay", "path": MOVE, "ms": ms, "where": where}
        for ms, where in product((300, 4_500, 5_500, 8_000), ("before", "after"))
    ),
    *({"kind": "reject", "path": MOVE, "code": code} for code in (-1013, -2010)),
    {"kind": "reject", "path": AMEND, "code": -2038},
]
LATE: Final[dict[str, Any]] = {"kind": "delay", "path": MOVE, "where": "before"}
HAPPENINGS: Final[list[Callable[[MovingDesk], None]]] = [
    lambda desk: desk.line.cut(),
    MovingDesk.cancel_silently,
    MovingDesk.kill,
]


@pytest.mark.timeout(600)
def test_no_order_is_doubled_or_lost_and_no_money_comes_from_nowhere() -> None:
    """A lost answer to a move leaves two orders in doubt, a half-done one the wrong one of them."""
    met: Counter[tuple[str, str]] = Counter()
    troubles = st.tuples(st.sampled_from([*SWITCHES, *HAPPENINGS]), st.integers(0, 4_000))

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(flow_seed=st.integers(0, 1_000_000), troubles=st.lists(troubles, min_size=1, max_size=5))
    @example(flow_seed=3, troubles=[(LATE | {"ms": 4_500}, 4_000)] * 5)  # the new order comes too late not to take
    @example(flow_seed=4, troubles=[(LATE | {"ms": 300}, 4_000)] * 5)
    @example(flow_seed=5, troubles=[({"kind": "reject", "path": AMEND, "code": -2038}, 4_000)] * 5)
    @example(flow_seed=6, troubles=[(MovingDesk.cancel_silently, 4_000)] * 5)  # a move comes too late
    def check(flow_seed: int, troubles: list[tuple[Any, int]]) -> None:
        with TemporaryDirectory() as folder:
            desk = MovingDesk(Path(folder), flow_seed)
            desk.come_back(stay_ns=0)
            for trouble, wait_ms in troubles:
                if callable(trouble):
                    trouble(desk)
                else:
                    desk.set(**trouble)
                desk.watch(wait_ms * NS_PER_MS)
            desk.clear_all()
            desk.come_back()
            desk.exchange.ledger.check()
            desk.leave()
            desk.exchange.ledger.check()
            met.update(desk.moved)

    check()
    moves = {("SUCCESS", "SUCCESS"), ("SUCCESS", "FAILURE"), ("FAILURE", "NOT_ATTEMPTED")}
    amends = {("amend", "SUCCESS"), ("amend", "FAILURE")}
    assert moves | amends <= met.keys(), f"an outcome was not met: {met}"
