"""The kill switch: it says what it has done and no more, and what it has done holds whatever dies afterwards."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from desk.halted_file import HALTED_FILE
from desk.run_dir import WATCHDOG, holder_pid
from market.codes import Side
from paper.access.accounts import API_KEY_NAME, SECRET_NAME, load_keys
from tests.desk.desk_process import (
    ANSWER_S,
    BTCUSDT,
    CLI,
    LEAN,
    PATIENCE_S,
    TWO_ENGINES,
    Desk,
    node_processes,
    short_directory,
    until,
)
from tests.pairs import default_instruments
from venues.venue import VenueError, VenueRefusedError

ETHUSDT = default_instruments()[1]
SYMBOLS = ["BNBUSDT", "BTCUSDT", "ETHUSDT"]


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """Two engines without a journal, the paper exchange, a market and the maker."""
    with short_directory() as path:
        settings = {"TICKBUS_ENGINES": TWO_ENGINES, "TICKBUS_ENGINE__JOURNAL": "none"}
        settings["TICKBUS_PAPER__RATE_LIMITS"] = "false"
        settings["TICKBUS_MAKER__SILENCE_S"] = "60"  # its watchdog leaves one alone that is held up
        settings["TICKBUS_FLOW__PRESET"] = "calm"  # nobody waits for what trades
        one = Desk(path / "run", "--without", "api", "--without", "tracker", **settings).start()
        yield one
        one.end()


@pytest.fixture(scope="module")
def remote(desk: Desk) -> Iterator[Desk]:
    """A desk whose maker trades at the first one's exchange as if it were the testnet."""
    keys = load_keys(desk.run_dir / "paper" / "keys.env")
    settings = {
        API_KEY_NAME: keys.api_key,
        SECRET_NAME: keys.secret,
        "TICKBUS_VENUE__URL": desk.url("paper"),
        "TICKBUS_MAKER__HALF_SPREAD": "0.0035",
        "TICKBUS_MAKER__SILENCE_S": "60",
    }
    one = Desk(desk.run_dir.parent / "remote", *LEAN, "--venue", "binance-testnet", **settings)
    try:
        yield one.start()
    finally:
        one.end()


@pytest.fixture(autouse=True)
def _resumed(desk: Desk) -> Iterator[None]:
    yield
    if (desk.run_dir / HALTED_FILE).exists():
        resumed = desk.cli("resume")
        assert resumed.returncode == 0, resumed.stderr
        until("all symbols go on", lambda: not any(_halted(desk, name) for name in ("engine", "engine2")))


def _halted(desk: Desk, engine: str) -> list[str]:
    return sorted(desk.node(engine)["figures"].get("halted", ()))


def _await_status(desk: Desk, **halted: list[str]) -> None:
    """Wait until `status` has each engine's halted symbols so: it says what an engine said with its last beat."""
    until(f"{halted}", lambda: all(_halted(desk, engine) == symbols for engine, symbols in halted.items()))


def _makers_orders(desk: Desk, venue_desk: Desk) -> list[str]:
    prefix = f"tb-{(desk.run_dir / 'maker_id').read_text().strip()}-"
    orders = venue_desk.venue().open_orders(BTCUSDT)
    return [order.order_id for order in orders if order.client_order_id.startswith(prefix)]


def _shell(desk: Desk, *words: str) -> subprocess.Popen[str]:
    """Give a command that is not waited for."""
    return subprocess.Popen(
        [sys.executable, str(CLI), *words, "--run-dir", str(desk.run_dir)],
        cwd=desk.run_dir.parent,
        env=desk.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _statuses(desk: Desk) -> dict[str, str]:
    import urllib.request

    with urllib.request.urlopen(desk.url("paper") + "/api/v3/exchangeInfo", timeout=ANSWER_S) as response:
        return {row["symbol"]: row["status"] for row in json.load(response)["symbols"]}


def _refusal(desk: Desk) -> str:
    """Return with which words an order is refused, or nothing if it cannot be told yet."""
    try:
        desk.venue().place(BTCUSDT, Side.BUY, 5_000_000, 1_000, "by-hand")
    except VenueRefusedError as error:
        return str(error)
    except VenueError:
        return ""
    raise AssertionError("a halted symbol took an order")


def test_halt_is_confirmed_by_everybody_and_survives_each_of_them(desk: Desk) -> None:
    """Also without a journal: engines, exchange, gateway and maker may be killed right after the confirmation."""
    until("the maker quotes", lambda: len(_makers_orders(desk, desk)) == 2)
    result = desk.cli("halt")
    assert result.returncode == 0, result.stderr
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "BTCUSDT halted", "BNBUSDT halted", "ETHUSDT halted", "the maker has no quote at paper",
    ]  # fmt: skip
    assert _makers_orders(desk, desk) == [], "that it has none was confirmed"
    assert desk.node("maker")["figures"]["halted"] is True
    for name in ("engine", "engine2", "paper", "maker", "gateway"):
        desk.kill(name)
        _await_status(desk, engine=["BNBUSDT", "BTCUSDT"], engine2=["ETHUSDT"])
        assert _statuses(desk) == dict.fromkeys(SYMBOLS, "CANCEL_ONLY"), name
    assert "Market is closed." in until("the exchange refuses", lambda: _refusal(desk))
    assert _makers_orders(desk, desk) == []
    assert desk.cli_json("status")["halted"] == SYMBOLS
    assert "HALTED BNBUSDT, BTCUSDT, ETHUSDT" in desk.cli("status").stdout
    resumed = desk.cli("resume")
    assert resumed.stdout.splitlines() == ["BTCUSDT resumed", "BNBUSDT resumed", "ETHUSDT resumed"], resumed.stderr
    until("the maker quotes again", lambda: len(_makers_orders(desk, desk)) == 2)
    assert set(_statuses(desk).values()) == {"TRADING"}
    assert "halted: no quotes until resume" in desk.log("maker")


