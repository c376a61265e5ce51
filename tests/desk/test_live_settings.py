"""`set` on a running desk: what may be changed is in force at once, moves what it must, and outlives the maker."""

import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from desk.live_settings import LIVE, live_texts, with_changes
from desk.settings import SettingsError, load_settings
from desk.settings_log import settings_set
from market.codes import Side
from tests.desk.desk_process import BTCUSDT, CLI, LEAN, PATIENCE_S, ROOT, Desk, short_directory, until

TOLERANCE = Decimal("0.002")


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """A desk that tolerates more than its market moves."""
    with short_directory() as path:
        settings = {"TICKBUS_MAKER__HALF_SPREAD": "0.01", "TICKBUS_MAKER__REQUOTE_TOLERANCE": str(TOLERANCE)}
        one = Desk(path / "run", *LEAN, **settings, TICKBUS_FLOW__PRESET="calm")
        try:
            yield one.start()
        finally:
            one.end()


def _quotes(desk: Desk) -> dict[Side, tuple[str, Decimal]]:
    """Return of each side of the maker's quotes its order id and its distance from the mid, as a fraction."""
    mid = Decimal(desk.node("maker")["figures"]["mid"])
    return {order.side: (order.order_id, abs(order.price / mid - 1)) for order in desk.venue().open_orders(BTCUSDT)}


def _in_force(desk: Desk) -> dict[str, str]:
    settings: dict[str, str] = desk.node("maker")["figures"].get("settings", {})
    return settings


def _cancelled(desk: Desk) -> int:
    return int(desk.node("maker")["figures"]["cancelled"])


def _await_distance(desk: Desk, distance: str) -> dict[Side, tuple[str, Decimal]]:
    """Wait until both sides are so far away, and return them."""

    def found() -> dict[Side, tuple[str, Decimal]] | None:
        quotes = _quotes(desk)
        is_there = all(abs(off - Decimal(distance)) <= TOLERANCE for _, off in quotes.values())
        return quotes if len(quotes) == 2 and is_there else None

    quotes: dict[Side, tuple[str, Decimal]] = until(f"{distance} on both sides", found)
    return quotes


def test_what_is_set_is_in_force_and_moves_only_what_must(desk: Desk) -> None:
    """Quotes within the tolerance of the new ones keep their place; it is said by whom it was changed, and logged."""
    before = _await_distance(desk, "0.01")
    near = desk.cli("set", "maker.half_spread=0.0101")
    assert (near.returncode, near.stdout) == (0, "maker.half_spread: 0.0101, was 0.01\n"), near.stderr
    assert "now='0.0101'" in desk.log("maker")
    ((_, *told),) = settings_set(desk.run_dir, 0)
    assert told == ["maker.half_spread", "0.01", "0.0101"]
    far = desk.cli("set", "maker.half_spread=0.02", "maker.notional=300")
    assert far.returncode == 0, far.stderr
    after = _await_distance(desk, "0.02")
    assert {order_id for order_id, _ in before.values()}.isdisjoint(order_id for order_id, _ in after.values())
    until("the two that had to move are told", lambda: _cancelled(desk) == 2)
    assert desk.node("maker")["figures"]["placed"] == 4, "and nothing else"
    assert desk.node("maker")["figures"]["settings"]["maker.notional"] == "300"


def test_it_outlives_the_maker(desk: Desk) -> None:
    """A maker that was killed comes back with what was set, one that is stopped takes it at its start."""
    assert desk.cli("set", "maker.half_spread=0.03").returncode == 0
    _await_distance(desk, "0.03")
    desk.kill("maker")
    _await_distance(desk, "0.03")
    assert desk.cli("stop", "maker").returncode == 0
    result = desk.cli("set", "maker.half_spread=0.04")
    assert result.returncode == 0
    assert "the maker takes it when it starts: it is stopped" in result.stdout
    assert desk.cli("start", "maker").returncode == 0
    _await_distance(desk, "0.04")


def test_what_is_saved_holds_for_the_next_start_behind_environment_and_command_line(desk: Desk) -> None:
    """In the file that the desk reads, wherever the command is given; `up --set` comes before all.

    What was set and not saved does not outlive the desk.
    """
    assert desk.cli("set", "maker.notional=400").returncode == 0
    path = desk.run_dir.parent / "tickbus.toml"
    path.write_text("# ours\n[maker]\nskew = 0  # none\n")
    saved = desk.cli("set", "--save", "maker.skew=0.0003", "maker.levels=2", "maker.half_spread=0.05")
    assert saved.returncode == 0, saved.stderr
    over = "in the environment of this shell, which comes before it, stands TICKBUS_MAKER__HALF_SPREAD"
    assert saved.stdout.splitlines()[-1] == f"saved in {path}; {over}"
    assert path.read_text() == '# ours\n[maker]\nskew = "0.0003"  # none\nlevels = 2\nhalf_spread = "0.05"\n'
    path.write_text(path.read_text() + "[maker")
    failed = desk.cli("set", "--save", "maker.skew=0.0004")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith(f"error: set until the desk is started anew, but not saved: {path}: expected TOML")
    path.write_text(path.read_text().removesuffix("[maker"))
    desk.stop()
    desk.start("--set", "maker.levels=3", "--set", "maker.level_step=0.002")
    path.unlink()
    in_force = until("it quotes", lambda: _in_force(desk))
    names = ("skew", "levels", "level_step", "half_spread", "notional")
    assert [in_force[f"maker.{name}"] for name in names] == ["0.0003", "3", "0.002", "0.01", "1000"]


