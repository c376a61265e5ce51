"""A real maker that loses more than it may: it withdraws, whatever dies, until a person resumes."""

import os
import re
import signal
from collections.abc import Iterator

import pytest

from desk.risk_file import withdrawn
from tests.desk.desk_process import BTCUSDT, LEAN, PATIENCE_S, Desk, short_directory, until


@pytest.fixture
def losing() -> Iterator[Desk]:
    """A desk whose fees are more than its spread, and which may lose less than one fill costs."""
    with short_directory() as path:
        settings = {
            "TICKBUS_MAKER__HALF_SPREAD": "0.0001",
            "TICKBUS_MAKER__LIMITS__DAILY_LOSS": "0.5",
            "TICKBUS_MAKER__STAGES__DISCONNECTS": "1000000",
        }
        one = Desk(path / "run", *LEAN, **settings).start()
        yield one
        one.end()


def test_maker_that_has_lost_too_much_quotes_no_more_until_a_person_resumes(losing: Desk) -> None:
    """It says so in `status` and beside `orders`; `kill -9` changes nothing."""
    until("it has withdrawn", lambda: losing.status()["withdrawn"])
    until("it has withdrawn far enough", lambda: losing.status()["withdrawn"]["stage"] == "flattens")
    until("it has no order", lambda: not losing.venue().open_orders(BTCUSDT))
    until("it is flat", lambda: "event='flat'" in losing.log("maker"))
    assert "WITHDRAWN flattens:" in losing.cli("status").stdout
    assert "the maker has withdrawn, flattens:" in losing.cli("orders").stderr
    maker = losing.node("maker")
    os.kill(maker["pid"], signal.SIGKILL)

    def is_back() -> bool:
        now = losing.node("maker")
        return bool(now["pid"] != maker["pid"] and now["state"] == "ready")

    until("another one runs", is_back)
    until("it knows", lambda: losing.node("maker")["figures"].get("trip", "").startswith("FLATTENS"))
    assert losing.status()["withdrawn"]["stage"] == "flattens"
    assert not losing.venue().open_orders(BTCUSDT)
    placed = losing.node("maker")["figures"]["placed"]
    resumed = losing.cli("resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "the maker quotes again; it had withdrawn: flattens: " in resumed.stdout
    until("it quotes", lambda: losing.node("maker")["figures"]["placed"] > placed)


@pytest.fixture
def ruined() -> Iterator[Desk]:
    """A desk that may lose less than a fill costs, and disconnects at once."""
    with short_directory() as path:
        settings = {
            "TICKBUS_MAKER__HALF_SPREAD": "0.0001",
            "TICKBUS_MAKER__LIMITS__DAILY_LOSS": "0.5",
            "TICKBUS_MAKER__STAGES__DISCONNECTS": "1",
        }
        one = Desk(path / "ruined", *LEAN, **settings).start()
        yield one
        one.end()


def test_maker_that_has_disconnected_is_named_with_its_number_and_leaves_nothing(ruined: Desk) -> None:
    """`status` and `why` knew a withdrawal of makers alone that lived; `down` told of orders that were not there."""
    until("it has ended", lambda: ruined.node("maker")["state"] == "failed")
    assert not ruined.venue().open_orders(BTCUSDT)
    pattern = r"WITHDRAWN disconnects: [\d.]+ USDT lost today, from 0\.5 on; since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; "
    resume, start = (f"python cli.py {words} --run-dir {ruined.run_dir}" for words in ("resume", "start maker"))
    go_on = re.escape(f"go on with: {resume}, then: {start}")
    assert re.search(pattern + go_on, ruined.cli("status").stdout)
    said = ruined.cli("why").stdout.splitlines()
    assert re.fullmatch(pattern + go_on, said[1])
    assert [line.split()[:4] for line in said[2:4]] == [[side, "no", "quote", "WITHDRAWN"] for side in ("bid", "ask")]
    assert ruined.cli_json("why")["withdrawn"]["stage"] == "disconnects"
    stopped = ruined.cli("down")
    assert (stopped.returncode, stopped.stderr) == (0, ""), stopped.stderr
    assert ruined.process is not None
    assert ruined.process.wait(PATIENCE_S) == 0
    after = ruined.cli("why", "--last", "0")
    assert re.fullmatch(pattern + re.escape(f"go on with: {resume}"), after.stdout.splitlines()[1])
    told = re.escape(f"; go on with: {resume}")
    assert re.search(rf"; the maker has withdrawn, disconnects: [^;]+{told}$", ruined.cli("status").stderr.strip())
    resumed = ruined.cli("resume")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert "the maker quotes again when it is started; it had withdrawn: disconnects" in resumed.stdout
    assert ruined.cli_json("why")["withdrawn"] is None


@pytest.fixture
def ruined_beside_flow() -> Iterator[Desk]:
    """One whose maker is a thread beside the flow."""
    with short_directory() as path:
        settings = {
            "TICKBUS_MAKER__HALF_SPREAD": "0.0001",
            "TICKBUS_MAKER__LIMITS__DAILY_LOSS": "0.5",
            "TICKBUS_MAKER__STAGES__DISCONNECTS": "1",
        }
        one = Desk(path / "ruined", *LEAN, "--colocate", "flow,maker", **settings).start()
        yield one
        one.end()


def test_maker_that_has_disconnected_beside_others_waits_and_they_go_on(ruined_beside_flow: Desk) -> None:
    """It ended the flow with itself, and the next start of the desk."""
    desk = ruined_beside_flow
    flow = desk.node("flow")
    until("it waits", lambda: desk.node("maker")["state"] == "waiting")
    assert (desk.node("flow")["pid"], desk.node("flow")["state"]) == (flow["pid"], "ready")
    assert not desk.venue().open_orders(BTCUSDT)
    desk.stop()
    desk.start()
    states = {row["node"]: row["state"] for row in desk.status()["nodes"]}
    assert states == {"engine": "ready", "paper": "ready", "flow": "ready", "maker": "waiting"}
    resume = f"python cli.py resume --run-dir {desk.run_dir}"
    told = desk.cli("status").stdout
    waits = r"^ *maker +waiting: disconnects: [\d.]+ USDT lost today, from 0\.5 on; go on with: "
    assert re.search(waits, told, re.MULTILINE), told
    assert "start maker" not in told
    assert {side["rule"] for side in desk.cli_json("why")["sides"]} == {"WITHDRAWN"}
    started = desk.cli("start", "maker")
    assert (started.returncode, started.stderr.strip().endswith(f"go on with: {resume}")) == (1, True), started.stderr
    before = withdrawn(desk.run_dir)
    assert before is not None
    resumed = desk.cli("resume")
    assert "start maker" not in resumed.stdout + resumed.stderr

    def goes_on() -> bool:  # until it has lost as much again
        found = withdrawn(desk.run_dir)
        return found.trip != before.trip if found else bool(desk.node("maker")["state"] == "ready")

    until("it goes on", goes_on)
    assert desk.node("flow")["restarts"] == 0


def test_desk_whose_maker_has_disconnected_starts_without_it(ruined: Desk) -> None:
    """Nothing started at all, exchange and api neither, and the hint was of a desk that ran."""
    until("it has ended", lambda: ruined.node("maker")["state"] == "failed")
    ruined.stop()
    ruined.start()
    states = {row["node"]: row["state"] for row in ruined.status()["nodes"]}
    assert states == {"engine": "ready", "paper": "ready", "flow": "ready", "maker": "failed"}
    resume, start = (f"python cli.py {words} --run-dir {ruined.run_dir}" for words in ("resume", "start maker"))
    told = ruined.cli("status").stdout
    assert f"go on with: {resume}, then: {start}" in told
    assert re.search(r"^ *maker +failed: disconnects: [\d.]+ USDT lost today, from 0\.5 on *$", told, re.MULTILINE), (
        told
    )
    refused = ruined.cli("start", "maker")
    assert refused.returncode == 1
    assert re.search(rf"maker did not get ready: [^;]+; first: {re.escape(resume)}$", refused.stderr.strip())
    resumed = ruined.cli("resume")
    assert (resumed.returncode, start in resumed.stdout) == (0, True), resumed.stderr
    started = ruined.cli("start", "maker")
    assert started.returncode == 0, started.stderr
    assert "maker needs a person and stays down: disconnects: " in ruined.stop()
