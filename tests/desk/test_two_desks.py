"""Two desks side by side: the second takes the first's paper exchange for Binance's testnet."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from desk.client import DeskError
from desk.decisions_file import last_decisions
from market.account import VenueOrder
from paper.access.accounts import API_KEY_NAME, SECRET_NAME, load_keys
from tests.desk.desk_process import BTCUSDT, LEAN, Desk, short_directory, until


@pytest.fixture(scope="module")
def desks() -> Iterator[tuple[Desk, Desk]]:
    """A paper desk, and one that trades at the paper desk's exchange as if it were the testnet."""
    with short_directory() as path:
        first = Desk(path / "first", *LEAN)
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


def _own_orders(desks: tuple[Desk, Desk]) -> list[VenueOrder]:
    """Return the orders of the second's maker at the first's exchange."""
    first, second = desks
    prefix = f"tb-{(second.run_dir / 'maker_id').read_text().strip()}-"
    return [order for order in first.venue().open_orders(BTCUSDT) if order.client_order_id.startswith(prefix)]


def _terms(orders: list[VenueOrder]) -> set[tuple[str, float, float]]:
    return {(order.side.name, float(order.price), float(order.leaves_qty)) for order in orders}


def _await_mirrored(desks: tuple[Desk, Desk], when: str) -> None:
    def is_mirrored() -> bool:
        own = _terms(_own_orders(desks))
        return len(own) == 2 and own == _book_orders(desks[1]) == _terms(_own_orders(desks))

    until(f"the second's book holds exactly its maker's orders {when}", is_mirrored)


def test_a_maker_that_is_stopped_leaves_the_venue_safe_and_the_engine_running(desks: tuple[Desk, Desk]) -> None:
    """Nothing of it is left in either place, and whoever else trades with the local engine goes on."""
    _, second = desks
    _await_mirrored(desks, "before")
    engine = second.node("engine")
    assert second.cli("stop", "maker").returncode == 0
    assert _own_orders(desks) == []
    until("its copies are gone", lambda: not _book_orders(second))
    assert second.node("engine")["state"] == "ready"
    assert second.node("engine")["pid"] == engine["pid"]
    assert second.cli("start", "maker").returncode == 0
    _await_mirrored(desks, "again")


def test_a_maker_whose_engine_is_killed_goes_on_and_its_mirror_catches_up(desks: tuple[Desk, Desk]) -> None:
    """The venue is elsewhere: quotes move there while the local book is gone, and it shows them when it is back."""
    _, second = desks
    _await_mirrored(desks, "before")
    maker, engine, before = second.node("maker"), second.node("engine"), {each.order_id for each in _own_orders(desks)}
    seen = set(before)

    def is_back() -> bool:
        own = _own_orders(desks)
        assert own, "it goes on quoting"
        seen.update(each.order_id for each in own)
        try:
            row = second.node("engine")
        except DeskError:  # it answers later: it is starting a node
            return False
        return bool(row["state"] == "ready" and row["pid"] != engine["pid"] and seen != before)

    os.kill(engine["pid"], signal.SIGKILL)
    until("the engine is back, and a quote has moved meanwhile", is_back)
    _await_mirrored(desks, "after the engine died")
    assert (second.node("maker")["pid"], second.node("maker")["restarts"]) == (maker["pid"], maker["restarts"])
    until("no drift is shown", lambda: second.node("maker")["figures"]["mirror_drift"] == 0)


def test_moves_and_amends_at_the_venue_end_up_the_same_in_the_mirror(desks: tuple[Desk, Desk]) -> None:
    """A move has another id at the venue, an amend the same with less of it: the copies follow both."""
    _, second = desks
    _await_mirrored(desks, "before")
    found: set[tuple[str, str]] = set()

    def look() -> None:
        """Take how the orders came to their terms that have a copy with the same ones."""
        rows = last_decisions(second.run_dir, 50)
        came = {row["client_order_id"]: (row["action"], row["rule"]) for row in rows if row["action"] != "cancel"}
        own, book = _own_orders(desks), _book_orders(second)
        found.update(came[name] for each in own if (name := each.client_order_id) in came and _terms([each]) <= book)

    def have_both() -> bool:
        for notional in ("400", "1000"):  # what is too large is amended, what is too small is moved
            assert second.cli("set", f"maker.notional={notional}").returncode == 0
            deadline = time.monotonic() + 1.0  # until the next change of the market moves it
            while time.monotonic() < deadline:
                look()
        return found >= {("amend", "TOO_LARGE"), ("place", "TOP_UP")}

    until("an order that was amended and one that was moved have their copies", have_both)
    until("no drift is shown", lambda: second.node("maker")["figures"]["mirror_drift"] == 0)


def test_every_order_at_the_venue_is_mirrored_in_the_local_book(desks: tuple[Desk, Desk]) -> None:
    """Each order of the second's maker is on the first's venue and in the second's order book, and nothing else is."""
    first, second = desks
    _await_mirrored(desks, "at first")
    assert [row["node"] for row in second.status()["nodes"]] == [
        "engine", "gateway", "api", "maker", "tracker",
    ]  # fmt: skip
    second.kill("gateway")
    _await_mirrored(desks, "after the gateway died")
    second.kill("maker")
    _await_mirrored(desks, "after the maker died")
    second.stop()
    until("its orders are gone from the venue", lambda: not _own_orders(desks))
    assert len(first.venue().open_orders(BTCUSDT)) == 2, "the first desk's own maker is not to be touched"


def test_testnet_without_keys_says_how_to_set_them(desk: Desk) -> None:
    """One line, within a second, naming the variables; no orders."""
    result = desk.cli("orders", "--venue", "binance-testnet")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [f"error: binance-testnet needs keys: set {API_KEY_NAME} and {SECRET_NAME}"]
