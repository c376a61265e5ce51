"""What waits for a trader that is held up: the newest book, some trades, all news of its orders."""

from market.codes import Side
from market.depth import Depth, Level
from trading import news
from venues.line_end import TRADES_WAITING_MAX, LineEnd


class Line(LineEnd):
    """Nobody works behind it."""

    def _wake(self) -> None:
        """Do nothing."""


def book(price_ticks: int) -> news.BookNews:
    return news.BookNews(Depth((Level(price_ticks, 1),), ()))


def trades(trade_id: int) -> news.TradesNews:
    return news.TradesNews([news.MarketTrade(trade_id, 100, 1, Side.BUY, 1)])


def test_a_trader_that_is_held_up_gets_the_newest_book_and_all_news_of_its_orders() -> None:
    """Guards the memory: each round of a venue has a book, and a trader may wait for its disk for minutes."""
    line, gone = Line(), [news.Gone(str(number)) for number in range(3)]
    line._say([book(1), gone[0]])
    line._say([book(2), gone[1]])
    line._say([news.Silent("why"), book(3), gone[2]])
    assert line.take() == [gone[0], gone[1], news.Silent("why"), book(3), gone[2]]
    line._say([book(4)])
    assert line.take() == [book(4)]
    line.close()


def test_of_trades_the_last_wait() -> None:
    """They are market data: they may be dropped, never the newest."""
    line = Line()
    for number in range(TRADES_WAITING_MAX + 5):
        line._say([trades(number)])
    said = line.take()
    assert said == [trades(number) for number in range(5, TRADES_WAITING_MAX + 5)]
    line.close()
