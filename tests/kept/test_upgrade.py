"""A release that answers a command differently goes on from the state that the one before it has left."""

from pathlib import Path
from shutil import copytree
from typing import Any, Final

import pytest

from bus.engine_link import CommandBatch
from bus.topology import Source, first_order_id, first_owner
from commands.actions.doctor_stores import journal_findings
from commands.actions.journal import replay_journal
from desk.settings import Settings, load_settings
from engine.matching_engine import make_engine
from journal.checkpoint import checkpoint_path, checkpoint_paths, read_place
from journal.format import HEADER_SIZE, JournalMismatchError, JournalMode
from journal.journal import Journal
from journal.pruning import Keep, Retention
from market.codec import encode
from market.codes import Side
from market.commands import NewOrder
from nodes.engine.checkpoints import Checkpoints, CheckpointTimes
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from nodes.engine.core import EngineCore
from nodes.engine.inspection import inspect, verification_text, verify
from nodes.engine.past import first_time_ns
from tests.kept.test_kept import CAPACITY, EPOCH, LEFT
from tests.pairs import default_instruments

STATE_HASH: Final = 1211715234734867611
NEW: Final = NewOrder(first_order_id(Source.FLOW) + 999_999, 0, Side.BUY, 100, 5, owner=first_owner(Source.FLOW))


class Release:
    """The engine of the release that runs."""

    def __init__(self, folder: Path, book: Any = "fast") -> None:
        engine = make_engine(book, CAPACITY.symbol_count, CAPACITY.orders_max, CAPACITY.pages_max)
        self.journal: Journal[CommandRecord] = Journal(folder, COMMANDS, figures_of(CAPACITY), EPOCH, JournalMode.WRITE)
        self.core = EngineCore(engine, default_instruments(), EPOCH, 1, CAPACITY.orders_max, self.journal, (0, 2))
        try:
            self.done = self.core.recover(lambda _: None)
        except JournalMismatchError:
            self.journal.close()
            raise

    def trade(self) -> None:
        """Take one more order."""
        taken = {peer.source: peer.taken for peer in self.core.links.state()}[Source.FLOW]
        self.core.links.restore(Source.FLOW, taken + 1)
        self.core.handle([CommandBatch(Source.FLOW, encode(NEW), taken + 1, 1, 0)], self.journal.sequence + 2**61, 0)
        self.core.tell(1)

    def stop(self) -> None:
        """Stop as the engine's node does."""
        keep = Retention(Keep.ALL, 0, 0)
        Checkpoints(self.core, self.journal, CheckpointTimes(1, 1), keep, lambda work: work()).take_last(1)
        self.journal.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The journal of a release of version 1 that was stopped."""
    return copytree(LEFT / "journal.stopped", tmp_path / "journal")


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer a command otherwise."""
    monkeypatch.setattr(COMMANDS, "version", 2)


@pytest.mark.usefixtures("next_release")
@pytest.mark.parametrize("book", ["fast", "reference"])
def test_it_goes_on_with_the_book_and_the_links_and_looks_at_no_record_of_before(folder: Path, book: Any) -> None:
    """And again after a kill, before and behind a checkpoint of its own."""
    first = folder / COMMANDS.file_name(1)
    content = bytearray(first.read_bytes())
    content[HEADER_SIZE + 200] ^= 1
    first.write_bytes(content)
    release = Release(folder, book)
    assert (release.core.engine.state_hash(), release.core.engine.live_order_count) == (STATE_HASH, 390)
    assert (release.done.record_count, release.done.after_sequence, release.done.passed_over) == (0, 508, ())
    taken = {peer.source: peer.taken for peer in release.core.links.state()}
    assert taken[Source.FLOW] > 0
    release.trade()
    expected = release.core.engine.state_hash()
    release.journal.close()  # a kill
    release = Release(folder, book)
    assert (release.core.engine.state_hash(), release.done.record_count) == (expected, 1)
    release.stop()
    release = Release(folder, book)
    assert (release.core.engine.state_hash(), release.done.after_sequence) == (expected, 509)
    assert {peer.source: peer.taken for peer in release.core.links.state()} == taken | {
        Source.FLOW: taken[Source.FLOW] + 1
    }
    release.journal.close()


@pytest.mark.parametrize("is_killed", [False, True])
def test_records_that_no_checkpoint_stands_behind_are_refused_and_the_way_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, is_killed: bool
) -> None:
    """Of a release that was killed, or has kept no checkpoint: told again they would mean something else."""
    if is_killed:
        release = Release(folder)
        release.trade()
        release.journal.close()
    else:
        for path in checkpoint_paths(folder):
            path.unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(COMMANDS, "version", 2)
        with pytest.raises(JournalMismatchError, match=r"has records of version 1 .*docs/journal\.md, Upgrades"):
            Release(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "nothing has changed"
    Release(folder).stop()  # the way: the release that wrote them is started once more, and stopped
    monkeypatch.setattr(COMMANDS, "version", 2)
    release = Release(folder)
    assert release.done.record_count == 0
    release.journal.close()


def _settings(run_dir: Path) -> Settings:
    rows = [{"name": "engine", "symbols": ["BTCUSDT", "BNBUSDT"]}, {"name": "engine2"}]
    return load_settings({"run_dir": run_dir, "engines": rows}).settings


@pytest.mark.usefixtures("next_release")
def test_what_is_told_of_a_journal_is_what_this_release_needs_of_it(folder: Path, tmp_path: Path) -> None:
    """A sound one was told to be wrong, and that it is to be moved away with all that rests in the book."""
    settings = _settings(tmp_path)
    engine = settings.plan.engines["engine"]
    assert engine.journal_folder == folder
    figures = figures_of(CAPACITY)
    found = verify(folder, figures)
    assert (found["state"], found["records"], found["begins_after"]) == ("sound", 0, 508), "before its first start"
    for count in (1, 2):
        release = Release(folder)
        release.trade()
        expected = release.core.engine.state_hash()
        release.journal.close() if count == 1 else release.stop()
        found = verify(folder, figures)
        assert (found["state"], found["records"], found["torn_tail"]) == ("sound", count, None)
        assert found["earlier_files"] > 0
        assert "are of an earlier release, which alone reads them" in verification_text(found)
        assert inspect(folder)["records"] == count
        assert f"{expected:016x}" in replay_journal(settings, engine, is_verified=False)[1]
        assert [each.state for each in journal_findings(settings)] == ["ok", "ok"]
    assert first_time_ns(folder) == read_place(checkpoint_path(folder, 508))[1]


def test_records_of_before_that_no_checkpoint_stands_behind_are_told_by_doctor(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way, and nothing else: to start the release that wrote them."""
    release = Release(folder)
    release.trade()
    release.journal.close()
    monkeypatch.setattr(COMMANDS, "version", 2)
    found, _ = journal_findings(_settings(tmp_path))
    assert (found.state, "docs/journal.md, Upgrades" in found.what) == ("wrong", True)
