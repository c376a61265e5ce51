"""Two desks side by side: the second takes the first's paper exchange for Binance's testnet."""

from collections.abc import Iterator

import pytest

from paper.access.accounts import API_KEY_NAME, SECRET_NAME, load_keys
from tests.desk.desk_process import BTCUSDT, Desk, short_directory, until


@pytest.fixture
def desks() -> Iterator[tuple[Desk, Desk]]:
    """A paper desk, and one that trades at the paper desk's exchange as if it were the testnet."""
    with short_directory() as path:
        first = Desk(path / "first")
        second = Desk(path / "second", "--venue", "binance-testnet")
        try:
            first.start()
            keys = load_keys(first.run_dir / "paper" / "keys.env")
            second.environment |= {API_KEY_NAME: keys.api_key, SECRET_NAME: keys.secret}
            second.environment |= {"TICKBUS_VENUE__URL": first.url("paper"), "TICKBUS_MAKER__HALF_SPREAD": "0.0035"}
            second.start()
            yield first, second
        finally:
            second.end()
            first.end()


def _book_orders(desk: Desk) -> set[tuple[str, float, float]]:
    book = desk.get("/api/orderbook")
    return {
        (side, level["price"], order["quantity"])
        for side, name in (("BUY", "bids"), ("SELL", "asks"))
        for level in book[name]
        for order in level["orders"]
    }


def test_every_order_at_the_venue_is_mirrored_in_the_local_book(desks: tuple[Desk, Desk]) -> None:
    """Each order of the second's maker is on the first's venue and in the second's order book, and nothing else is."""
    first, second = desks
    prefix = f"tb-{(second.run_dir / 'maker_id').read_text().strip()}-"
    venue = first.venue()

    def own_orders() -> set[tuple[str, float, float]]:
        orders = [order for order in venue.open_orders(BTCUSDT) if order.client_order_id.startswith(prefix)]
        return {(order.side.name, float(order.price), float(order.qty - order.filled_qty)) for order in orders}

    def is_mirrored() -> bool:
        own = own_orders()
        return len(own) == 2 and own == _book_orders(second) == own_orders()

    until("the second's book holds exactly its maker's orders", is_mirrored, 30)
    assert [row["node"] for row in second.cli_json("status")["nodes"]] == [
        "engine", "gateway", "api", "maker", "tracker",
    ]  # fmt: skip
    assert all(order.client_order_id for order in venue.open_orders(BTCUSDT))
    second.kill("gateway")
    until("the book is whole again after the gateway died", is_mirrored, 30)
    second.kill("maker")
    until("the book is whole again after the maker died", is_mirrored, 30)
    second.stop()
    until("its orders are gone from the venue", lambda: not own_orders())
    assert len(venue.open_orders(BTCUSDT)) == 2, "the first desk's own maker is not to be touched"


def test_testnet_without_keys_says_how_to_set_them(desk: Desk) -> None:
    """One line, within a second, naming the variables; no orders."""
    result = desk.cli("orders", "--venue", "binance-testnet")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [f"error: binance-testnet needs keys: set {API_KEY_NAME} and {SECRET_NAME}"]