def test_one_symbol_is_halted_by_its_own_engine(desk: Desk) -> None:
    """The others trade on, and what was cancelled is what its engine says."""
    desk.venue().place(BTCUSDT, Side.BUY, 5_000_000, 1_000, "resting")
    halted = desk.cli("halt", "--symbol", "ETHUSDT", "--cancel-all")
    assert halted.returncode == 0, halted.stderr
    assert halted.stdout == "ETHUSDT halted: no new orders, cancels go through; 0 open orders cancelled\n"
    _await_status(desk, engine=[], engine2=["ETHUSDT"])
    assert _statuses(desk) == {"BTCUSDT": "TRADING", "BNBUSDT": "TRADING", "ETHUSDT": "CANCEL_ONLY"}
    assert desk.cli("stop", "flow").returncode == 0
    count = len(desk.venue().open_orders(BTCUSDT))
    halted = desk.cli("halt", "--symbol", "BTCUSDT", "--cancel-all")
    assert halted.returncode == 0, halted.stderr
    told, maker = halted.stdout.splitlines()
    said = re.fullmatch(r"BTCUSDT halted: .*; (\d+) open orders? cancelled", told)
    assert said, told
    assert 1 <= int(said[1]) <= count, "the maker's own may be gone before"
    assert maker == "the maker has no quote at paper"
    assert desk.venue().open_orders(BTCUSDT) == []
    assert desk.cli("start", "flow").returncode == 0


@pytest.mark.parametrize(
    ("silent", "heard", "symbols"), [("engine", "engine2", ["ETHUSDT"]), ("engine2", "engine", ["BNBUSDT", "BTCUSDT"])]
)
def test_a_silent_engine_is_named_and_keeps_no_other_from_hearing(
    desk: Desk, silent: str, heard: str, symbols: list[str]
) -> None:
    """Its symbols are told as not halted, with exit code 1; the halt holds as soon as it hears again."""
    os.kill(pid := desk.node(silent)["pid"], signal.SIGSTOP)
    try:
        result = desk.cli("halt")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result.returncode == 1
    assert sorted(line.split()[0] for line in result.stdout.splitlines() if " halted: " in line) == symbols
    others = sorted(set(SYMBOLS) - set(symbols))
    missing = [line for line in result.stderr.splitlines() if "is not halted" in line]
    assert sorted(line.split()[1] for line in missing) == others
    assert all(f"{silent} does not answer" in line for line in missing)
    until("it holds the halt", lambda: _halted(desk, silent) == others)
    _await_status(desk, **{heard: symbols})


def test_an_engine_that_was_down_holds_the_halt_when_it_is_back(desk: Desk) -> None:
    """And a resume that it did not hear is told as not done."""
    assert desk.cli("stop", "engine2").returncode == 0
    result = desk.cli("halt", "--symbol", "ETHUSDT")
    assert (result.returncode, result.stdout) == (1, "")
    assert "ETHUSDT is not halted: engine2 does not answer" in result.stderr
    assert "holds when they are back" in result.stderr
    assert desk.cli("start", "engine2").returncode == 0
    _await_status(desk, engine2=["ETHUSDT"])
    os.kill(pid := desk.node("engine2")["pid"], signal.SIGSTOP)
    try:
        result = desk.cli("resume", "--symbol", "ETHUSDT")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result.returncode == 1
    assert "ETHUSDT is not resumed: engine2 does not answer" in result.stderr


def test_halt_pulls_the_quotes_at_a_venue_elsewhere(desk: Desk, remote: Desk) -> None:
    """Its own engine has only the mirror; the maker stops at the venue, and a killed one comes back halted."""
    until("both quotes are there", lambda: len(_makers_orders(remote, desk)) == 2)
    result = remote.cli("halt", "--symbol", "BTCUSDT")
    assert result.returncode == 0, result.stderr
    assert "the maker has no quote at binance-testnet" in result.stdout
    assert _makers_orders(remote, desk) == []
    remote.kill("maker")
    assert _makers_orders(remote, desk) == []
    os.kill(pid := remote.node("maker")["pid"], signal.SIGSTOP)
    try:
        assert remote.cli("resume").returncode == 1, "the maker does not know yet"
    finally:
        os.kill(pid, signal.SIGCONT)
    until("it quotes again", lambda: len(_makers_orders(remote, desk)) == 2)
    os.kill(pid := remote.node("maker")["pid"], signal.SIGSTOP)
    try:
        result = remote.cli("halt")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result.returncode == 1
    assert "its quotes may be open at binance-testnet" in result.stderr
    until("it pulls them as soon as it can", lambda: not _makers_orders(remote, desk))


