"""A maker that dies or hangs: its watchdog takes its orders off the venue, whoever else is dead."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from desk.desk_file import kept_settings
from desk.lifecycle import killed_for
from desk.run_dir import WATCHDOG, holder_pid
from market.account import VenueOrder
from market.codes import Side
from tests.desk.desk_process import BTCUSDT, LEAN, Desk, node_processes, short_directory, until
from tests.reliability import FaultRow
from venues.venue import VenueError

# The list of all pairs weighs much, and is asked for often here; nobody waits for what trades.
OFTEN = {"TICKBUS_PAPER__RATE_LIMITS": "false", "TICKBUS_FLOW__PRESET": "calm"}
HANGS = """
from trading.strategy import Strategy, Wanted
from trading.quoting import Quote
from market.codes import Side
from pathlib import Path


def step(now_ns, inbox):
    while Path(%r).exists():
        pass
    best = inbox.depth.bids[0].price_ticks
    return Wanted([Quote(Side.BUY, best - 1_000, 1_000)])
"""


@pytest.fixture(scope="module")
def quoting_desk() -> Iterator[Desk]:
    """A desk that quotes, beside an order that a person has placed."""
    with short_directory() as path:
        desk = Desk(path / "run", *LEAN, **OFTEN).start()
        desk.venue().place(BTCUSDT, Side.BUY, BTCUSDT.price_to_ticks(Decimal(50_000)), 1_000, "by-hand")
        yield desk
        desk.end()
        for pid in node_processes(desk.run_dir):
            os.kill(pid, signal.SIGKILL)


def _own(desk: Desk) -> list[VenueOrder]:
    return [each for each in desk.venue().open_orders() if each.client_order_id != "by-hand"]


def _kill_maker(desk: Desk) -> None:
    os.kill(desk.node("maker")["pid"], signal.SIGKILL)


def _stop_maker(desk: Desk) -> None:
    os.kill(desk.node("maker")["pid"], signal.SIGSTOP)


def _watchdog_pid(desk: Desk) -> int:
    pid: int = until("the maker has a watchdog", lambda: holder_pid(desk.run_dir / f"{WATCHDOG}.lock"))
    return pid


@pytest.mark.parametrize("end", [_kill_maker, _stop_maker])
def test_orders_of_a_maker_that_ends_go_and_it_is_back(
    quoting_desk: Desk, end: Callable[[Desk], None], fault_row: FaultRow
) -> None:
    """Killed, or silent: nobody is there to cancel them; what a person has placed stays."""
    until("it quotes both sides", lambda: len(_own(quoting_desk)) == 2)
    quoted = {each.order_id for each in _own(quoting_desk)}
    before = quoting_desk.node("maker")
    since_s = time.monotonic()
    end(quoting_desk)
    until("its orders are gone", lambda: not quoted & {each.order_id for each in _own(quoting_desk)})
    until("it quotes both sides again", lambda: len(_own(quoting_desk)) == 2)
    back_s = time.monotonic() - since_s
    after = quoting_desk.node("maker")
    assert (after["restarts"], after["pid"] != before["pid"]) == (before["restarts"] + 1, True)
    assert [each.client_order_id for each in quoting_desk.venue().open_orders()].count("by-hand") == 1
    assert "takes the maker's orders away" in quoting_desk.log("maker")
    log = quoting_desk.run_dir / "logs" / "maker.log"
    assert killed_for(log, before["pid"]) == ("" if end is _kill_maker else "it was silent for 4 s")
    cause = f"SIG{'KILL' if end is _kill_maker else 'STOP'}: its watchdog cancels its orders; back when it quotes"
    fault_row("maker dies or hangs", cause, 1, [back_s])


def test_a_maker_that_lives_is_left_alone(quoting_desk: Desk) -> None:
    """For longer than it may be silent; started, it takes some 3 s until its first beat."""
    settings = kept_settings(quoting_desk.run_dir)
    assert settings is not None
    lived_s = 2 * float(settings.settings["maker.silence_s"]) + 2
    until("it has lived long", lambda: quoting_desk.node("maker")["uptime_s"] > lived_s)


def test_a_maker_without_its_watchdog_starts_anew(quoting_desk: Desk, fault_row: FaultRow) -> None:
    """It quotes with one or not at all."""
    before, since_s = quoting_desk.node("maker")["pid"], time.monotonic()
    os.kill(_watchdog_pid(quoting_desk), signal.SIGKILL)
    until("another maker is ready", lambda: _is_another(quoting_desk, before))
    until("it quotes both sides", lambda: len(_own(quoting_desk)) == 2)
    back_s = time.monotonic() - since_s
    assert "no quotes without it" in quoting_desk.log("maker")
    fault_row("watchdog dies", "SIGKILL: no quotes without it; back when the maker quotes", 1, [back_s])


def _is_another(desk: Desk, pid: int) -> bool:
    row = desk.node("maker")
    return bool(row["state"] == "ready" and row["pid"] != pid)


def test_signals_to_the_watchdog_do_not_end_it(quoting_desk: Desk) -> None:
    """A service manager that stops a maker signals all of its processes."""
    pid = _watchdog_pid(quoting_desk)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    stopped = quoting_desk.cli("stop", "maker")
    assert (stopped.returncode, _own(quoting_desk)) == (0, [])
    assert not Path(f"/proc/{pid}").exists()
    assert quoting_desk.cli("start", "maker").returncode == 0


@pytest.mark.parametrize("end", [_kill_maker, _stop_maker])
def test_orders_go_though_the_supervisor_is_dead_too(
    quoting_desk: Desk, end: Callable[[Desk], None], fault_row: FaultRow
) -> None:
    """Nobody restarts it; the exchange waits with its own end until the watchdog has ended."""
    if quoting_desk.process is None:
        quoting_desk.start()
    until("it quotes both sides", lambda: len(_own(quoting_desk)) == 2)
    venue = quoting_desk.venue()
    pid = _watchdog_pid(quoting_desk)
    end(quoting_desk)
    assert quoting_desk.process is not None
    quoting_desk.process.kill()
    quoting_desk.process.communicate()
    quoting_desk.process = None

    def are_gone() -> bool:
        try:
            return [each.client_order_id for each in venue.open_orders()] == ["by-hand"]
        except VenueError as error:
            raise AssertionError(f"the exchange has ended before: {error}") from None

    until("its orders are gone", are_gone)
    until("all have ended", lambda: not node_processes(quoting_desk.run_dir) and not Path(f"/proc/{pid}").exists())
    cause = f"SIG{'KILL' if end is _kill_maker else 'STOP'}, SIGKILL: the watchdog alone cancels its orders"
    fault_row("maker dies or hangs, and its supervisor dies", cause, 1)


def test_a_strategy_that_never_returns_is_ended(desk: Desk, fault_row: FaultRow) -> None:
    """Its loop stands, so that no beat comes; its order goes, and the maker is there again."""
    hangs = desk.run_dir.parent / "hangs"
    strategy = desk.run_dir.parent / "strategy.py"
    strategy.write_text(HANGS % str(hangs))
    desk.environment |= OFTEN | {"TICKBUS_MAKER__STRATEGY": str(strategy), "TICKBUS_MAKER__SILENCE_S": "2"}
    desk.start(*LEAN)
    until("it quotes", lambda: len(_own(desk)) == 1)
    hangs.touch()
    until("its order is gone", lambda: not _own(desk))
    hangs.unlink()
    until("it quotes again", lambda: len(_own(desk)) == 1)
    fault_row("strategy never returns", "its file waits: the watchdog cancels its order and ends the maker", 1)
    desk.stop()
