"""Other accounts of the exchange: they use every kind of order and of change, and remember what they were told."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any, Final

from market.clock import NS_PER_MS
from market.instrument import Instrument
from paper.errors import ErrorKind, ExchangeError
from simulation.faults.door import Door
from simulation.faults.life import Life

BEAT_NS: Final = 40 * NS_PER_MS
_WAY_NS: Final = NS_PER_MS
_NAMES_KEPT: Final = 30
_TICKS_MAX: Final = 200
_STEP_TICKS: Final = 20  # between prices, so that orders meet in queues
_OPEN_KINDS: Final = ErrorKind.TIMEOUT, ErrorKind.DISCONNECTED, ErrorKind.UNEXPECTED_RESPONSE, ErrorKind.UNKNOWN


class Crowd:
    """One account's clients, all at once.

    Args:
        door: that of the account.

    Attributes:
        is_still: whether they want nothing new.
        filled: by order id (an amend changes the other one), the largest `executedQty` that was told.
        ended: those that were told to have ended.
        refused: client order ids that were told to be no orders.
    """

    def __init__(self, life: Life, door: Door, instrument: Instrument, dice: Random, account: int) -> None:
        self.account = account
        self.is_still = False
        self.filled: dict[int, Decimal] = {}
        self.ended: set[int] = set()
        self.refused: set[str] = set()
        self._life = life
        self._door = door
        self._instrument = instrument
        self._dice = dice
        self._names = (f"crowd-{account}-{number}" for number in count(1))
        self._lately: list[str] = []
        life.every(BEAT_NS, self._act)

    def _act(self) -> None:
        process, dice = self._door.process, self._dice
        if self.is_still or process is None:
            return
        mid_ticks_x2 = process.books.depth(self._instrument.symbol_id, 1).mid_ticks_x2
        if mid_ticks_x2 is None:
            return
        roll = dice.random()
        if roll < 0.5 or not self._lately:
            self._begin("POST", "order", self._order(mid_ticks_x2 // 2))
        elif roll < 0.6:
            self._begin("POST", *self._order_list(mid_ticks_x2 // 2))
        elif roll < 0.8:
            self._begin("DELETE", "order", {"origClientOrderId": dice.choice(self._lately)})
        elif roll < 0.9:
            asked = {"origClientOrderId": dice.choice(self._lately), "newQty": self._qty()}
            self._begin("PUT", "order/amend/keepPriority", asked)
        elif roll < 0.99:
            asked = {"cancelOrigClientOrderId": dice.choice(self._lately), "cancelReplaceMode": "STOP_ON_FAILURE"}
            self._begin("POST", "order/cancelReplace", {**self._order(mid_ticks_x2 // 2), **asked})
        else:
            self._begin("DELETE", "openOrders", {})

    def _order(self, mid_ticks: int) -> dict[str, object]:
        dice = self._dice
        name = next(self._names)
        self._lately = [*self._lately, name][-_NAMES_KEPT:]
        terms: dict[str, object] = {
            "side": dice.choice(("BUY", "SELL")),
            "type": dice.choice(("LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT")),
            "quantity": self._qty(),
            "newClientOrderId": name,
            "newOrderRespType": "RESULT",
            "selfTradePreventionMode": dice.choice(("EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT")),
        }
        if terms["type"] in ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT"):
            terms["price"] = self._price(mid_ticks)
        if terms["type"] in ("LIMIT", "STOP_LOSS_LIMIT"):
            terms["timeInForce"] = dice.choice(("GTC", "GTC", "IOC", "FOK"))
        if terms["type"] in ("STOP_LOSS_LIMIT", "TAKE_PROFIT"):
            terms["stopPrice"] = self._price(mid_ticks)
        return terms

    def _order_list(self, mid_ticks: int) -> tuple[str, dict[str, object]]:
        """Return the path and the terms of a pair around the mid, alone or triggered by an order at another price."""
        dice, mid = self._dice, self._instrument.ticks_to_price
        distance = dice.randint(1, _TICKS_MAX)
        high, low = (f"{mid(mid_ticks + offset):f}" for offset in (distance, -distance))
        side, is_triggered = dice.choice(("BUY", "SELL")), dice.random() < 0.5
        above, below = ("pendingAbove", "pendingBelow") if is_triggered else ("above", "below")
        target, stop = (above, below) if side == "SELL" else (below, above)
        at, stop_at = (high, low) if side == "SELL" else (low, high)
        names = [next(self._names) for _ in range(3)]
        self._lately = [*self._lately, *names][-_NAMES_KEPT:]
        terms: dict[str, object] = {
            f"{target}Type": "LIMIT_MAKER",
            f"{target}Price": at,
            f"{target}ClientOrderId": names[0],
            f"{stop}Type": "STOP_LOSS",
            f"{stop}StopPrice": stop_at,
            f"{stop}ClientOrderId": names[1],
        }
        if not is_triggered:
            return "orderList/oco", terms | {"side": side, "quantity": self._qty()}
        working = {"Type": "LIMIT", "TimeInForce": "GTC", "Side": "BUY" if side == "SELL" else "SELL"}
        working |= {"Price": self._price(mid_ticks), "Quantity": self._qty(), "ClientOrderId": names[2]}
        terms |= {f"working{name}": value for name, value in working.items()}
        return "orderList/otoco", terms | {"pendingSide": side, "pendingQuantity": self._qty()}

    def _price(self, mid_ticks: int) -> str:
        price_ticks = mid_ticks + self._dice.randint(-_TICKS_MAX, _TICKS_MAX)
        return f"{self._instrument.ticks_to_price(price_ticks // _STEP_TICKS * _STEP_TICKS):f}"

    def _qty(self) -> str:
        return f"{Decimal(self._dice.randint(1, 40)) / 1_000:f}"

    def _begin(self, method: str, path: str, asked: Mapping[str, object]) -> None:
        call = {"symbol": self._instrument.symbol, **asked}
        name = str(asked.get("newClientOrderId", ""))
        heap = self._life.heap

        def done(said: Any) -> None:
            heap.after(_WAY_NS, lambda: self._hear(name, said))

        heap.after(_WAY_NS, lambda: self._door.begin(method, path, call, done))

    def _hear(self, name: str, said: Any) -> None:
        if isinstance(said, ExchangeError):
            if name and said.kind not in _OPEN_KINDS and said.data is None:
                self.refused.add(name)
            return
        for each in (
            said if isinstance(said, list) else [said.get("newOrderResponse"), said.get("cancelResponse"), said]
        ):
            if isinstance(each, dict):
                for order in each.get("orderReports", [each]):
                    if "executedQty" in order:
                        self._take(order)

    def _take(self, document: Mapping[str, Any]) -> None:
        order_id = int(document["orderId"])
        self.filled[order_id] = max(Decimal(document["executedQty"]), self.filled.get(order_id, Decimal(0)))
        if document["status"] not in ("NEW", "PARTIALLY_FILLED", "PENDING_NEW"):
            self.ended.add(order_id)
