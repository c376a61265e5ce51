"""The slow and obvious bookkeeper: what accounts must own and have locked, by what was placed and what traded.

It shares no arithmetic with the exchange: amounts are fractions of whole assets, made from prices and quantities.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from market.codes import RejectReason, Side, Tag
from market.events import Amended, Canceled, Event, Executed, Rejected, Triggered
from market.instrument import Instrument
from paper.money.commission import Commission, FeePlace
from paper.money.orders import Order
from paper.money.starting_assets import STARTING_ASSETS

UNIT = Fraction(1, 10**8)


@dataclass
class ModelList:
    """An order list: the leg that triggers the others, if one does, and those that end each other."""

    working_id: int | None
    pair: list[int]


@dataclass
class ModelOrder:
    """An open order: what is left of it, the list that still ties it, and whether it waits for the working leg."""

    account: int
    instrument: Instrument
    side: Side
    price_ticks: int
    leaves_lots: int
    of_list: ModelList | None = None
    is_held: bool = False

    @property
    def paid_asset(self) -> str:
        """The asset that it gives away."""
        return self.instrument.quote if self.side is Side.BUY else self.instrument.base


class MoneyModel:
    """All accounts' money, by account and asset."""

    def __init__(self, commission: Commission, accounts: Iterable[int]) -> None:
        self.commission = commission
        self.orders: dict[int, ModelOrder] = {}
        self.bnb_payers: dict[int, bool] = {}
        self.fees: dict[str, Fraction] = {}
        self.bnb_price: Fraction | None = None
        self.owned: dict[tuple[int, str], Fraction] = {}
        for account in accounts:
            self.reset(account)

    def reset(self, account: int) -> None:
        """Begin anew."""
        self.orders = {number: order for number, order in self.orders.items() if order.account != account}
        for asset, units in STARTING_ASSETS.items():
            self.owned[account, asset] = units * UNIT

    def placed(self, order: Order) -> None:
        """Take note of an order that the exchange has accepted to send on."""
        price_ticks = order.price_ticks if order.side is Side.BUY else 0
        self.orders[order.order_id] = ModelOrder(
            order.account, order.symbol.instrument, order.side, price_ticks, order.qty_lots
        )

    def placed_list(self, legs: Sequence[Order], *, is_triggering: bool) -> None:
        """Take note of a list that the exchange has accepted to send on."""
        working, pair = (legs[0], legs[1:]) if is_triggering else (None, legs)
        of_list = ModelList(None if working is None else working.order_id, [leg.order_id for leg in pair])
        for leg in legs:
            self.placed(leg)
            self.orders[leg.order_id].of_list = of_list
            self.orders[leg.order_id].is_held = is_triggering and leg is not working

    def locked(self) -> dict[tuple[int, str], Fraction]:
        """Return what open orders need, by account and asset; those of a pair what one of them does."""
        needed: dict[tuple[int, str], dict[object, Fraction]] = {}
        for order_id, order in self.orders.items():
            if not order.is_held:
                is_of_pair = order.of_list is not None and order_id in order.of_list.pair
                by_order = needed.setdefault((order.account, order.paid_asset), {})
                key = id(order.of_list) if is_of_pair else order_id
                by_order[key] = max(by_order.get(key, Fraction(0)), self._needed(order))
        return {key: sum(by_order.values(), Fraction(0)) for key, by_order in needed.items()}

    def free(self, account: int, asset: str) -> Fraction:
        """Return what the account can use of an asset."""
        return self.owned[account, asset] - self.locked().get((account, asset), Fraction(0))

    def apply(self, event: Event, alive: Collection[int]) -> None:
        """Apply what the engine has reported; a cancel of an order in `alive` is one from which it comes back."""
        if isinstance(event, Executed):
            self._fill(event.maker_order_id, event, alive, is_maker=True)
            self._fill(event.taker_order_id, event, alive, is_maker=False)
        elif isinstance(event, Triggered):
            self._work(event.order_id)
        elif isinstance(event, Amended) and event.order_id in self.orders:
            self.orders[event.order_id].leaves_lots = event.leaves_lots
        elif isinstance(event, Canceled) and event.order_id in self.orders:
            if event.leaves_lots:
                self._work(event.order_id)
                self.orders[event.order_id].leaves_lots -= event.qty_lots
            elif event.order_id not in alive:
                self._end(event.order_id)
        elif isinstance(event, Rejected) and event.order_id not in alive and not _was_in_the_book(event):
            self._end(event.order_id)

    def end_all_but(self, order_ids: Collection[int]) -> None:
        """Let the orders end that are not among these, and what is in lists with them."""
        for order_id in [each for each in self.orders if each not in order_ids]:
            self._end(order_id)

    def _work(self, order_id: int) -> None:
        """Let a leg of a pair end the other, unless it is an order of its own."""
        order = self.orders.get(order_id)
        if order is not None and order.of_list is not None and order_id in order.of_list.pair:
            pair, order.of_list = order.of_list.pair, None
            for other in pair:
                if other != order_id:
                    self.orders.pop(other, None)

    def _end(self, order_id: int) -> None:
        """Let an order end, and with it the legs that it is tied to."""
        order = self.orders.pop(order_id, None)
        if order is not None and order.of_list is not None:
            for other in order.of_list.pair:
                self.orders.pop(other, None)

    def _trigger(self, of_list: ModelList, alive: Collection[int]) -> None:
        """Let the pending legs work that the exchange has not refused; without money it must have."""
        legs = [self.orders[each] for each in of_list.pair]
        account, asset = legs[0].account, legs[0].paid_asset
        is_affordable = max(self._needed(leg) for leg in legs) <= self.free(account, asset)
        is_taken = any(each in alive for each in of_list.pair)
        assert is_affordable or not is_taken, "legs were taken that their account cannot pay"
        for order_id, leg in zip(of_list.pair, legs, strict=True):
            leg.is_held = False
            if not is_taken:
                del self.orders[order_id]
            elif len(legs) == 1:
                leg.of_list = None

    def _fill(self, order_id: int, event: Executed, alive: Collection[int], *, is_maker: bool) -> None:
        self._work(order_id)
        order = self.orders.get(order_id)
        if order is None:
            return
        instrument, account = order.instrument, order.account
        base = event.qty_lots * Fraction(instrument.lot_size)
        quote = base * event.price_ticks * Fraction(instrument.tick_size)
        sign = 1 if order.side is Side.BUY else -1
        order.leaves_lots -= event.qty_lots
        if not order.leaves_lots:
            del self.orders[order_id]
        self.owned[account, instrument.base] += sign * base
        self.owned[account, instrument.quote] -= sign * quote
        rate = self._rate(instrument, is_maker=is_maker)
        asset, fee = instrument.quote, quote * rate
        if self._is_fee_in_base(order.side):
            asset, fee = instrument.base, base * rate
        in_bnb = self._fee_in_bnb(account, instrument, quote * rate)
        if in_bnb is not None:
            asset, fee = "BNB", in_bnb
        fee = _whole_units(fee)
        self.owned[account, asset] -= fee
        self.fees[asset] = self.fees.get(asset, Fraction(0)) + fee
        if order_id not in self.orders and order.of_list is not None:
            self._trigger(order.of_list, alive)

    def _fee_in_bnb(self, account: int, instrument: Instrument, fee_in_quote: Fraction) -> Fraction | None:
        wants = self.bnb_payers.get(account, self.commission.is_in_bnb)
        if not wants or not fee_in_quote or self.bnb_price is None or instrument.quote != "USDT":
            return None
        fee = _whole_units(fee_in_quote * (1 - Fraction(self.commission.bnb_discount)) / self.bnb_price)
        return fee if fee <= self.free(account, "BNB") else None

    def _rate(self, instrument: Instrument, *, is_maker: bool) -> Fraction:
        shares = self.commission.by_symbol.get(instrument.symbol, (self.commission.maker, self.commission.taker))
        return Fraction(shares[0 if is_maker else 1])

    def _is_fee_in_base(self, side: Side) -> bool:
        return self.commission.place is FeePlace.BASE or (
            self.commission.place is FeePlace.RECEIVED and side is Side.BUY
        )

    def _needed(self, order: ModelOrder) -> Fraction:
        instrument = order.instrument
        needed = order.leaves_lots * Fraction(instrument.lot_size)
        if order.side is Side.BUY:
            needed *= order.price_ticks * Fraction(instrument.tick_size)
        if self._is_fee_in_base(order.side) is (order.side is Side.SELL):
            rate = max(self._rate(instrument, is_maker=True), self._rate(instrument, is_maker=False))
            needed += math.ceil(needed * rate / UNIT) * UNIT
        return needed


def _was_in_the_book(event: Rejected) -> bool:
    return (event.command, event.reason) == (Tag.NEW_ORDER, RejectReason.DUPLICATE_ORDER_ID)


def _whole_units(amount: Fraction) -> Fraction:
    return math.floor(amount / UNIT) * UNIT
