"""What is ours in every pair, at a venue whose lists lag."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from market.account import VenueOrder
from market.codes import Side
from market.instrument import Instrument
from venues.everywhere import cancel_everywhere, cancel_known
from venues.venue import VenueError, VenueKeysError, VenueRefusedError

GONE = VenueOrder("1", "tb-1", "BTCUSDT", Side.BUY, Decimal(100), Decimal(5), Decimal(0), "NEW", 0)
OPEN, OF_OTHERS = replace(GONE, order_id="2", client_order_id="tb-2"), replace(GONE, order_id="3", client_order_id="x")


class LaggingAccount:
    """Lists an order that has ended, and goes on listing those that are cancelled.

    Attributes:
        cancelled: the order id of each cancel.
        refusals: by order id, what its cancel raises.
    """

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.refusals: dict[str, VenueError] = {}

    def open_orders(self, instrument: Instrument | None = None) -> Sequence[VenueOrder]:
        """Return all that there ever was."""
        return [GONE, OPEN, OF_OTHERS]

    def cancel_in(self, symbol: str, order_id: str) -> VenueOrder | None:
        """Cancel the one that is open."""
        self.cancelled.append(order_id)
        if order_id in self.refusals:
            raise self.refusals[order_id]
        return replace(OPEN, status="CANCELED") if order_id == OPEN.order_id else None

    def find_in(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        """Find none: nobody asks."""
        raise NotImplementedError


def test_an_order_that_is_listed_and_gone_hides_none_behind_it() -> None:
    """Each of ours is cancelled once, and the look is over though the list still shows them."""
    account = LaggingAccount()
    assert list(cancel_everywhere(account, "tb-")) == [GONE, replace(OPEN, status="CANCELED")]
    assert account.cancelled == ["1", "2"]


@pytest.mark.parametrize(("error", "cancelled"), [(VenueRefusedError("no"), ["1", "2"]), (VenueKeysError("no"), ["1"])])
@pytest.mark.parametrize(
    "cancel",
    [
        lambda account: cancel_known(account, [GONE, OPEN]),
        lambda account: cancel_everywhere(account, "tb-"),
    ],
    ids=["known", "everywhere"],
)
def test_an_order_whose_cancel_is_refused_hides_none_behind_it(
    cancel: Callable[[LaggingAccount], Iterator[VenueOrder]], error: VenueError, cancelled: list[str]
) -> None:
    """A pair that takes no cancels kept our orders of every other pair in the book. Keys are refused for all."""
    account, ended = LaggingAccount(), list[VenueOrder]()
    account.refusals[GONE.order_id] = error
    with pytest.raises(VenueRefusedError, match="no"):
        ended.extend(cancel(account))
    assert account.cancelled == cancelled
