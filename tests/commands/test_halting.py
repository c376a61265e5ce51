"""`halt` where no desk runs, at a venue that does not answer; and what is told of a desk that was killed."""

import json
from pathlib import Path

import pytest

from commands.actions import halting
from desk.client import DESK_LOCK, DeskError, NoDeskError, lone_nodes
from desk.desk_file import DESK_FILE
from desk.halted_file import HALTED_FILE
from desk.run_dir import WATCHDOG, LockFile
from desk.settings import load_settings
from nodes.maker.ids import PREFIX_FILE
from tests.nodes.maker.makers import AWAY
from tests.nodes.maker.scripted_venue import ScriptedVenue

REMOTE = {"venue.name": "binance-testnet", "venue.url": "http://127.0.0.1:9"}


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> ScriptedVenue:
    """The venue of the desk that was killed; nobody waits long for it."""
    one = ScriptedVenue()
    one.account_name = "scripted"  # type: ignore[attr-defined]
    monkeypatch.setattr(halting, "quick_venue", lambda _: one)
    monkeypatch.setattr(halting, "GIVE_UP_S", 0.0)
    monkeypatch.setattr(halting, "_wait", lambda _: None)
    return one


def test_halt_confirms_nothing_that_the_venue_has_not_said(tmp_path: Path, venue: ScriptedVenue) -> None:
    """It does not answer: the halt is kept, and that orders may be open is an error."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    venue.fates["all_open_orders"] = [AWAY] * 1_000
    told: list[str] = []
    settings = load_settings({"run_dir": tmp_path, **REMOTE}).settings
    with pytest.raises(DeskError, match=r"orders of this desk's maker \(tb-0a1b2c-...\) may be open at"):
        halting.halt(settings, None, told.append, is_cancelling=False)
    assert [line.split(":")[0] for line in told] == [f"no desk runs in {tmp_path}"]
    assert "BTCUSDT" in json.loads((tmp_path / HALTED_FILE).read_text())


@pytest.mark.parametrize("settings", [{}, REMOTE], ids=["own paper exchange", "never quoted"])
def test_halt_without_anybody_to_ask_says_that_no_desk_runs(tmp_path: Path, settings: dict[str, str]) -> None:
    """And keeps nothing."""
    with pytest.raises(NoDeskError):
        halting.halt(load_settings({"run_dir": tmp_path, **settings}).settings, None, print, is_cancelling=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("left", "venue_name", "said"),
    [
        (None, "paper", "; orders of its maker may be open at paper: the start takes them over"),
        (["maker: it failed"], "binance-testnet", "halt --run-dir {run_dir} cancels them"),
        ([], "binance-testnet", ""),
    ],
    ids=["killed", "left", "stopped in order"],
)
def test_what_a_desk_may_have_left_is_told_unless_it_stopped_in_order(
    tmp_path: Path, left: list[str] | None, venue_name: str, said: str
) -> None:
    """By its last word in desk.json."""
    (tmp_path / PREFIX_FILE).write_text("0a1b2c\n")
    document = {"pid": 1, "settings": {"venue.name": venue_name}} | ({} if left is None else {"left": left})
    (tmp_path / DESK_FILE).write_text(json.dumps(document))
    text = halting.left_text(tmp_path)
    assert text.endswith(said.format(run_dir=tmp_path)) if said else not text


def test_watchdog_is_no_node_of_a_desk(tmp_path: Path) -> None:
    """While it cleans up after a desk that was killed, commands took its settings from where they stood."""
    locks = [LockFile(tmp_path / f"{name}.lock", name) for name in (WATCHDOG, "engine")]
    assert (tmp_path / DESK_LOCK).exists() is False
    assert lone_nodes(tmp_path) == ("engine",)
    for lock in locks:
        lock.release()
