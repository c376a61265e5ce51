"""A desk that is killed, and comes back to trade another pair."""

import os
import signal
from decimal import Decimal

from market.account import VenueOrder
from market.codes import Side
from tests.desk.desk_process import BTCUSDT, LEAN, Desk, node_processes, until


def _open_orders(desk: Desk) -> list[VenueOrder]:
    return list(desk.venue().open_orders())


def _kill_all(desk: Desk) -> None:
    assert desk.process is not None
    for pid in (desk.process.pid, *node_processes(desk.run_dir)):
        os.kill(pid, signal.SIGKILL)
    desk.process.communicate()
    until("all have ended", lambda: not node_processes(desk.run_dir))


def test_quotes_of_the_pair_before_are_taken_away(desk: Desk) -> None:
    """They would rest, and trade, while nobody knows of them; what a person has placed stays."""
    desk.environment |= {"TICKBUS_PAPER__RATE_LIMITS": "false"}  # the list of all pairs weighs much
    desk.start(*LEAN)
    until("it quotes both sides", lambda: len(_open_orders(desk)) == 2)
    by_hand = desk.venue().place(BTCUSDT, Side.BUY, BTCUSDT.price_to_ticks(Decimal(50_000)), 1_000, "by-hand")
    _kill_all(desk)
    desk.start(*LEAN, "--symbol", "ETHUSDT")
    until("it quotes both sides", lambda: len(_open_orders(desk)) == 3)
    assert [each.order_id for each in _open_orders(desk) if each.symbol == "BTCUSDT"] == [by_hand.order_id]
    assert "cancelled what an earlier run has left in another pair" in desk.log("maker")
    halted = desk.cli("halt", "--symbol", "ETHUSDT")
    assert (halted.returncode, "the maker has no quote at paper" in halted.stdout) == (0, True), halted.stderr
    assert [each.order_id for each in _open_orders(desk)] == [by_hand.order_id]
