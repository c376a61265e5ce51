"""Every command against every shape of desk, from a shell and a directory that know nothing of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.tree import commands
from tests.desk.desk_process import TWO_ENGINES, TWO_GATEWAYS, Desk, environment, run_apart, run_here, short_directory


@dataclass(frozen=True)
class Row:
    """A command: the words that are given, and what becomes of it.

    Attributes:
        words: after its name; None if it is not for a desk that runs.
        needs: the nodes without which it ends with exit code 1.
        down: its exit code where no desk has ever run.
        kept: its exit code for a desk that has stopped.
        codes: what it may end with on a desk that runs.
    """

    words: tuple[str, ...] | None = ()
    needs: tuple[str, ...] = ()
    down: int = 3
    kept: int = 3
    codes: tuple[int, ...] = (0,)


# Each command of the command line. `kept` 0 is what is promised to be read from disk, or kept there for the next start.
ROWS = {
    "up": Row(None),
    "down": Row(None),
    "node": Row(None),
    "watchdog": Row(None),  # the maker starts it
    "warm": Row(None),
    "stop": Row(("tracker",), ("tracker",)),
    "start": Row(("tracker",), ("tracker",)),
    "status": Row(),
    "top": Row(None),  # it goes on until a signal: in tests/commands/test_watching.py
    "doctor": Row(down=0, kept=0),
    "backup": Row(None),  # in test_backup: of a desk that runs, and of one that is down
    "restore": Row(None),
    "why": Row(kept=0),
    "explain": Row(("glft", "--mid", "91385"), down=0, kept=0),
    "logs": Row(down=1, kept=0),
    "orders": Row(needs=("paper",), kept=0),
    "trades": Row(needs=("paper",), kept=0),
    "balances": Row(needs=("paper",), kept=0),
    "account": Row(needs=("paper",), kept=0),
    "place": Row(("buy", "0.001", "50000"), ("paper",)),
    "cancel": Row(("--all",), ("paper",)),
    "report": Row(needs=("paper",), codes=(0, 1)),
    "history": Row(needs=("paper",)),
    "history export": Row(needs=("tracker",), down=1, kept=1),
    "history sql": Row(("SELECT 1 AS one",), ("tracker",), down=1, kept=1),
    "book": Row(("--once",), ("api",)),
    "faults run": Row(None),  # as a process of its own, in test_fault_scenario
    "feed": Row(("--count", "1"), ("engine",)),
    "keys": Row(down=1, kept=0),
    "set": Row(("maker.half_spread=0.003",)),
    "flatten": Row(("--yes",), ("paper",)),
    "token": Row(needs=("api",)),
    "halt": Row(kept=0),
    "resume": Row(),
    "at": Row(("now",), down=1, kept=0),
    "trace": Row(None),  # in test_running_desk: of an order
    "promote": Row(None),  # in test_standby: of an engine that stands by, and of one that does not
    "replay": Row(("--verify",), ("engine",), down=1, kept=1),
    "simulate": Row(None),
    "whatif": Row(None),
    "backtest": Row(None),
    "record": Row(None),
    "recording info": Row(None),
    "recording check": Row(None),
    "config show": Row(down=0, kept=0),
    "journal inspect": Row(down=0, kept=0),
    "journal verify": Row(down=0, kept=0),
    "journal repair": Row(None),  # in test_journal_upkeep: of an engine that is stopped
    "journal prune": Row(None),
    "journal archive": Row(None),
    "accounts": Row(needs=("paper",), kept=0),
    "accounts create": Row(needs=("paper",)),
    "accounts fund": Row(("1", "USDT", "5"), ("paper",)),
    "accounts reset": Row(("1", "--yes"), ("paper",)),
}
MARKET = {"TICKBUS_FLOW__OPENING_S": "0", "TICKBUS_FLOW__PRESET": "calm"}  # nobody waits for what trades in it
COMMANDS = [name for name, row in ROWS.items() if row.words is not None]
SHAPES = {
    "several engines and gateways": (
        (),
        {"TICKBUS_ENGINES": TWO_ENGINES, "TICKBUS_GATEWAYS": TWO_GATEWAYS},
    ),
    "colocated": (("--colocate", "engine,gateway,paper"), {"TICKBUS_MAKER__INTERVAL_MS": "100"}),
    "an engine alone": (("--only", "engine"), {}),
}


def test_every_command_has_a_row() -> None:
    """A new command says here what it does on each desk, and where there is none."""
    assert sorted(commands()) == sorted(ROWS)


class Shell:
    """Runs commands in this process, as `cli.py` does, elsewhere than their desk is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, run_dir: Path, words: tuple[str, ...] = ()) -> tuple[int, str, str]:
        """Return the exit code, and what was printed to both outputs."""
        told = run_here([*name.split(), *words, "--run-dir", str(run_dir)], self._folder, environment())
        return told.returncode, told.stdout, told.stderr


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    """A shell elsewhere: without settings in its environment, in a directory with another desk's tickbus.toml."""
    (tmp_path / "tickbus.toml").write_text('symbol = "BNBUSDT"\n[api]\nport = 1\n[paper]\nport = 1\n')
    return Shell(tmp_path)


