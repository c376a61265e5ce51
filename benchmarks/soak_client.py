"""Clients of the gateway that trade for an hour and keep account of all that they are told: for `benchmarks.soak`.

Each is a session with a name. It sends orders that rest away from the market, and, once enough of them do, a cancel of
the oldest for each new one; now and then one takes what the market offers. What it believes to rest follows from its
reports alone.
"""

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Final

from market.clock import NS_PER_SECOND, monotonic_ns
from market.codes import RejectReason, Side, Tag, TimeInForce
from market.commands import CancelOrder, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected, Rested
from venues.gateway import GatewayError, GatewaySession

RESTING_MAX: Final = 1_000  # of a client
TAKER_EVERY: Final = 50  # of so many orders one trades
LOTS: Final = 20
DISTANCES: Final = (0.006, 0.015)  # from the mid, of what rests
ASK_AGAIN_NS: Final = 5 * NS_PER_SECOND  # a cancel may be lost with its connection
RECONNECT_S: Final = 60.0


class SoakClient:
    """One session.

    Args:
        name: the session's.
        port: the gateway's.
        seed: of its orders.
    """

    def __init__(self, name: str, port: int, seed: int) -> None:
        self.name = name
        self.session = GatewaySession(name, port=port, reconnect_s=RECONNECT_S)
        self.resting: dict[int, int] = {}  # what should be in the book: order id to lots
        self.took_ns: list[tuple[int, int]] = []  # of each order: when it was meant to be sent, and until its report
        self.doubled = self.refused = self.executed = self.sent = 0
        self._dice = Random(seed)
        self._due_ns: dict[int, int] = {}  # of orders without a report
        self._oldest: deque[int] = deque()  # resting orders of which no cancel was sent
        self._asked: deque[tuple[int, int]] = deque()  # cancels: when, and of which order

    def act(self, due_ns: list[int], mid_ticks: int) -> None:
        """Send a command for each time at which one is due.

        Raises:
            GatewayError: if the gateway does not come back.
        """
        commands: list[NewOrder | CancelOrder] = []
        last_id = self.session.state.last_order_id
        for one_ns in due_ns:
            while self._oldest and self._oldest[0] not in self.resting:
                self._oldest.popleft()  # it has traded
            if len(self._oldest) >= RESTING_MAX:
                commands.append(self._cancel(self._oldest.popleft(), one_ns))
            else:
                last_id += 1
                self._due_ns[last_id] = one_ns
                commands.append(self._order(last_id, mid_ticks))
        self._send(commands)

    def take(self, wait_s: float = 0.0) -> int:
        """Take the reports that have come, and return how many; ask again for what has not ended though it should.

        Raises:
            GatewayError: if the gateway does not come back.
        """
        events = self.session.receive(wait_s)
        now_ns = monotonic_ns()
        for event in events:
            self._hear(event, now_ns)
        again = []
        while self._asked and now_ns - self._asked[0][0] > ASK_AGAIN_NS:
            order_id = self._asked.popleft()[1]
            if order_id in self.resting:
                again.append(self._cancel(order_id, now_ns))
        if again:
            self._send(again)
        return len(events)

    @property
    def is_quiet(self) -> bool:
        """Whether every order has its report, and every order that was cancelled has ended."""
        return not self.session.state.unanswered_count and not any(each in self.resting for _, each in self._asked)

    def _order(self, order_id: int, mid_ticks: int) -> NewOrder:
        side = self._dice.choice((Side.BUY, Side.SELL))
        away = -1 if side is Side.BUY else 1
        if self._dice.randrange(TAKER_EVERY) == 0:
            price = round(mid_ticks * (1 - away * DISTANCES[0]))
            return NewOrder(order_id, 0, side, price, 1, time_in_force=TimeInForce.IOC)
        price = round(mid_ticks * (1 + away * self._dice.uniform(*DISTANCES)))
        return NewOrder(order_id, 0, side, price, self._dice.randint(1, LOTS))

    def _cancel(self, order_id: int, now_ns: int) -> CancelOrder:
        self._asked.append((now_ns, order_id))
        return CancelOrder(order_id, 0)

    def _send(self, commands: Sequence[NewOrder | CancelOrder]) -> None:
        self.sent += len(commands)
        try:
            self.session.send(commands)
        except GatewayError:
            if not self.session.state.is_logged_on:
                raise
            # Cancels may be lost and are asked for again; orders are not.

    def _hear(self, event: Event, now_ns: int) -> None:
        match event:
            case Accepted():
                self._first_report(event.order_id, now_ns)
                if event.resting_lots:
                    self._rest(event.order_id, event.resting_lots)
            case Rested():
                self._rest(event.order_id, event.leaves_lots)
            case Executed():
                self.executed += 1
                if event.maker_order_id:
                    self._reduce(event.maker_order_id, event.maker_leaves_lots)
            case Canceled():
                self._reduce(event.order_id, event.leaves_lots)
            case Rejected() if event.command == Tag.NEW_ORDER:
                self._first_report(event.order_id, now_ns)
                self.refused += 1
            case Rejected() if event.reason != RejectReason.UNKNOWN_ORDER:
                self.refused += 1

    def _first_report(self, order_id: int, now_ns: int) -> None:
        due_ns = self._due_ns.pop(order_id, None)
        if due_ns is None:
            self.doubled += 1
        else:
            self.took_ns.append((due_ns, now_ns - due_ns))

    def _rest(self, order_id: int, lots: int) -> None:
        if order_id not in self.resting:
            self._oldest.append(order_id)
        self.resting[order_id] = lots

    def _reduce(self, order_id: int, leaves_lots: int) -> None:
        if leaves_lots:
            self.resting[order_id] = leaves_lots
        else:
            self.resting.pop(order_id, None)
