"""The trader's line to the simulated exchange: actions travel there, answers and news travel back."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.instrument import Instrument
from paper.access.accounts import FIRST_ACCOUNT
from paper.errors import ExchangeError
from paper.exchange.news import AccountNews, ExecutionType, OrderNews
from paper.faults import PageError
from paper.money.orders import Order
from paper.units import UNITS_PER_ONE
from simulation.calls import ERRORS, Caller, lost_reply, refusal_of
from simulation.delays import Lane, Travel
from simulation.heap import EventHeap, Happening
from trading import news
from trading.actions import Action, Amend, AskBalances, AskRules, Cancel, FindOrder, ListOrders, Move, Place, apart
from venues import binance_documents as documents
from venues.binance_errors import NotMovedError
from venues.binance_requests import amending, moving, placing
from venues.line_end import with_what_follows
from venues.told_orders import LOOK_NS, ToldOrders, orders_of
from venues.trading_line import is_answered, news_of_amend, news_of_error, news_of_move
from venues.venue import VenueError, VenueNoSuchOrderError, VenueUnavailableError, VenueUnknownError

TIMEOUT_NS: Final = 5 * NS_PER_SECOND  # as long as a desk waits, by its settings
CUT_NS: Final = NS_PER_SECOND // 5  # from the end of a connection until the next one stands
CUT_NS_MAX: Final = 5 * NS_PER_SECOND  # where the account's stream dies again and again
LONG_LIFE_NS: Final = 10 * NS_PER_SECOND  # after which these pauses begin anew

_ONE: Final = Decimal(UNITS_PER_ONE)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A call that waits for its answer.

    Attributes:
        unheard: of it, the halves of a move apart, what the account's news has not answered.
        asked_ns: when it left.
        is_again: whether it left before, by a clock that was wrong.
    """

    action: Action
    unheard: list[Action]
    asked_ns: int
    is_again: bool = False


