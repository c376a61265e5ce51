"""Whatever may take long tells a terminal how far it is: each command is here, or among those that are done at once."""

import re
import shlex
from pathlib import Path
from shutil import copyfile, copytree

import pytest
from typer.testing import CliRunner

from commands import progress
from commands.app import app
from desk.settings import Settings, load_settings
from history import keeping
from history.database import Database
from reports.trade_history import valued
from tests.commands.tree import commands
from tests.docs.tables import OPERATING
from tests.recordings import KEPT
from tests.reports.fills import BTC, NOON_MS, buy

# What is given after the name; `{...}` is of the folder in which there is something of everything.
LONG = {
    "simulate": "--seconds 2",
    "backtest": "{recording}",
    "whatif": "{run}",
    "report": "--from 2026-01-01 --to 2026-01-02 --run-dir {desk}",
    "history": "--date 2026-01-01 --run-dir {desk}",
    "history export": "--out {new}.csv --run-dir {desk}",
    "history sql": "'SELECT count(*) FROM trades' --run-dir {desk}",
    "replay": "--run-dir {desk}",
    "at": "2026-01-01T00:00:25 --run-dir {desk}",
    "journal inspect": "--run-dir {desk}",
    "journal verify": "--run-dir {desk}",
    "journal repair": "--run-dir {desk}",
    "journal prune": "--run-dir {desk}",
    "journal archive": "--run-dir {desk}",
    "recording info": "{recording} --run-dir {desk}",
    "recording check": "{recording} --run-dir {desk}",
    "backup": "{new}.tar --run-dir {desk}",
    "restore": "{backup} --run-dir {new}",
    "doctor": "--run-dir {desk}",
    "warm": "",
}
# These tell it, too, of a market and of a ledger that a process of their own would have to make.
WITHOUT_A_TEST = {"record", "trace"}
# They ask somebody, or print what is there: what is waited for then is told in words.
AT_ONCE = {
    *("up", "down", "stop", "start", "status", "top", "why", "explain", "logs", "node", "watchdog", "orders", "trades"),
    *("balances", "account", "place", "cancel", "accounts", "accounts create", "accounts fund", "accounts reset"),
    *("book", "feed", "config show", "keys", "halt", "resume", "flatten", "token", "set", "promote", "faults run"),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A desk that is down, with a journal, reports and a history; a simulated run, a recording, and a backup."""
    folder = tmp_path_factory.mktemp("long")
    desk = folder / "desk"
    _ran("simulate", "--seconds", "40", "--out", str(folder / "run"))
    settings = load_settings({"run_dir": desk}).settings
    settings.reports_dir.mkdir(parents=True)
    (engine,) = settings.plan.engines.values()
    copytree(folder / "run" / "journal", engine.journal_folder)
    for file in (folder / "run").glob("performance_*.json"):
        copyfile(file, settings.reports_dir / file.name)
    _keep(settings)
    copyfile(KEPT, folder / f"{folder.name}.gz")
    _ran("backup", str(folder / "backup.tar"), "--run-dir", str(desk))
    return {
        "desk": desk,
        "run": folder / "run",
        "recording": folder / f"{folder.name}.gz",
        "backup": folder / "backup.tar",
    }


def _ran(*words: str) -> None:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output


def _keep(settings: Settings) -> None:
    database = Database(settings.reports_dir / "history.sqlite3")
    with database.transaction() as connection:
        account = keeping.begin_account(connection, "paper", "1", NOON_MS, None)
        keeping.keep_trades(connection, account, [valued(buy(1, "1", "100", "0.1"), BTC, {})])
    database.close()


def test_each_command_is_one_or_the_other() -> None:
    """A new one says here whether it may take long; and the documents name those that may."""
    assert sorted([*LONG, *WITHOUT_A_TEST, *AT_ONCE]) == sorted(commands())
    text = re.search(r"^What takes long tells .*$", OPERATING.read_text(encoding="utf-8"), re.MULTILINE)
    assert text is not None
    assert set(re.findall(r"`([a-z ]+)`", text[0])) == LONG.keys() | WITHOUT_A_TEST


@pytest.mark.parametrize("name", LONG)
def test_tells_a_terminal_how_far_it_is(
    name: str, places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`history sql`, `backup` and `journal verify` of a year were silent; one line, which is gone in the end."""
    monkeypatch.setenv("TICKBUS_ENGINE__ORDERS_MAX", "262144")  # as a simulated one has it
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(progress, "is_screen", lambda _: True)
    monkeypatch.setattr(progress, "_TOLD_NS", -1)
    monkeypatch.setattr("nodes.engine.past.KEPT_RECORDS", 300)
    given = shlex.split(LONG[name].format(**places, new=tmp_path / "new"))
    result = CliRunner().invoke(app, [*name.split(), *given])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    told = [line for line in re.split(r"[\r\n]", result.stderr) if line.endswith("\x1b[K")]
    assert re.search(r"[0-9]", "".join(told)), result.stderr
    assert result.stderr.rpartition("\r")[2].startswith("\x1b[K"), "what was told is wiped"
