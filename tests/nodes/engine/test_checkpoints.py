"""A checkpoint and what follows it bring the engine back as all of its journal does, at every record."""

from pathlib import Path
from shutil import copy, copytree
from typing import Any, Final

import pytest

from bus.order_link import Connected, SourceEnd
from bus.topology import Source
from desk.settings import Settings
from journal.checkpoint import checkpoint_path, checkpoint_paths
from journal.format import CorruptJournalError, JournalError, JournalMode
from journal.pruning import Keep, Retention
from market.codec import decode_events
from market.commands import HaltSymbol
from nodes.engine import checkpoints as module
from nodes.engine.checkpoints import BesideThread, Checkpoints, CheckpointTimes, Work
from nodes.engine.command_record import COMMANDS
from nodes.engine.core import EngineCore
from nodes.engine.core_state import StateBytesError, decode_state, encode_state
from nodes.engine.inspection import inspect, verify
from nodes.engine.making import make_core
from tests.nodes.engine.linked_core import SOURCES, Dice, LinkedCore

ALL: Final = Retention(Keep.ALL, 0, 0)
EACH_RECORD: Final = CheckpointTimes(1, 1)
TURNS: Final = 120


def _at_once(work: Work) -> None:
    work()


def _started(folder: Path, book: str = "reference") -> EngineCore:
    """Return an engine that has begun with what a folder holds."""
    settings = Settings(engine={"book": book})  # type: ignore[arg-type]
    core, journal = make_core(settings, "engine", folder, JournalMode.WRITE)
    with journal:
        core.recover(lambda _: None)
    return core


def _facts(core: EngineCore) -> tuple[Any, ...]:
    """Return all that two engines of one past must agree on, but for the reports that are not acknowledged."""
    state = core.state()
    links = [peer._replace(unacknowledged=()) for peer in state.links]
    trades = [each.tolist() for each in state.trades]
    return core.engine.state_hash(), links, trades, state[3:], core.engine.best(0)


def _frames(core: EngineCore) -> dict[int, tuple[Any, ...]]:
    return {peer.source: peer.unacknowledged for peer in core.links.state()}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[Any, ...]]]:
    """A journal with a checkpoint behind every turn, and what the live engine was there."""
    folder, facts = tmp_path_factory.mktemp("lived") / "journal", []
    linked, dice = LinkedCore(folder), Dice(11)
    linked.ends[Source.OPERATOR], linked.heard[Source.OPERATOR] = SourceEnd(Source.OPERATOR, incarnation=1), []
    linked.settle()
    checkpoints = Checkpoints(linked.core, linked.journal, EACH_RECORD, ALL, _at_once)
    for turn in range(TURNS):
        source = dice.random.choice(SOURCES)
        linked.ends[source].send([dice.command(source) for _ in range(dice.random.randrange(1, 6))])
        if turn % 40 == 20:
            linked.core.halt([1], linked.time_ns(), 0)
            linked.publish(linked.core.tell(linked.time_ns()))
            linked.ends[Source.OPERATOR].send([HaltSymbol(1, int(turn < 60))])
        if turn % 3:
            linked.settle()  # else it stays on its way, and is taken with what the next turn brings
        if checkpoints.sequence < linked.journal.sequence:
            checkpoints.look(turn, 0)
            assert (checkpoints.sequence, checkpoints.failure) == (linked.journal.sequence, "")
            facts.append((linked.journal.sequence, _facts(linked.core)))
            copy(checkpoint_path(folder, checkpoints.sequence), folder.parent)  # those between go from the journal
    linked.journal.close()
    return folder, facts