@pytest.fixture(scope="module", params=list(SHAPES))
def shape(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk of that shape; every port is a free one."""
    arguments, settings = SHAPES[request.param]
    with short_directory() as path:
        desk = Desk(path / "run", *arguments, **{**settings, **MARKET})
        try:
            yield desk.start()
        finally:
            desk.end()


@pytest.mark.parametrize("name", COMMANDS)
def test_command_works_on_every_desk_that_can_be_started(shape: Desk, run: Shell, tmp_path: Path, name: str) -> None:
    """Or says in one line which node the desk does not run; nobody else is asked."""
    row = ROWS[name]
    assert row.words is not None
    if name == "feed":  # it ends with its process, and leaves its sockets to that
        told = run_apart([name, *row.words, "--run-dir", str(shape.run_dir)], tmp_path, environment())
        code, out, err = told.returncode, told.stdout, told.stderr
    else:
        code, out, err = run(name, shape.run_dir, row.words)
    nodes = {node["node"] for node in shape.status()["nodes"]} if row.needs else set()
    if missing := set(row.needs) - nodes:
        assert (code, out) == (1, ""), err
        assert f"runs no {missing.pop()}" in err
        assert len(err.splitlines()) == 1
    else:
        assert code in row.codes, err
        assert not err.startswith("error"), err


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """The run directory of a desk that has run and was stopped."""
    with short_directory() as path:
        desk = Desk(path / "run", "--only", "engine", "--only", "paper", "--only", "maker")
        try:
            desk.start()
            assert desk.cli("place", "buy", "0.01", "50000").returncode == 0
            desk.stop()
        finally:
            desk.end()
        yield path / "run"


@pytest.mark.parametrize("name", [*COMMANDS, "down"])
def test_command_says_that_the_desk_has_stopped(stopped: Path, run: Shell, name: str) -> None:
    """Exit code 3 and one line; or the disk is enough, and that the desk is down is said where it matters."""
    row = ROWS[name]
    code, out, err = run(name, stopped, row.words or ())
    assert code == row.kept, err
    if code == 3:
        assert (out, err.startswith("error: no desk runs in "), len(err.splitlines())) == ("", True, 1), err
    elif row.needs == ("paper",):
        assert err.startswith("note: no desk runs in "), err


@pytest.mark.parametrize("name", [*COMMANDS, "down"])
def test_command_says_that_no_desk_has_ever_run(run: Shell, tmp_path: Path, name: str) -> None:
    """One line, and nothing is made."""
    row = ROWS[name]
    code, out, err = run(name, tmp_path / "nowhere", row.words or ())
    assert code == row.down, err
    if code:
        assert (out, err.startswith("error: "), len(err.splitlines())) == ("", True, 1), err
        assert not (tmp_path / "nowhere").exists()


def test_account_is_read_from_disk_while_the_desk_is_down(stopped: Path, run: Shell) -> None:
    """The order that is open, what it holds, and no word of the maker's, which has cancelled its own."""
    code, out, _ = run("account", stopped, ("--json",))
    assert code == 0
    assert '"open_orders": [{"side": "BUY", "price": 50000, "quantity": 0.01}]' in out
    code, out, _ = run("balances", stopped, ("--json",))
    assert '"locked": 500' in out, out
    code, out, _ = run("accounts", stopped, ("--json",))
    assert '"openOrders": 1' in out, out
