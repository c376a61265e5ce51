"""A supervisor that hangs, for which SIGSTOP stands: what needs no word of it is done and told, a halt first of all."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from desk.halted_file import HALTED_FILE
from tests.desk.desk_process import LEAN, Desk, until


@contextmanager
def _hanging(desk: Desk) -> Iterator[None]:
    """Hold the supervisor up; its nodes go on."""
    os.kill(pid := desk.status()["pid"], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _prefix(desk: Desk) -> str:
    return f"tb-{(desk.run_dir / 'maker_id').read_text().strip()}-"


def _of_maker(done: subprocess.CompletedProcess[str], prefix: str) -> list[str]:
    assert done.returncode == 0, done.stderr
    names = [row["client_order_id"] for row in json.loads(done.stdout)["orders"]]
    return [name for name in names if name.startswith(prefix)]


def test_halt_holds_while_the_supervisor_hangs(desk: Desk) -> None:
    """It wrote nothing before the supervisor had answered: the maker quoted on, then and afterwards."""
    desk.start(*LEAN)
    prefix = until("the maker quotes", lambda: desk.node("maker")["figures"].get("placed") and _prefix(desk))
    until("both sides stand", lambda: len(_of_maker(desk.cli("orders", "--json"), prefix)) == 2)
    with _hanging(desk):
        _assert_told_without_it(desk, prefix)
        placed = desk.cli("place", "buy", "0.01", "50000", "--json")
        assert placed.returncode == 0, placed.stderr
        halted = desk.cli("halt")
        assert halted.returncode == 1, halted.stdout
        assert json.loads((desk.run_dir / HALTED_FILE).read_text()) == ["BNBUSDT", "BTCUSDT", "ETHUSDT"]
        assert "BTCUSDT halted: no new orders, cancels go through" in halted.stdout
        assert halted.stdout.splitlines()[-1].startswith(f"paper lists no order of this desk's maker ({prefix}...)")
        expected = r"has not confirmed the halt: the supervisor \(pid \d+\), through which it would, does not answer"
        assert re.search(expected, halted.stderr), halted.stderr
        listed = desk.cli("orders", "--json")
        assert [row["id"] for row in json.loads(listed.stdout)["orders"]] == [json.loads(placed.stdout)["id"]]
        assert "; halted, also when it starts: BNBUSDT, BTCUSDT, ETHUSDT" in desk.cli("status").stderr
        ended = desk.cli("cancel", "--all")
        assert (ended.returncode, "CANCELED" in ended.stdout) == (0, True), ended.stderr
    until("the maker says so, too", lambda: desk.node("maker")["figures"].get("halted"))
    assert _of_maker(desk.cli("orders", "--json"), prefix) == []
    resumed = desk.cli("resume")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    until("it quotes again", lambda: len(_of_maker(desk.cli("orders", "--json"), prefix)) == 2)


def _assert_told_without_it(desk: Desk, prefix: str) -> None:
    """What stands is listed, and what cannot be done without it says what may be open, and what helps."""
    names = [f"python cli.py {word} --run-dir {desk.run_dir}" for word in ("halt", "down")]
    hint = (
        f"its nodes may go on without it, and the maker's orders be open; {names[0]} takes them away, {names[1]} stops"
    )
    listed = desk.cli("orders", "--json")
    assert _of_maker(listed, prefix)
    assert hint in listed.stderr
    why = desk.cli("why")
    assert (why.returncode, hint in why.stderr) == (0, True), why.stderr
    assert re.search(r"AWAY +the desk does not answer: `orders` tells", why.stdout)
    status = desk.cli("status")
    assert (status.returncode, hint in status.stderr) == (1, True)
    assert re.search(r"; running: engine, .*maker.*paper", status.stderr), status.stderr
    for words in (("stop", "maker"), ("start", "maker"), ("set", "maker.skew=0.001"), ("flatten", "--yes")):
        refused = desk.cli(*words)
        assert (refused.returncode, hint in refused.stderr) == (1, True), refused.stderr
