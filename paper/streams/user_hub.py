"""Who listens to which account's own stream."""

from collections.abc import Callable
from functools import partial

from paper.errors import ErrorKind, ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.news import AccountNews, ExecutionType, ListNews, OrderNews, WalletNews
from paper.fault_events import StreamEvent, pass_on
from paper.faults import Faults
from paper.streams import user_documents
from paper.streams.hub import write_json
from paper.streams.outbox import Outbox
from paper.streams.user_documents import Document


class UserHub:
    """Passes news of accounts to the clients that have subscribed to them."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        self._faults = faults
        self._hushed: set[int] = set()  # accounts of which an order was cancelled without a word, until all is told
        self._by_account: dict[int, dict[tuple[UserStreams, int], None]] = {}  # clients, each with its number for it
        exchange.account_listeners.append(self._on_news)

    def add(self, account: int, client: "UserStreams", number: int) -> None:
        """Pass the news of an account on to a client, as its subscription of that number."""
        self._by_account.setdefault(account, {})[client, number] = None

    def remove(self, account: int, client: "UserStreams", number: int) -> None:
        """Pass nothing on any more."""
        del self._by_account[account][client, number]

    def _on_news(self, news: AccountNews) -> None:
        if not self._is_silent(news) and self._by_account.get(news.account):
            document = user_documents.event(news)
            event = StreamEvent(news.account, document["e"])
            pass_on(self._faults, event, partial(self._tell, news.account, document))

    def _tell(self, account: int, document: Document) -> None:
        for client, number in self._by_account[account]:
            client.tell(number, document)

    def _is_silent(self, news: AccountNews) -> bool:
        """Say whether a fault keeps news to itself: that an order is cancelled, and what comes of that in the end."""
        if isinstance(news, OrderNews) and not news.order.status.is_open:
            is_silenced = news.order.order_id in self._faults.silenced and news.execution is ExecutionType.CANCELED
            self._faults.silenced.discard(news.order.order_id)
            if is_silenced:
                self._hushed.add(news.account)
            return is_silenced
        is_hushed = news.account in self._hushed
        if isinstance(news, WalletNews):  # the last of what happens at once
            self._hushed.discard(news.account)
        return is_hushed and isinstance(news, ListNews | WalletNews)


class UserStreams:
    """One client's subscriptions to accounts; each account at most once.

    Args:
        hub: where the news come from.
        outbox: what is written to the client.
        now_ms: the exchange's time.
    """

    def __init__(self, hub: UserHub, outbox: Outbox, now_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._outbox = outbox
        self._now_ms = now_ms
        self._accounts: dict[int, int] = {}  # by subscription
        self._next_number = 0

    @property
    def numbers(self) -> list[int]:
        """The subscriptions, oldest first."""
        return list(self._accounts)

    def subscribe(self, account: int) -> int:
        """Subscribe to an account and return the subscription's number.

        Raises:
            ExchangeError: STREAM_ACTIVE if the account is subscribed to already.
        """
        if account in self._accounts.values():
            raise ExchangeError(ErrorKind.STREAM_ACTIVE)
        number, self._next_number = self._next_number, self._next_number + 1
        self._accounts[number] = account
        self._hub.add(account, self, number)
        return number

    def unsubscribe(self, number: int | None = None) -> None:
        """End one subscription, or all, and tell the client so.

        Raises:
            ExchangeError: STREAM_INACTIVE if there is none of that number.
        """
        if number is not None and number not in self._accounts:
            raise ExchangeError(ErrorKind.STREAM_INACTIVE)
        for each in self.numbers if number is None else [number]:
            self._hub.remove(self._accounts.pop(each), self, each)
            self.tell(each, user_documents.terminated(self._now_ms()))

    def leave(self) -> None:
        """End all subscriptions of a client that is gone."""
        for number, account in self._accounts.items():
            self._hub.remove(account, self, number)
        self._accounts.clear()

    def tell(self, number: int, document: Document) -> None:
        """Tell the client an event of a subscription."""
        self._outbox.put(write_json({"subscriptionId": number, "event": document}))
