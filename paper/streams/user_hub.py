"""Who listens to which account's own stream."""

from collections.abc import Callable
from dataclasses import dataclass

from paper.errors import ErrorKind, ExchangeError
from paper.exchange.exchange import Exchange
from paper.exchange.news import AccountNews
from paper.streams import user_documents
from paper.streams.hub import write_json
from paper.streams.outbox import Outbox
from paper.streams.user_documents import Document


@dataclass(frozen=True, slots=True)
class _Subscription:
    number: int
    account: int
    client: "UserStreams"


class UserHub:
    """Passes news of accounts to the clients that have subscribed to them."""

    def __init__(self, exchange: Exchange) -> None:
        self._by_account: dict[int, dict[_Subscription, None]] = {}
        exchange.account_listeners.append(self._on_news)

    def is_heard(self, account: int) -> bool:
        """Say whether somebody listens to an account."""
        return bool(self._by_account.get(account))

    def add(self, subscription: _Subscription) -> None:
        """Pass on the news of the subscription's account."""
        self._by_account.setdefault(subscription.account, {})[subscription] = None

    def remove(self, subscription: _Subscription) -> None:
        """Pass nothing on any more."""
        del self._by_account[subscription.account][subscription]

    def _on_news(self, news: AccountNews) -> None:
        subscriptions = self._by_account.get(news.account)
        if subscriptions:
            document = user_documents.event(news)
            for subscription in subscriptions:
                subscription.client.tell(subscription.number, document)


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
        self._subscriptions: dict[int, _Subscription] = {}
        self._next_number = 0

    @property
    def numbers(self) -> list[int]:
        """The subscriptions, oldest first."""
        return list(self._subscriptions)

    def subscribe(self, account: int) -> int:
        """Subscribe to an account and return the subscription's number.

        Raises:
            ExchangeError: STREAM_ACTIVE if the account is subscribed to already.
        """
        if any(each.account == account for each in self._subscriptions.values()):
            raise ExchangeError(ErrorKind.STREAM_ACTIVE)
        number, self._next_number = self._next_number, self._next_number + 1
        subscription = self._subscriptions[number] = _Subscription(number, account, self)
        self._hub.add(subscription)
        return number

    def unsubscribe(self, number: int | None = None) -> None:
        """End one subscription, or all, and tell the client so.

        Raises:
            ExchangeError: STREAM_INACTIVE if there is none of that number.
        """
        if number is not None and number not in self._subscriptions:
            raise ExchangeError(ErrorKind.STREAM_INACTIVE)
        for each in self.numbers if number is None else [number]:
            self._hub.remove(self._subscriptions.pop(each))
            self.tell(each, user_documents.terminated(self._now_ms()))

    def leave(self) -> None:
        """End all subscriptions of a client that is gone."""
        for subscription in self._subscriptions.values():
            self._hub.remove(subscription)
        self._subscriptions.clear()

    def tell(self, number: int, document: Document) -> None:
        """Tell the client an event of a subscription."""
        self._outbox.put(write_json({"subscriptionId": number, "event": document}))
