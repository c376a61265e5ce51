"""How the exchange's state changes: all that belongs together is saved as one, and only then is anybody told."""

from collections.abc import Iterator
from contextlib import contextmanager

from paper.exchange.executions import Executions
from paper.exchange.news import AccountListener, AccountNews, WalletNews
from paper.money.ledger import Ledger


class Changes:
    """Saves changes, and tells the accounts of them.

    Attributes:
        listeners: who hears what happens to the accounts' orders and money.
    """

    def __init__(self, ledger: Ledger, executions: Executions) -> None:
        self.listeners: list[AccountListener] = []
        self._ledger = ledger
        self._executions = executions

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Save all changes made inside the block as one, then tell the accounts."""
        self._executions.begin()
        with self._ledger.transaction():
            yield
        touched: dict[int, tuple[int, set[str]]] = {}
        for news in self._executions.news:
            self.tell(news)
            _, assets = touched.get(news.account, (0, set()))
            fee_assets = {news.trade.fee_asset} if news.trade is not None else set()
            pair = {news.order.symbol.base, news.order.symbol.quote}
            touched[news.account] = news.time_ms, assets | pair | fee_assets
        for account, (time_ms, assets) in touched.items():
            self.tell(WalletNews(account, self._ledger.wallets.some_of(account, assets), time_ms))

    def tell(self, news: AccountNews) -> None:
        """Tell every listener."""
        for listener in self.listeners:
            listener(news)
