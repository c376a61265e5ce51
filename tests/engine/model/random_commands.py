"""Seeded random commands: every kind, every field, mostly sensible and sometimes absurd."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from market.codes import OrderType, SelfTradePrevention, TimeInForce, Trigger
from market.commands import AmendOrder, CancelOrder, Command, HaltSymbol, MassCancel, NewOrder, SetPriceRange
from market.limits import ID_MAX, ORDER_IDS_PER_SOURCE, OWNER_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX, TRAILING_BPS_MAX

_ABSURD = (-1, -(2**63), 2**31, 2**32, 2**40, 2**63 - 1, 9_999)


@dataclass(frozen=True)
class Market:
    """What a stream of commands is like, and the engine that it is for.

    Attributes:
        center_ticks, width_ticks: prices lie around the center, evenly within the width.
        far_share: share of prices drawn from the whole range instead.
        ids_kept: how many of the last ids cancels and amends are drawn from.
    """

    symbol_count: int = 1
    orders_max: int = 200
    pages_max: int = 64
    event_slots: int = 256
    center_ticks: int = 10_000
    width_ticks: int = 12
    far_share: float = 0.0
    owner_count: int = 3
    ids_kept: int = 60
    cancel_share: float = 0.19
    amend_share: float = 0.12


MARKETS = {
    "narrow": Market(),
    "deep": Market(width_ticks=40, cancel_share=0.12),
    "wide": Market(width_ticks=3_000, far_share=0.05, center_ticks=50_000_000),
    "three symbols": Market(symbol_count=3, width_ticks=8),
    "full": Market(orders_max=12, pages_max=3, far_share=0.2, center_ticks=4_096, cancel_share=0.12),
    "short of events": Market(event_slots=8, width_ticks=6),
    "lowest prices": Market(center_ticks=1, width_ticks=70, far_share=0.02),
    "highest prices": Market(center_ticks=PRICE_TICKS_MAX, width_ticks=70, far_share=0.02),
}


class RandomCommands:
    """An endless stream: the same seed, the same commands."""

    def __init__(self, market: Market, seed: int) -> None:
        self._market = market
        self._random = Random(seed)
        self._time_ns = 0
        self._next_id = 0
        self._open_ids: Sequence[Collection[int]] = ()
        self._ids: list[tuple[int, int]] = []  # id and symbol of the last new orders

    def next(self, open_ids: Sequence[Collection[int]] = ()) -> Command:
        """Return the next command; `open_ids` of each symbol are those that most cancels and amends should name."""
        self._open_ids = open_ids
        self._time_ns += self._random.randrange(1_000)
        draw, market = self._random.random(), self._market
        if draw < market.cancel_share:
            command: Command = self._cancel()
        elif draw < market.cancel_share + market.amend_share:
            command = self._amend()
        elif draw < market.cancel_share + market.amend_share + 0.001:
            command = self._mass_cancel()
        elif draw < market.cancel_share + market.amend_share + 0.006:
            # A halt is lifted soon, or little would be tested.
            is_halted = int(self._chance(0.1))
            command = HaltSymbol(self._random.randint(-1, market.symbol_count - 1), is_halted, self._time_ns)
        elif draw < market.cancel_share + market.amend_share + 0.012:
            command = self._price_range()
        else:
            command = self._new()
        if self._chance(0.01):
            field = self._random.choice(command._fields)
            command = command._replace(**{field: self._random.choice(_ABSURD)})
        return command

    def _new(self) -> NewOrder:
        choose = self._random.choice
        symbol_id = self._random.randrange(self._market.symbol_count)
        order_type = choose((OrderType.LIMIT,) * 10 + (OrderType.MARKET, OrderType.POST_ONLY, OrderType.POST_ONLY))
        time_in_force = choose((TimeInForce.GTC,) * 8 + (TimeInForce.IOC, TimeInForce.FOK))
        if order_type == OrderType.POST_ONLY:
            time_in_force = TimeInForce.GTC
        qty = choose((1, 2, 3, 5, 8, 13, 40)) if not self._chance(0.01) else QTY_LOTS_MAX
        side = self._random.randrange(2)
        can_hide = order_type != OrderType.MARKET and time_in_force == TimeInForce.GTC
        trigger = choose((*Trigger,)[1:]) if self._chance(0.15) else Trigger.NONE
        trigger_price = self._price() if trigger else 0
        trails = trigger == Trigger.TRAIL or (trigger and self._chance(0.4))
        if trigger == Trigger.TRAIL and self._chance(0.5):
            trigger_price = 0
        return NewOrder(
            order_id=self._new_id(symbol_id),
            symbol_id=symbol_id,
            side=side,
            price_ticks=0 if order_type == OrderType.MARKET else self._price(side),
            qty_lots=qty,
            order_type=int(order_type),
            time_in_force=int(time_in_force),
            self_trade_prevention=int(choose((*SelfTradePrevention, SelfTradePrevention.NONE))),
            display_lots=self._random.randint(1, qty) if can_hide and self._chance(0.2) else 0,
            trigger=int(trigger),
            trigger_price_ticks=trigger_price,
            owner=self._owner(),
            time_ns=self._time_ns,
            trailing_bps=choose((1, 5, 10, 50, 1_000, 5_000, TRAILING_BPS_MAX)) if trails else 0,
        )

    def _new_id(self, symbol_id: int) -> int:
        if self._ids and self._chance(0.03):
            return self._random.choice(self._ids)[0]  # open still, or to be used again
        self._next_id += 1
        order_id = self._next_id + self._random.randrange(4) * ORDER_IDS_PER_SOURCE
        if self._chance(0.01):
            order_id = self._random.randint(1, ID_MAX)
        self._ids.append((order_id, symbol_id))
        del self._ids[: -self._market.ids_kept]
        return order_id

    def _cancel(self) -> CancelOrder:
        return CancelOrder(*self._known_id(), self._caller(), self._time_ns)

    def _amend(self) -> AmendOrder:
        price = 0 if self._chance(0.05) else self._price()
        expected = self._random.randint(1, 20) if self._chance(0.3) else 0
        return AmendOrder(
            *self._known_id(), price, self._random.randint(1, 20), self._caller(), self._time_ns, expected
        )

    def _mass_cancel(self) -> MassCancel:
        symbol_id = self._random.randint(-1, self._market.symbol_count - 1)
        return MassCancel(symbol_id, self._random.randint(-1, 1), self._caller(), self._time_ns)

    def _price_range(self) -> SetPriceRange:
        low, high = sorted((self._price(), self._price()))
        symbol_id = self._random.randrange(self._market.symbol_count)
        # A narrow range is lifted soon, or little would trade.
        return SetPriceRange(
            symbol_id, low if self._chance(0.3) else 0, high if self._chance(0.3) else 0, self._time_ns
        )

    def _known_id(self) -> tuple[int, int]:
        symbol_id = self._random.randrange(self._market.symbol_count)
        if self._open_ids and self._open_ids[symbol_id] and self._chance(0.85):
            return self._random.choice(list(self._open_ids[symbol_id])), symbol_id
        order_id, symbol_id = self._random.choice(self._ids) if self._ids else (1, 0)
        if self._chance(0.02):
            symbol_id = self._random.randrange(self._market.symbol_count)
        return order_id, symbol_id

    def _price(self, side: int | None = None) -> int:
        """Return a price; for a side mostly one that does not cross the center."""
        if self._chance(self._market.far_share):
            return self._random.choice((1, PRICE_TICKS_MAX, self._random.randint(1, PRICE_TICKS_MAX)))
        width = self._market.width_ticks
        distance = self._random.randint(-width, width)
        if side is not None and self._chance(0.7):
            distance = abs(distance) if side else -abs(distance)
        price = self._market.center_ticks + distance
        return min(max(price, 1), PRICE_TICKS_MAX)

    def _owner(self) -> int:
        return OWNER_MAX if self._chance(0.01) else self._random.randrange(self._market.owner_count)

    def _caller(self) -> int:
        return self._owner() if self._chance(0.3) else 0

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