def test_a_halt_of_another_shell_meanwhile_is_no_reason_not_to_be_told(desk: Desk) -> None:
    """Guards a halt that waited for the word on a file that was no longer there, and was told to have failed."""
    until("the maker quotes", lambda: len(_makers_orders(desk, desk)) == 2)
    os.kill(pid := desk.node("maker")["pid"], signal.SIGSTOP)
    try:
        first = _shell(desk, "halt", "--symbol", "BTCUSDT")
        until("the first waits for the maker alone", lambda: "BTCUSDT" in _halted(desk, "engine"))
        second = desk.cli("halt", "--symbol", "ETHUSDT")
    finally:
        os.kill(pid, signal.SIGCONT)
    output, errors = first.communicate(timeout=PATIENCE_S)
    assert (first.returncode, second.returncode) == (0, 0), errors + second.stderr
    assert "the maker has no quote at paper" in output
    assert _makers_orders(desk, desk) == []


def test_a_maker_that_is_killed_while_it_is_halted_confirms_when_it_is_back(desk: Desk) -> None:
    """Between the file and its word: nothing of it is left when the halt says so."""
    until("the maker quotes", lambda: len(_makers_orders(desk, desk)) == 2)
    os.kill(pid := desk.node("maker")["pid"], signal.SIGSTOP)
    halting = _shell(desk, "halt")
    try:
        until("it waits for the maker alone", lambda: "BTCUSDT" in _halted(desk, "engine"))
    finally:
        os.kill(pid, signal.SIGKILL)
    output, errors = halting.communicate(timeout=PATIENCE_S)
    is_told = "the maker has no quote at paper" in output
    assert is_told == (halting.returncode == 0), errors
    assert is_told or "its quotes may be open at paper" in errors
    until("another one is halted", lambda: desk.node("maker")["figures"].get("halted"))
    assert _makers_orders(desk, desk) == []
    resuming = [_shell(desk, "resume") for _ in range(2)]
    assert [each.communicate(timeout=PATIENCE_S)[1] for each in resuming] == ["", ""]
    until("it quotes again", lambda: len(_makers_orders(desk, desk)) == 2)


def test_halt_takes_away_what_a_desk_has_left_that_was_killed_with_all_its_processes(desk: Desk, remote: Desk) -> None:
    """Nobody was left who would: supervisor, nodes and watchdog are dead; `down` said only that no desk runs."""
    assert remote.cli("resume").returncode == 0
    until("both quotes are there", lambda: len(_makers_orders(remote, desk)) == 2)
    prefix = f"tb-{(remote.run_dir / 'maker_id').read_text().strip()}-"
    ours = desk.venue().place(ETHUSDT, Side.BUY, 100_000, 1_000, f"{prefix}1")
    others = desk.venue().place(BTCUSDT, Side.BUY, 5_000_000, 1_000, "by-hand")
    _kill_all(remote)
    assert len(_makers_orders(remote, desk)) == 2, "nobody has taken them away"
    for command in ("down", "status"):
        refused = remote.cli(command)
        assert refused.returncode == 3
        assert "orders of its maker may be open at binance-testnet: python cli.py halt" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    halted = remote.cli("halt")
    assert halted.returncode == 0, halted.stderr
    lines = halted.stdout.splitlines()
    assert lines[0].startswith("no desk runs in ")
    assert sorted(line.split()[3] for line in lines[1:-1]) == ["BTCUSDT", "BTCUSDT", "ETHUSDT"]
    assert f"(order {ours.order_id})" in halted.stdout
    assert lines[-1] == f"binance-testnet lists no order of this desk's maker ({prefix}...) in any pair"
    opened = {order.client_order_id: order.order_id for order in desk.venue().open_orders()}
    assert not [name for name in opened if name.startswith(prefix)]
    assert opened["by-hand"] == others.order_id
    assert len(_makers_orders(desk, desk)) == 2, "the other desk's maker goes on"
    assert json.loads((remote.run_dir / HALTED_FILE).read_text()) == SYMBOLS
    refused = remote.cli("resume")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert f"{', '.join(SYMBOLS)}: halted until it runs and is resumed" in refused.stderr
    desk.venue().cancel(BTCUSDT, others.order_id)


def _kill_all(desk: Desk) -> None:
    """Kill a desk with all its processes at once."""
    status = desk.cli_json("status")
    lock = desk.run_dir / f"{WATCHDOG}.lock"
    for pid in (holder_pid(lock), status["pid"], *(row["pid"] for row in status["nodes"])):
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    until("all are gone", lambda: not node_processes(desk.run_dir) and holder_pid(lock) is None)