class SimulatedLine:
    """What a trader has instead of a venue: connections for its calls, its account and the market.

    A call leaves when the one before it is answered: by the reply, by news of the account that tells the same, or by
    the time that is waited at most. One that was refused for its time leaves once more, after a look at the exchange's.

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
        self._asked: _Asked | None = None
        self._ahead_ns = 0  # of our clock: the exchange's, as far as we know
        self._connection = 0  # how many there were
        self._stands_ns = heap.now_ns  # since when the last one does
        self._dead_streams = Backoff(CUT_NS, CUT_NS_MAX)
        self._told_orders = ToldOrders()
        self._is_looking = False  # whether a look at what the account's stream owes is to come
        self._is_cut = False

    def act(self, actions: Sequence[Action]) -> None:
        """Have actions carried out, one after the other, up to the first that fails."""
        self._waiting += actions
        self._go_on()

    def tell(self, said: news.News) -> None:
        """Let news of the market arrive at the trader after its travel."""
        self._of_market.send(lambda: self._on_news([said]))

    def hear(self, told: AccountNews) -> None:
        """Take what happens at the exchange to the account: it travels to the trader."""
        if self._is_cut or not isinstance(told, OrderNews) or told.execution is ExecutionType.REJECTED:
            return
        if told.account == FIRST_ACCOUNT and told.order.symbol.name == self._instrument.symbol:
            order = venue_order(told.order)
            self._send_back(self._of_account, lambda: self._on_order(order))

    def cut(self, why: str = "the connection has ended", pause_ns: int = CUT_NS) -> None:
        """End the connections: what was on its way back is lost, and so is what happens until they stand again."""
        self._connection += 1
        connection = self._connection
        self._is_cut = True
        self._on_news([news.Silent(why)])
        if (asked := self._asked) is not None:
            self._on_failure(asked, why)
        self._heap.after(pause_ns, lambda: self._follow(connection))

    def close(self) -> None:
        """Hang up: what waits never leaves, and no reply is taken any more."""
        self._waiting.clear()
        self._asked = None
        self._connection += 1
        self._is_cut = True

    # --- how calls leave

    def _go_on(self) -> None:
        """Send the next call, if none waits for its answer."""
        if self._asked is None and self._waiting:
            action = self._waiting.popleft()
            self._leave(_Asked(action, [*apart([action])], self._heap.now_ns))

    def _leave(self, asked: _Asked) -> None:
        self._asked = asked
        if self._is_cut and isinstance(asked.action, Place | Move | Amend):  # what only asks and cancels has HTTP
            failed = news_of_error(asked.action, VenueUnavailableError("not connected"))
            self._heap.after(0, lambda: self._on_reply(asked, failed))
            return
        for each in apart([asked.action]):
            if isinstance(each, Place):
                self._told_orders.send(each.client_order_id)
        self._calls.send(lambda: self._carry_out(asked))
        self._heap.after(TIMEOUT_NS, lambda: self._on_failure(asked, "no answer in time"))

    def _carry_out(self, asked: _Asked) -> None:
        """Make a call at the exchange; its reply travels back."""

        def done(answer: Any) -> None:
            is_bad_time = isinstance(answer, ExchangeError) and answer.code == documents.BAD_TIME_CODE
            if is_bad_time and not asked.is_again:
                self._send_back(self._replies, lambda: self._look_at_the_clock(asked))
            else:
                said = self._answer(asked, answer)
                self._send_back(self._replies, lambda: self._on_reply(asked, said))

        method, path, terms = self._call_of(asked.action)
        time_ms = (asked.asked_ns + self._ahead_ns) // NS_PER_MS
        self._caller.begin(method, path, {**terms, "timestamp": time_ms}, done)

    def _look_at_the_clock(self, refused: _Asked) -> None:
        """Ask for the exchange's time, and then once more for what was refused by ours."""

        def done(answer: Any) -> None:
            self._send_back(self._replies, lambda: told(answer))

        def told(answer: Any) -> None:
            if self._asked is not refused:
                return
            if isinstance(answer, ExchangeError | PageError):
                self._on_reply(refused, self._answer(refused, answer))
                return
            self._ahead_ns = answer["serverTime"] * NS_PER_MS - self._heap.now_ns
            self._leave(_Asked(refused.action, refused.unheard, self._heap.now_ns, is_again=True))

        self._calls.send(lambda: self._caller.begin("GET", "time", {}, done))

    # --- how answers come

    def _send_back(self, lane: Lane, happening: Happening) -> None:
        """Let something happen at the trader's end, unless the connection ends before."""
        connection = self._connection

        def arrive() -> None:
            if connection == self._connection:
                happening()

        lane.send(arrive)

    def _on_reply(self, asked: _Asked, said: Sequence[news.News]) -> None:
        if self._asked is not asked:  # the account's news told it before, or nobody waits for it any more
            return
        self._asked = None
        self._compare(said)
        self._on_news([with_what_follows(each, self._waiting) for each in said])
        self._go_on()

    def _on_failure(self, asked: _Asked, why: str) -> None:
        """Take it that there will be no reply."""
        method, _, _ = self._call_of(asked.action)
        lost = lost_reply(method, why)
        if isinstance(lost, VenueUnknownError):
            lost.age_ns = self._heap.now_ns - asked.asked_ns
        self._on_reply(asked, news_of_error(asked.action, lost))

    def _on_order(self, order: VenueOrder) -> None:
        self._told_orders.hear(order)
        if (asked := self._asked) is not None:
            asked.unheard[:] = [each for each in asked.unheard if not is_answered(each, order)]
            if not asked.unheard:
                self._asked = None
        self._on_news([news.OrderNews(order)])
        self._go_on()

    def _compare(self, said: Sequence[news.News]) -> None:
        """Compare what an answer tells of orders with what the account's stream has told."""
        for order in orders_of(said):
            self._told_orders.compare(order)
        if self._told_orders.is_owed and not self._is_looking:
            self._is_looking = True
            self._heap.after(LOOK_NS, self._look)

    def _look(self) -> None:
        """Look whether the account's stream lives, as long as it owes something; if not, connect anew."""
        self._is_looking = self._told_orders.is_owed and not self._is_cut
        if not self._is_looking:
            return
        if not self._told_orders.is_dead():
            self._heap.after(LOOK_NS, self._look)
            return
        self._is_looking, now_ns = False, self._heap.now_ns
        if now_ns - self._stands_ns > LONG_LIFE_NS:
            self._dead_streams.end()
        self.cut("the account's stream says nothing while its orders change", self._dead_streams.fail(now_ns))

    def _follow(self, connection: int) -> None:
        if connection == self._connection:
            self._is_cut, self._stands_ns = False, self._heap.now_ns
            self._told_orders.begin()
            self._on_news([news.Following()])
            self._go_on()

    def _call_of(self, action: Action) -> tuple[str, str, dict[str, object]]:
        """Return the call that an action is, as `venues.binance_account` has them."""
        symbol = {"symbol": self._instrument.symbol}
        match action:
            case Place():
                return "POST", "order", {**placing(self._instrument, action)}
            case Amend():
                return "PUT", "order/amend/keepPriority", {**amending(self._instrument, action)}
            case Move():
                return "POST", "order/cancelReplace", {**moving(self._instrument, action)}
            case Cancel(_, order_id):
                return "DELETE", "order", {**symbol, "orderId": order_id}
            case FindOrder(name):
                return "GET", "order", {**symbol, "origClientOrderId": name}
            case ListOrders():
                return "GET", "openOrders", {**symbol}
            case AskBalances():
                return "GET", "account", {}
            case AskRules():
                return "GET", "exchangeInfo", {**symbol}

    def _answer(self, asked: _Asked, answer: Any) -> list[news.News]:
        """Return what the reply to a call tells the trader."""
        action = asked.action
        if isinstance(answer, ExchangeError | PageError):
            method, _, _ = self._call_of(action)
            return self._refusal(asked, refusal_of(method, answer))
        match action:
            case Place() | Cancel():
                return [news.OrderNews(documents.order_of(answer))]
            case Amend():
                return [news_of_amend(action, documents.amended_of(answer))]
            case Move():
                return news_of_move(action, ERRORS.moved(answer))
            case FindOrder(name):
                return [news.Found(name, documents.order_of(answer), asked.asked_ns)]
            case ListOrders():
                return [news.Listed(documents.orders_of(answer), asked.asked_ns)]
            case AskBalances():
                return [news.Balances(documents.account_of(answer).balances)]
            case AskRules():
                return [news.RulesNews(documents.market_of(answer))]

    def _refusal(self, asked: _Asked, error: VenueError) -> list[news.News]:
        """Return what the trader hears of a call that was refused or failed."""
        match asked.action, error:
            case Cancel(name) | Amend(name), VenueNoSuchOrderError():
                return [news.Gone(name)]
            case FindOrder(name), VenueNoSuchOrderError():
                return [news.Found(name, None, asked.asked_ns)]
            case Move(), NotMovedError(moved=moved):
                return news_of_move(asked.action, moved)
        return news_of_error(asked.action, error)


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
