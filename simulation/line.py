"""The trader's line to the simulated exchange: actions travel there, answers and news travel back."""

from collections import deque
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
from simulation.calls import Caller, refusal_of
from simulation.delays import Lane, Travel
from simulation.heap import EventHeap
from trading import news
from trading.actions import Action, AskBalances, Cancel, FindOrder, ListOrders, Place
from venues import binance_documents as documents
from venues.trading_line import news_of_error
from venues.venue import VenueError, VenueRefusedError

_ONE: Final = Decimal(UNITS_PER_ONE)


class SimulatedLine:
    """What a trader has instead of a venue: connections for its calls, its account and the market.

    A call leaves when the one before it is answered: by the reply, or by news of the account that tells the same.

    Args:
        caller: takes the calls; what happens to the account is given to `hear`.
        travel: how long each thing takes, there and back; of one connection nothing overtakes, of several it may.
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
        self._heap = heap
        self._instrument = instrument
        self._calls, self._replies = Lane(heap, travel), Lane(heap, travel)
        self._of_account, self._of_market = Lane(heap, travel), Lane(heap, travel)
        self._on_news = on_news
        self._waiting: deque[Action] = deque()
        self._asked: Action | None = None  # what waits for an answer

    def act(self, actions: Sequence[Action]) -> None:
        """Have actions carried out, one after the other, up to the first that fails."""
        self._waiting += actions
        self._go_on()

    def tell(self, said: news.News) -> None:
        """Let news of the market arrive at the trader after its travel."""
        self._of_market.send(lambda: self._on_news([said]))

    def hear(self, told: AccountNews) -> None:
        """Take what happens at the exchange to the account: it travels to the trader."""
        if not isinstance(told, OrderNews) or told.execution is ExecutionType.REJECTED:
            return
        if told.account == FIRST_ACCOUNT and told.order.symbol.name == self._instrument.symbol:
            order = venue_order(told.order)
            self._of_account.send(lambda: self._on_order(order))

    def close(self) -> None:
        """Hang up: what waits never leaves, and no reply is taken any more."""
        self._waiting.clear()
        self._asked = None

    def _go_on(self) -> None:
        """Send the next call, if none waits for its answer."""
        if self._asked is None and self._waiting:
            action, asked_ns = self._waiting.popleft(), self._heap.now_ns
            self._asked = action
            self._calls.send(lambda: self._carry_out(action, asked_ns))

    def _carry_out(self, action: Action, asked_ns: int) -> None:
        """Make a call at the exchange; its reply travels back."""

        def done(answer: Any) -> None:
            said = self._answer(action, answer, asked_ns)
            self._replies.send(lambda: self._on_reply(action, said))

        self._caller.begin(*self._call_of(action), done)

    def _on_reply(self, action: Action, said: news.News) -> None:
        if self._asked is not action:  # the account's news told it before
            return
        self._asked = None
        if isinstance(said, news.Failed):
            said = said._replace(undone=(*said.undone, *self._waiting))
            self._waiting.clear()
        self._on_news([said])
        self._go_on()

    def _on_order(self, order: VenueOrder) -> None:
        match self._asked:
            case Place(name) if name == order.client_order_id:
                self._asked = None
            case Cancel(name) if name == order.client_order_id and not order.is_open:
                self._asked = None
        self._on_news([news.OrderNews(order)])
        self._go_on()

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

    def _answer(self, action: Action, answer: Any, asked_ns: int) -> news.News:
        """Return what the reply to a call tells the trader."""
        if isinstance(answer, ExchangeError):
            method, _, _ = self._call_of(action)
            return self._refusal(action, refusal_of(method, answer), asked_ns)
        match action:
            case Place() | Cancel():
                return news.OrderNews(documents.order_of(answer))
            case FindOrder(name):
                return news.Found(name, documents.order_of(answer), asked_ns)
            case ListOrders():
                return news.Listed(documents.orders_of(answer), asked_ns)
            case AskBalances():
                return news.Balances(documents.account_of(answer).balances)

    def _refusal(self, action: Action, error: VenueError, asked_ns: int) -> news.News:
        """Return what the trader hears of a call that was refused or failed."""
        match action, error:
            case Cancel(name), VenueRefusedError(code=code) if code in documents.UNKNOWN_ORDER_CODES:
                return news.Gone(name)
            case FindOrder(name), VenueRefusedError(code=code) if code in documents.UNKNOWN_ORDER_CODES:
                return news.Found(name, None, asked_ns)
        return news_of_error(action, error)


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
