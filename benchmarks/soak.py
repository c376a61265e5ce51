"""An hour of a whole desk under load, with random deaths: `python -m benchmarks.soak [--seconds S] [--rate N]`.

A default desk on real processes trades on its practice market. Beside its maker, sessions of the gateway send orders
and cancels at a fixed rate, each timed from the moment at which it was meant to be sent. Now and then one of the nodes
is killed with SIGKILL, drawn from a seed; the supervisor brings it back. Checked are

- at the end, that the orders that rest in the engine's book are those that each client believes to rest, to the lot;
- that each order had one first report, and that no report was lost;
- that the engine's journal gives the state that the live engine has;
- that the memory of the nodes does not grow: the slope of a regression with a level for each life of a process, after
  the first sixth of the time, below a megabyte an hour for each node;
- that no process has more open files and sockets at its end than it had at most in its first two minutes;
- that in calm seconds the last sixth of the time is as fast as the first: a p99 of at most 1.2 times. A second is calm
  if nobody was killed in the ten before it.
"""

import argparse
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from benchmarks.desk_process import running_desk
from benchmarks.engine_process import ROOT, settings_of
from benchmarks.soak_account import PIECE
from benchmarks.soak_client import SoakClient
from benchmarks.soak_measures import BINS, MB, Counts, Death, Sample, Silence, quantile_ms, slope_mb_per_hour
from bus.feed import Topic
from bus.subscriber import FeedSubscriber
from bus.topology import first_order_id
from desk.client import DeskError, desk_settings, desk_status
from desk.settings import Settings
from desk.wiring import desk_wiring
from market.clock import NS_PER_SECOND, monotonic_ns
from market.limits import ORDER_IDS_PER_SESSION

SECONDS: Final = 3_600.0
RATE: Final = 20_000
CLIENTS: Final = 4
KILL_S: Final = 90.0  # between two deaths, on average
CALM_S: Final = 10
SAMPLE_S: Final = 10.0
FIRST_SAMPLES: Final = 12  # of a process
UNANSWERED_MAX: Final = 4_096  # orders of a client, which then waits: what is due is timed from then all the same
PAUSE_S: Final = 0.000_2  # between two looks at what is due and what has come
LOOK_S: Final = 0.05  # between two looks of the one beside
SWITCH_S: Final = 0.000_2
SILENT_NS: Final = 20_000_000  # without a report, from which on it counts
SETTLE_S: Final = 60.0
SLOPE_MAX: Final = 1.0  # MB an hour
P99_RATIO_MAX: Final = 1.2
SHARE: Final = 6  # the first and the last of so many parts of the time are compared
SETTINGS: Final = {"gateway.messages_per_s": "1000000"}
GATEWAY: Final = 1
COUNTED: Final = {"sent": "commands", "executed": "fills", "refused": "refused", "resting": "rest"}


