"""The journal of an engine that is stopped: pruned, archived, and repaired without a byte lost."""

from pathlib import Path
from typing import Final

import pytest

from commands.actions.doctor_stores import journal_findings
from commands.actions.journal import journal_report
from commands.actions.journal_upkeep import prune_journal, repair_journal
from desk.client import DeskError
from desk.plan import EnginePlan
from desk.settings import Settings
from journal.checkpoint import Checkpoint, checkpoint_paths, good_checkpoints, sequence_of, write_checkpoint
from journal.format import HEADER_SIZE, JournalMode
from journal.journal import Journal
from journal.pruning import ARCHIVE, Keep
from nodes.engine.command_record import COMMANDS
from nodes.engine.inspection import verification_text, verify
from nodes.engine.making import engine_figures, make_core
from tests.journal.records import EPOCH, record_of

FILES: Final = 6  # of two records each
CHECKPOINTS: Final = 4, 8, 9  # behind these records


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A desk whose engine has lived six times."""
    settings = Settings(run_dir=tmp_path)
    folder, figures = settings.plan.engines["engine"].journal_folder, engine_figures(settings, "engine")
    for life in range(FILES):
        with Journal(folder, COMMANDS, figures, EPOCH) as journal:
            journal.recover(lambda *_: None)
            for sequence in (2 * life + 1, 2 * life + 2):
                journal.append([record_of(sequence, 500)], 0)
                if sequence in CHECKPOINTS:
                    assert journal.last is not None
                    checkpoint = Checkpoint(EPOCH, record_of(sequence).time_ns, journal.last, figures, b"a state")
                    write_checkpoint(folder, COMMANDS, checkpoint)
    return settings


@pytest.fixture
def engine(settings: Settings) -> EnginePlan:
    """That engine."""
    return settings.plan.engines["engine"]


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _numbers(folder: Path) -> list[int]:
    return [COMMANDS.number_of(path) for path in COMMANDS.files(folder)]


def _flip(folder: Path, number: int) -> None:
    path = folder / COMMANDS.file_name(number)
    content = bytearray(path.read_bytes())
    content[HEADER_SIZE + 100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("keep", [Keep.PRUNE, Keep.ARCHIVE])
def test_what_no_start_needs_goes(settings: Settings, engine: EnginePlan, keep: Keep) -> None:
    """The last two good checkpoints stay, with what follows the older one; a second time there is nothing."""
    folder = engine.journal_folder
    said = prune_journal(settings, engine, keep)
    assert _numbers(folder) == [4, 5, 6]
    assert [sequence_of(path) for path in checkpoint_paths(folder)] == [8, 9]
    assert said.startswith(f"4 files of {folder} gone, ")  # three of records and a checkpoint
    packed = sorted(path.name for path in (folder / ARCHIVE).iterdir()) if keep is Keep.ARCHIVE else []
    assert packed == ([f"{COMMANDS.file_name(number)}.zst" for number in (1, 2, 3)] if keep is Keep.ARCHIVE else [])
    assert "nothing that no start needs" in prune_journal(settings, engine, keep)
    assert verify(folder)["state"] == "sound"


def test_nothing_is_done_while_the_engine_runs_or_without_a_journal(settings: Settings, engine: EnginePlan) -> None:
    """Its thread may be writing a checkpoint."""
    figures = engine_figures(settings, "engine")
    with Journal(engine.journal_folder, COMMANDS, figures, EPOCH) as journal:
        journal.recover(lambda *_: None)
        before = _content(engine.journal_folder)
        for change in (lambda: prune_journal(settings, engine, Keep.PRUNE), lambda: _repaired(settings, engine)):
            with pytest.raises(DeskError, match="its engine runs"):
                change()
        assert _content(engine.journal_folder) == before
    nowhere = Settings(run_dir=settings.run_dir / "absent")
    with pytest.raises(DeskError, match="holds no journal"):
        prune_journal(nowhere, nowhere.plan.engines["engine"], Keep.PRUNE)


def _repaired(settings: Settings, engine: EnginePlan) -> tuple[str, bool]:
    return repair_journal(settings, engine, is_sure=True)


def test_a_sound_or_torn_one_is_left_alone(settings: Settings, engine: EnginePlan) -> None:
    """A torn tail is the engine's to cut off."""
    folder = engine.journal_folder
    said, is_due = _repaired(settings, engine)
    assert (said, is_due) == (f"{folder} is sound: 12 records, 41 commands in 6 files: nothing to repair", False)
    last = folder / COMMANDS.file_name(FILES)
    last.write_bytes(last.read_bytes()[:-1])
    before = _content(folder)
    said, is_due = _repaired(settings, engine)
    assert said.endswith("the next start cuts the tail off: nothing to repair")
    assert not is_due
    assert _content(folder) == before


@pytest.mark.parametrize("number", [1, 3, 4])
def test_damage_before_a_checkpoint_is_put_aside(settings: Settings, engine: EnginePlan, number: int) -> None:
    """An engine starts all the same; nothing is removed."""
    folder = engine.journal_folder
    _flip(folder, number)
    before = _content(folder)
    found = verify(folder)
    assert (found["state"], found["begins_after"]) == ("damaged", 9)
    assert "an engine starts all the same, behind the checkpoint at record 9" in verification_text(found)
    said, is_due = repair_journal(settings, engine, is_sure=False)
    assert is_due
    assert "--yes puts 6 files aside" in said  # four of records, two checkpoints
    assert _content(folder) == before
    said, is_due = _repaired(settings, engine)
    assert not is_due
    (aside,) = folder.parent.glob("journal.damaged-*")
    assert _content(folder) | _content(aside) == before
    assert verify(folder)["state"] == "sound"
    assert _numbers(folder) == [5, 6]


