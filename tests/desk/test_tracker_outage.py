"""A whole desk whose tracker has no disk while its venue is killed: the maker trades on, and each fill is told once."""

import json
import resource
import sqlite3
from typing import Any

from tests.desk.desk_process import BTCUSDT, Desk, until
from tests.desk.test_fill_rows import MAKER

FILLS = 5
INTERVAL_S = 10  # from one reading of the account to the next: some fills, and longer than a desk takes to stop
ROOM = 1_024  # bytes: no file that a tracker keeps is as short


def _ids(desk: Desk) -> list[int]:
    """Return the numbers of the trades in the daily files, which can be read at any time."""
    paths = sorted((desk.run_dir / "reports").glob("performance_????????.json"))
    return [row["id"] for path in paths for row in json.loads(path.read_text())["trade_history"]]


def _kept(desk: Desk) -> list[int]:
    """Return those in the history, likewise."""
    path = desk.run_dir / "reports" / "history.sqlite3"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return [number for (number,) in connection.execute("SELECT trade_id FROM trades ORDER BY trade_id")]


def _sold(desk: Desk) -> list[int]:
    """Return the numbers of the account's trades at the venue."""
    return [trade.trade_id for trade in desk.venue().trades(BTCUSDT, 1_000)]


def _writes(desk: Desk) -> int:
    return int(desk.node("tracker")["figures"]["writes"])


def _failing(desk: Desk) -> Any:
    return desk.node("tracker")["figures"].get("failing")


def test_trading_goes_on_and_every_fill_is_there_once(desk: Desk) -> None:
    """Guards the books beside a maker: of a tracker alone the same was tried in `tests/nodes/tracker`."""
    desk.environment |= {f"TICKBUS_{name}": value for name, value in MAKER.items()}
    desk.environment["TICKBUS_TRACKER__INTERVAL_S"] = str(INTERVAL_S)
    desk.start("--without", "gateway", "--without", "api")
    until("there are fills", lambda: len(_ids(desk)) >= FILLS and _kept(desk))
    tracker = desk.node("tracker")
    limits = resource.prlimit(tracker["pid"], resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
    until("the tracker says that its file is behind", lambda: _failing(desk))
    before, kept, sold = _ids(desk), _kept(desk), len(_sold(desk))
    desk.kill("paper")
    until("the maker trades", lambda: len(_sold(desk)) >= sold + FILLS)
    assert (_ids(desk), _kept(desk)) == (before, kept), "the disk took nothing"
    resource.prlimit(tracker["pid"], resource.RLIMIT_FSIZE, limits)
    there = _sold(desk)
    until("the daily file has all", lambda: set(_ids(desk)) >= set(there))
    until("the tracker says that it is not behind", lambda: _failing(desk) is None)
    assert desk.node("tracker")["restarts"] == tracker["restarts"]
    writes = _writes(desk)
    until("the tracker has just read the account", lambda: _writes(desk) > writes)
    until("there is a fill that the history lacks", lambda: set(_sold(desk)) - set(_kept(desk)))
    desk.stop()  # the tracker reads it once more, long before it would by itself
    ids = sorted(_ids(desk))
    assert ids == sorted(set(ids)) == _kept(desk)
    assert set(ids) >= set(there)
