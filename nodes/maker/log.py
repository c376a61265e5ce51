"""What the maker tells of its trader: a line in the log for each thing that happens, figures in `status`, a mirror."""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from desk.market_seen import seen_json
from market.account import VenueOrder
from market.clock import NS_PER_MS, NS_PER_SECOND, time_ns
from market.codes import Side
from market.instrument import format_decimal, plain
from nodes.maker.decisions import Decisions
from nodes.node import Node
from trading import notes
from trading.outbox import Outbox
from trading.own_orders import OwnOrders
from trading.quoting import Estimates
from trading.reasons import DENIED, STOPPING, Reason, Rule, joined
from venues.gateway import GatewayError
from venues.mirror import GatewayMirror

RECENT_FILLS_MAX: Final = 20  # that `status --json` shows: who asks four times a second misses none

_UNTOLD = frozenset({Rule.STOPPING, Rule.PENDING})  # nobody need be told that it does not quote, or not for a round
_OfLimits = notes.Limited | notes.Broken | notes.Withdrew | notes.Flattened | notes.Stuck | notes.Ruled
_OfTheGuard = _OfLimits | notes.Flowed | notes.Wiped
_SHORT = {Side.BUY: "bid", Side.SELL: "ask"}


class MakerLog:
    """Every quote, fill, cancel and reason once; what stays as it is, is told when it changes.

    Attributes:
        counts: of what was done since the start.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._log = node.log
        self._instrument = node.settings.instrument
        is_elsewhere = node.settings.venue.name != "paper"
        gateway = next(iter(node.plan.gateways.values())).settings  # any will do
        self._mirror = GatewayMirror(self._instrument, gateway.host, gateway.port) if is_elsewhere else None
        self.counts = {"placed": 0, "cancelled": 0, "filled": 0, "refused": 0, "unknown": 0}
        self._decisions = Decisions(node, time_ns)
        self._idle: dict[Side, Reason] = {}
        self._failing: str | None = None
        self._last_fill: str | None = None
        self._fills: deque[dict[str, Any]] = deque(maxlen=RECENT_FILLS_MAX)
        self._has_fill_news = False
        self._told: dict[str, str] = {}

    def decided(self) -> None:
        """Let what is told next be of this moment: before anything of it is on its way."""
        self._decisions.now()

    def take(self, outbox: Outbox, own: OwnOrders) -> None:
        """Tell what the trader has done in a step; `own` as it left them."""
        for note in outbox.notes:
            self._take(note)
        self._decisions.act(outbox.actions, own)
        self._decisions.write()

    def _take(self, note: notes.Note) -> None:
        match note:
            case notes.Quoted(order, why):
                self.counts["placed"] += 1
                self._tell("quoted", order, qty=format_decimal(order.qty), **_texts(why))
            case notes.Filled(order, qty, is_picked_off):
                self.counts["filled"] += 1
                self._last_fill = f"{order.side.name} {format_decimal(qty)} at {format_decimal(order.price)}"
                self._add_fill(order, qty, is_picked_off=is_picked_off)
                late = {"picked_off": "its cancel was on its way"} if is_picked_off else {}
                self._tell("filled", order, qty=format_decimal(qty), left=format_decimal(order.leaves_qty), **late)
            case notes.Ended(order, why, is_by_us, is_adopted):
                self.counts["cancelled"] += is_by_us
                self._tell("cancelled", order, left=format_decimal(order.leaves_qty), **_texts(why))
                if not is_by_us:
                    self._decisions.ended(order, why, is_adopted=is_adopted)
            case notes.Forgotten(order, is_adopted):
                self._decisions.ended(order, DENIED, is_adopted=is_adopted)
                self._log.warning("an order is gone: the venue has forgotten it", order_id=order.order_id)
            case notes.Kept():
                self._tell_kept(note)
            case notes.Declined(quote, why, wait_ns):
                self.counts["refused"] += 1
                self._decisions.refuse(quote, why)
                self._log.warning("a quote was refused", side=quote.side.name, **_texts(why), wait_s=_seconds(wait_ns))
            case (
                notes.Limited()
                | notes.Broken()
                | notes.Flowed()
                | notes.Wiped()
                | notes.Withdrew()
                | notes.Flattened()
                | notes.Stuck()
                | notes.Ruled()
            ):
                self._tell_guard(note)
            case notes.Lost(name, why):
                self.counts["unknown"] += 1
                self._log.warning("an order's fate is unknown", client_order_id=name, why=why)
            case notes.Settled(name, has_arrived):
                self._log.info("fate settled", client_order_id=name, arrived=has_arrived)
            case notes.Paused(why, wait_ns):
                self._node.show(failing=why)  # what `status` shows of our orders is old then
                if why != self._failing:
                    self._failing = why
                    self._decisions.add("wait", None, Reason(Rule.FAILED, why, {"wait_s": _seconds(wait_ns)}))
                self._log.warning("the venue failed", rule=Rule.FAILED.value, why=why, wait_s=_seconds(wait_ns))
            case notes.Looked(_, idle):
                self._tell_idle(idle)

    def show(self, looked: notes.Looked, own: OwnOrders, position: Decimal | None, seen: Estimates) -> None:
        """Set the figures of `status`, and let the gateway have the same orders if the venue is elsewhere."""
        mid = None if looked.mid_ticks_x2 is None else looked.mid_ticks_x2 * self._instrument.tick_size / 2
        live = list(own.standing.values())
        from_the_back = sorted(live, key=lambda order: order.price if order.side == Side.BUY else -order.price)
        orders = {order.side: order for order in from_the_back}
        figures: dict[str, Decimal | str | None] = {"mid": mid, "position": position, "last_fill": self._last_fill}
        bounds: dict[str, list[str]] = {}  # their codes, and what each says
        for side, name in _SHORT.items():
            order = orders.get(side)
            figures[name], figures[f"{name}_qty"] = (order.price, order.leaves_qty) if order else (None, None)
            idle = self._idle.get(side)
            why = own.why_placed(order.client_order_id) if idle is None and order is not None else idle
            figures[f"{name}_idle"], figures[f"{name}_rule"] = idle and idle.text, why and why.rule
            bound = looked.bound.get(side, ())
            figures[f"{name}_why"] = why and joined([why, *bound]).text
            bounds[f"{name}_bound"] = [str(each.rule) for each in bound]
            bounds[f"{name}_bound_why"] = [each.text for each in bound]
        texts = {name: format_decimal(each) if isinstance(each, Decimal) else each for name, each in figures.items()}
        self._failing = None
        fills, quotes = list(self._fills), [self._quote(each, own, looked) for each in reversed(from_the_back)]
        self._node.show(quotes=quotes, recent_fills=fills)
        self._node.show(failing=None, seen=seen_json(seen), **texts, **bounds, **self.counts)
        if self._mirror is not None:
            self._sync(self._mirror, live)

    def leave(self) -> None:
        """Say that what stands is on its way out, and that nothing of it can be vouched for any more."""
        figures: dict[str, Any] = {}
        for name in _SHORT.values():
            figures |= {name: None, f"{name}_qty": None, f"{name}_idle": STOPPING.text}
            figures |= {f"{name}_bound": [], f"{name}_bound_why": []}
            figures |= {f"{name}_rule": STOPPING.rule, f"{name}_why": STOPPING.text}
        self._node.show(quotes=[], **figures)
        self._node.beat()

    def take_fill_news(self) -> bool:
        """Return whether something was filled since this was last asked."""
        has_news, self._has_fill_news = self._has_fill_news, False
        return has_news

    def close(self) -> None:
        """Hang up on the gateway, which cancels what it has of ours."""
        if self._mirror is not None:
            self._mirror.close()

    def _quote(self, order: VenueOrder, own: OwnOrders, looked: notes.Looked) -> dict[str, Any]:
        """Return an order that stands, with the rule that it stands by, its level, and whether it hangs."""
        name = order.client_order_id
        why = self._idle.get(order.side) or own.why_placed(name)
        numbers = {"price": format_decimal(order.price), "qty": format_decimal(order.leaves_qty)}
        place = {"level": own.level(name), "is_hanging": name in looked.hanging}
        return {"side": order.side.name, **numbers, **_texts(why), **place}

    def _sync(self, mirror: GatewayMirror, live: Sequence[VenueOrder]) -> None:
        try:
            mirror.sync(live)
        except GatewayError as error:
            self._once("orders are not mirrored", error)
        self._node.show(**mirror.figures())

    def _tell_kept(self, note: notes.Kept) -> None:
        order, why, is_refused = note
        self._decisions.add("kept", order.side, why, order.price, order.leaves_qty, order.client_order_id)
        if is_refused:
            self._log.warning("a cancel was refused", order_id=order.order_id, why=why.text)

    def _tell_guard(self, note: _OfTheGuard) -> None:
        match note:
            case notes.Limited(side, why):
                self._decisions.add("limited", side, why)
                self._log.warning("limited", side=side.name, **_texts(why))
            case notes.Broken(side, why, times, wait_ns):
                self._log.warning(
                    "refused again and again", side=side.name, **_texts(why), times=times, wait_s=_seconds(wait_ns)
                )
            case notes.Flowed((base, quote), value):
                amounts = {self._instrument.base: base, self._instrument.quote: quote}
                text = ", ".join(f"{_signed(amount)} {asset}" for asset, amount in amounts.items() if amount)
                why = Reason(Rule.FLOW, f"{text}, and no fill of ours explains it", {"value": plain(value)})
                self._decisions.add("flow", None, why)
                self._log.warning("the account has changed", **_texts(why), worth=f"{value:.2f}")
            case notes.Wiped(neutral_qty):
                self._log.warning("the account begins anew", neutral=format_decimal(neutral_qty))
            case notes.Withdrew(_, why):
                self._decisions.add("withdrew", None, why)
                self._log.error("withdrew", **_texts(why))
            case notes.Flattened(left_qty):
                self._log.warning("flat", left=format_decimal(left_qty))
            case notes.Stuck(left_qty, why):
                self._log.warning("the position does not go", left=format_decimal(left_qty), why=why)
            case notes.Ruled(changes):
                self._log.warning("the venue has other rules of the pair now", changes="; ".join(changes))

    def _add_fill(self, order: VenueOrder, qty: Decimal, *, is_picked_off: bool) -> None:
        self._has_fill_news = True
        self._fills.append(
            {
                "number": self.counts["filled"],
                "time_ms": self._decisions.decided_ns // NS_PER_MS,
                "side": order.side.name,
                "price": format_decimal(order.price),
                "qty": format_decimal(qty),
                "is_picked_off": is_picked_off,
            }
        )

    def _tell_idle(self, idle: Mapping[Side, Reason]) -> None:
        for side in Side:
            why, before = idle.get(side), self._idle.get(side)
            if why is not None and (before is None or _sense(why) != _sense(before)):
                self._decisions.add("idle", side, why)
                if why.rule in _UNTOLD:
                    continue
                self._log.warning("not quoting", side=side.name, **_texts(why))
        self._idle = dict(idle)

    def _tell(self, event: str, order: VenueOrder, **more: str) -> None:
        self._log.info(event, side=order.side.name, price=format_decimal(order.price), **more, order_id=order.order_id)

    def _once(self, event: str, error: Exception) -> None:
        why = str(error) or type(error).__name__
        if self._told.get(event) != why:
            self._told[event] = why
            self._log.warning(event, why=why)


def _texts(why: Reason) -> dict[str, str]:
    return {"rule": str(why.rule), "why": why.text}


def _signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else '+'}{format_decimal(abs(amount))}"


def _sense(why: Reason) -> tuple[str, str]:
    """Return what makes a reason another one; numbers change all the time."""
    return why.rule, "" if why.numbers else why.text


def _seconds(wait_ns: int) -> float:
    return round(wait_ns / NS_PER_SECOND, 2)