class Soak:
    """One run.

    Args:
        run_dir: of the desk.
        rate: commands a second.
        seed: of orders and deaths.
    """

    def __init__(self, run_dir: Path, rate: int, seed: int) -> None:
        self._run_dir = run_dir
        self._settings = desk_settings(run_dir)
        self._rate = rate
        self._dice = Random(seed)
        (gateway,) = self._settings.plan.gateways.values()
        self.clients = [SoakClient(f"soak-{number}", gateway.settings.port, seed + number) for number in range(CLIENTS)]
        self._mid_ticks = 0
        self._start_ns = 0
        self._is_over = False
        self.seconds = np.zeros((1, BINS), np.int32)  # of each second, how many orders took how long
        self.samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)  # by node and pid
        self.silences: list[Silence] = []
        self._killed: list[tuple[float, str]] = []

    def run(self, seconds: float) -> None:
        """Send and kill for so long, and then wait until all is answered.

        Raises:
            GatewayError: if the gateway does not come back.
            AssertionError: if an order is not answered.
        """
        self.seconds = np.zeros((int(seconds) + 1, BINS), np.int32)
        self._look()
        assert self._mid_ticks, "the api shows no book"
        self._start_ns = monotonic_ns()
        for client in self.clients:
            client.account.start_ns, client.account.seconds = self._start_ns, self.seconds
        beside = threading.Thread(target=self._watch, args=(seconds,), name="watch")
        switching_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)  # or orders would wait for what reads the status
        beside.start()
        gc.freeze()
        try:
            self._send(self._start_ns + round(seconds * NS_PER_SECOND))
        finally:
            self._is_over = True
            beside.join()
            sys.setswitchinterval(switching_s)
        self._settle()

    def _send(self, end_ns: int) -> None:
        """Send what is due until then, and take what comes."""
        sent, turn, heard_ns = 0, 0, self._start_ns
        step_ns = NS_PER_SECOND // self._rate
        while (now_ns := monotonic_ns()) < end_ns:
            due = min((now_ns - self._start_ns) // step_ns, sent + PIECE * CLIENTS)
            while sent < due and self.clients[turn].unanswered_count < UNANSWERED_MAX:
                count = min(due - sent, PIECE)
                self.clients[turn].act(self._start_ns + sent * step_ns, step_ns, count, self._mid_ticks)
                sent, turn = sent + count, (turn + 1) % CLIENTS
            heard = [client.take() for client in self.clients]
            if any(heard):
                heard_at_ns = monotonic_ns()
                if heard_at_ns - heard_ns > SILENT_NS:
                    at_s = (now_ns - self._start_ns) / NS_PER_SECOND
                    self.silences.append(Silence(at_s, (heard_at_ns - heard_ns) / NS_PER_SECOND))
                heard_ns = heard_at_ns
            time.sleep(PAUSE_S)

    def _watch(self, seconds: float) -> None:
        """Kill and sample beside, until all was sent."""
        next_kill_s, next_sample_s = self._dice.expovariate(1 / KILL_S) + CALM_S, 0.0
        while not self._is_over:
            at_s = (monotonic_ns() - self._start_ns) / NS_PER_SECOND
            if at_s >= next_sample_s:
                next_sample_s += SAMPLE_S
                self._sample(at_s)
                self._look()
            if at_s >= next_kill_s and at_s < seconds - 2 * CALM_S:
                next_kill_s = at_s + CALM_S + self._dice.expovariate(1 / KILL_S)
                self._kill(at_s)
            time.sleep(LOOK_S)

    def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while sum(client.take() for client in self.clients) or not all(one.account.is_quiet for one in self.clients):
            unanswered = {client.name: client.unanswered_count for client in self.clients}
            assert time.monotonic() < deadline, f"orders without an answer: {unanswered}"
            time.sleep(LOOK_S)

    @property
    def deaths(self) -> list[Death]:
        """Who was killed when, and how long it was silent then."""
        found = []
        for at_s, node in self._killed:
            silent = [each.lasted_s for each in self.silences if at_s <= each.ended_s < at_s + CALM_S + 1]
            found.append(Death(at_s, node, max(silent, default=0.0)))
        return found

    def _look(self) -> None:
        """Take the mid from the api; while it is away the last one is as good."""
        port = self._settings.api.port
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/orderbook?limit=1", timeout=0.3) as answer:
                book = json.load(answer)
        except OSError:
            return
        if book["bids"] and book["asks"]:
            mid = (float(book["bids"][0]["price"]) + float(book["asks"][0]["price"])) / 2
            self._mid_ticks = round(mid / float(self._settings.instrument.ticks_to_price(1)))

    def _rows(self) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = desk_status(self._run_dir)["nodes"]
        except DeskError:
            return []
        return [row for row in rows if row["pid"]]

    def _sample(self, at_s: float) -> None:
        for row in self._rows():
            try:
                memory = int(Path(f"/proc/{row['pid']}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                handles = sum(1 for _ in Path(f"/proc/{row['pid']}/fd").iterdir())
            except OSError:
                continue  # it has just died
            self.samples[row["node"], row["pid"]].append(Sample(at_s, memory, handles))

    def _kill(self, at_s: float) -> None:
        rows = self._rows()
        if not rows:
            return
        row = self._dice.choice(rows)
        try:
            os.kill(row["pid"], signal.SIGKILL)
        except ProcessLookupError:
            return
        self._killed.append((at_s, row["node"]))

    def calm(self, first: int, until: int) -> Counts:
        """Return how many orders of the calm ones of these seconds took how long."""
        hasty = {int(death.at_s) + later for death in self.deaths for later in range(-1, CALM_S)}
        counts: Counts = self.seconds[[each for each in range(first, until) if each not in hasty]].sum(0)
        return counts


def differences(run_dir: Path, settings: Settings, clients: Sequence[SoakClient]) -> int:
    """Return how many orders do not rest as their client believes, by a fresh snapshot of the book."""
    topic = Topic.BOOK.of(settings.symbol)
    feed = FeedSubscriber(desk_wiring(settings), [topic])
    try:
        deadline, apart = time.monotonic() + SETTLE_S, -1
        while apart and time.monotonic() < deadline:
            feed.tick(monotonic_ns())
            feed.receive(monotonic_ns())
            for client in clients:
                client.take()
            if feed.replicas[topic].is_synchronised:
                apart = _apart(run_dir, feed.replicas[topic].book.state(), clients)
            time.sleep(0.05)
        return apart
    finally:
        feed.close()


def _apart(run_dir: Path, orders: Any, clients: Sequence[SoakClient]) -> int:
    sessions = {one["name"]: one for one in json.loads((run_dir / "gateway/sessions.json").read_text())["sessions"]}
    apart = 0
    for client in clients:
        begin = first_order_id(GATEWAY) + sessions[client.name]["number"] * ORDER_IDS_PER_SESSION
        offset = begin + sessions[client.name]["offset"]
        book = {
            order.order_id - offset: order.resting_lots
            for order in orders
            if 0 < order.order_id - begin < ORDER_IDS_PER_SESSION
        }
        apart += len(book.items() ^ client.account.resting.items())
    return apart


def figures(soak: Soak, run_dir: Path, seconds: float) -> dict[str, Any]:
    """Return all that was measured, and whether it holds."""
    settings = desk_settings(run_dir)
    apart = differences(run_dir, settings, soak.clients)
    verified = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "replay", "--verify"],
        env=settings_of(run_dir, {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    part = int(seconds) // SHARE
    first, last = soak.calm(0, part), soak.calm(int(seconds) - part, int(seconds))
    nodes = {}
    for name in sorted({node for node, _ in soak.samples}):
        lives = [life for (node, _), life in soak.samples.items() if node == name]
        slope, error = slope_mb_per_hour(lives, seconds / SHARE)
        handles = max(life[-1].handles - max(each.handles for each in life[:FIRST_SAMPLES]) for life in lives)
        nodes[name] = {
            "lives": len(lives),
            "memory_mb": max(each.memory for life in lives for each in life) / MB,
            "slope_mb_per_hour": slope,
            "slope_error": error,
            "handles_more": handles,
        }
    totals = {
        name: sum(getattr(each, name) for each in soak.clients) for name in ("sent", "executed", "refused", "doubled")
    }
    return {
        **totals,
        "lost_reports": sum(client.lost_count for client in soak.clients),
        "resting": sum(len(client.account.resting) for client in soak.clients),
        "orders_apart": apart,
        "journal_verified": verified.returncode == 0,
        "journal": (verified.stdout + verified.stderr).strip(),
        "first_p50_ms": quantile_ms(first, 0.5),
        "first_p99_ms": quantile_ms(first, 0.99),
        "last_p50_ms": quantile_ms(last, 0.5),
        "last_p99_ms": quantile_ms(last, 0.99),
        "whole_p99_ms": quantile_ms(soak.seconds.sum(0), 0.99),
        "whole_p999_ms": quantile_ms(soak.seconds.sum(0), 0.999),
        "deaths": [death._asdict() for death in soak.deaths],
        "nodes": nodes,
    }


def failures(found: dict[str, Any]) -> list[str]:
    """Return what does not hold, a line each."""
    checks = {
        f"{found['orders_apart']} orders do not rest as their client believes": found["orders_apart"] == 0,
        f"{found['doubled']} orders had more than one first report": found["doubled"] == 0,
        f"{found['lost_reports']} reports were lost": found["lost_reports"] == 0,
        f"the journal does not give the live state: {found['journal']}": found["journal_verified"],
        f"p99 went from {found['first_p99_ms']:.2f} to {found['last_p99_ms']:.2f} ms": found["last_p99_ms"]
        <= P99_RATIO_MAX * found["first_p99_ms"],
    }
    for name, row in found["nodes"].items():
        grows = row["slope_mb_per_hour"]
        checks[f"the memory of {name} grows by {grows:.2f} MB an hour"] = grows < SLOPE_MAX  # nan is not
        checks[f"{name} has {row['handles_more']} more open files at the end of a life"] = row["handles_more"] <= 0
    return [text for text, holds in checks.items() if not holds]


def show(found: dict[str, Any]) -> None:
    """Print what was measured."""
    counts = (f"{found[name]:,} {word}" for name, word in COUNTED.items())
    print(", ".join(counts))
    print(f"orders apart {found['orders_apart']}, doubled {found['doubled']}, lost reports {found['lost_reports']}")
    print(found["journal"])
    for name in ("first", "last"):
        print(f"{name} sixth, calm seconds: p50 {found[f'{name}_p50_ms']:.2f} ms, p99 {found[f'{name}_p99_ms']:.2f} ms")
    print(f"all seconds: p99 {found['whole_p99_ms']:.2f} ms, p99.9 {found['whole_p999_ms']:.0f} ms")
    heads = ("node", "lives", "memory, MB", "slope, MB/h", "files more", "silent after its deaths, s")
    print("{:>9} {:>6} {:>11} {:>16} {:>11} {:>28}".format(*heads))
    for name, row in found["nodes"].items():
        silent = sorted(death["silent_s"] for death in found["deaths"] if death["node"] == name)
        told = f"{silent[len(silent) // 2]:.2f}, at most {silent[-1]:.2f}" if silent else ""
        slope = f"{row['slope_mb_per_hour']:+.2f} ± {2 * row['slope_error']:.2f}"
        print(f"{name:>9} {row['lives']:>6} {row['memory_mb']:>11.1f} {slope:>16} {row['handles_more']:>11} {told:>28}")


def main() -> None:
    """Run, print, and return 1 if something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rate", type=int, default=RATE, help="orders and cancels a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with running_desk(SETTINGS, ()) as run_dir:
        soak = Soak(run_dir, given.rate, given.seed)
        soak.run(given.seconds)
        found = figures(soak, run_dir, given.seconds)
    wrong = failures(found)
    if given.json:
        print(json.dumps(found))
    else:
        show(found)
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