@pytest.fixture(scope="module")
def journal_alone(lived: tuple[Path, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same journal without a checkpoint."""
    folder = tmp_path_factory.mktemp("alone") / "journal"
    folder.mkdir()
    for path in COMMANDS.files(lived[0]):
        copy(path, folder)
    return folder


@pytest.mark.parametrize("book", ["reference", "fast"])
def test_from_any_record_it_comes_to_what_all_of_the_journal_does(
    lived: tuple[Path, list[tuple[int, tuple[Any, ...]]]], journal_alone: Path, tmp_path: Path, book: str
) -> None:
    """And to what the live engine was; the reports that a source may still ask for are the same, frame by frame."""
    folder, facts = lived
    whole = _started(copytree(journal_alone, tmp_path / "whole"))
    assert _facts(whole) == facts[-1][1], "all of the journal brings the live engine back"
    assert len(facts) > TURNS // 2
    told = _frames(whole)
    pending_count = 0
    for sequence, _ in facts if book == "reference" else facts[::7]:
        begun = copytree(journal_alone, tmp_path / f"{sequence}")
        copy(checkpoint_path(folder.parent, sequence), begun)
        core = _started(begun, book)
        assert core.checkpoint_sequence == sequence
        assert _facts(core) == facts[-1][1], f"behind record {sequence}"
        for source, frames in _frames(core).items():
            pending_count += len(frames)
            assert told[source][len(told[source]) - len(frames) :] == frames, f"behind record {sequence}"
    assert pending_count > len(facts), "reports were on their way"


def test_what_the_live_engine_was_is_what_its_checkpoint_holds(
    lived: tuple[Path, list[tuple[int, tuple[Any, ...]]]], journal_alone: Path, tmp_path: Path
) -> None:
    """Without any record that follows it."""
    folder, facts = lived
    for sequence, expected in facts[::10]:
        begun = copytree(journal_alone, tmp_path / f"{sequence}")
        copy(checkpoint_path(folder.parent, sequence), begun)
        core, journal = make_core(Settings(engine={"book": "reference"}), "engine", begun, JournalMode.WRITE)  # type: ignore[arg-type]
        with journal:
            checkpoint, passed_over = core._newest_checkpoint()
            assert checkpoint is not None
            core.restore(checkpoint)
            assert _facts(core) == expected
            assert passed_over == ()


@pytest.mark.parametrize("seed", [3, 4])
def test_killed_engine_with_checkpoints_goes_on_as_if_nothing_had_happened(tmp_path: Path, seed: int) -> None:
    """With a kill after every few batches all hear the same as from one that lives, and old files are pruned."""
    killed, spared = LinkedCore(tmp_path / "killed"), LinkedCore(tmp_path / "spared")
    for linked in (killed, spared):
        dice, kept = Dice(seed), _pruning(linked)
        for turn in range(150):
            source = dice.random.choice(SOURCES)
            linked.ends[source].send([dice.command(source) for _ in range(dice.random.randrange(1, 8))])
            linked.settle()
            if linked is killed and turn % 4 == 3:
                kept.look(1, 0)
                assert kept.failure == ""
            if linked is killed and turn % 10 == 9:
                linked.check_feed()
                linked.kill()
                linked.start()
                linked.check_feed()
                kept = _pruning(linked)
                assert kept.sequence or turn == 9
    assert killed.heard == spared.heard
    assert killed.core.engine.state_hash() == spared.core.engine.state_hash()
    assert killed.core.command_count == spared.core.command_count
    assert COMMANDS.number_of(COMMANDS.files(killed.folder)[0]) > 10, "its first files are gone"
    for linked in (killed, spared):
        linked.check_feed()
        linked.journal.close()


def _pruning(linked: LinkedCore) -> Checkpoints:
    return Checkpoints(linked.core, linked.journal, EACH_RECORD, Retention(Keep.PRUNE, 0, 0), _at_once)


def test_a_damaged_one_is_passed_over_and_told_and_without_files_it_refuses(
    lived: tuple[Path, list[tuple[int, tuple[Any, ...]]]], tmp_path: Path
) -> None:
    """The one before it is used, then the whole journal; if its first file is gone too, nothing is begun."""
    folder, facts = copytree(lived[0], tmp_path / "journal"), lived[1]
    for path in checkpoint_paths(folder)[:-2]:
        path.unlink()
    older, newer = checkpoint_paths(folder)
    newer.write_bytes(newer.read_bytes()[:-1])
    core, journal = make_core(Settings(engine={"book": "reference"}), "engine", folder, JournalMode.WRITE)  # type: ignore[arg-type]
    with journal:
        done = core.recover(lambda _: None)
    assert core.checkpoint_sequence == done.after_sequence == facts[-2][0]
    (why,) = done.passed_over
    assert newer.name in why
    assert "damaged" in why
    older.write_bytes(b"")
    assert _started(folder).checkpoint_sequence == 0
    assert _facts(_started(folder)) == facts[-1][1]
    first = COMMANDS.files(folder)[0]
    first.rename(first.with_name(COMMANDS.file_name(2)))
    with pytest.raises(CorruptJournalError, match=r"the file is missing.*no checkpoint can be used.*damaged"):
        _started(folder)


class _Slow:
    """Lets the work that it is given wait."""

    def __init__(self) -> None:
        self.work: list[Work] = []

    def begin(self, work: Work) -> None:
        self.work.append(work)


def test_one_is_due_after_so_many_records_or_so_long(tmp_path: Path) -> None:
    """Never two at a time, none where nothing has happened, and one that failed is tried again when the next is due."""
    linked, slow, second_ns = LinkedCore(tmp_path / "journal"), _Slow(), 10**9
    dice = Dice(5)
    checkpoints = Checkpoints(linked.core, linked.journal, CheckpointTimes(60 * second_ns, 5), ALL, slow.begin)

    def send(count: int) -> None:
        for _ in range(count):
            linked.ends[Source.PAPER].send([dice.command(Source.PAPER)])
            linked.settle()

    checkpoints.look(second_ns, 0)
    checkpoints.look(100 * second_ns, 0)
    assert not slow.work, "nothing has happened"
    send(1)
    checkpoints.look(101 * second_ns, 0)
    assert len(slow.work) == 1, "the first record is older than a minute"
    send(9)
    checkpoints.look(500 * second_ns, 0)
    assert len(slow.work) == 1, "the one before is being written"
    slow.work.pop()()
    assert checkpoints.sequence == 1
    checkpoints.look(501 * second_ns, 0)
    assert len(slow.work) == 1, "more than five records"
    slow.work.pop()()
    assert (checkpoints.sequence, checkpoints.failure) == (10, "")
    send(1)
    checkpoints.look(502 * second_ns, 0)
    assert not slow.work
    checkpoints.take_last(0)
    assert checkpoints.sequence == 11
    linked.journal.close()


def test_a_disk_that_takes_none_is_told_and_the_engine_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal alone is enough to begin with."""
    linked = LinkedCore(tmp_path / "journal")
    checkpoints = Checkpoints(linked.core, linked.journal, EACH_RECORD, ALL, _at_once)
    linked.ends[Source.PAPER].send([Dice(1).command(Source.PAPER)])
    linked.settle()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_checkpoint", full)
        checkpoints.look(1, 0)
    assert "behind record 1 could not be kept: [Errno 28] No space left on device" in checkpoints.failure
    assert checkpoints.sequence == 0
    checkpoints.take_last(0)
    assert (checkpoints.sequence, checkpoints.failure) == (1, "")
    linked.journal.close()


def test_a_thread_writes_it_while_the_engine_goes_on(tmp_path: Path) -> None:
    """What is written is the state of when it was taken."""
    linked, beside, dice = LinkedCore(tmp_path / "journal"), BesideThread(), Dice(2)
    checkpoints = Checkpoints(linked.core, linked.journal, EACH_RECORD, ALL, beside.begin)
    hashes = {}
    for turn in range(40):
        linked.ends[Source.PAPER].send([dice.command(Source.PAPER) for _ in range(5)])
        linked.settle()
        hashes[linked.journal.sequence] = linked.core.engine.state_hash()
        checkpoints.look(turn, 0)
    beside.join()
    linked.journal.close()
    assert checkpoints.failure == ""
    for path in checkpoint_paths(linked.folder):
        begun = copytree(linked.folder, tmp_path / path.name)
        for other in checkpoint_paths(begun):
            if other.name != path.name:
                other.unlink()
        core, journal = make_core(Settings(engine={"book": "reference"}), "engine", begun, JournalMode.WRITE)  # type: ignore[arg-type]
        with journal:
            checkpoint, _ = core._newest_checkpoint()
        assert checkpoint is not None
        core.restore(checkpoint)
        assert core.engine.state_hash() == hashes[core.checkpoint_sequence]


def test_a_bug_in_the_thread_ends_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once, but when the next one is begun: it would be for nothing, too."""

    def broken(*_: object) -> bytes:
        raise AssertionError("our own bug")

    linked, beside = LinkedCore(tmp_path / "journal"), BesideThread()
    checkpoints = Checkpoints(linked.core, linked.journal, EACH_RECORD, ALL, beside.begin)
    linked.ends[Source.PAPER].send([Dice(1).command(Source.PAPER)])
    linked.settle()
    monkeypatch.setattr(module, "encode_state", broken)
    checkpoints.look(1, 0)
    with pytest.raises(AssertionError, match="our own bug"):
        beside.join()
    beside.join()
    linked.journal.close()


def test_a_pruned_journal_is_inspected_and_verified_from_its_first_file_on(tmp_path: Path) -> None:
    """It is sound; what it was before is in no file any more."""
    linked, dice = LinkedCore(tmp_path / "journal"), Dice(8)
    for _ in range(3):
        checkpoints = _pruning(linked)
        for _ in range(3):
            linked.ends[Source.PAPER].send([dice.command(Source.PAPER)])
            linked.settle()
            checkpoints.look(1, 0)
        linked.kill()
        linked.start()
    linked.journal.close()
    assert COMMANDS.number_of(COMMANDS.files(linked.folder)[0]) == 3
    found = inspect(linked.folder)
    assert (found["first_sequence"], found["last_sequence"], found["records"]) == (7, 9, 3)
    assert verify(linked.folder)["state"] == "sound"


def test_none_is_taken_where_no_journal_is_kept(tmp_path: Path) -> None:
    """It would stand behind nothing."""
    linked = LinkedCore(tmp_path / "journal", JournalMode.NONE)
    checkpoints = Checkpoints(linked.core, linked.journal, EACH_RECORD, ALL, _at_once)
    linked.ends[Source.PAPER].send([Dice(1).command(Source.PAPER)])
    linked.settle()
    checkpoints.look(1, 0)
    checkpoints.take_last(0)
    assert (checkpoints.sequence, linked.journal.sequence) == (0, 1)
    assert not linked.folder.exists()


@pytest.fixture
def core(lived: tuple[Path, Any], tmp_path: Path) -> EngineCore:
    """An engine in a state that says something."""
    return _started(copytree(lived[0], tmp_path / "journal"))


def test_state_comes_back_from_its_bytes(core: EngineCore) -> None:
    """Also with more reports that nobody has acknowledged than go into a part."""
    state = core.state()
    peer = next(peer for peer in state.links if peer.unacknowledged)
    many = peer._replace(unacknowledged=peer.unacknowledged[:1] * 3_000)
    state = state._replace(links=(many, *(each for each in state.links if each is not peer)))
    found = decode_state(encode_state(state))
    assert found.links == state.links
    assert [each.tolist() for each in found.trades] == [each.tolist() for each in state.trades]
    assert found[3:] == state[3:]
    assert [orders.tolist() for _, orders in found.engine.symbols] == [
        orders.tolist() for _, orders in state.engine.symbols
    ]


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xc1", b"\x93\x01\x02\x03"])
def test_other_bytes_are_no_state(data: bytes) -> None:
    """Their checksum may be right all the same: another program has written them."""
    with pytest.raises(StateBytesError, match="expected the state of an engine's node"):
        decode_state(data)


def test_bytes_whose_orders_are_not_those_of_their_hash_are_refused(core: EngineCore) -> None:
    """A book that never was is worse than none."""
    state = core.state()
    data = encode_state(state)
    row = state.engine.symbols[0][1][0].tobytes()
    assert data.count(row) == 1
    with pytest.raises(StateBytesError, match=r"expected the state [0-9a-f]{16}, was"):
        decode_state(data.replace(row, row[:16] + bytes([row[16] ^ 1]) + row[17:]))


def test_one_that_the_engine_cannot_be_in_is_refused_by_name(core: EngineCore) -> None:
    """Nothing is begun: the file is what was written, so that the program is at fault."""
    checkpoint, _ = core._newest_checkpoint()
    assert checkpoint is not None
    with pytest.raises(JournalError, match=r"cannot be used, remove it: .* is there twice"):
        core.restore(checkpoint)


def test_reports_are_asked_for_again_and_come_the_same(
    lived: tuple[Path, Any], journal_alone: Path, tmp_path: Path
) -> None:
    """A source that comes back and has kept nothing since its last acknowledgement hears them in the same frames."""
    heard: list[Any] = []
    begun = copytree(journal_alone, tmp_path / "with")
    sequence = lived[1][len(lived[1]) // 2][0]
    copy(checkpoint_path(lived[0].parent, sequence), begun)
    source, first = 0, 0
    for folder in (begun, copytree(journal_alone, tmp_path / "without")):
        core = _started(folder)
        assert core.checkpoint_sequence == (sequence if folder == begun else 0)
        if not source:
            source, frames = next(each for each in _frames(core).items() if each[1] and each[0] in SOURCES)
            first = frames[0].first
            assert decode_events(frames[0].payload)
        end = SourceEnd(source, 1 << 62, (core.epoch, first - 1))
        core.links.receive(b"back", end.outgoing()[0])
        told = []
        for _, reply in core.links.outgoing():
            for news in end.receive(reply):
                told += [news._replace(feed_epoch=0) if isinstance(news, Connected) else news.events]
        heard.append(told)
    assert heard[0] == heard[1]
    assert len(heard[0]) > 1
