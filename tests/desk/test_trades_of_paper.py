"""The public trades of a running exchange, while its engine and itself are killed."""

import itertools
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from paper.money.ledger import TRADE_IDS_PER_EPOCH
from tests.desk.desk_process import ANSWER_S, Desk, until

Trade = tuple[float, float]  # price and quantity


@contextmanager
def listening(url: str) -> Iterator[list[dict[str, Any]]]:
    """Gather what @trade tells until the exchange closes, or we do."""
    told: list[dict[str, Any]] = []

    def listen(connection: Any) -> None:
        with suppress(ConnectionClosed):
            for text in connection:
                told.append(json.loads(text))  # noqa: PERF401 - one by one: the test looks on

    with connect(url.replace("http", "ws") + "/ws/btcusdt@trade") as connection:
        thread = threading.Thread(target=listen, args=(connection,))
        thread.start()
        yield told
        connection.close()
        thread.join()


def recent(url: str) -> list[dict[str, Any]]:
    """Return the last trades by REST."""
    with urllib.request.urlopen(f"{url}/api/v3/trades?symbol=BTCUSDT&limit=1000", timeout=ANSWER_S) as response:
        answer: list[dict[str, Any]] = json.load(response)
    return answer


def of_the_engine(desk: Desk) -> dict[int, Trade]:
    """Return price and quantity of the last trades by the engine's number, as the api tells them."""
    trades = desk.get("/api/trades?limit=1000").get("trades", [])
    return {trade["id"]: (trade["price"], trade["quantity"]) for trade in trades}


@pytest.mark.slow
@pytest.mark.parametrize("journal", ["none", "write"])
def test_public_trades_go_on_over_every_restart(directory: Path, journal: str) -> None:
    """With and without a journal: no number again, none back, and no trade of an old engine as one of the new one."""
    arguments = ["--without", "maker", "--without", "tracker", "--without", "gateway", "--flow", "synthetic:busy"]
    desk = Desk(directory / "run", *arguments, TICKBUS_ENGINE__JOURNAL=journal)
    try:
        url = desk.start().url("paper")
        with listening(url) as told:
            until("trades", lambda: len(told) > 50)
            desk.kill("engine")
            public, wanted = _next_trades(desk, told)
            heard = {number: trade for number, trade in wanted.items() if number >= told[0]["t"]}
            assert {number: public.get(number) for number in heard} == heard
            numbers = [trade["t"] for trade in told]
        assert all(before < after for before, after in itertools.pairwise(numbers))
        desk.kill("paper")
        url = desk.url("paper")
        until("trades of the next exchange", lambda: recent(url)[-1:] and recent(url)[-1]["id"] > numbers[-1])
        again = {trade["id"]: (float(trade["price"]), float(trade["qty"])) for trade in recent(url)}
        assert [*again] == sorted(again)
        assert all(again[number] == public[number] for number in again.keys() & public.keys())
    finally:
        desk.end()


def _next_trades(desk: Desk, told: list[dict[str, Any]]) -> tuple[dict[int, Trade], dict[int, Trade]]:
    """Wait for trades of an engine that is back; return all public ones and the engine's own, by public number."""
    before = len(told)
    until("trades of the next engine", lambda: len(told) > before + 20)
    truth = until("the api follows", lambda: of_the_engine(desk))
    until("all is told", lambda: told[-1]["t"] % TRADE_IDS_PER_EPOCH >= max(truth))
    epoch = told[-1]["t"] // TRADE_IDS_PER_EPOCH
    public = {each["t"]: (float(each["p"]), float(each["q"])) for each in told}
    return public, {epoch * TRADE_IDS_PER_EPOCH + number: trade for number, trade in truth.items()}
