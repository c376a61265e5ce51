"""The watchdog's own process: waits for the maker's end, or for its silence, and takes its orders off the venue.

It asks nobody of the desk, and goes by the maker's prefix and its note of the newest orders, in every pair of the
account.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from desk.outlet import log_file
from desk.run_dir import KILLS, WATCHDOG, LockFile, holder_pid
from desk.settings import Settings
from desk.stopping import StopBudget
from desk.venue import is_own_paper, quick_venue
from market.account import VenueOrder
from market.backoff import Backoff
from market.clock import NS_PER_MS, NS_PER_SECOND, monotonic_ns, time_ns
from market.instrument import format_decimal
from nodes.lean_log import structlog
from nodes.maker.decisions import WatchdogDecisions
from nodes.maker.ids import SentOrders, note_out
from nodes.maker.watchdog import OUT, READY, STOPPING, end_earlier
from nodes.node import configure_log
from venues.everywhere import Account, cancel_everywhere, cancel_known, in_turn
from venues.venue import ARRIVAL_MS_MAX, VenueError

LOOK_NS: Final = NS_PER_SECOND // 10
DEATH_S_MAX: Final = 1.0  # for which we wait that a process which was killed has ended
GIVE_UP_NS: Final = 60 * NS_PER_SECOND  # of a venue that fails, for whoever has a person waiting; a watchdog never does
FAILED_PAUSE_NS: Final = NS_PER_SECOND // 10
FAILED_PAUSE_NS_MAX: Final = 2 * NS_PER_SECOND
PATIENT_PAUSE_NS_MAX: Final = 30 * NS_PER_SECOND  # for as long as it takes: what it asks weighs 160 a minute then
LIST_PAUSE_NS: Final = NS_PER_SECOND // 2
PIECE_BYTES: Final = 4_096
LINE: Final = 0  # our standard input


def watch(settings: Settings, prefix: str) -> None:
    """Watch over the process that has started this one, until it has ended, and has no order at the venue.

    Raises:
        LockedError: if there is another watchdog here that cannot be ended.
        VenueError: if there are no keys.
    """
    maker_pid, line = os.getppid(), LINE
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the maker: a service manager signals all of its processes
    is_heir = end_earlier(settings.run_dir)
    lock = LockFile(settings.run_dir / f"{WATCHDOG}.lock", "the watchdog")
    try:
        account = quick_venue(settings)
        os.write(line, READY)

        def tell_kill(why: str) -> None:  # before: the supervisor reads it when the maker has ended
            _logger().warning(KILLS, why=why, pid=str(maker_pid))

        stop_s = StopBudget(settings).waves[0]
        cause = await_end(line, maker_pid, settings.maker.silence_s, stop_s, is_heir=is_heir, tell_kill=tell_kill)
        if cause:
            log = _logger()
            log.warning("takes the maker's orders away", why=cause)
            sent = SentOrders(settings.run_dir, prefix, settings.symbol, account.account_name, log)
            decisions = WatchdogDecisions(settings.run_dir, cause, log, time_ns)
            if take_away(account, sent, log, lambda: _is_closed(settings), decisions.cancelled):
                _note_out(settings, log)
    finally:
        lock.release()


def _logger() -> Any:
    configure_log(log_file())
    return structlog.get_logger().bind(node=WATCHDOG)


def _note_out(settings: Settings, log: Any) -> None:
    try:
        note_out(settings.run_dir)
    except OSError as error:
        log.warning("that no order is left is not noted", why=str(error))


class Silence:
    """How long nothing was heard, in the time in which we could have heard it.

    A look that comes late, because we were stopped, or the machine slept or was busy, counts as a short one: the maker
    may have been held up as we were.
    """

    def __init__(self, now_ns: int) -> None:
        self.ns = 0
        self._looked_ns = now_ns

    def look(self, now_ns: int) -> None:
        """Count the time since the last look."""
        self.ns += min(now_ns - self._looked_ns, 2 * LOOK_NS)
        self._looked_ns = now_ns


def await_end(
    line: int,
    maker_pid: int,
    silence_s: float,
    stop_s: float,
    *,
    is_heir: bool,
    tell_kill: Callable[[str], None] = lambda _: None,
) -> str:
    """Wait until the maker ends or is silent, and kill it if it is; return why its orders must go, or nothing.

    Args:
        line: a descriptor on which the maker says that it lives.
        maker_pid: our parent's.
        silence_s: for how long it may be silent.
        stop_s: for how long, once it stops.
        is_heir: whether something is to be taken away even if it ends before its first beat.
        tell_kill: told why the maker is killed, before it is.
    """
    has_begun, silence = is_heir, Silence(monotonic_ns())
    is_watched = False
    while True:
        is_news = bool(select.select([line], [], [], LOOK_NS / NS_PER_SECOND)[0])
        silence.look(monotonic_ns())
        if is_news:
            said = os.read(line, PIECE_BYTES)
            if OUT in said:
                return ""
            if not said:
                return "it has ended" if has_begun else ""
            has_begun = is_watched = True
            silence.ns = 0
            if STOPPING in said:
                silence_s = stop_s
        elif is_watched and silence.ns > silence_s * NS_PER_SECOND:
            tell_kill(f"it was silent for {silence_s:g} s")
            _kill(maker_pid, line)
            return f"it was silent for {silence_s:g} s, and is killed"


def _kill(maker_pid: int, line: int) -> None:
    """Kill the maker, and wait until it has ended: it enters nothing any more then."""
    if os.getppid() == maker_pid:  # it is there still, so that its pid is nobody else's
        os.kill(maker_pid, signal.SIGKILL)
    deadline = time.monotonic() + DEATH_S_MAX
    while (wait_s := deadline - time.monotonic()) > 0 and select.select([line], [], [], wait_s)[0]:
        if not os.read(line, PIECE_BYTES):
            return


def take_away(
    account: Account,
    sent: SentOrders,
    log: Any,
    is_closed: Callable[[], bool],
    tell: Callable[[VenueOrder], None],
    clock: Callable[[], int] = monotonic_ns,
    wait: Callable[[float], None] = time.sleep,
) -> bool:
    """Cancel all that is the maker's as `taken_away` does, however long that takes, and log and `tell` each.

    Only where the exchange is gone for good it logs that some may be left, and ends.

    Returns:
        Whether surely none is.
    """
    count = 0

    def tell_failure(error: VenueError, wait_ns: int) -> None:
        log.warning("the venue failed, own orders may be open: tries on", prefix=sent.prefix, why=str(error),
                    wait_s=round(wait_ns / NS_PER_SECOND, 1))  # fmt: skip

    try:
        for order in taken_away(account, sent, is_closed, clock, wait, tell_failure):
            log.info("cancelled", symbol=order.symbol, side=order.side.name, price=format_decimal(order.price),
                     left=format_decimal(order.leaves_qty), order_id=order.order_id)  # fmt: skip
            tell(order)
            count += 1
    except VenueError as error:
        log.error("own orders may be left at the venue", prefix=sent.prefix, why=str(error))
        return False
    log.info("nothing is left at the venue", cancelled=count)
    return True


def taken_away(
    account: Account,
    sent: SentOrders,
    is_closed: Callable[[], bool],
    clock: Callable[[], int] = monotonic_ns,
    wait: Callable[[float], None] = time.sleep,
    tell_failure: Callable[[VenueError, int], None] | None = None,
) -> Iterator[VenueOrder]:
    """Cancel all that is the maker's, and look again until what was on its way has arrived, or no longer can.

    What the maker has noted as taken is cancelled first: a list may not show it yet. Yields each as it ended.

    Args:
        sent: the maker's note.
        is_closed: whether a venue that fails is not to be asked again.
        clock: ns, of any beginning.
        wait: waits so many seconds.
        tell_failure: told of each failure, and for how long it waits, ns; who has it is never given up.

    Raises:
        VenueError: if the venue is closed, or fails for too long: orders may be left there.
    """
    arrived_ns, give_up_ns = clock() + ARRIVAL_MS_MAX * NS_PER_MS, clock() + GIVE_UP_NS
    pause_ns_max = FAILED_PAUSE_NS_MAX if tell_failure is None else PATIENT_PAUSE_NS_MAX
    failures, lists = Backoff(FAILED_PAUSE_NS, pause_ns_max), Backoff(LIST_PAUSE_NS, ARRIVAL_MS_MAX * NS_PER_MS)
    taken, told = sent.taken(), set[tuple[str, str]]()
    while True:
        asked_ns = clock()
        try:
            # Each is told, also if the venue fails at the next one, and once, however long a list has it still.
            for order in in_turn([cancel_known(account, taken), cancel_everywhere(account, sent.prefix)]):
                if (of := (order.symbol, order.order_id)) not in told:
                    told.add(of)
                    yield order
        except VenueError as error:
            if is_closed() or (tell_failure is None and clock() > give_up_ns):
                raise
            wait_ns = failures.fail(clock(), int(error.retry_after_s * NS_PER_SECOND))
            if tell_failure is not None:
                tell_failure(error, wait_ns)
        else:
            failures.end()
            taken = []
            if asked_ns >= arrived_ns:
                return
            wait_ns = lists.fail(clock())
        wait(wait_ns / NS_PER_SECOND)


def _is_closed(settings: Settings) -> bool:
    """Say whether nobody is left to ask, or to ask for.

    That is so where the exchange is this desk's own, and neither runs nor has a supervisor that would start it; and
    where a person has removed the run directory.
    """
    if not (settings.run_dir / f"{WATCHDOG}.lock").exists():
        return True
    runs = [holder_pid(settings.run_dir / f"{name}.lock") is not None for name in ("paper", "desk")]
    return is_own_paper(settings) and not any(runs)
