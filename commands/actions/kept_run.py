"""What `simulate --out` leaves of a run beside its daily files, so that it can be traded again.

`run.json` says how it ran: `version`, `start_ns` (text), `seconds`, `delays`, and all `settings` as text. `journal/` is
what was sent to its engine, as an engine's journal has it: docs/journal.md.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final, NamedTuple

from desk.client import DeskError
from desk.settings import Settings, load_kept_settings, setting_texts
from engine.capacity import Capacity
from journal.format import JournalMode
from journal.journal import Journal
from journal.reader import JournalReader
from market.clock import NS_PER_SECOND
from market.commands import Command
from market.exact_json import dumps, loads
from market.whole_file import write_whole
from nodes.engine.command_record import COMMANDS, CommandRecord, figures_of
from simulation.delays import Delays
from simulation.journaled import Records
from simulation.market import Keep

VERSION: Final = 1

_FILE: Final = "run.json"
_JOURNAL: Final = "journal"


class KeptRun(NamedTuple):
    """How a desk was simulated, and where its daily files and its journal are."""

    folder: Path
    settings: Settings
    start_ns: int
    seconds: int
    delays: Delays

    @property
    def end_ns(self) -> int:
        """When it ended."""
        return self.start_ns + self.seconds * NS_PER_SECOND

    def records(self) -> Iterator[CommandRecord]:
        """Yield what was sent to its engine, oldest first.

        Raises:
            JournalError, OSError: if it cannot be read.
        """
        return (record for _, record in JournalReader(self.folder / _JOURNAL, COMMANDS).records())


@contextmanager
def journal_of(folder: Path, settings: Settings, start_ns: int) -> Iterator[Keep]:
    """Give who takes what is sent to an engine, and keep it.

    Raises:
        JournalError: if the disk does not take it.
    """
    capacity = Capacity(len(settings.instruments))
    figures = figures_of(capacity, settings.instruments)
    with Journal(folder / _JOURNAL, COMMANDS, figures, start_ns, JournalMode.WRITE) as journal:
        journal.recover(lambda _, __: None)
        records = Records()

        def keep(source: int, time_ns: int, commands: Sequence[Command]) -> None:
            journal.append(list(records.of(source, time_ns, commands)), time_ns)

        yield keep


def write_run(run: KeptRun) -> None:
    """Write how a desk was simulated into its folder.

    Raises:
        OSError: if the disk does not take it.
    """
    document = {
        "version": VERSION,
        "start_ns": str(run.start_ns),
        "seconds": run.seconds,
        "delays": asdict(run.delays) | {"venue_lags_ns": list(run.delays.venue_lags_ns)},
        "settings": setting_texts(run.settings),
    }
    write_whole(run.folder / _FILE, f"{dumps(document)}\n".encode())


def read_run(folder: Path) -> KeptRun:
    """Return the run that a folder holds.

    Raises:
        DeskError: if it holds none that can be traded again.
        SettingsError: if its settings mean nothing any more.
    """
    path = folder / _FILE
    try:
        found = loads(path.read_bytes())
        if found["version"] != VERSION:
            raise DeskError(f"{path}: expected version {VERSION}, was {found['version']}")
        delays = Delays(**found["delays"])
        start_ns, seconds, texts = int(found["start_ns"]), int(found["seconds"]), dict(found["settings"])
    except FileNotFoundError:
        raise DeskError(f"{folder} holds no run: expected what simulate --out leaves") from None
    except OSError as error:
        raise DeskError(f"cannot read {path}: {error.strerror or error}") from None
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DeskError(f"{path} is damaged: {error!r}") from None
    if not (folder / _JOURNAL).is_dir():
        raise DeskError(f"{folder} has no journal: a recording is traded on again by backtest")
    return KeptRun(folder, load_kept_settings(texts, str(path), {}), start_ns, seconds, delays)
