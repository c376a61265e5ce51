"""Two order clients in Perl trade with each other at random while connections are cut and gateway and engine killed."""

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from market.codes import Side, Tag
from tests.desk.desk_process import ROOT, short_directory, until
from tests.nodes.gateway.engine_book import EngineBook
from tests.nodes.gateway.gateway_process import Pair

PROGRAM = ROOT / "tests" / "independent" / "order_client.pl"
PRICE_TICKS = 9_000_000
COUNT = 400
NAMES = ("left", "right")
KILLED_AT = {120: "engine", 320: "gateway", 520: "engine"}  # when "left" has had so many reports
Line = list[int]


class Client:
    """A process of the program and what it prints."""

    def __init__(self, folder: Path, port: int, name: str, seed: int) -> None:
        perl = shutil.which("perl")
        if perl is None:
            pytest.skip("there is no Perl on this machine")
        self.name = name
        self._output = folder / f"{name}.txt"
        options = {"port": port, "name": name, "price": PRICE_TICKS, "count": COUNT, "seed": seed, "cuts": 0.05}
        arguments = [word for option, value in options.items() for word in (f"--{option}", str(value))]
        with self._output.open("wb") as file:
            self.process = subprocess.Popen([perl, str(PROGRAM), *arguments], stdout=file, stderr=file)

    def lines(self, kind: str) -> list[Line]:
        """Return the whole lines that begin with `kind`, as numbers; fail if the program has given up."""
        text = self._output.read_text()
        assert self.process.poll() in (None, 0), text[-2_000:]
        found = [line.split() for line in text.split("\n")[:-1]]
        return [list(map(int, words[1:])) for words in found if words[0] == kind]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """An engine and a gateway to be killed."""
    with short_directory() as path, Pair(path).working() as one:
        yield one


def test_orders_are_kept_account_of_through_every_cut_and_kill(pair: Pair, tmp_path: Path) -> None:
    """Each order has one first report, each trade two sides; what both call open is what the engine's book shows."""
    clients = [Client(tmp_path, pair.port, name, seed) for seed, name in enumerate(NAMES)]
    try:
        for count, victim in KILLED_AT.items():
            until(f"{count} reports", partial(_has_reports, clients[0], count))
            pair.kill(victim)
            pair.start(victim)
        until("both have settled", lambda: all(client.lines("settled") for client in clients))
        for client in clients:  # not before: an order of the one may trade as long as the other goes on
            client.process.terminate()
        until("both have ended", lambda: all(client.lines("last") for client in clients))
    finally:
        for client in clients:
            client.process.kill()
            client.process.wait()
    for client in clients:
        ((last_sequence, connections),) = client.lines("last")
        assert connections > 10, "it was cut often"
        sequences = [sequence for _, sequence, *_ in client.lines("report") if sequence]
        assert sequences == list(range(1, last_sequence + 1))
        _assert_each_order_is_answered_once(client)
    _assert_trades_have_two_sides(clients)
    assert any(client.lines("open") for client in clients), "something is open"
    _assert_book_shows(pair, clients)


def _has_reports(client: Client, count: int) -> bool:
    return len(client.lines("report")) >= count


def _assert_each_order_is_answered_once(client: Client) -> None:
    """One numbered first report for each order, or a refusal of the gateway's own: then it was not entered."""
    sent = [order_id for (order_id,) in client.lines("sent")]
    assert len(set(sent)) == len(sent) > COUNT / 4
    entered: list[int] = []
    refused: set[int] = set()
    for tag, sequence, _, _, order_id, *rest in client.lines("report"):
        if tag == Tag.ACCEPTED or (tag == Tag.REJECTED and rest[1] == Tag.NEW_ORDER and sequence):
            entered.append(order_id)
        elif tag == Tag.REJECTED and rest[1] == Tag.NEW_ORDER:
            refused.add(order_id)
    assert len(set(entered)) == len(entered), "an order was entered twice"
    assert set(entered) | refused == set(sent), "an order was lost"
    assert not refused & {order_id for order_id, *_ in client.lines("open")}


def _assert_trades_have_two_sides(clients: list[Client]) -> None:
    """Both sides of every trade are ours: each has been told once."""
    sides: defaultdict[int, list[tuple[int, int, bool]]] = defaultdict(list)
    for client in clients:
        for tag, _, _, _, *rest in client.lines("report"):
            if tag == Tag.EXECUTED:
                trade_id, price_ticks, qty_lots, _, taker_order_id, *_ = rest
                sides[trade_id].append((price_ticks, qty_lots, taker_order_id == 0))
    assert sorted(sides) == list(range(1, len(sides) + 1))
    assert len(sides) > 30
    for told in sides.values():
        (price_ticks, qty_lots, _), *_ = told
        assert sorted(told) == [(price_ticks, qty_lots, False), (price_ticks, qty_lots, True)]


def _assert_book_shows(pair: Pair, clients: list[Client]) -> None:
    """The engine's book of each session, with sides, prices and what is shown, is the client's own account."""
    book = EngineBook(pair.run_dir)
    try:
        until("a snapshot", lambda: book.orders_of(NAMES[0]) is not None)
        for client in clients:
            orders = book.orders_of(client.name)
            assert orders is not None
            shown = {own_id: (order.side, order.price_ticks, order.resting_lots) for own_id, order in orders.items()}
            account = client.lines("open")
            assert shown == {own: (Side(side), price, lots) for own, side, price, _, lots, _ in account if lots}
    finally:
        book.close()
