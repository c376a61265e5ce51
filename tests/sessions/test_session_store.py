"""What a gateway finds when it comes back."""

import json
import os
from pathlib import Path

import pytest

from journal.format import JournalError, JournalMode
from market.clock import NS_PER_SECOND
from sessions.report_record import ReportRecord
from sessions.session_store import IN_CHECKPOINT, NAMES_FILE, Position, SessionStore, StoredSession, verify_store
from sessions.tokens import TokensError, is_token_right, load_tokens
from tests.reliability import FaultRow

ENGINE = "engine"
ONE = StoredSession("one", 0, 0, 0, False)
TWO = StoredSession("two", 3, 40, 2, True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a gateway keeps its sessions; not made yet."""
    return tmp_path / "gateway"


def recovered(folder: Path) -> tuple[list[tuple[int, ReportRecord]], Position]:
    """Return all that a new life is given, and where its link goes on."""
    found: list[tuple[int, ReportRecord]] = []
    store = SessionStore(folder)
    store.recover(lambda sequence, record: found.append((sequence, record)))
    store.close()
    return found, store.positions.get(ENGINE, Position(0, 0))


def keep(store: SessionStore, epoch: int, first: int, count: int, skip: int, payload: bytes, of: str = ENGINE) -> None:
    """Keep a frame of an engine's reports."""
    store.keep(ReportRecord(of.encode(), epoch, first, count, skip, payload))


def save(store: SessionStore, sessions: list[StoredSession], position: Position, of: str = ENGINE) -> None:
    """Write who has a session, and where the link to an engine goes on."""
    store.positions[of] = position
    store.save(sessions)


def test_writes_nothing_while_nobody_has_a_name(folder: Path) -> None:
    """An anonymous session ends with its connection: there is nothing to come back to."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    assert store.positions == {}
    keep(store, 7, 1, 2, 0, b"ab")
    save(store, [], Position(7, 2))
    store.close()
    assert not folder.exists()


def test_gives_every_frame_back_in_order(folder: Path) -> None:
    """With its epoch, its numbers, and what was said by the gateway itself, from the first name on."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    keep(store, 7, 11, 2, 0, b"ab")
    assert store.sequence == 1
    keep(store, 7, 12, 3, 1, b"bcd")
    save(store, [ONE, TWO], Position(7, 14))
    keep(store, 9, 0, 1, 0, b"x")
    assert store.sequence == 3
    store.close()
    found, position = recovered(folder)
    assert found == [
        (1, ReportRecord(b"engine", 7, 11, 2, 0, b"ab")),
        (2, ReportRecord(b"engine", 7, 12, 3, 1, b"bcd")),
        (3, ReportRecord(b"engine", 9, 0, 1, 0, b"x")),
    ]
    assert position == Position(7, 14)
    again = SessionStore(folder)
    assert again.load() == [ONE, TWO]
    assert again.positions == {ENGINE: Position(7, 14)}


def test_goes_on_where_the_names_were_written_if_nothing_came_since(folder: Path) -> None:
    """Else the engine would be told that we remember nothing, and drop what it has for us."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    store.close()
    assert recovered(folder) == ([], Position(7, 10))


STEPS_NS = [sign * seconds * NS_PER_SECOND for seconds in (1, 3_600) for sign in (-1, 1)]


@pytest.mark.parametrize("step_ns", STEPS_NS)
@pytest.mark.parametrize("has_record", [True, False])
def test_the_epoch_that_was_begun_last_wins_however_the_clock_was_set(
    folder: Path, step_ns: int, *, has_record: bool
) -> None:
    """An epoch is the time of a start, and clocks are set back; it is the order of writing that counts."""
    first, second = 10**18, 10**18 + step_ns
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(first, 10))
    keep(store, first, 11, 2, 0, b"ab")
    save(store, [ONE], Position(second, 5))  # the engine came back empty
    if has_record:
        keep(store, second, 6, 3, 0, b"abc")
    store.close()  # or killed: all is written
    assert recovered(folder)[1] == Position(second, 8 if has_record else 5)


@pytest.mark.parametrize("step_ns", STEPS_NS)
def test_each_engine_goes_on_where_it_was_however_the_clock_was_set(folder: Path, step_ns: int) -> None:
    """A record of an epoch that is over belongs to no engine of now, and moves none of them."""
    first, second, other = 10**18, 10**18 + step_ns, 10**18 + 7
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    store.positions["engine2"] = Position(first, 0)
    save(store, [ONE], Position(other, 10))
    keep(store, first, 1, 2, 0, b"ab", of="engine2")
    keep(store, other, 11, 1, 0, b"a")
    save(store, [ONE], Position(second, 0), of="engine2")
    keep(store, second, 1, 4, 0, b"abcd", of="engine2")
    keep(store, other, 12, 1, 0, b"a")
    store.close()
    fresh = SessionStore(folder)
    fresh.recover(lambda *_: None)
    assert fresh.positions == {ENGINE: Position(other, 12), "engine2": Position(second, 4)}
    fresh.close()


def test_reports_that_come_again_in_front_of_new_ones_move_nothing_back(folder: Path) -> None:
    """A frame may repeat what was had."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    keep(store, 7, 11, 2, 0, b"ab")
    save(store, [ONE], Position(7, 12))
    keep(store, 7, 12, 3, 1, b"bcd")
    store.close()
    assert recovered(folder)[1] == Position(7, 14)


def test_what_is_kept_after_a_power_failure_counts(folder: Path) -> None:
    """The names were synced, and the records before them were not: new ones take the numbers of those that are gone."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    for number in range(11, 15):
        keep(store, 7, number, 1, 0, b"a")
    save(store, [ONE], Position(7, 14))
    store.close()
    (journal,) = (folder / "reports-0").iterdir()
    os.truncate(journal, 64)
    again = SessionStore(folder)
    again.recover(lambda *_: None)
    assert again.positions == {ENGINE: Position(7, 14)}
    keep(again, 7, 15, 1, 0, b"a")
    again.close()
    assert recovered(folder)[1] == Position(7, 15)


def test_puts_aside_what_nobody_comes_back_to(folder: Path) -> None:
    """All names were given up: the next life begins anew, and the last but one is gone."""
    for life in range(3):
        store = SessionStore(folder)
        store.recover(lambda *_: None)
        assert store.positions == {}
        assert not folder.exists()
        assert folder.with_name("gateway.before").exists() == (life > 0)
        save(store, [ONE], Position(7, life))
        keep(store, 7, life + 1, 1, 0, b"a")
        save(store, [], Position(7, life + 1))
        store.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 3}',
        '{"version": 1, "position": [0, 0], "sessions": []}',
        '{"version": 2, "positions": {}, "after": 0, "sessions": []}',
        '{"version": 2, "generation": 0, "positions": {}, "after": 0, "sessions": [{}]}',
    ],
)
def test_refuses_names_that_it_cannot_read(folder: Path, text: str) -> None:
    """To go on without them would give a client's orders to nobody."""
    folder.mkdir()
    (folder / NAMES_FILE).write_text(text)
    with pytest.raises(JournalError, match=NAMES_FILE):
        SessionStore(folder).load()


def test_begins_anew_from_a_checkpoint_and_keeps_nothing_from_before(folder: Path) -> None:
    """What is on disk stays bounded; the next life is given the checkpoint and what came after it."""
    store = SessionStore(folder, bytes_max=3)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    for generation, (first, payload) in enumerate(((11, b"ab"), (13, b"cd")), 1):
        keep(store, 7, first, 2, 0, payload)
        assert not store.is_full
        keep(store, 7, first + 2, 2, 0, payload)
        assert store.is_full
        store.begin_anew(payload, [ONE._replace(since=IN_CHECKPOINT)])
        assert not store.is_full
        assert {path.name for path in folder.iterdir()} == {
            NAMES_FILE,
            f"reports-{generation}",
            f"checkpoint-{generation}.msgpack",
        }
    keep(store, 7, 17, 1, 0, b"e")
    store.close()
    fresh = SessionStore(folder)
    assert fresh.load() == [ONE._replace(since=IN_CHECKPOINT)]
    assert fresh.positions == {ENGINE: Position(7, 16)}
    assert fresh.checkpoint() == b"cd"
    assert recovered(folder) == ([(1, ReportRecord(b"engine", 7, 17, 1, 0, b"e"))], Position(7, 17))


def test_a_checkpoint_that_was_not_finished_does_not_count(folder: Path) -> None:
    """Killed before the names point to it: the journal before it is whole, and the half of the next one is removed."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    keep(store, 7, 11, 2, 0, b"ab")
    store.close()
    (folder / "checkpoint-1.msgpack").write_bytes(b"whole")
    (folder / "checkpoint-1.draft").write_bytes(b"half")
    (folder / "reports-1").mkdir()
    (folder / "reports-1" / "anything").touch()
    assert recovered(folder) == ([(1, ReportRecord(b"engine", 7, 11, 2, 0, b"ab"))], Position(7, 12))
    assert {path.name for path in folder.iterdir()} == {NAMES_FILE, "reports-0"}


def test_names_that_cannot_be_written_leave_what_they_point_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of a checkpoint: the journal before it is still what counts, and is still there."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    keep(store, 7, 11, 2, 0, b"ab")

    def full(*_: object) -> None:
        raise JournalError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(store, "save", full)
        with pytest.raises(JournalError, match="no space"):
            store.begin_anew(b"c", [ONE])
    store.close()
    assert recovered(folder) == ([(1, ReportRecord(b"engine", 7, 11, 2, 0, b"ab"))], Position(7, 12))


def test_what_was_kept_before_a_restart_counts_for_the_next_checkpoint(folder: Path) -> None:
    """Else a gateway that is restarted often would never begin anew, and its journal have no end."""
    store = SessionStore(folder, bytes_max=3)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    keep(store, 7, 11, 2, 0, b"ab")
    store.close()
    again = SessionStore(folder, bytes_max=3)
    again.recover(lambda *_: None)
    assert not again.is_full
    keep(again, 7, 13, 2, 0, b"cd")
    assert again.is_full
    again.close()


def test_a_missing_checkpoint_is_an_error(folder: Path) -> None:
    """Somebody removed it: without it the reports after it are nothing."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    store.begin_anew(b"c", [ONE])
    store.close()
    (folder / "checkpoint-1.msgpack").unlink()
    fresh = SessionStore(folder)
    fresh.load()
    with pytest.raises(JournalError, match="checkpoint-1"):
        fresh.checkpoint()


def test_names_are_written_whole(folder: Path) -> None:
    """A draft that was left behind is not taken for them."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    store.close()
    (folder / "sessions.draft").write_text("half")
    assert json.loads((folder / NAMES_FILE).read_text())["sessions"] == [ONE._asdict()]
    assert recovered(folder)[1] == Position(7, 10)


def test_tokens_are_read_from_a_file_of_mode_0600(tmp_path: Path) -> None:
    """Comments and empty lines are left out; a token may have an equals sign."""
    path = tmp_path / "tokens"
    path.write_text("# who may\n\nalice=wonder\nbob = x=y\n".replace(" = ", "="))
    path.chmod(0o600)
    tokens = load_tokens(path)
    assert tokens == {"alice": "wonder", "bob": "x=y"}
    assert is_token_right(tokens, "alice", "wonder")
    for client_id, token in (("alice", "x=y"), ("alice", ""), ("carol", "wonder"), ("carol", "unknown"), ("", "")):
        assert not is_token_right(tokens, client_id, token)
    assert is_token_right(None, "carol", "")


@pytest.mark.parametrize("text", ["alice\n", "alice=\n", "=wonder\n", "alice=a\nalice=b\n"])
def test_a_bad_line_is_named_and_not_repeated(tmp_path: Path, text: str) -> None:
    """A token must not get into a log."""
    path = tmp_path / "tokens"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TokensError, match="line") as caught:
        load_tokens(path)
    assert "wonder" not in str(caught.value)


def test_tokens_that_others_can_read_are_refused(tmp_path: Path) -> None:
    """They would be no secret."""
    path = tmp_path / "tokens"
    path.write_text("alice=wonder\n")
    path.chmod(0o640)
    with pytest.raises(TokensError, match="0640"):
        load_tokens(path)
    with pytest.raises(TokensError, match="cannot be read"):
        load_tokens(tmp_path / "none")


def test_no_name_is_written_before_the_reports_that_it_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power failure reports were gone that the names told to be kept: the engine never sent them again."""
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    keep(store, 7, 11, 2, 0, b"ab")
    calls: list[str] = []
    fdatasync = os.fdatasync

    def sync(file: int) -> None:
        calls.append("reports")
        fdatasync(file)

    def write(path: Path, data: bytes) -> None:
        calls.append(path.name)
        path.write_bytes(data)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr("sessions.session_store.write_whole", write)
    save(store, [ONE, TWO], Position(7, 12))
    assert calls == ["reports", NAMES_FILE]
    store.close()


@pytest.mark.parametrize("mode", [JournalMode.WRITE, JournalMode.SYNC])
def test_reports_wait_for_the_disk_where_the_engine_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mode: JournalMode
) -> None:
    """Else a power failure takes what a client was told, though the engine's disk has the order."""
    store = SessionStore(folder, mode=mode)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    synced: list[int] = []
    fdatasync = os.fdatasync

    def sync(file: int) -> None:
        synced.append(store.sequence)
        fdatasync(file)

    monkeypatch.setattr(os, "fdatasync", sync)
    keep(store, 7, 11, 2, 0, b"ab")
    assert synced == ([1] if mode is JournalMode.SYNC else [])
    store.begin_anew(b"c", [ONE])
    synced.clear()
    keep(store, 7, 13, 1, 0, b"d")
    assert synced == ([1] if mode is JournalMode.SYNC else [])
    store.close()


