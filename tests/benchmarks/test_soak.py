"""The soak: what a client believes, how long orders took, and whether memory grows."""

import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.soak_account import ASK_AGAIN_NS, DOUBLED, EXECUTIONS, LAST_SEQUENCE, REFUSED, RESTING_MAX, Account
from benchmarks.soak_client import REPORTS, SoakClient
from benchmarks.soak_measures import BINS, MB, Sample, bins_of, quantile_ms, slope_mb_per_hour
from engine.wire.codec import PieceDecoder
from market.codec import StreamDecoder, encode_all
from market.codes import CancelReason, RejectReason, Side, Tag
from market.commands import CancelOrder, NewOrder
from market.events import Accepted, Canceled, Event, Executed, Rejected, Rested
from market.kernels.rows import Int64Array, read_command
from market.session_messages import Heartbeat, LoggedOn, Logon

MID = 9_000_000


def _rows(events: Sequence[Event]) -> Int64Array:
    decoder = PieceDecoder(REPORTS)
    decoder.load(b"", encode_all(events))
    return decoder.next_rows().copy()


def _commands(account: Account, count: int) -> list[Any]:
    return [read_command(row) for row in account.commands[:count]]


def _accepted(order: Any, sequence: int) -> Accepted:
    assert isinstance(order, NewOrder)
    side, price, lots = order.side, order.price_ticks, order.qty_lots
    return Accepted(sequence, 0, 0, order.order_id, 0, side, price, lots, 0, 0, lots)


def test_believes_what_the_reports_say() -> None:
    """What is accepted rests, a fill reduces it, a cancel ends it; a second first report is counted."""
    account = Account(7)
    account.seconds = np.zeros((1, BINS), np.int32)
    account.act(1, 1, 3, MID)
    orders = _commands(account, 3)
    assert [one.order_id for one in orders] == [1, 2, 3]
    assert not account.is_quiet
    reports = [_accepted(one, number) for number, one in enumerate(orders, 1)]
    assert account.hear(_rows([*reports, _accepted(orders[0], 4)]), 20_001) == 4
    lots = {one.order_id: one.qty_lots for one in orders}
    assert account.resting == lots
    assert account.counts[DOUBLED] == 1
    took = bins_of(np.array([20_000, 19_999, 19_998]))
    assert account.seconds[0].tolist() == np.bincount(took, minlength=BINS).tolist()
    fill = Executed(5, 0, 0, 1, MID, 1, Side.BUY, 0, 0, 0, 1, 0, 5, 5)
    gone = Canceled(6, 0, 0, 2, 0, Side.BUY, MID, lots[2], 0, CancelReason.REQUESTED)
    rested = Rested(7, 0, 0, 3, 0, Side.BUY, MID, 2, 2)
    assert account.hear(_rows([fill, gone, rested]), 30_000) == 3
    assert account.resting == {1: 5, 3: 2}
    assert account.counts[EXECUTIONS] == 1
    assert account.is_quiet


def test_a_report_that_was_had_is_passed_over_and_one_after_a_gap_is_not_taken() -> None:
    """Nothing is believed of either; an order that was sent again is answered by what was stored."""
    account = Account(7)
    account.act(1, 1, 2, MID)
    first, second = _commands(account, 2)
    assert account.hear(_rows([_accepted(first, 1), _accepted(first, 1)]), 9) == 2
    assert account.counts[DOUBLED] == 0
    assert account.hear(_rows([_accepted(second, 3)]), 9) == 0
    assert (account.counts[LAST_SEQUENCE], list(account.resting)) == (1, [1])
    assert [row[1] for row in account.again().tolist()] == []  # its answer is on its way, and brought anew
    refused = Rejected(0, 0, 0, 0, 0, Tag.LOGON, RejectReason.BAD_TOKEN)
    assert account.hear(_rows([refused]), 9) == 0


def test_a_lost_cancel_is_asked_for_again() -> None:
    """A client is not quiet while an order rests that it has cancelled."""
    account = Account(7)
    sequence, orders = 0, []
    for start in range(0, RESTING_MAX, 500):
        account.act(start, 1, 500, MID)
        orders = _commands(account, 500)
        reports = [_accepted(one, sequence + number) for number, one in enumerate(orders, 1)]
        sequence += len(reports)
        assert account.hear(_rows(reports), 5_000) == 500
    account.act(10, 1, 2, MID)
    cancel, order = _commands(account, 2)
    assert cancel == CancelOrder(1, 0)
    assert isinstance(order, NewOrder), "one is cancelled for each new one"
    account.hear(_rows([_accepted(order, sequence + 1)]), 20)
    assert not account.is_quiet
    assert account.ask_again(ASK_AGAIN_NS + 10) == 0
    assert account.ask_again(ASK_AGAIN_NS + 11) == 1
    assert _commands(account, 1) == [CancelOrder(1, 0)]
    gone = Canceled(sequence + 2, 0, 0, 1, 0, Side.BUY, MID, 1, 0, CancelReason.REQUESTED)
    account.hear(_rows([gone]), 30)
    assert account.is_quiet
    assert account.ask_again(ASK_AGAIN_NS * 3) == 0


