"""A newcomer's desk: what it shows within its first seconds."""

import json
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import zmq

from bus.feed import unpack_frame
from market.codes import Side
from market.feed_messages import BestPrices
from paper.access.accounts import load_keys
from tests.desk.desk_process import ANSWER_S, BTCUSDT, FREE_PORTS, LEAN, Desk, node_processes, until
from tests.desk.test_desk_life import assert_stops


def _book(desk: Desk) -> dict[str, Any]:
    book: dict[str, Any] = desk.get("/api/orderbook")
    return book


def test_first_quotes_are_the_default_quote_to_the_cent_and_the_lot(desk: Desk) -> None:
    """The flow opens at mid 91,385.00; half-spread 0.002 and 1,000 USDT give exactly these orders.

    The market stands still meanwhile: its opening is over when a busy machine takes long to start the maker.
    """
    desk.environment["TICKBUS_FLOW__OPENING_S"] = "3600"
    desk.start(*LEAN)
    pattern = r"side='(BUY|SELL)' price='([0-9.]+)' qty='([0-9.]+)'"
    quoted = until("both sides", lambda: len(found := re.findall(pattern, desk.log("maker"))) >= 2 and found)
    desk.stop()
    first = {side: (Decimal(price), Decimal(qty)) for side, price, qty in quoted[:2]}
    assert first == {
        "BUY": (Decimal("91202.23"), Decimal("0.01094")),
        "SELL": (Decimal("91567.77"), Decimal("0.01094")),
    }


def test_orders_prints_the_account_s_open_orders(running_desk: Desk) -> None:
    """The shape is fixed: a heading, a line an order, and the total."""

    def both_quotes() -> str:
        output = running_desk.cli("orders").stdout
        return output if "Total Open Orders: 2" in output else ""

    lines = until("both quotes are open", both_quotes).splitlines()
    assert lines[0] == "📋 Open Orders (BTCUSDT):"
    assert re.fullmatch(r"   📥 BUY: 0\.\d{5} BTC @ \$\d\d,\d{3}\.\d\d", lines[1])
    assert re.fullmatch(r"   📤 SELL: 0\.\d{5} BTC @ \$\d\d,\d{3}\.\d\d", lines[2])
    assert lines[3:] == ["", "Total Open Orders: 2"]


def test_orders_says_how_the_maker_is_and_how_much_of_the_time_it_is_there(running_desk: Desk) -> None:
    """In one line beside the orders, with the target; in JSON with them."""
    until("it has told", lambda: running_desk.node("maker")["figures"].get("presence"))
    line = running_desk.cli("orders").stderr.strip()
    share = r"\d+\.\d %"
    today = rf"two-sided within 50 bps of the mid for ({share} of the last minute, )?{share} of today, target 95\.0 %"
    assert re.fullmatch(rf"note: the maker is ready, (no (bid|ask): [A-Z_]+, )*{today}", line), line
    maker = running_desk.cli_json("orders")["maker"]
    assert (maker["state"], maker["presence_target"], 0 <= maker["presence"] <= 1) == ("ready", 0.95, True)


