"""Who listens to which account's own stream."""

from collections.abc import Callable

from paper.errors import ErrorKind, ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.news import AccountNews
from paper.streams import user_documents
from paper.streams.hub import write_json
from paper.streams.outbox import Outbox
from paper.streams.user_documents import Document


class UserHub:
    """Passes news of accounts to the clients that have subscribed to them."""

    def __init__(self, exchange: Exchange) -> None:
        self._by_account: dict[int, dict[tuple[UserStreams, int], None]] = {}  # clients, each with its number for it
        exchange.account_listeners.append(self._on_news)

    def add(self, account: int, client: "UserStreams", number: int) -> None:
        """Pass the news of an account on to a client, as its subscription of that number."""
        self._by_account.setdefault(account, {})[client, number] = None

    def remove(self, account: int, client: "UserStreams", number: int) -> None:
        """Pass nothing on any more."""
        del self._by_account[account][client, number]

    def _on_news(self, news: AccountNews) -> None:
        if subscriptions := self._by_account.get(news.account):
            document = user_documents.event(news)
            for client, number in subscriptions:
                client.tell(number, document)


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
