"""What a maker does at an exchange that fails: `python -m benchmarks.faults [--seconds N] [--rounds N] [--json]`.

A desk of real processes on its own paper exchange. Each fault is made with the exchange's own switches, or by a kill,
for some seconds; the exchange's ledger is looked at every 20 ms meanwhile, and until 12 s after the end. Checked are

- at each look, that no side has two orders;
- after each fault, that no client order id was used twice, and that the maker's position is what the account holds,
  to the last lot;
- that the exchange has banned nobody, and that nothing is left when the maker is stopped.

`back` is the time from the end of a fault until both sides are quoted again, without a gap of more than 3 s after it: 0
where that was so all along.
"""

import argparse
import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from benchmarks.desk_process import running_desk
from commands.actions.account import ask_paper
from commands.actions.node_control import stop_node
from desk.client import DeskError, desk_status
from desk.desk_file import kept_settings
from desk.settings import Settings, load_kept_settings
from market.codes import Side
from paper.access.accounts import FIRST_ACCOUNT
from paper.money.account_records import AccountRecord
from paper.money.tables import IS_OPEN
from paper.units import UNITS_PER_ONE

SECONDS: Final = 6.0  # of each fault
LOOK_S: Final = 0.02
EVERY_S: Final = 1.0  # between two of what happens at once
WATCH_S: Final = 12.0  # after its end
GAP_S: Final = 3.0  # a quote that is refused, as the market has moved onto it, has its side wait for 2 s
BACK_S_MAX: Final = 10.0
SETTLE_S: Final = 15.0  # until the maker's figures are those of now
NEUTRAL: Final = 1  # BTC: what an account begins with
# It moves often, and sweeps fill it.
SETTINGS: Final = {
    "maker.half_spread": "0.001",
    "maker.requote_tolerance": "0.0002",
    "maker.notional": "200",
    "maker.neutral": str(NEUTRAL),
}
Switch = Mapping[str, Any]
NEW_ORDERS: Final[Switch] = {"method": "POST", "path": "order", "account": FIRST_ACCOUNT}


@dataclass(frozen=True)
class Trouble:
    """A fault: a switch that stands, or one that is set again and again; of neither the maker is killed."""

    stands: Switch | None = None
    happens: Switch | None = None


TROUBLES: Final = {
    "reply lost": Trouble(happens={"kind": "drop_reply", **NEW_ORDERS}),
    "5xx, carried out": Trouble(happens={"kind": "server_error", "is_executed": True, "is_html": True, **NEW_ORDERS}),
    "5xx, all calls": Trouble(stands={"kind": "server_error", "count": None, "account": FIRST_ACCOUNT}),
    "429": Trouble(happens={"kind": "rate_limit", "account": FIRST_ACCOUNT}),
    "418": Trouble(happens={"kind": "rate_limit", "status": 418, "retry_after_s": 3, "account": FIRST_ACCOUNT}),
    "-1015": Trouble(happens={"kind": "reject", "code": -1015, **NEW_ORDERS}),
    "slow": Trouble(stands={"kind": "delay", "ms": 2_000, "count": None, "account": FIRST_ACCOUNT}),
    "disconnects": Trouble(happens={"kind": "disconnect"}),
    "clock step": Trouble(stands={"kind": "wrong_clock", "offset_ms": 3_600_000}),
    "wipe": Trouble(happens={"kind": "wipe"}),
    "mute": Trouble(stands={"kind": "mute"}),
    "silent cancel": Trouble(happens={"kind": "silent_cancel", "count": 2, "account": FIRST_ACCOUNT}),
    "kill -9": Trouble(),
}


@dataclass
class Row:
    """What one fault was: seconds until quotes were back, each time, and the orders that were sent in all of it."""

    fault: str
    back_s: list[float] = field(default_factory=list)
    orders: int = 0


class Ledger:
    """The exchange's books, read beside it: no call of ours meets a fault, or counts."""

    def __init__(self, path: Path) -> None:
        self._read = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def close(self) -> None:
        """Let go of the file."""
        self._read.close()

    def _uid(self) -> int:
        row = self._read.execute("SELECT reset_count FROM accounts WHERE account = ?", (FIRST_ACCOUNT,)).fetchone()
        return AccountRecord(row[0] if row else 0).uid(FIRST_ACCOUNT)

    def sides(self) -> Counter[int]:
        """Return how many orders of the maker are open on each side."""
        sql = f"SELECT side FROM orders WHERE account = ? AND {IS_OPEN}"
        return Counter(side for (side,) in self._read.execute(sql, (self._uid(),)))

    def names(self) -> list[str]:
        """Return the client order ids of all of the account's orders."""
        sql = "SELECT client_order_id FROM orders WHERE account = ?"
        return [name for (name,) in self._read.execute(sql, (self._uid(),))]

    def holding(self, asset: str) -> Decimal:
        """Return what the account has of an asset."""
        sql = "SELECT free + locked FROM balances WHERE account = ? AND asset = ?"
        (units,) = self._read.execute(sql, (FIRST_ACCOUNT, asset)).fetchone()
        return Decimal(units) / UNITS_PER_ONE


