"""The past of an engine: the same state as a replay from the beginning, however it is come by."""

import random
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from bus.topology import Source
from desk.settings import Settings, load_settings
from engine.capacity import Capacity
from engine.fast.engine import FastEngine
from journal.checkpoint import checkpoint_paths
from journal.format import CorruptJournalError, JournalError, JournalMode
from journal.journal import Journal
from journal.pruning import Keep, Retention
from journal.reader import JournalReader, Place
from market.codec import decode_commands, encode_all
from market.commands import Command, HaltSymbol, MassCancel
from market.events import Executed
from market.kernels.rows import Int64Array, read_event
from nodes.engine import past as module
from nodes.engine.checkpoints import Checkpoints, CheckpointTimes
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from nodes.engine.core import EngineCore
from nodes.engine.past import Past, first_time_ns
from simulation.desk import SimulatedDesk
from simulation.journaled import Records
from tests.full_disk import full_disk

START_NS = 1_767_225_600_000_000_000


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[CommandRecord]:
    """What a minute of a desk's engine was told, a halt and a mass cancel of the operator among it."""
    folder = tmp_path_factory.mktemp("desk")
    settings, kept, numbers = load_settings({"run_dir": folder}).settings, list[CommandRecord](), Records()
    desk = SimulatedDesk(settings, START_NS, folder / "days", keep=lambda *sent: kept.extend(numbers.of(*sent)))
    desk.run(START_NS + 60 * 10**9)
    commands: list[Command] = [HaltSymbol(-1, 1), MassCancel(owner=0), HaltSymbol(-1, 0)]
    told = CommandRecord(kept[2_000].time_ns, 1, Source.OPERATOR, len(commands), 0, encode_all(commands))
    return [*kept[:2_000], told, *kept[2_000:]]


@pytest.fixture
def folder(records: list[CommandRecord], tmp_path: Path) -> Path:
    """A journal of them, by three lives of an engine, the second of which was told nothing; so two files."""
    for some in (records[:1_000], [], records[1_000:]):
        with Journal(tmp_path / "journal", COMMANDS, figures_of(Capacity(1)), START_NS, JournalMode.WRITE) as journal:
            journal.recover(lambda _, __: None)
            journal.append(some, 0)
    return tmp_path / "journal"


