"""The maker's journal of decisions: what it places, cancels and leaves out, each with the code of its rule.

Only what changes is told: a side that stays idle for the same reason is one line.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from desk.decisions_file import DecisionsFile, last_end
from market.account import VenueOrder
from market.clock import NS_PER_MS, iso_time
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import plain
from nodes.node import Node
from trading.actions import Action, Amend, Cancel, Place, apart
from trading.own_orders import OwnOrders
from trading.quoting import Quote
from trading.reasons import ADOPTED, Reason, Rule, plain_numbers


class Decisions:
    """Keeps them; a disk that takes nothing is told once, and stops nobody.

    Args:
        clock: the time of day, ns since 1970 UTC.
    """

    def __init__(self, node: Node, clock: Callable[[], int]) -> None:
        self._node = node
        self._clock = clock
        self._instrument = node.settings.instrument
        self._run_dir = node.settings.run_dir
        self._file = DecisionsFile(self._run_dir)
        self._earlier: dict[str, JsonObject | None] = {}  # of adopted orders: the end that an earlier run has told
        self._new: list[JsonObject] = []
        self._why_lost = ""
        self.decided_ns = clock()  # the time of what is taken

    def now(self) -> None:
        """Let what is taken from now on be of this moment: that of the decision, not of when it is written down."""
        self.decided_ns = self._clock()

    def act(self, actions: Sequence[Action], own: OwnOrders) -> None:
        """Take the actions that leave now; `own` still has the orders that they cancel."""
        for action in apart(actions):
            match action:
                case Place(name, _, _, _, why):
                    self._quote("place", action.quote, why, name)
                case Cancel(name, _, why):
                    order = own.open[name]
                    is_adopted = own.why_placed(name) is ADOPTED
                    if is_adopted and _is_sure(self._told_end(order)):
                        continue  # a list that lags has it still
                    self.add("cancel", order.side, why, order.price, order.leaves_qty, name)
                case Amend(name, _, qty_lots, why):
                    order = own.open[name]
                    left_qty = self._instrument.lots_to_qty(qty_lots) - order.filled_qty
                    self.add("amend", order.side, why, order.price, left_qty, name)

    def ended(self, order: VenueOrder, why: Reason, *, is_adopted: bool) -> None:
        """Take an order that has ended, and not by us; one of an earlier run whose end is told has no other."""
        if not (is_adopted and self._told_end(order)):
            self.add("ended", order.side, why, order.price, order.leaves_qty, order.client_order_id)

    def _told_end(self, order: VenueOrder) -> JsonObject | None:
        name = order.client_order_id
        if name not in self._earlier:
            try:
                self._earlier[name] = last_end(self._run_dir, name, order.time_ms)
            except OSError:  # told as soon as this run has something to write
                return None
        return self._earlier[name]

    def refuse(self, quote: Quote, why: Reason) -> None:
        """Take a quote that the venue has refused."""
        self._quote("refused", quote, why, None)

    def add(
        self,
        action: str,
        side: Side | None,
        why: Reason,
        price: Decimal | None = None,
        qty: Decimal | None = None,
        client_order_id: str | None = None,
        placed_by: tuple[int | None, str | None] = (None, None),
    ) -> None:
        """Take any other: docs/strategies.md has them all; `placed_by` is the level and the model of a quote."""
        told = {"action": action, "price": price, "qty": qty, "client_order_id": client_order_id}
        self._new.append(_row(self.decided_ns, self._instrument.symbol, side, why, told, placed_by))

    def write(self) -> None:
        """Keep what was taken."""
        if not self._new:
            return
        new, self._new = self._new, []
        try:
            self._file.write(new, self._clock())
            self._why_lost = ""
        except OSError as error:
            if (why := str(error)) != self._why_lost:
                self._why_lost = why
                self._node.log.warning("decisions are not kept: the maker goes on without", why=why)
        last = {name: new[-1][name] for name in ("time", "side", "action", "rule", "why")}
        self._node.show(lost_decisions=self._file.lost_count, last_decision=last)

    def _quote(self, action: str, quote: Quote, why: Reason, name: str | None) -> None:
        price = self._instrument.ticks_to_price(quote.price_ticks)
        qty = self._instrument.lots_to_qty(quote.qty_lots)
        self.add(action, quote.side, why, price, qty, name, (quote.level, quote.model or None))


def _is_sure(end: JsonObject | None) -> bool:
    """Whether an order has surely ended: what a maker has sent just before its own end may not have arrived."""
    return end is not None and (end["action"] == "ended" or end["rule"] == Rule.WATCHDOG)


class LeftDecisions:
    """The same of whoever takes away, for one reason, what a maker has left that is gone.

    Where that had told of a cancel just before its end, the order has its end.

    Args:
        why: the orders must go.
        clock: as Decisions has it.
    """

    def __init__(self, run_dir: Path, why: Reason, log: Any, clock: Callable[[], int]) -> None:
        self._run_dir = run_dir
        self._file = DecisionsFile(run_dir)
        self._why = why
        self._log = log
        self._clock = clock

    def cancelled(self, order: VenueOrder) -> None:
        """Keep one that is cancelled; a disk that takes nothing keeps no other from being cancelled."""
        now_ns = self._clock()
        told: dict[str, str | Decimal | None] = {
            "action": "cancel",
            "price": order.price,
            "qty": order.leaves_qty,
            "client_order_id": order.client_order_id,
        }
        try:
            if last_end(self._run_dir, order.client_order_id, order.time_ms) is None:
                self._file.write([_row(now_ns, order.symbol, order.side, self._why, told)], now_ns)
        except OSError as error:
            self._log.warning("a decision is not kept", why=str(error))


class WatchdogDecisions(LeftDecisions):
    """Those of the maker's watchdog; `cause` is why the maker's orders must go."""

    def __init__(self, run_dir: Path, cause: str, log: Any, clock: Callable[[], int]) -> None:
        why = Reason(Rule.WATCHDOG, f"the watchdog has cancelled it, for the maker is gone: {cause}")
        super().__init__(run_dir, why, log, clock)


def _row(
    now_ns: int,
    symbol: str,
    side: Side | None,
    why: Reason,
    told: Mapping[str, str | Decimal | None],
    placed_by: tuple[int | None, str | None] = (None, None),
) -> JsonObject:
    """Return a line; `told` is its action, price, qty and client order id."""
    level, model = placed_by
    return {
        "time": iso_time(now_ns // NS_PER_MS),
        "symbol": symbol,
        "side": None if side is None else side.name,
        **{key: plain(each) if isinstance(each, Decimal) else each for key, each in told.items()},
        "rule": str(why.rule),
        "why": why.text,
        "numbers": plain_numbers(why.numbers),
        "level": level,
        "model": model,
    }
