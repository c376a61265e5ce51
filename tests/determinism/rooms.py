"""Which files are steps, what stands at their edge, and what a step may read all the same: each with its reason."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.determinism.impurities import imports

REPOSITORY: Final = Path(__file__).resolve().parents[2]

# Files and folders that hold steps; whatever a simulation imports is one as well.
ROOMS: Final = (
    "trading",
    "sessions",
    "engine",
    "flow",
    "reports",
    "simulation",
    "market",
    "paper/money",
    "paper/access",
    "paper/exchange",
    "paper/calls",
    "journal/format.py",
    "bus/order_link.py",
    "bus/engine_link.py",
    "bus/feed.py",
    "nodes/engine/core.py",
    "nodes/engine/feed.py",
    "nodes/engine/turns.py",
    "nodes/flow/market.py",
    "nodes/tracker/bookkeeper.py",
)
SIMULATION: Final = "simulation"

# What lies in such a room and is none of it.
APART: Final[Mapping[str, str]] = {
    "simulation/faults": "runs the nodes themselves, on disks that they leave behind when they are killed",
}

# Files that read the world for the steps, or before them; they are not searched.
EDGES: Final[Mapping[str, str]] = {
    "market/clock.py": "the clocks themselves; whoever imports one of them is found",
    "market/lock.py": "locks of files, for the folder of reports and the journal",
    "market/collecting.py": "lets the collector of cycles rest; what is computed does not change",
    "market/private_file.py": "reads keys and tokens, which are a client's; no step decides by them",
    "market/whole_file.py": "writes files, for the folder of reports and the store of sessions",
    "market/http_names.py": "names of this machine, for who may ask over HTTP",
    "market/kernels/compiling.py": "finds the machine code of kernels; what they compute does not change",
    "sessions/session_store.py": "the disk of the sessions; what it gives back goes in as the state of a step",
    "sessions/tokens.py": "the tokens are read before the gateway begins",
    "sessions/first_version.py": "brings old files to the form of today before the gateway begins",
    "flow/recordings/recording.py": "reads a recording, which is part of what a run is made of, as its seed is",
    "flow/recordings/cache.py": "keeps what a recording says, by the hash of its bytes",
    "flow/recordings/public_data.py": "reads a recording, as above",
    "flow/recordings/files.py": "writes a recording",
    "flow/recordings/inspection.py": "tells a person what is in a recording",
    "flow/recordings/kept_inspection.py": "keeps what was told",
    "reports/folder.py": "the disk of the reports; what it gives back is part of the day",
    "paper/access/accounts.py": "makes and reads keys, which are a client's; no step decides by them",
    "paper/access/account_folder.py": "reads the keys of accounts",
    "paper/calls/ledger_reader.py": "reads the ledger of an exchange that does not run",
    "paper/fault_play.py": "lets a call wait, by the clock that it is given",
    "paper/front_desk.py": "waits for the answer of the engine; a simulation takes its counts alone",
    "paper/latency.py": "lets calls wait in front of HTTP; a simulation has delays of its own",
    "venues/trading_line.py": "says what a line over sockets is; a simulation puts queues in its place",
    "venues/line_end.py": "the end of a line over sockets, as above",
    "bus/engine_client.py": "sockets to the engines; a simulation puts queues in their place",
    "desk/settings.py": "read before a run begins, and part of what it is made of",
    "desk/sections.py": "as the settings, whose tables these are",
    "desk/strategy_file.py": "reads a strategy, which is part of what a run is made of, before it begins",
    "desk/time_limit.py": "ends a strategy that is asked before a desk starts, and does not return",
    "desk/plan.py": "made of the settings before a run begins",
    "desk/run_dir.py": "the folder of a desk on real processes",
}

# What a step may read: by its file, its function, and what it reads.
EXCEPTIONS: Final[Mapping[tuple[str, str, str], str]] = {
    ("paper/money/ledger_file.py", "_opened", "os.*"): "opens the ledger, of a simulation in memory",
    ("paper/money/ledger_file.py", "_opened", "sqlite3.connect"): "opens the ledger, of a simulation in memory",
    ("market/kernels/sparse.py", "", "mmap.*"): "takes memory, of no file",
    ("bus/topology.py", "endpoint", ".resolve()"): "names a socket by the whole path of its folder",
    ("nodes/engine/command_record.py", "journal_epoch", ".open()"): "the engine's own, before it begins",
    ("simulation/whatif.py", "play", ".read_bytes()"): "gives back what the run has written",
    ("journal/format.py", "Schema.found", ".is_dir()"): "lists the files of a journal for who reads them",
    ("journal/format.py", "Schema.found", ".iterdir()"): "lists the files of a journal for who reads them",
    ("venues/binance_account.py", "", "market.clock.time_ns"): "of a venue that checks times; a simulated one does not",
    ("simulation/desk.py", "SimulatedDesk.close_books", ".read_bytes()"): "of the files that the run has written",
    ("reports/bookkeeping.py", "Recorder._write", ".write_bytes()"): "of the folder that it is given",
}


def pure_files() -> list[str]:
    """Return the files that hold steps, as paths in the repository."""
    named = [path for room in ROOMS for path in _files_of(room)]
    return [path for path in sorted({*named, *reached(_files_of(SIMULATION))}) if path not in EDGES]


def reached(start: list[str]) -> list[str]:
    """Return the files of the repository that these import, and so on; what is behind an edge is not looked at."""
    seen: dict[str, None] = {}
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen[path] = None
        if path not in EDGES:
            waiting += filter(None, map(_file_of, imports(text_of(path))))
    return list(seen)


def text_of(path: str) -> str:
    """Return what a file of the repository says."""
    return (REPOSITORY / path).read_text(encoding="utf-8")


def reason_of(path: str, where: str, what: str) -> tuple[str, str, str] | None:
    """Return the exception that allows a step to read something."""
    for name in (what, f"{what.partition('.')[0]}.*"):
        if (path, where, name) in EXCEPTIONS:
            return path, where, name
    return None


def _files_of(room: str) -> list[str]:
    there = REPOSITORY / room
    found = [there] if there.is_file() else sorted(there.rglob("*.py"))
    names = [str(path.relative_to(REPOSITORY)) for path in found]
    return [name for name in names if not name.startswith(tuple(APART))]


def _file_of(name: str) -> str | None:
    """Return the file of the repository that holds a module, or a name of it."""
    parts = name.split(".")
    candidates = (Path(*parts[:count]) for count in range(len(parts), 0, -1))
    files: Iterator[Path] = (file for each in candidates for file in (each.with_suffix(".py"), each / "__init__.py"))
    return next((str(file) for file in files if (REPOSITORY / file).is_file()), None)
