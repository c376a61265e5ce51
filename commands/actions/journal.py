"""What the command line does with an engine's journal: look at it, verify it, and replay it against the live engine."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgpack

from bus.channel import ChannelSocket
from bus.topology import SNAPSHOTS
from commands.actions.ruling import others_of, ruling_settings
from commands.options import Answer
from commands.progress import Progress
from desk.client import DeskError, asked
from desk.plan import EnginePlan
from desk.run_dir import NodeError
from desk.settings import Settings
from desk.wiring import desk_wiring
from journal.checkpoint import Checkpoint, good_checkpoints
from journal.format import JournalError, JournalMode
from journal.reader import JournalReader, Place
from market.words import counted
from nodes.engine.command_record import COMMANDS, CommandRecord
from nodes.engine.core import EngineCore
from nodes.engine.inspection import inspect, inspection_text, told, verification_text, verify
from nodes.engine.making import engine_figures, make_core
from nodes.engine.turns import STATE_TOPIC
from screens.progress import size_line


def asked_engines(settings: Settings, name: str | None) -> tuple[EnginePlan, ...]:
    """Return the engine with this name, without one all engines of the desk.

    Raises:
        DeskError: if there is none.
    """
    engines = settings.plan.engines
    if name not in (None, *engines):
        raise DeskError(f"there is no engine {name}; the engines are {', '.join(engines)}")
    return tuple(engine for engine in engines.values() if name in (None, engine.name))


def journal_report(settings: Settings, engine: EnginePlan, *, is_verification: bool) -> tuple[dict[str, Any], str]:
    """Return what the journal of an engine holds, or whether it is sound, as a document and as text.

    Raises:
        DeskError: if it cannot be read, or it is corrupt and was only to be inspected.
    """
    folder = engine.journal_folder
    try:
        with reading_told(folder) as tell:
            if is_verification:
                document = verify(folder, engine_figures(settings, engine.name), tell)
                return document, verification_text(document)
            document = inspect(folder, tell)
            return document, inspection_text(document)
    except (JournalError, OSError) as error:
        raise DeskError(str(error)) from None


@contextmanager
def reading_told(folder: Path) -> Iterator[Callable[[Place], None]]:
    """Let a terminal be told how far the reading of a journal is, by the place that it has come to.

    Raises:
        OSError: if a file cannot be looked at.
    """
    sizes = {COMMANDS.number_of(path): path.stat().st_size for path in COMMANDS.found(folder)}
    total = sum(sizes.values())
    with Progress() as progress:

        def tell(place: Place) -> None:
            done = place.offset + sum(size for number, size in sizes.items() if number < place.number)
            progress.tell(partial(size_line, done, total))

        yield tell


def replay_journal(settings: Settings, engine: EnginePlan, *, is_verified: bool) -> Answer:
    """Replay an engine's journal into one of our own; return what came out, compared with the live one if asked.

    The live one may be the standby that was promoted in this one's place: then it is its journal, too.

    Raises:
        DeskError: if the journal is not sound, no engine is live here, or the two states differ.
    """
    asked_for, sequence, expected = settings, None, None
    if is_verified:
        settings = _ruling(settings, engine.name)
        engine = settings.plan.engines[engine.name]
        sequence, expected = _live_state(settings, engine.name)
    try:
        nowhere = settings.run_dir / "journal.none"  # for an engine that keeps none
        core, journal = make_core(settings, engine.name, nowhere, JournalMode.NONE)
        core.recover(lambda _: None)
        started = time.monotonic()
        figures = engine_figures(settings, engine.name)
        reader = JournalReader(engine.journal_folder, COMMANDS, figures)
        begun = _begun(core, reader, engine.journal_folder)
        first = last = begun.sequence if begun else 0
        told_before = core.command_count
        with reading_told(engine.journal_folder) as tell:
            for last, record in told(reader, begun, tell):
                core.replay([record])
                if last == sequence:
                    break
        elapsed_s = time.monotonic() - started
        journal.close()
    except (JournalError, OSError) as error:
        raise DeskError(str(error)) from None
    found = core.engine.state_hash()
    command_count = core.command_count - told_before
    speed = command_count / max(elapsed_s, 1e-9)
    line = (
        f"{counted(command_count, 'command')} in {counted(last - first, 'record')} replayed in {elapsed_s:.2f} s "
        f"({speed:,.0f} a second): {counted(core.engine.live_order_count, 'open order')}, state {found:016x}"
    )
    document = {
        "run_dir": str(settings.run_dir),
        "records": last - first,
        "last_record": last,
        "commands": command_count,
        "seconds": Decimal(f"{elapsed_s:.3f}"),
        "open_orders": core.engine.live_order_count,
        "state": f"{found:016x}",
        "is_same_as_live": True if is_verified else None,
    }
    if not is_verified:
        return document, line
    line = f"{line}, in {settings.run_dir}" if settings is not asked_for else line
    if last != sequence or found != expected:
        raise DeskError(f"{line}; the live engine is at record {sequence:,} with state {expected:016x}")
    return document, f"{line}; the live engine says the same"


def _begun(core: EngineCore, reader: JournalReader[CommandRecord], folder: Path) -> Place | None:
    """Bring a core to where a journal whose first files are pruned can be replayed from, and return that place."""
    if not (first := reader.beginning().sequence):
        return None
    checkpoints = good_checkpoints(folder, COMMANDS)
    good = [found for found in checkpoints if isinstance(found, Checkpoint) and found.last.place.sequence >= first]
    if not good:
        raise JournalError(f"{folder} has neither its first file nor a good checkpoint")
    core.restore(good[-1])
    return good[-1].last.place


def _ruling(settings: Settings, engine: str) -> Settings:
    try:
        return ruling_settings(settings, engine)
    except NodeError as error:
        raise DeskError(str(error)) from None


def _live_state(settings: Settings, engine: str) -> tuple[int, int]:
    """Return the sequence of the live engine's last record, and its state hash at that moment."""
    nobody, silent = (f"no engine is live in {settings.run_dir}", f"the engine in {settings.run_dir} does not answer")
    if far := [each.text for each in others_of(settings, engine) if each.run_dir is None]:
        nobody = f"{nobody}; if that at {far[0]} has its place, ask on its machine"
    frames = asked(ChannelSocket(SNAPSHOTS, desk_wiring(settings), engine), [STATE_TOPIC], nobody, silent)
    sequence, state_hash = msgpack.unpackb(frames[1])
    return sequence, state_hash
