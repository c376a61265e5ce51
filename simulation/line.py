"""The trader's line to the simulated exchange: actions travel there, answers and news travel back."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from market.account import VenueOrder
from market.instrument import Instrument
from paper.access.accounts import FIRST_ACCOUNT
from paper.errors import ExchangeError
from paper.exchange.news import AccountNews, ExecutionType, OrderNews
from paper.money.orders import Order
from paper.units import UNITS_PER_ONE
from simulation.calls import Caller, SimulatedAccount
from simulation.delays import Lane, Travel
from simulation.heap import EventHeap
from trading import news
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Place
from venues import binance_documents as documents
from venues.venue import VenueError, VenueRefusedError, VenueUnknownError

_ONE: Final = Decimal(UNITS_PER_ONE)


class SimulatedLine:
    """What a trader has instead of a venue.

    Args:
        caller: takes the calls; what happens to the account is given to `hear`.
        travel: how long each thing takes, there and back; neither way overtakes.
        on_news: called when there is some.
    """

    def __init__(
        self,
        caller: Caller,
        heap: EventHeap,
        instrument: Instrument,
        travel: Travel,
        on_news: Callable[[Sequence[news.News]], None],
    ) -> None:
        self._caller = caller
        self._account = SimulatedAccount(caller)
        self._heap = heap
        self._instrument = instrument
        self._there, self._back = Lane(heap, travel), Lane(heap, travel)
        self._on_news = on_news

    def act(self, actions: Sequence[Action]) -> None:
        """Send actions; they arrive together, and are carried out one after the other."""
        if actions:
            asked_ns = self._heap.now_ns
            self._there.send(lambda: self._carry_out(actions, asked_ns))

    def tell(self, said: news.News) -> None:
        """Let news arrive at the trader after its travel."""
        self._back.send(lambda: self._on_news([said]))

    def _carry_out(self, actions: Sequence[Action], asked_ns: int) -> None:
        if not actions:
            return
        first, rest = actions[0], actions[1:]

        def done(answer: Any) -> None:
            said = self._answer(first, answer, asked_ns)
            if isinstance(said, news.Failed):
                self.tell(said._replace(undone=(*said.undone, *rest)))
                return
            if said is not None:
                self.tell(said)
            self._carry_out(rest, asked_ns)

        method, path, asked = self._call_of(first)
        self._caller.begin(method, path, asked, done)

    def _call_of(self, action: Action) -> tuple[str, str, dict[str, object]]:
        """Return the call that an action is, as `venues.binance_account` has them."""
        symbol = {"symbol": self._instrument.symbol}
        match action:
            case Place(name, side, price_ticks, qty_lots):
                qty, price = self._instrument.lots_to_qty(qty_lots), self._instrument.ticks_to_price(price_ticks)
                terms = {"type": "LIMIT_MAKER", "quantity": f"{qty:f}", "price": f"{price:f}"}
                names = {"newClientOrderId": name, "newOrderRespType": "RESULT"}
                return "POST", "order", {**symbol, "side": side.name, **terms, **names}
            case Cancel(_, order_id):
                return "DELETE", "order", {**symbol, "orderId": order_id}
            case FindOrder(name):
                return "GET", "order", {**symbol, "origClientOrderId": name}
            case ListOrders():
                return "GET", "openOrders", {**symbol}
            case AskBalances():
                return "GET", "account", {}

    def _answer(self, action: Action, answer: Any, asked_ns: int) -> news.News | None:
        """Return what the trader hears of a call; what becomes of an order, the account's news has told it."""
        if isinstance(answer, ExchangeError):
            method, _, _ = self._call_of(action)
            return self._refusal(action, self._account.refusal(method, answer), asked_ns)
        match action:
            case Place() | Cancel():
                return None
            case FindOrder(name):
                return news.Found(name, documents.order_of(answer), asked_ns)
            case ListOrders():
                return news.Listed(documents.orders_of(answer), asked_ns)
            case AskBalances():
                return news.Balances(documents.account_of(answer).balances)

    def _refusal(self, action: Action, error: VenueError, asked_ns: int) -> news.News:
        """Return what the trader hears of a call that was refused or failed."""
        match action, error:
            case Place(name), VenueUnknownError():
                return news.Unknown(name, str(error))
            case Cancel(name), VenueRefusedError(code=code) if code in documents.UNKNOWN_ORDER_CODES:
                return news.Gone(name)
            case FindOrder(name), VenueRefusedError(code=code) if code in documents.UNKNOWN_ORDER_CODES:
                return news.Found(name, None, asked_ns)
            case Place(name), VenueRefusedError(code=code):
                return news.Refused(name, str(error), code)
        return news.Failed(str(error), (action,), error.retry_after_s)

    def hear(self, told: AccountNews) -> None:
        """Take what happens at the exchange to the account: it travels to the trader."""
        if not isinstance(told, OrderNews) or told.execution is ExecutionType.REJECTED:
            return
        if told.account == FIRST_ACCOUNT and told.order.symbol.name == self._instrument.symbol:
            self.tell(news.OrderNews(venue_order(told.order)))


def venue_order(order: Order) -> VenueOrder:
    """Return an order of the exchange as its account sees it."""
    symbol = order.symbol
    return VenueOrder(
        str(order.order_id),
        order.client_order_id,
        symbol.name,
        order.side,
        order.price_ticks * symbol.tick_units / _ONE,
        order.qty_lots * symbol.lot_units / _ONE,
        order.filled_lots * symbol.lot_units / _ONE,
        order.status.value,
        order.time_ms,
        order.filled_units / _ONE,
    )
