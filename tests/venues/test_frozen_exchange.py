"""A trader's line while the exchange's process is frozen or killed: said within seconds, and it can be left at once."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.venues.exchange_process import ExchangeProcess
from tests.venues.lines import Line, bid, names_of
from trading import news
from trading.actions import Cancel, ListOrders
from trading.reasons import NOT_WANTED

SAID_S_MAX = 5.0  # two pings of a second without an answer, and what a busy machine adds


@pytest.fixture
def exchange() -> Iterator[ExchangeProcess]:
    """An exchange in a process of its own."""
    exchange = ExchangeProcess()
    yield exchange
    exchange.close()


@pytest.fixture
def line(exchange: ExchangeProcess) -> Iterator[Line]:
    """A line to it, that stands."""
    line = Line(exchange.url, exchange.keys)
    line.hear(news.Following)
    yield line
    line.line.close()


def test_a_frozen_exchange_is_silent_until_it_goes_on(exchange: ExchangeProcess, line: Line) -> None:
    """SIGSTOP: its kernel still takes what is sent; no connection is closed."""
    line.act(bid("mine"))
    order = line.hear(news.OrderNews).order
    exchange.signal(signal.SIGSTOP)
    began_s = time.monotonic()
    line.hear(news.Silent)
    assert time.monotonic() - began_s < SAID_S_MAX
    line.act(Cancel("mine", order.order_id, NOT_WANTED))
    assert line.hear(news.Failed).undone == (Cancel("mine", order.order_id, NOT_WANTED),)
    exchange.signal(signal.SIGCONT)
    line.hear(news.Following)
    line.hear(news.BookNews)
    line.act(ListOrders())
    assert names_of(line.hear(news.Listed).orders) in ([], ["mine"]), "the cancel may have arrived late"
    line.act(bid("more"))
    line.hear(news.OrderNews, lambda said: said.order.client_order_id == "more")


def test_a_frozen_exchange_takes_orders_whose_fate_is_unknown(exchange: ExchangeProcess, line: Line) -> None:
    """The connection seems to stand in the first seconds: what was sent is there when the exchange goes on."""
    exchange.signal(signal.SIGSTOP)
    line.act(bid("mine"))
    assert line.hear(news.Unknown).client_order_id == "mine"
    exchange.signal(signal.SIGCONT)
    assert line.hear(news.OrderNews).order.client_order_id == "mine"


def test_a_killed_exchange_is_silent_and_orders_fail(exchange: ExchangeProcess, line: Line) -> None:
    """SIGKILL: nothing leaves, and nothing is unknown."""
    exchange.signal(signal.SIGKILL)
    line.hear(news.Silent)
    line.act(bid("mine"), ListOrders())
    assert line.hear(news.Failed).undone == (bid("mine"), ListOrders())


def test_a_line_to_a_frozen_exchange_can_be_left(exchange: ExchangeProcess) -> None:
    """No goodbye is waited for, and no call that hangs."""
    line = Line(exchange.url, exchange.keys, timeout_ms=30_000)
    line.hear(news.Following)
    exchange.signal(signal.SIGSTOP)
    line.act(ListOrders())
    line.listen(0.2)
    began_s = time.monotonic()
    line.line.close()
    assert time.monotonic() - began_s < SAID_S_MAX