def test_any_moment_is_that_of_a_replay_from_the_beginning(
    folder: Path, tmp_path: Path, records: list[CommandRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever kept state it begins at, and whoever has kept it."""
    dice = random.Random("past")
    moments = [dice.choice(records).time_ns + dice.choice([-1, 0, 1]) for _ in range(12)]
    straight = [Past(folder, [0], tmp_path / "none").at(each) for each in moments]
    assert not (tmp_path / "none").exists(), "so few records need no state"
    monkeypatch.setattr(module, "KEPT_RECORDS", 300)
    for time_ns, expected in zip(moments, straight, strict=True):
        found = Past(folder, [0], tmp_path / "kept").at(time_ns)
        assert found[1:] == expected[1:]
        assert found.engine.state_hash() == expected.engine.state_hash()
        found.engine.check_invariants()
    assert len(list((tmp_path / "kept").glob("*/*.state"))) >= 5
    assert len({each.engine.state_hash() for each in straight}) > 6, "all moments alike show nothing"


class Seen:
    """Who looks on, and notes the books and the trades."""

    def __init__(self) -> None:
        self.books: list[tuple[int, int]] = []  # a time, and the hash of the state until then
        self.trades: list[int] = []

    def pass_to(self, time_ns: int, engine: FastEngine) -> None:
        """Note the book."""
        self.books.append((time_ns, engine.state_hash()))

    def see(self, events: Int64Array) -> None:
        """Note the trades."""
        self.trades += [event.sequence for row in events if isinstance(event := read_event(row), Executed)]


@pytest.mark.parametrize("kept_records", [300, 4_000])
def test_who_looks_on_sees_each_moment_between_two_and_no_other(
    folder: Path,
    tmp_path: Path,
    records: list[CommandRecord],
    monkeypatch: pytest.MonkeyPatch,
    kept_records: int,
) -> None:
    """Whether states are kept or not: the state before each record, those of the first time and of the last, too."""
    monkeypatch.setattr(module, "KEPT_RECORDS", kept_records)
    times = sorted({record.time_ns for record in records})
    since_ns, until_ns = times[700] + 1, times[1_200]
    past = Past(folder, [0], tmp_path / "kept")
    past.at(times[-1])
    seen = Seen()
    assert past.watch(since_ns, until_ns, seen) == since_ns
    assert [seen.books[0][0], seen.books[-1][0]] == [since_ns, until_ns]
    assert [time_ns for time_ns, _ in seen.books[1:-1]] == [
        record.time_ns for record in records if since_ns <= record.time_ns <= until_ns
    ]
    dice = random.Random("watch")
    for time_ns in (since_ns, *dice.sample(times[702:1_200], 5)):
        state, *_ = (state for at_ns, state in seen.books if at_ns == time_ns)
        assert state == past.at(time_ns - 1).engine.state_hash()
    assert seen.books[-1][1] == past.at(until_ns).engine.state_hash()
    assert seen.trades
    whole = Seen()
    assert past.watch(0, times[-1], whole) == times[0]
    assert [each for each in whole.trades if each in seen.trades] == seen.trades


def test_who_looks_on_begins_late_where_there_would_be_too_many_records(
    folder: Path, tmp_path: Path, records: list[CommandRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a state that is kept; where none is, with all of them, for nothing else is known."""
    seen, end_ns = Seen(), records[-1].time_ns
    past = Past(folder, [0], tmp_path / "none")
    assert past.watch(0, end_ns, seen, first_sequence=900) == records[0].time_ns
    monkeypatch.setattr(module, "KEPT_RECORDS", 300)
    past = Past(folder, [0], tmp_path / "kept")
    past.at(end_ns)
    late = Seen()
    assert past.watch(0, end_ns, late, first_sequence=801) == records[899].time_ns
    assert late.books[1:] == seen.books[-len(late.books) + 1 :]
    assert late.trades == seen.trades[-len(late.trades) :]


def test_kept_state_is_gone_on_from_and_a_damaged_one_is_not(
    folder: Path, tmp_path: Path, records: list[CommandRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records before it are not even read; without it those are."""
    monkeypatch.setattr(module, "KEPT_RECORDS", 300)
    told: list[int] = []
    end_ns = records[-1].time_ns
    expected = Past(folder, [0], tmp_path / "kept").at(end_ns, told.append)
    assert len(told) == len(records) // 300
    *_, last = sorted((tmp_path / "kept").glob("*/*.state"))
    again: list[int] = []
    assert Past(folder, [0], tmp_path / "kept").at(end_ns, again.append)[1:] == expected[1:]
    assert again == []
    last.write_bytes(last.read_bytes()[:500])
    assert Past(folder, [0], tmp_path / "kept").at(end_ns, again.append)[1:] == expected[1:]
    assert len(again) == 1, "from the state before it"


def test_whatever_becomes_of_a_kept_state_the_answer_is_the_same(
    folder: Path, tmp_path: Path, records: list[CommandRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards against a power failure, which may leave an empty file, and a disk that turns bits: it was a traceback."""
    monkeypatch.setattr(module, "KEPT_RECORDS", 300)
    end_ns = records[-1].time_ns
    expected = Past(folder, [0], tmp_path / "kept").at(end_ns)
    *_, last = sorted((tmp_path / "kept").glob("*/*.state"))
    whole = last.read_bytes()
    dice = random.Random("damage")
    damages = [b"", b"PK", b"\0" * len(whole), whole[:-1], whole + b"\0", b"0" * len(whole)]
    damages += [
        whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :]
        for at in dice.sample(range(len(whole)), 30)
    ]
    for damage in damages:
        last.write_bytes(damage)
        told: list[int] = []
        found = Past(folder, [0], tmp_path / "kept").at(end_ns, told.append)
        assert len(told) == 1, "from the state before it"
        assert found[1:] == expected[1:]
        assert found.engine.state_hash() == expected.engine.state_hash()
        assert last.read_bytes() == whole, "it is kept anew"


def test_states_that_former_versions_kept_are_removed(folder: Path, tmp_path: Path) -> None:
    """Guards the disk: nobody would ever read them. What is kept as it is now stays."""
    outdated = [
        tmp_path / "kept" / name for name in ("1-a/000000000300-1.npz", "1-a/000000000600-2.npz", "1-b/9-1.npz")
    ]
    states = tmp_path / "kept" / "1-b" / "000000000300-1.state"
    for path in (*outdated, states):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PK")
    Past(folder, [0], tmp_path / "kept")
    assert [path for path in (tmp_path / "kept").rglob("*") if path.is_file()] == [states]
    assert not (tmp_path / "kept" / "1-a").exists()


def test_disk_that_takes_no_state_costs_no_answer(
    folder: Path, tmp_path: Path, records: list[CommandRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards who asks what went wrong when the disk was full, and where the folder is another user's, or no folder."""
    expected = Past(folder, [0], tmp_path / "none").at(records[-1].time_ns)
    monkeypatch.setattr(module, "KEPT_RECORDS", 300)
    past = Past(folder, [0], tmp_path / "kept")
    with full_disk():
        found = past.at(records[-1].time_ns)
    assert found[1:] == expected[1:]
    assert found.engine.state_hash() == expected.engine.state_hash()
    assert past.refusal is not None
    assert past.refusal.strerror == "File too large"
    assert not list((tmp_path / "kept").glob("*/*")), "no half of one"
    (tmp_path / "file").write_text("")
    past = Past(folder, [0], tmp_path / "file")
    assert past.at(records[-1].time_ns)[1:] == expected[1:]
    assert past.refusal is not None


def test_kept_state_is_all_that_the_engine_is(
    folder: Path, tmp_path: Path, records: list[CommandRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Array for array; kernels believe what stands there, and would reach outside of it."""
    monkeypatch.setattr(module, "KEPT_RECORDS", 300)
    last_ns = records[len(records) // 300 * 300 - 1].time_ns
    past = Past(folder, [0], tmp_path / "kept")
    expected = past.at(last_ns).engine.memory
    run, place, kept_ns = past._state_before(last_ns)
    assert (place is not None, kept_ns) == (True, last_ns)
    for name, array in run.engine.memory._asdict().items():
        if name not in ("commands", "events"):
            assert np.array_equal(array, getattr(expected, name)), name
    assert expected.orders.any()


def test_moments_behind_a_checkpoint_are_told_though_the_first_files_are_gone(
    tmp_path: Path, records: list[CommandRecord]
) -> None:
    """As from all of the journal; of before its first checkpoint nothing is known any more."""
    folder, third = tmp_path / "journal", len(records) // 3
    for first in (0, third, 2 * third):
        with Journal(folder, COMMANDS, figures_of(Capacity(1)), START_NS, JournalMode.WRITE) as journal:
            core = EngineCore(FastEngine(Capacity(1)), Settings().instruments[:1], START_NS, 1, 65_536, journal, [0])
            core.recover(lambda _: None)
            retention, times = Retention(Keep.ALL, 0, 0), CheckpointTimes(1, 1)
            Checkpoints(core, journal, times, retention, lambda work: work()).take_last(0)
            journal.append(records[first : first + third], 0)
    assert len(checkpoint_paths(folder)) == 2
    moments = [records[number].time_ns for number in (2 * third - 1, 2 * third + 9, 3 * third - 1)]
    straight = copytree(folder, tmp_path / "straight")
    for path in checkpoint_paths(straight):
        path.unlink()
    for path in (COMMANDS.files(folder)[0], checkpoint_paths(folder)[0]):
        path.unlink()
    assert first_time_ns(folder) == moments[0]
    for time_ns in moments:
        expected = Past(straight, [0], tmp_path / "none").at(time_ns)
        found = Past(folder, [0], tmp_path / "none").at(time_ns)
        assert found[1:] == expected[1:]
        assert found.engine.state_hash() == expected.engine.state_hash()
    with pytest.raises(CorruptJournalError, match="the file is missing"):
        Past(folder, [0], tmp_path / "none").at(moments[0] - 1)
    ids = {getattr(command, "order_id", 0) for record in records[-3:] for command in decode_commands(record.payload)}
    lives = [
        {number: list(Past(each, [0], tmp_path / "none").events_of(number, since_ns, moments[-1])) for number in ids}
        for each, since_ns in ((straight, moments[0]), (folder, 0))
    ]
    assert lives[0] == lives[1], "an order of before, too, as far as it is known"
    assert any(lives[0].values())


def test_reading_goes_on_behind_any_record(folder: Path, records: list[CommandRecord]) -> None:
    """Over the ends of files, too."""
    reader = JournalReader(folder, COMMANDS)
    places = [Place(1, 64, 0), *(reader.place for _ in reader.records())]
    assert places[-1].number > 1, "one file shows nothing of files"
    for count in (0, 1, 999, 1_000, len(records) - 1, len(records)):
        after = JournalReader(folder, COMMANDS)
        found = list(after.records(places[count]))
        assert [record for _, record in found] == records[count:]
        assert [sequence for sequence, _ in found] == list(range(count + 1, len(records) + 1))
        assert after.last_sequence == len(records)


def test_nothing_is_known_where_there_is_no_journal(tmp_path: Path) -> None:
    """Or only the beginning of a header."""
    with pytest.raises(JournalError, match="holds no journal"):
        Past(tmp_path / "journal", [0], tmp_path)
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "commands-00000001.journal").write_bytes(b"TICK")
    with pytest.raises(JournalError, match="begun to be written"):
        Past(tmp_path / "journal", [0], tmp_path)


def test_a_state_of_another_life_of_the_same_journal_is_passed_over(
    folder: Path, tmp_path: Path, records: list[CommandRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby that was given a checkpoint has other files in its folder: `at` said that they are corrupt."""
    monkeypatch.setattr(module, "KEPT_RECORDS", 300)
    moment_ns = records[700].time_ns
    Past(folder, [0], tmp_path / "kept").at(moment_ns)
    other = tmp_path / "other"
    with Journal(other, COMMANDS, figures_of(Capacity(1)), START_NS, JournalMode.WRITE) as journal:
        journal.recover(lambda *_: None)
        journal.append(records[50:], 0)
    expected = Past(other, [0], tmp_path / "none").at(moment_ns)
    found = Past(other, [0], tmp_path / "kept").at(moment_ns)
    assert found[1:] == expected[1:]
    assert found.engine.state_hash() == expected.engine.state_hash()