def test_two_at_once_are_both_in_force(desk: Desk) -> None:
    """The supervisor takes one after the other."""
    keys = [("maker.skew", "0.001"), ("maker.inventory", "20000")]
    processes = [
        subprocess.Popen(
            [sys.executable, str(CLI), "set", f"{key}={value}", "--run-dir", str(desk.run_dir)],
            cwd=desk.run_dir.parent,
            env=desk.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for key, value in keys
    ]
    outputs = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    in_force = desk.node("maker")["figures"]["settings"]
    assert all(in_force[key] == value for key, value in keys)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["maker.half_spread=0.7"], "maker.half_spread: expected less than 0.5, was '0.7' (from command line)"),
        (["maker.half_spread=nan"], "maker.half_spread: expected a finite number, was 'nan' (from command line)"),
        (["maker.model=magic"], "maker.model: expected one of symmetric,"),
        (["maker.interval_ms=99"], "maker.interval_ms: cannot be set while the desk runs (from command line); set it"),
        (["maker.limits.order=9"], "maker.limits.order: cannot be set while the desk runs (from command line); set it"),
        (["venue.secret=abc"], "venue.secret: cannot be set while the desk runs (from command line); set it as TICK"),
        (["maker.half_spred=1"], "maker.half_spred: no such setting (from command line); `config show` lists all"),
        (["maker.half_spread="], "maker.half_spread: expected a valid decimal, was '' (from command line)"),
        (["maker.levels="], "maker.levels: expected a valid integer"),
        (["maker.half_spread"], "expected KEY=VALUE, was 'maker.half_spread'"),
        (["maker.skew=0", "maker.skew=1"], "maker.skew: expected once, was there twice"),
        (["maker.notional=400", "maker.levels=0"], "maker.levels: expected greater than or equal to 1, was '0'"),
    ],
)
def test_what_cannot_be_set_is_one_line_and_changes_nothing(desk: Desk, words: list[str], said: str) -> None:
    """All of them or none."""
    before = desk.node("maker")["figures"]["settings"]
    result = desk.cli("set", *words)
    code = 2 if said.startswith("expected KEY=VALUE") or "twice" in said else 1  # what no setting's value can mend
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr.startswith(f"error: {said}"), result.stderr
    assert result.stderr.count("\n") == 1
    assert desk.node("maker")["figures"]["settings"] == before


def test_without_a_desk_it_is_one_line(desk: Desk) -> None:
    """It asks no other desk."""
    result = Desk(desk.run_dir.parent / "nowhere").cli("set", "maker.skew=0")
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.count("\n") == 1


def test_setting_that_is_misspelt_is_told_what_may_be_meant() -> None:
    """Also without a look into the documents."""
    with pytest.raises(SettingsError, match=r"those that can be set; did you mean maker\.half_spread\?$"):
        with_changes(load_settings({}).settings, {"maker.half_spred": "1"}, "command line")


def test_a_strategy_of_ones_own_reads_none_of_them(tmp_path: Path) -> None:
    """Guards a change that is confirmed, and that nobody goes by."""
    settings = load_settings({"run_dir": tmp_path, "maker.strategy": tmp_path / "own.py"}).settings
    with pytest.raises(SettingsError, match="which reads none of them"):
        with_changes(settings, {"maker.skew": "0.1"}, "command line")


def test_each_of_them_can_be_set_to_what_it_is(tmp_path: Path) -> None:
    """The texts that are kept are those that are read."""
    settings = load_settings({"run_dir": tmp_path}).settings
    assert with_changes(settings, live_texts(settings), "command line") == settings
    assert set(live_texts(settings)) == set(LIVE)


def test_the_document_names_each_of_them() -> None:
    """A setting that becomes one is told."""
    section = (ROOT / "docs" / "operating.md").read_text().partition("## Settings of a desk that runs")[2]
    assert set(re.findall(r"`(maker\.[a-z_]+)`", section.partition("\n## ")[0])) == set(LIVE)