def test_orderbook_holds_the_maker_s_orders_among_many(running_desk: Desk) -> None:
    """The api serves the whole book, best price first, order by order, with the paper exchange's order ids."""

    def own_in_book() -> bool:
        own = {int(order["id"]) for order in running_desk.cli_json("orders")["orders"]}
        book = _book(running_desk)
        ids = {order["id"] for side in ("bids", "asks") for level in book[side] for order in level["orders"]}
        return bool(own) and own <= ids

    until("the maker's orders stand in the book", own_in_book)
    book = _book(running_desk)
    bids, asks = ([level["price"] for level in book[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert min(len(bids), len(asks)) >= 50
    shallow = running_desk.get("/api/orderbook?depth=3&symbol=BTCUSDT")
    assert len(shallow["bids"]) == len(shallow["asks"]) == 3


def test_unchanged_book_is_not_sent_again(running_desk: Desk) -> None:
    """An ETag names the state: 304 as long as the sequence is the same, which the second symbol's is."""
    url = running_desk.url("api") + "/api/orderbook?symbol=ETHUSDT"
    with urllib.request.urlopen(url, timeout=ANSWER_S) as response:
        etag = response.headers["ETag"]
        assert json.load(response)["bids"] == []
    statuses = set()
    for known in (etag, '"another"'):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers={"If-None-Match": known})) as response:
                statuses.add(response.status)
        except urllib.error.HTTPError as error:
            with error:
                statuses.add(error.code)
    assert 200 in statuses
    assert statuses <= {200, 304}


def test_api_refuses_what_it_does_not_know(running_desk: Desk) -> None:
    """Bad input gets a status and a reason, as JSON."""
    assert running_desk.get("/api/orderbook?symbol=NOPE")["status"] == 404
    assert running_desk.get("/api/orderbook?depth=0")["status"] == 400
    assert running_desk.get("/api/nothing")["status"] == 404
    assert running_desk.get("/api/health")["status"] == "ok"


def test_api_answers_this_machine_s_names_only(running_desk: Desk) -> None:
    """A page that rebinds its own name to 127.0.0.1 must not read the book."""
    host, port = running_desk.url("api").removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(b"GET /api/orderbook HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 421")


def test_report_adds_up_by_hand_from_its_history(running_desk: Desk) -> None:
    """FIFO PnL of the history, fees included, is the report's, and the balances moved by the trades alone."""
    until("buys and sells", lambda: _sides(running_desk) == {"BUY", "SELL"})
    result = running_desk.cli("report", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    day = json.loads(result.stdout, parse_float=Decimal)["day"]
    history = day["trade_history"]
    lots: list[list[Fraction]] = []  # signed quantity, price, fee of a unit in quote
    pnl, base, fee_count = Fraction(0), Fraction(0), 0
    for trade in history:
        qty, price, fee = (Fraction(trade[key]) for key in ("qty", "price", "fee"))
        is_buy = trade["side"] == "BUY"
        assert trade["fee_asset"] == ("BTC" if is_buy else "USDT"), "fees are taken of what is received"
        fee_count += fee > 0
        rest = qty - fee if is_buy else -qty
        base += rest
        unit_fee = (fee * price if is_buy else fee) / abs(rest)
        while rest and lots and lots[0][0] * rest < 0:
            matched = min(abs(rest), abs(lots[0][0]))
            sign = 1 if rest > 0 else -1
            pnl += matched * ((lots[0][1] - price) * sign - lots[0][2] - unit_fee)
            rest -= sign * matched
            lots[0][0] += sign * matched
            if not lots[0][0]:
                lots.pop(0)
        if rest:
            lots.append([rest, price, unit_fee])
    assert fee_count == len(history)
    assert day["trades"]["pnl"] == Decimal(round(pnl * 10**12)) / 10**12
    assert day["total_trades"] == len(history)
    assert day["trades"]["total_buys"] + day["trades"]["total_sells"] == len(history)
    bitcoin = day["balances"]["BTC"]
    assert Fraction(bitcoin["free"]) + Fraction(bitcoin["locked"]) == 1 + base
    assert len(day["balances"]) > 100


def _sides(desk: Desk) -> set[str]:
    return {trade["side"] for trade in desk.cli_json("trades")["trades"]}


def test_trace_tells_an_order_s_life_from_its_decision_to_its_fill(running_desk: Desk) -> None:
    """At each node in turn; the trades of the exchange are those of the engine, and an id at the venue does as well."""

    def filled() -> dict[str, Any] | None:
        ids = [trade["order_id"] for trade in running_desk.cli_json("trades")["trades"]]
        lives = (running_desk.cli_json("trace", each) for each in ids)
        return next((life for life in lives if life["status"] == "FILLED"), None)

    told = until("an order is filled", filled)
    name = told["client_order_id"]
    assert (name[:3], told["symbol"]) == ("tb-", "BTCUSDT")
    steps: list[dict[str, Any]] = told["steps"]
    first = {node: next(step for step in steps if step["node"] == node) for node in ("maker", "exchange", "engine")}
    assert [first[node]["what"] for node in first] == ["place", "taken in", "accepted"]
    assert first["maker"]["time_ns"] <= first["exchange"]["time_ns"] <= first["engine"]["time_ns"]
    trades = [[step["what"] for step in steps if step["node"] == node and "trade" in step["what"]] for node in first]
    assert trades[0] == []
    assert trades[1] == trades[2] != []
    assert "; 0 left" in [step for step in steps if step["node"] == "engine"][-1]["why"]
    assert running_desk.cli_json("trace", name) == told
    lines = running_desk.cli("trace", name).stdout.splitlines()
    assert len(lines) == 2 + len(steps)
    assert re.match(r" +\+0\.000 ms  maker     place  [A-Z_]+: ", lines[2])
    unknown = running_desk.cli("trace", "nobody-s")
    assert (unknown.returncode, unknown.stderr) == (1, "error: nobody here knows of an order 'nobody-s'\n")


def test_presence_is_in_the_day_s_file_and_in_the_report(running_desk: Desk) -> None:
    """The maker keeps it, the tracker tells it."""

    def quoting() -> dict[str, Any] | None:
        found: dict[str, Any] | None = running_desk.cli_json("report")["day"].get("quoting")
        return found if found is not None and found["presence"] > 0 else None

    told = until("there is presence", quoting)
    assert 0 < told["presence"] <= 1
    assert (told["within"], told["target"]) == (0.005, 0.95)
    assert told["picked_off"]["count"] <= told["fills"]["count"]
    assert "   Quoting: two-sided " in running_desk.cli("report").stdout


def test_feed_tells_the_best_prices(running_desk: Desk) -> None:
    """Anybody may subscribe over ZeroMQ."""
    endpoint = running_desk.node("engine")["endpoints"]["feed"]
    context = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    try:
        subscriber.connect(endpoint)
        subscriber.subscribe(b"best.BTCUSDT")
        until("a message", lambda: subscriber.poll(1_000))
        while not (frame := unpack_frame(subscriber.recv_multipart())).messages:
            pass
        best = frame.messages[0]
        assert isinstance(best, BestPrices)
        assert 0 < best.bid_price_ticks < best.ask_price_ticks
    finally:
        subscriber.close(linger=0)
        context.term()


def test_feed_command_prints_messages_decoded(running_desk: Desk) -> None:
    """One a line: as people write numbers, or as they are; an unknown topic was waited for in silence."""
    raw = running_desk.cli("feed", "--raw", "--count", "5").stdout.splitlines()
    assert len(raw) == 5
    assert all(re.match(r"(book|trades|best)\.BTCUSDT \d+ \w+\(", line) for line in raw)
    (line,) = running_desk.cli("feed", "--topic", "best.BTCUSDT", "--count", "1").stdout.splitlines()
    best = r"bid [\d.]+ at \d\d,\d{3}\.\d\d, ask [\d.]+ at \d\d,\d{3}\.\d\d"
    assert re.fullmatch(rf"\d\d:\d\d:\d\d\.\d{{3}} best\.BTCUSDT \d+ {best}", line), line
    unknown = running_desk.cli("feed", "--topic", "foo")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: there is no topic foo; the topics are book.BTCUSDT, trades.BTCUSDT, ")


def test_book_command_prints_the_api_s_document(running_desk: Desk) -> None:
    """`book --once --json` is `/api/orderbook`; without `--json` it is a ladder."""
    document = running_desk.cli_json("book", "--once")
    assert {"bids", "asks", "symbol", "sequence"} <= document.keys()
    assert "mid, spread" in running_desk.cli("book", "--once").stdout


def test_keys_are_private_and_never_shown(running_desk: Desk) -> None:
    """Keys live in a 0600 file and in no log, status or report."""
    path = running_desk.run_dir / "paper" / "keys.env"
    assert path.stat().st_mode & 0o777 == 0o600
    secrets = [line.split("=", 1)[1] for line in path.read_text().split()]
    assert len(secrets) == 2
    texts = [running_desk.cli("status", "--json").stdout, running_desk.cli("config", "show").stdout]
    texts += [log.read_text() for log in (running_desk.run_dir / "logs").glob("*.log*")]
    texts += [report.read_text() for report in (running_desk.run_dir / "reports").glob("*.json")]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_marks_the_account_s_own_orders_in_the_book(running_desk: Desk) -> None:
    """Of thousands of orders a person looks for his own; another account's are not his."""
    other = running_desk.cli_json("accounts", "create")
    venue = running_desk.venue_of(load_keys(Path(other["keys"])))
    venue.load(BTCUSDT)
    strange = venue.place(BTCUSDT, Side.BUY, 9_000_000, 100, "stranger-1")

    def is_marked() -> bool:
        open_ids = {int(order["id"]) for order in running_desk.cli_json("orders")["orders"]}
        book = _book(running_desk)
        orders = [order for side in ("bids", "asks") for level in book[side] for order in level["orders"]]
        marked = {order["id"] for order in orders if order.get("own")}
        assert int(strange.order_id) not in marked
        return int(strange.order_id) in {order["id"] for order in orders} and bool(marked) and marked == open_ids

    try:
        until("the account's open orders are marked, and no others", is_marked)
    finally:
        venue.cancel(BTCUSDT, strange.order_id)


@pytest.mark.parametrize(
    "command",
    ["status", "orders", "trades", "balances --all", "report", "book", "accounts", "journal inspect", "journal verify"],
)
def test_prints_no_number_that_a_double_cannot_hold(running_desk: Desk, command: str) -> None:
    """JSON.parse, jq and many others read numbers as doubles: beyond 2^53 another number would be read."""
    result = running_desk.cli(*command.split(), "--json")
    assert result.returncode == 0, result.stderr
    assert [number for number in _integers(json.loads(result.stdout)) if abs(number) > 2**53] == []


@pytest.mark.parametrize(
    "path",
    ["exchangeInfo", "time", "depth", "trades", "aggTrades", "klines", "avgPrice", "ticker/24hr", "ticker/bookTicker"],
)
def test_paper_exchange_gives_no_number_that_a_double_cannot_hold(running_desk: Desk, path: str) -> None:
    """As above; JavaScript clients of Binance use JSON.parse."""
    query = "" if path in ("exchangeInfo", "time") else "?symbol=BTCUSDT" + "&interval=1s" * (path == "klines")
    with urllib.request.urlopen(f"{running_desk.url('paper')}/api/v3/{path}{query}", timeout=ANSWER_S) as response:
        document = json.load(response)
    assert [number for number in _integers(document) if abs(number) > 2**53] == []


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _integers(item)
    elif isinstance(value, int):
        yield value


def test_flatten_tells_what_it_would_do_and_does_nothing(running_desk: Desk) -> None:
    """The maker quotes on: who only looks must not end anything."""
    until("the maker has said what is neutral", lambda: running_desk.node("maker")["figures"].get("neutral"))
    before = running_desk.node("maker")
    result = running_desk.cli("flatten", "--preview")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("BTCUSDT at paper: position")
    after = running_desk.node("maker")
    assert (after["state"], after["pid"]) == ("ready", before["pid"])


def test_token_is_what_the_api_has_made(running_desk: Desk) -> None:
    """In one command, for whoever wants to give commands from the dashboard."""
    path = running_desk.run_dir / "api.token"
    assert running_desk.cli("token").stdout == path.read_text()
    assert running_desk.cli_json("token") == {"token": path.read_text().strip(), "file": str(path)}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_up_refuses_in_one_line_naming_the_pid(running_desk: Desk) -> None:
    """Two desks cannot share a run directory."""
    assert running_desk.process is not None
    result = running_desk.cli("up", *FREE_PORTS)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"error: the desk is already running, pid {running_desk.process.pid} ({running_desk.run_dir}/desk.lock)"
    ]


def test_status_json_tells_all_endpoints(running_desk: Desk) -> None:
    """Several desks can live side by side because each tells where it can be reached."""
    endpoints = {row["node"]: row["endpoints"] for row in running_desk.cli_json("status")["nodes"]}
    assert set(endpoints["engine"]) == {"orders", "feed", "snapshots"}
    assert endpoints["gateway"]["tcp"].startswith("127.0.0.1:")
    assert endpoints["api"]["http"].startswith("http://127.0.0.1:")
    assert endpoints["paper"]["http"].startswith("http://127.0.0.1:")


def test_ctrl_c_leaves_no_process_socket_or_lock(running_desk: Desk) -> None:
    """It stops everything in reverse order; no test after it finds this desk running."""
    assert len(node_processes(running_desk.run_dir)) == 7
    assert_stops(running_desk, signal.SIGINT)