def _with_checkpoint(folder: Path) -> None:
    store = SessionStore(folder)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 10))
    store.begin_anew(b"\x93 all that is kept", [ONE._replace(since=IN_CHECKPOINT)])
    keep(store, 7, 11, 1, 0, b"a")
    store.close()


@pytest.mark.parametrize("name", [NAMES_FILE, "checkpoint-1.msgpack"])
def test_no_flipped_bit_and_no_lost_end_is_taken_for_sessions(folder: Path, name: str, fault_row: FaultRow) -> None:
    """A digit of an id, or of a price in a report, was another one then; an empty checkpoint was none, and all gone."""
    _with_checkpoint(folder)
    path = folder / name
    content = path.read_bytes()
    damages = [content[:size] for size in range(len(content))]
    for place, byte in enumerate(content):
        damages += [content[:place] + bytes([byte ^ 1 << bit]) + content[place + 1 :] for bit in range(8)]

    def read() -> tuple[list[StoredSession], dict[str, Position], bytes]:
        store = SessionStore(folder)
        return store.load(), store.positions, store.checkpoint()

    expected = read()
    for damage in damages:
        path.write_bytes(damage)
        try:
            found = read()
        except JournalError:
            with pytest.raises(JournalError, match=name):
                verify_store(folder)
        else:
            assert found == expected, damage
    path.write_bytes(content)
    assert verify_store(folder) == (1, 1)
    cause = "names and checkpoint cut at every byte, every bit flipped: refused by name, or the same"
    fault_row("sessions torn or damaged", cause, len(damages))


def test_names_and_checkpoint_of_the_version_before_are_read(folder: Path) -> None:
    """They have no checksum; what is written then has one."""
    _with_checkpoint(folder)
    path = folder / NAMES_FILE
    document = json.loads(path.read_text())
    del document["checksum"]
    path.write_text(json.dumps({**document, "version": 2}))
    checkpoint = b"\x93 as it was"
    (folder / "checkpoint-1.msgpack").write_bytes(checkpoint)
    store = SessionStore(folder)
    assert store.load() == [ONE._replace(since=IN_CHECKPOINT)]
    assert store.checkpoint() == checkpoint
    assert verify_store(folder) == (1, 1)
    store.recover(lambda *_: None)
    save(store, [ONE], Position(7, 11))
    store.close()
    assert json.loads(path.read_text())["version"] == 3
    assert "checksum" in json.loads(path.read_text())