def test_damage_in_the_file_of_the_checkpoint_needs_no_repair(settings: Settings, engine: EnginePlan) -> None:
    """It cannot be taken away without what a start needs."""
    folder = engine.journal_folder
    newest = checkpoint_paths(folder)[-1]
    newest.unlink()  # now the last one is behind record 8, the second of file 4
    _flip(folder, 4)
    for path in [*COMMANDS.files(folder)[:3], *checkpoint_paths(folder)[:-1]]:
        path.unlink()
    before = _content(folder)
    said, is_due = _repaired(settings, engine)
    assert "nothing to repair: the file that is damaged is the one it starts from" in said
    assert not is_due
    assert _content(folder) == before


@pytest.mark.parametrize("has_checkpoints", [False, True])
def test_damage_that_no_start_can_pass_puts_all_aside(
    settings: Settings, engine: EnginePlan, *, has_checkpoints: bool
) -> None:
    """And what that means is said before it is done."""
    folder = engine.journal_folder
    if not has_checkpoints:
        for path in checkpoint_paths(folder):
            path.unlink()
    _flip(folder, 6 if has_checkpoints else 2)
    before = _content(folder)
    assert verify(folder)["state"] == "corrupt"
    said, is_due = repair_journal(settings, engine, is_sure=False)
    assert is_due
    assert "begins with an empty book" in said
    assert _content(folder) == before
    _repaired(settings, engine)
    (aside,) = folder.parent.glob("journal.damaged-*")
    assert _content(aside) == before
    assert not folder.exists()


def test_a_pruned_one_without_a_good_checkpoint_is_not_sound(settings: Settings, engine: EnginePlan) -> None:
    """No engine starts from it: `verify` said that it was."""
    folder = engine.journal_folder
    prune_journal(settings, engine, Keep.PRUNE)
    for path in checkpoint_paths(folder):
        path.write_bytes(b"")
    found = verify(folder)
    assert found["state"] == "corrupt"
    assert [each["sequence"] for each in found["checkpoints"]] == [9, 8]
    assert all("cannot be read" in each["why"] for each in found["checkpoints"])
    assert "no checkpoint is good" in verification_text(found)


def test_doctor_gives_up_no_journal_from_which_an_engine_starts(settings: Settings, engine: EnginePlan) -> None:
    """It said that it is to be moved away, with the book."""
    _flip(engine.journal_folder, 1)
    (found,) = journal_findings(settings)
    assert (found.state, "starts behind record 9 all the same" in found.what) == ("note", True)
    assert "journal repair --yes" in found.do
    _flip(engine.journal_folder, 6)
    (found,) = journal_findings(settings)
    assert found.state == "wrong"
    assert "which loses what rests in the book" in found.do


def test_a_file_that_is_missing_before_a_checkpoint_costs_no_book(settings: Settings, engine: EnginePlan) -> None:
    """An engine starts behind it; all of the journal was put aside, with the open orders, and none started before."""
    folder = engine.journal_folder
    (folder / COMMANDS.file_name(3)).unlink()
    found = verify(folder)
    assert (found["state"], found["begins_after"]) == ("damaged", 9)
    assert "the file is missing" in verification_text(found)
    said, is_due = _repaired(settings, engine)
    assert "put 5 files aside" in said
    assert not is_due
    assert _numbers(folder) == [5, 6]
    assert verify(folder)["state"] == "sound"


@pytest.mark.parametrize("content", [b"", b"TICKJRNL", bytes(HEADER_SIZE)])
def test_a_first_file_that_is_none_keeps_no_engine_from_starting(
    settings: Settings, engine: EnginePlan, content: bytes
) -> None:
    """`verify` said that one starts all the same; none did, or with a new epoch, and every order was entered twice."""
    folder = engine.journal_folder
    (folder / COMMANDS.file_name(1)).write_bytes(content)
    assert verify(folder)["state"] == "damaged"
    for _ in range(2):
        core, journal = make_core(settings, "engine", folder, JournalMode.WRITE)
        assert core.epoch == EPOCH
        told = list[int]()
        (newest, *_) = (each for each in good_checkpoints(folder, COMMANDS) if isinstance(each, Checkpoint))
        journal.recover(lambda sequence, _, to=told: to.append(sequence), after=newest.last)  # type: ignore[misc]
        journal.close()
        assert told == [10, 11, 12]
    assert prune_journal(settings, engine, Keep.PRUNE).startswith("4 files")
    assert verify(folder)["state"] == "sound"


@pytest.mark.parametrize("size", [0, 12, 40])
def test_a_pruned_one_whose_first_file_is_short_is_told(settings: Settings, engine: EnginePlan, size: int) -> None:
    """It ended `verify`, `inspect` and `doctor` with a traceback."""
    folder = engine.journal_folder
    prune_journal(settings, engine, Keep.PRUNE)
    first = COMMANDS.files(folder)[0]
    first.write_bytes(first.read_bytes()[:size])
    assert verify(folder)["state"] == "damaged"
    with pytest.raises(DeskError, match="the header has 64 bytes"):
        journal_report(settings, engine, is_verification=False)