def test_a_refusal_counts_unless_the_order_had_just_gone() -> None:
    """A cancel that comes too late is nothing unusual; a refused order is."""
    account = Account(7)
    account.act(1, 1, 1, MID)
    late = Rejected(0, 0, 0, 9, 0, Tag.CANCEL_ORDER, RejectReason.UNKNOWN_ORDER)
    account.hear(_rows([late, Rejected(1, 0, 0, 1, 0, Tag.NEW_ORDER, RejectReason.PRICE_BAND)]), 5)
    assert (account.counts[REFUSED], account.resting, account.is_quiet) == (1, {}, True)


class Gateway(threading.Thread):
    """One that takes a connection after the other, and hangs up after so many orders; reports are numbered on."""

    def __init__(self, lives: Sequence[int]) -> None:
        super().__init__()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.port: int = self._listener.getsockname()[1]
        self._lives = lives
        self.reports: list[Event] = []
        self.last_id = 0
        self.logons: list[Logon] = []

    def run(self) -> None:
        """Serve each life."""
        for orders_max in self._lives:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(20)
                self._serve(connection, orders_max)

    def _serve(self, connection: socket.socket, orders_max: int) -> None:
        decoder = StreamDecoder()
        while True:
            for message in decoder.feed(connection.recv(1 << 16)):
                if isinstance(message, Logon):
                    self.logons.append(message)
                    said = LoggedOn(len(self.reports) + 1, 1, self.last_id, 0, 10_000)
                    connection.sendall(encode_all([said, *self.reports[message.last_sequence :]]))
                elif isinstance(message, NewOrder) and message.order_id > self.last_id:
                    self.last_id = message.order_id
                    self.reports.append(_accepted(message, len(self.reports) + 1))
                    orders_max -= 1
                    if orders_max > 0:
                        connection.sendall(encode_all([self.reports[-1]]))
                    elif orders_max == 0:
                        return  # this one's report is told the next life
                elif isinstance(message, Heartbeat) and message.last_sequence == len(self.reports):
                    connection.sendall(encode_all([Heartbeat(len(self.reports))]))
            if orders_max > 500 and len(self.reports) >= 60:
                return


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """One that dies twice."""
    made = Gateway((5, 7, 1_000))
    made.start()
    yield made
    made.join(30)
    made._listener.close()


def test_a_lost_connection_is_made_again_and_no_order_is_lost_or_doubled(gateway: Gateway) -> None:
    """What was not answered is sent again; what was missed comes with the next connection."""
    client = SoakClient("soak-0", gateway.port, 7)
    sent = 0
    for _ in range(2_000):
        if sent < 60:
            client.act(1, 1, 2, MID)
            sent += 2
        client.take()
        if len(client.account.resting) == 60:
            break
    else:
        raise AssertionError(f"expected 60 orders to rest, were {len(client.account.resting)}")
    client.close()
    assert [event.sequence for event in gateway.reports] == list(range(1, 61))
    assert [one.client_id for one in gateway.logons] == ["soak-0"] * 3
    assert (client.doubled, client.refused, client.lost_count, client.unanswered_count) == (0, 0, 0, 0)


def test_memory_that_grows_is_found_over_restarts() -> None:
    """Levels differ from life to life; what grows within each is the slope, and a life's first minute is none of it."""
    lives = [
        [Sample(at, 100 * MB + at * 5 * MB // 3_600, 9) for at in range(0, 2_000, 10)],
        [Sample(at, (60 if at > 2_050 else 10) * MB + at * 5 * MB // 3_600, 9) for at in range(2_000, 3_600, 10)],
    ]
    slope, error = slope_mb_per_hour(lives, 600)
    assert slope == pytest.approx(5, rel=0.01)
    assert error < 0.1
    flat = [[Sample(at, 80 * MB + at % 20, 9) for at in range(0, 3_600, 10)]]
    assert slope_mb_per_hour(flat, 600)[0] == pytest.approx(0, abs=0.01)


def test_a_quantile_is_told_at_most_two_percent_too_high() -> None:
    """Times are counted in bins; each is told by its upper end."""
    counts = np.bincount(bins_of(np.array([20_000] * 99 + [7_000_000])), minlength=BINS)
    assert 0.02 <= quantile_ms(counts, 0.99) <= 0.0205
    assert 7 <= quantile_ms(counts, 1.0) <= 7.15
