"""Trading and reading the account by hand, while the desk runs and while it is down."""

from collections.abc import Iterator

import pytest

from tests.desk.desk_process import Desk, short_directory


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """One desk without a maker and a flow: nobody else moves its account."""
    with short_directory() as path:
        one = Desk(path / "run", "--only", "engine", "--only", "paper").start()
        yield one
        one.end()


def test_order_placed_by_hand_rests_until_it_is_cancelled(desk: Desk) -> None:
    """What is confirmed is what the venue says; a cancel tells how the order ended."""
    placed = desk.cli_json("place", "buy", "0.01", "90,000")
    assert (placed["side"], placed["price"], placed["qty"], placed["status"]) == ("BUY", 90_000, 0.01, "NEW")
    assert placed["client_order_id"].startswith("hand-")
    held = desk.cli_json("account")
    assert held["open_orders"] == [{"side": "BUY", "price": 90_000, "quantity": 0.01}]
    assert (held["balances"]["BTC"], held["balances"]["USDT"]) == (1, 10_000)
    (cancelled,) = desk.cli_json("cancel", placed["id"])["cancelled"]
    assert (cancelled["id"], cancelled["status"]) == (placed["id"], "CANCELED")
    again = desk.cli("cancel", placed["id"])
    assert (again.returncode, again.stdout) == (1, f"order {placed['id']} is not open: CANCELED\n")


def test_cancels_all_that_was_placed_by_hand(desk: Desk) -> None:
    """Somebody who has lost the ids."""
    ids = {desk.cli_json("place", side, "0.001", price)["id"] for side, price in (("buy", "80000"), ("SELL", "99000"))}
    ids.add(desk.cli_json("place", "buy", "0.1", "2000", "--symbol", "ETHUSDT")["id"])
    of_another = desk.cli_json("place", "buy", "0.1", "2001", "--symbol", "ETHUSDT")["id"]
    assert [order["symbol"] for order in desk.cli_json("orders")["orders"]] == [
        "BTCUSDT",
        "ETHUSDT",
        "ETHUSDT",
        "BTCUSDT",
    ]
    assert desk.cli_json("orders", "--symbol", "eth/usdt")["total_open_orders"] == 2
    glance = desk.cli_json("account")["open_orders"]
    assert glance[0] == {"side": "BUY", "price": 80_000, "quantity": 0.001}
    assert glance[1] == {"side": "BUY", "price": 2_001, "quantity": 0.1, "symbol": "ETHUSDT"}
    assert "ETHUSDT" in desk.cli("account").stdout
    assert desk.cli_json("cancel", of_another)["failures"] == [], "of whatever symbol"
    assert desk.cli_json("cancel", "--all", "--symbol", "BNBUSDT")["cancelled"] == []
    assert {order["id"] for order in desk.cli_json("cancel", "--all")["cancelled"]} == ids
    assert desk.cli("cancel", "--all").stdout == "no order that was placed by hand is open\n"
    assert desk.cli_json("orders")["total_open_orders"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("place", "hold", "1", "1"), "expected buy or sell, was 'hold'"),
        (("place", "buy", "1e3", "90000"), "the quantity cannot be used: expected a plain decimal number, was '1e3'"),
        (("place", "buy", "0.01", "90000.001"), "the price cannot be used: price must be a multiple of 0.01"),
        (("place", "buy", "٣", "90000"), "the quantity cannot be used: expected a plain decimal number"),
        (("place", "buy", "0.01", "--ioc"), "expected a price for --post-only or --ioc"),
        (("place", "buy", "0.01", "1"), "paper: Filter failure: "),
        (("place", "buy", "9", "90000"), "paper: Account has insufficient balance for requested action. (-2010)"),
        (("cancel", "../1"), "expected an order id such as 1000000000042, was '../1'"),
        (("cancel",), "expected order ids, or --all"),
    ],
)
def test_refuses_nonsense_with_one_line(desk: Desk, words: tuple[str, ...], said: str) -> None:
    """Nothing is entered, and the line says what was expected."""
    result = desk.cli(*words)
    assert (result.returncode, result.stdout) == (2 if said.startswith("expected ") else 1, "")
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1


def test_takes_and_is_told_what_traded(desk: Desk) -> None:
    """An IOC order ends as it ends: what found nobody is gone, and said."""
    assert desk.cli_json("orders")["total_open_orders"] == 0, "of what was refused"
    desk.cli_json("place", "sell", "0.002", "95000")
    assert desk.cli("place", "buy", "0.001", "95000", "--post-only").stderr.startswith(
        "error: paper: Order would immed"
    )
    ended = desk.cli_json("place", "buy", "0.001", "94000", "--ioc")
    assert (ended["status"], ended["filled_qty"]) == ("EXPIRED", 0)
    desk.cli("cancel", "--all")


def test_account_of_a_desk_that_is_down_is_read_from_its_ledger(desk: Desk) -> None:
    """The last test of the module: what rests and what is held is told, and that no desk runs."""
    placed = desk.cli_json("place", "buy", "0.01", "90000")
    while_up = {name: desk.cli_json(name) for name in ("account", "orders", "balances", "trades")}
    desk.stop()
    for name, document in while_up.items():
        result = desk.cli(name)
        assert result.returncode == 0
        assert result.stderr == f"note: no desk runs in {desk.run_dir}: this is what its ledger holds\n"
        assert desk.cli_json(name) == document
    assert while_up["orders"]["orders"][0]["id"] == placed["id"]
    for words in (("place", "buy", "0.01", "90000"), ("cancel", "--all")):
        assert desk.cli(*words).returncode == 3
