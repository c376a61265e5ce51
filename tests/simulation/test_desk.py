"""A whole desk on one clock: the same from the same seed, and its books add up."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from desk.settings import load_settings
from market.clock import NS_PER_SECOND, day_bounds_ns
from market.codes import Side
from reports.performance import is_sound
from simulation.desk import PREFIX, SimulatedDesk
from tests.desk.desk_process import TWO_ENGINES
from trading.quoting import Quote
from trading.strategy import Inbox, Wanted

START_NS, _ = day_bounds_ns(date(2026, 1, 1))
DAY_NS = 86_400 * NS_PER_SECOND

_DIGEST_OF = """
import sys
from pathlib import Path
from tests.simulation.test_desk import run_desk
print(run_desk(Path(sys.argv[1]), int(sys.argv[2])).digest.hexdigest())
"""


def run_desk(folder: Path, seed: int, seconds: int = 20, start_ns: int = START_NS) -> SimulatedDesk:
    """Return a desk of the default settings that has run for a while, its books closed."""
    settings = load_settings({"run_dir": folder, "flow.seed": seed, "flow.opening_s": 2}).settings
    desk = SimulatedDesk(settings, start_ns, folder / "reports")
    desk.run(start_ns + seconds * NS_PER_SECOND)
    desk.close_books()
    return desk


def digest_in_a_process(folder: Path, seed: int, hash_seed: int) -> str:
    """Return the digest of a run in a process of its own."""
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", _DIGEST_OF, str(folder), str(seed)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_same_seed_is_the_same_run_in_any_process_and_another_seed_another(tmp_path: Path) -> None:
    """Commands, events and daily file, to the last bit, whatever Python's hashes are."""
    first, second, other = (
        digest_in_a_process(tmp_path / name, seed, hash_seed)
        for name, seed, hash_seed in (("a", 7, 1), ("b", 7, 2), ("c", 8, 1))
    )
    assert first == second
    assert first != other


def test_trader_quotes_and_is_filled_and_no_money_is_made_or_lost(tmp_path: Path) -> None:
    """What the ledger holds is what was there at first, moved by the trades alone."""
    desk = run_desk(tmp_path, 7, seconds=60)
    assert desk.told.counts["Filled"] > 0
    desk.exchange.ledger.check()
    desk.market.engine.check_invariants()
    document = desk.folder.read(date(2026, 1, 1))
    assert document is not None
    assert document["trades"]["total_buys"] + document["trades"]["total_sells"] > 0, document["trades"]
    assert is_sound(document)


def test_every_order_is_counted_by_the_code_of_its_rule(tmp_path: Path) -> None:
    """What moved the quotes most is what a run is asked first."""
    told = run_desk(tmp_path, 7, seconds=60).told
    assert told.rules["quoted"].total() == told.counts["Quoted"]
    assert told.rules["ended"].total() == told.counts["Ended"]
    assert told.rules["quoted"]["TOLERANCE"] > 0
    assert told.rules["quoted"]["TOLERANCE"] == told.rules["ended"]["TOLERANCE"]


@dataclass
class Limited:
    """A strategy that takes the best ask while it has less than its limit, and remembers its positions."""

    positions: list[Decimal | None] = field(default_factory=list)

    def step(self, now_ns: int, inbox: Inbox) -> Wanted:
        self.positions.append(inbox.position)
        if inbox.position is None or inbox.position >= Decimal("0.01") or not inbox.depth.asks:
            return Wanted(())
        return Wanted([Quote(Side.BUY, inbox.depth.asks[0].price_ticks - 1, 1_000)])


def test_limit_of_a_position_lets_a_strategy_buy_up_to_it(tmp_path: Path) -> None:
    """The account has a bitcoin from the beginning: that is none."""
    settings = load_settings({"run_dir": tmp_path}).settings
    strategy = Limited()
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports", strategy=strategy)
    desk.run(START_NS + 60 * NS_PER_SECOND)
    held = desk.account.account().balances["BTC"].total
    assert strategy.positions[0] == 0
    assert Decimal("0.0099") < held - 1 < Decimal("0.02")
    assert strategy.positions[-1] == held - 1


@dataclass
class ForAWhile:
    """A strategy that quotes both sides near the market until a time, and nothing from then on."""

    until_ns: int

    def step(self, now_ns: int, inbox: Inbox) -> Wanted:
        """Return both quotes, that do not follow each tick."""
        bids, asks = inbox.depth
        if now_ns >= self.until_ns or not bids or not asks:
            return Wanted(())
        mid = (bids[0].price_ticks + asks[0].price_ticks) // 10_000 * 5_000
        return Wanted([Quote(Side.BUY, mid - 10_000, 1_000), Quote(Side.SELL, mid + 15_000, 1_000)])


def test_day_tells_how_the_trader_has_quoted(tmp_path: Path) -> None:
    """Guards the figures that a real desk's day has: half of the time without quotes is half of the presence."""
    settings = load_settings({"run_dir": tmp_path, "flow.opening_s": 2}).settings
    strategy = ForAWhile(START_NS + 60 * NS_PER_SECOND)
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports", strategy=strategy)
    desk.run(START_NS + 120 * NS_PER_SECOND)
    desk.close_books()
    document = desk.folder.read(date(2026, 1, 1))
    assert document is not None
    quoting, metrics = document["quoting"], document["metrics"]
    assert Decimal("0.4") < quoting["presence"] < Decimal("0.51")
    assert (quoting["minutes"], metrics["presence"]) == (2, {"value": quoting["presence"], "n": 2})
    assert quoting["orders"] == desk.told.counts["Quoted"] == metrics["fill_ratio"]["n"]
    assert quoting["fills"]["count"] == sum(row["rule"] is not None for row in document["trade_history"])
    assert (quoting["symbol"], quoting["maker"]["half_spread"]) == ("BTCUSDT", str(settings.maker.half_spread))


@pytest.mark.parametrize("seconds_before", [10])
def test_day_ends_with_its_last_moment_and_the_next_begins(tmp_path: Path, seconds_before: int) -> None:
    """A file for each day."""
    start_ns = START_NS + DAY_NS - seconds_before * NS_PER_SECOND
    desk = run_desk(tmp_path, 7, seconds=2 * seconds_before, start_ns=start_ns)
    assert desk.folder.days() == [date(2026, 1, 1), date(2026, 1, 2)]
    documents = [document for day in desk.folder.days() if (document := desk.folder.read(day)) is not None]
    assert sum(each["quoting"]["orders"] for each in documents) == desk.told.counts["Quoted"] > 0
    assert all(each["quoting"]["presence"] > 0 for each in documents)


def test_open_orders_are_what_the_trader_knows(tmp_path: Path) -> None:
    """Of ours, and of nobody else."""
    desk = run_desk(tmp_path, 7)
    listed = {order.client_order_id for order in desk.account.open_orders()}
    assert listed == desk.trader.orders.open.keys()
    assert all(name.startswith(PREFIX) for name in listed)


def test_several_engines_and_markets_are_one_run(tmp_path: Path) -> None:
    """Each symbol with a flow of its own, all in one engine here."""
    symbols = [{"symbol": "BTCUSDT"}, {"symbol": "ETHUSDT", "has_flow": True, "opening_mid": 3000}]
    engines = json.loads(TWO_ENGINES)
    settings = load_settings({"run_dir": tmp_path, "engines": engines, "symbols": symbols}).settings
    desk = SimulatedDesk(settings, START_NS, tmp_path / "reports")
    desk.run(START_NS + 10 * NS_PER_SECOND)
    assert desk.account.mid("BTCUSDT")
    assert desk.account.mid("ETHUSDT")
