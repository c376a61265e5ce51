"""`flatten` on a running desk: real processes, sockets and shells, and whoever dies meanwhile."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from nodes.maker.ids import out_since
from paper.access.accounts import TOKEN_HEADER
from tests.desk.desk_process import ANSWER_S, BTCUSDT, CLI, LEAN, PATIENCE_S, Desk, short_directory, until

QTY = Decimal("0.05")
FEE = QTY / 1_000  # of the paper exchange, in what was bought


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A desk that quotes far away, on a market that trades."""
    with short_directory() as path:
        one = Desk(path / "run", *LEAN, TICKBUS_MAKER__HALF_SPREAD="0.01").start()
        assert one.cli("accounts", "fund", "1", "USDT", "100000").returncode == 0  # each test buys
        yield one
        one.end()


@pytest.fixture(autouse=True)
def _quoting(desk: Desk) -> None:
    """Every test begins with a maker that has just started, and so with no position, and then is given one by hand."""
    if desk.node("maker")["state"] == "stopped":
        assert desk.cli("start", "maker").returncode == 0
    until("it quotes both sides", lambda: len(desk.venue().open_orders(BTCUSDT)) == 2)
    assert out_since(desk.run_dir) == "", "it has forgotten that it had none, before its first order"
    if _held(desk) - _neutral(desk) < QTY:  # one that ended nothing has left it
        assert desk.cli("place", "buy", str(QTY)).returncode == 0


def _held(desk: Desk) -> Decimal:
    return desk.venue().balances()["BTC"].total


def _neutral(desk: Desk) -> Decimal:
    return Decimal(desk.node("maker")["figures"]["neutral"])


def _flatten(desk: Desk, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CLI), "flatten", *words, "--run-dir", str(desk.run_dir)],
        cwd=desk.run_dir.parent,
        env=desk.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _arm(desk: Desk, **fault: Any) -> None:
    token = (desk.run_dir / "paper" / "admin.token").read_text().strip()
    body = json.dumps({"method": "POST", "path": "order", "channel": "rest", **fault}).encode()
    request = urllib.request.Request(f"{desk.url('paper')}/admin/v1/faults", body, {TOKEN_HEADER: token})
    with urllib.request.urlopen(request, timeout=ANSWER_S) as response:
        assert response.status == 200


def _assert_flat(desk: Desk) -> None:
    """By the venue: at what the maker took for none, to the last lot; nothing open, and nobody quotes."""
    assert abs(_held(desk) - _neutral(desk)) < BTCUSDT.lot_size
    assert desk.venue().open_orders(BTCUSDT) == []
    assert desk.node("maker")["state"] == "stopped"
    assert out_since(desk.run_dir)


def test_it_asks_for_the_symbol_and_ends_flat(desk: Desk) -> None:
    """Another word does nothing at all; what it would cost is told before, and what was traded as it happens."""
    wrong = _flatten(desk)
    output, errors = wrong.communicate("yes\n", timeout=PATIENCE_S)
    assert (wrong.returncode, "nothing was done: expected BTCUSDT" in errors) == (1, True), errors
    assert "position 0.04995 BTC" in output
    assert "slippage $" in output
    assert (len(desk.venue().open_orders(BTCUSDT)), _held(desk) - _neutral(desk)) == (2, QTY - FEE)
    right = _flatten(desk, "btcusdt")
    output, errors = right.communicate("BTCUSDT\n", timeout=PATIENCE_S)
    assert right.returncode == 0, output + errors
    assert output.splitlines()[-1] == "BTCUSDT is flat"
    assert output.count("SELL ") == 5, "1,000 USDT each"
    _assert_flat(desk)


@pytest.mark.parametrize("is_executed", [True, False])
def test_a_lost_reply_is_no_second_order(desk: Desk, *, is_executed: bool) -> None:
    """A proxy's page stands for the answer to the first slice, which has traded, or has not."""
    _arm(desk, kind="server_error", status=502, is_html=True, is_executed=is_executed)
    result = desk.cli("flatten", "--yes")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "asking what became of flatten-" in result.stdout
    assert ("has not arrived" in result.stdout) != is_executed
    _assert_flat(desk)