class WatchedDesk:
    """A desk that runs, and its exchange's books."""

    def __init__(self, run_dir: Path, settings: Settings, ledger: Ledger) -> None:
        self._run_dir = run_dir
        self._settings = settings
        self.ledger = ledger

    def suffer(self, trouble: Trouble, seconds: float) -> None:
        """Let it go wrong for so long; a kill is over at once."""
        if trouble.stands is not None:
            self._set(trouble.stands)
        elif trouble.happens is None:
            os.kill(self._maker()["pid"], signal.SIGKILL)
            return
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            if trouble.happens is not None:
                self._set(trouble.happens)
            self.watch(min(EVERY_S, left_s))
        ask_paper(self._settings, "DELETE", "faults")

    def watch(self, seconds: float) -> float:
        """Look for so long; return when the last gap of some length ended, from the beginning; 0 if there was none."""
        began_s = whole_s = time.monotonic()
        back_s = 0.0
        while (now_s := time.monotonic()) < began_s + seconds:
            sides = self.ledger.sides()
            assert max(sides.values(), default=0) <= 1, f"a side has two orders: {sides}"
            if len(sides) == len(Side):
                if now_s - whole_s > GAP_S:
                    back_s = now_s - began_s
                whole_s = now_s
            time.sleep(LOOK_S)
        return back_s if now_s - whole_s <= GAP_S else seconds

    def check(self) -> None:
        """Check what must hold once all is quiet.

        Raises:
            AssertionError: naming what does not.
        """
        names = Counter(self.ledger.names())
        assert not names or max(names.values()) == 1, f"an id was used twice: {names.most_common(1)}"
        deadline = time.monotonic() + SETTLE_S
        while (told := self._position()) != (held := self.ledger.holding(self._settings.instrument.base)):
            assert time.monotonic() < deadline, f"the maker takes itself to hold {told}, it holds {held}"
            time.sleep(LOOK_S)

    def stop(self) -> None:
        """Stop the maker, and see that nothing is left."""
        stop_node(self._run_dir, "maker")
        assert not self.ledger.sides(), "nothing is left at the exchange"

    def _position(self) -> Decimal | None:
        figure = self._maker()["figures"].get("position")
        return None if figure is None else Decimal(figure) + NEUTRAL

    def _maker(self) -> dict[str, Any]:
        """Return the maker's row of `status`, as soon as there is an answer."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            try:
                return next(row for row in desk_status(self._run_dir)["nodes"] if row["node"] == "maker")
            except DeskError:  # it starts a node just now
                assert time.monotonic() < deadline, "the desk does not answer"
                time.sleep(LOOK_S)

    def _set(self, switch: Switch) -> None:
        ask_paper(self._settings, "POST", "faults", switch)


@contextmanager
def watched_desk() -> Iterator[WatchedDesk]:
    """Run a desk, and read its exchange's books beside it."""
    with running_desk(SETTINGS, ["tracker"], "--api-port", "0") as run_dir:
        kept = kept_settings(run_dir)
        assert kept is not None, f"no desk has run in {run_dir}"
        settings = load_kept_settings(kept.settings, "the desk", {})
        with closing(Ledger(run_dir / "paper" / "ledger.sqlite3")) as ledger:
            yield WatchedDesk(run_dir, settings, ledger)


def measure(seconds: float, rounds: int, tell: Callable[[Row], None]) -> list[Row]:
    """Let each fault come once a round, and check what holds; `tell` gets each row as it is known."""
    rows = [Row(name) for name in TROUBLES]
    with watched_desk() as desk:
        assert desk.watch(WATCH_S) < WATCH_S, "the maker does not quote"
        for row in rounds * rows:
            before = len(desk.ledger.names())
            desk.suffer(TROUBLES[row.fault], seconds)
            row.back_s.append(round(desk.watch(WATCH_S), 2))
            desk.check()
            row.orders += max(0, len(desk.ledger.names()) - before)
            tell(row)
        desk.stop()
    return rows


def main() -> None:
    """Measure, print, and fail if a fault was followed by too long a silence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each fault")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.json:
        rows = measure(arguments.seconds, arguments.rounds, lambda _: None)
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print("fault             orders  back s, each time")
        rows = measure(arguments.seconds, arguments.rounds, _show)
    late = {row.fault: row.back_s for row in rows if max(row.back_s) > BACK_S_MAX}
    assert not late, f"not quoting {BACK_S_MAX:.0f} s after a fault: {late}"


def _show(row: Row) -> None:
    print(f"{row.fault:17} {row.orders:6}  {' '.join(f'{each:.2f}' for each in row.back_s)}", flush=True)


if __name__ == "__main__":
    main()