def test_killed_between_two_slices_it_goes_on_where_it_was(desk: Desk) -> None:
    """The maker is stopped, and what is no position is still known; a second shell waits for nobody meanwhile."""
    first = _flatten(desk, "--yes")
    assert first.stdout is not None
    until("a slice is traded", lambda: first.stdout is not None and first.stdout.readline().startswith("SELL"))
    first.send_signal(signal.SIGSTOP)
    second = desk.cli("flatten", "--yes")
    started, resumed = desk.cli("start", "maker"), desk.cli("resume")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.startswith("error: flatten is already running, pid")
    for refused, then in ((started, "start maker"), (resumed, "resume")):
        assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1), refused.stderr
        assert f"error: flatten is running, pid {first.pid}: {then} when it has ended" in refused.stderr
    assert desk.node("maker")["state"] == "stopped", "it would trade the same position"
    assert BTCUSDT.lot_size < _held(desk) - _neutral(desk) < QTY - FEE, "it was not done"
    third = desk.cli("flatten", "--yes")
    assert third.returncode == 0, third.stdout + third.stderr
    _assert_flat(desk)


def test_what_it_has_cost_is_lost_today(desk: Desk) -> None:
    """By the tracker it was, and the maker that came back took it for a flow of others, by which nothing is lost."""
    until("it knows what it holds", lambda: Decimal(desk.node("maker")["figures"].get("position") or 0) > QTY / 2)
    assert desk.cli("stop", "maker").returncode == 0
    before = desk.venue().balances()["USDT"].total
    kept = json.loads((desk.run_dir / "maker_risk.json").read_text())
    assert desk.cli("flatten", "--yes").returncode == 0
    earned = desk.venue().balances()["USDT"].total - before
    now = json.loads((desk.run_dir / "maker_risk.json").read_text())
    assert Decimal(now["has"][1]) - Decimal(kept["has"][1]) == earned
    flows = _flows(desk)
    assert desk.cli("start", "maker").returncode == 0
    until("it has looked", lambda: desk.node("maker")["figures"].get("lost_today"))
    assert _flows(desk) == flows
    assert now["start"] == json.loads((desk.run_dir / "maker_risk.json").read_text())["start"]


def _flows(desk: Desk) -> int:
    lines = [line for path in desk.run_dir.glob("decisions_*.jsonl") for line in path.read_text().splitlines()]
    return sum(json.loads(line)["action"] == "flow" for line in lines)


def test_says_what_must_be_done_first(desk: Desk) -> None:
    """A halted symbol takes no orders, and orders by hand are a person's: nothing is traded, and the way is told."""
    before = _held(desk)
    assert desk.cli("halt", "--symbol", "BTCUSDT").returncode == 0
    halted = desk.cli("flatten", "--yes")
    assert desk.cli("resume").returncode == 0
    assert (halted.returncode, halted.stdout) == (1, "")
    assert "BTCUSDT is halted, and takes no orders of anybody; go on with: python cli.py stop maker" in halted.stderr
    assert desk.cli("place", "buy", "0.001", "80000").returncode == 0
    others = desk.cli("flatten", "--yes")
    assert others.returncode == 1
    assert "error: 1 order of this account by others than the maker: cancel them first; python cli.py" in others.stderr
    assert desk.node("maker")["state"] == "ready", "nothing was done"
    unknown = desk.cli("flatten", "ETHUSDT", "--yes")
    assert "error: nobody says how much ETH is no position" in unknown.stderr
    assert _held(desk) == before
    assert desk.cli("cancel", "--all").returncode == 0
    assert desk.cli("flatten", "--yes").returncode == 0
    _assert_flat(desk)


def test_a_maker_that_has_disconnected_leaves_its_position_to_it() -> None:
    """It stays down with what it holds, and why it is down is no orders that it has left."""
    limits = {"TICKBUS_MAKER__LIMITS__DAILY_LOSS": "1", "TICKBUS_MAKER__STAGES__DISCONNECTS": "1"}
    with short_directory() as path:
        desk = Desk(path / "run", *LEAN, TICKBUS_MAKER__HALF_SPREAD="0.01", **limits).start()
        try:
            until("it quotes both sides", lambda: len(desk.venue().open_orders(BTCUSDT)) == 2)
            for side in ("buy", "sell", "buy", "sell", "buy"):  # fees of 20 USDT, more than the market may give back
                assert desk.cli("place", side, str(QTY)).returncode == 0
            until("it disconnects", lambda: desk.node("maker")["state"] == "failed")
            assert _held(desk) > 1, "nothing to end: this proves nothing"
            flat = desk.cli("flatten", "--neutral", "1", "--yes")
            assert (flat.returncode, flat.stderr) == (0, "")
            assert flat.stdout.splitlines()[-1].startswith("BTCUSDT is flat")
        finally:
            desk.end()


def test_without_a_desk_it_is_one_line(desk: Desk) -> None:
    """It asks no other desk."""
    nowhere = Desk(desk.run_dir.parent / "nowhere")
    result = nowhere.cli("flatten", "--yes")
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.count("\n") == 1
