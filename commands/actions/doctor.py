"""`doctor`: is a run directory fit for its desk? Each check says what is so, and what to do where that is not right.

Nothing is changed. The desk may run meanwhile, be down, or have been killed.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from stat import S_ISREG
from time import time
from typing import Any, Final

from commands.actions.doctor_roles import role_findings
from commands.actions.doctor_stores import (
    Finding,
    history_findings,
    journal_findings,
    ledger_findings,
    note,
    ok,
    report_findings,
    session_findings,
    wrong,
)
from commands.progress import ticking
from desk.client import DESK_LOCK, DeskError, command_text, desk_pid, desk_settings, lone_nodes
from desk.desk_file import kept_settings
from desk.halted_file import HaltedFile
from desk.plan import Instance
from desk.risk_file import withdrawn
from desk.run_dir import NodeError
from desk.settings import Settings, SettingsError
from desk.venue import is_own_paper, quick_venue, venue_keys
from market.mendable import MendableError
from market.words import counted
from nodes.listener import bind
from screens.progress import elapsed_line
from venues.venue import VenueError

_LOCK_FILE: Final = Path(__file__).parents[2] / "requirements.lock"
_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+) *(;?)", re.MULTILINE)
_SECRETS: Final = ("*.env", "*.pem", "*.token", "curve.keys")
_FREE_BYTES_MIN: Final = 256 << 20  # with less a busy desk is stopped by a full disk within hours
_FREE_BYTES_FEW: Final = 2 << 30
_FREE_FILES_MIN: Final = 1_000
_FUTURE_S: Final = 2.0  # by which the kernel's coarse time of a file may be ahead, with much to spare
_NAMED_MAX: Final = 5  # of many files or packages
_MARKS: Final = {"ok": "ok", "note": "note", "wrong": "WRONG"}


def desk_health(run_dir: Path) -> tuple[dict[str, Any], str]:
    """Return what was found of the run directory, as a document and as text; `is_sound` unless something is wrong."""
    found: list[Finding] = []
    with ticking(lambda took_ns: elapsed_line(f"{counted(len(found), 'finding')}, checks on", took_ns)):
        found.extend(_findings(run_dir))
    is_sound = all(each.state != "wrong" for each in found)
    rows = [{**each._asdict(), "do": each.do or None} for each in found]
    document = {"run_dir": str(run_dir.absolute()), "is_sound": is_sound, "findings": rows}
    return document, "\n".join([*map(_line, found), "", _verdict(found)])


def _line(finding: Finding) -> str:
    line = f"{_MARKS[finding.state]:<6} {finding.check:<10} {finding.what}"
    return f"{line}\n{'':<18}do: {finding.do}" if finding.do else line


def _verdict(found: list[Finding]) -> str:
    count = sum(each.state == "wrong" for each in found)
    return f"{counted(count, 'thing is', 'things are')} wrong" if count else "nothing is wrong"


def _findings(run_dir: Path) -> Iterator[Finding]:
    yield from _version_findings()
    yield from _directory_findings(run_dir)
    try:
        settings = desk_settings(run_dir)
        left = None if (kept := kept_settings(run_dir)) is None else kept.left
    except SettingsError as error:
        lines = str(error).splitlines()
        yield wrong("settings", lines[0], "mend what it names; `config show` says where each setting is from")
        yield from (wrong("settings", line) for line in lines[1:])
        return
    except DeskError as error:  # it is just starting
        yield note("settings", str(error), "ask again in some seconds")
        return
    yield ok("settings", f"{settings.venue.name}, {settings.symbol}")
    yield from _process_findings(run_dir, left)
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _space_findings,
        _clock_findings,
        _port_findings,
        _key_findings,
        role_findings,
        journal_findings,
        session_findings,
        ledger_findings,
        history_findings,
        report_findings,
        _halt_findings,
    )
    for check in checks:
        yield from check(settings)


def _version_findings() -> Iterator[Finding]:
    try:
        text = _LOCK_FILE.read_text()
    except OSError:
        return  # installed without its lock file
    pinned: defaultdict[str, set[str]] = defaultdict(set)
    needed: set[str] = set()
    for name, version, marker in _PINNED.findall(text):
        pinned[name].add(version)
        if not marker:  # else it is for some systems and Pythons alone
            needed.add(name)
    found = {name: _installed(name) for name in pinned}
    others = [f"{name} {version}" for name, version in found.items() if version and version not in pinned[name]]
    others += [f"no {name}" for name in sorted(needed) if found[name] is None]
    if others:
        yield wrong("versions", f"other than in requirements.lock: {_few(others)}", "make setup")
    else:
        yield ok("versions", f"{counted(len(pinned), 'package')} as in requirements.lock")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _directory_findings(run_dir: Path) -> Iterator[Finding]:
    try:
        found = run_dir.stat()
    except FileNotFoundError:
        yield note("directory", f"there is no {run_dir}: no desk has run in it")
        return
    except OSError as error:
        yield wrong("directory", f"{run_dir}: {error.strerror}", "take another: --run-dir")
        return
    if found.st_uid != os.geteuid():
        yield wrong("directory", f"{run_dir} belongs to another user (uid {found.st_uid})", "chown it, or take another")
        return
    if found.st_mode & 0o022:
        yield wrong("directory", f"others may write to {run_dir}", f"chmod 700 {run_dir}")
    elif found.st_mode & 0o077:
        yield note("directory", f"others may read {run_dir}; the next start closes it to them")
    files = [path for path in sorted(run_dir.rglob("*")) if not path.is_symlink()]
    foreign = [str(path) for path in files if _owner(path) not in (None, os.geteuid())]
    if foreign:
        yield wrong("directory", f"of another user: {_few(foreign)}", f"chown -R {os.geteuid()} {run_dir}")
    secrets = [path for pattern in _SECRETS for path in run_dir.rglob(pattern) if S_ISREG(_mode(path))]
    if seen := [str(path) for path in sorted(secrets) if _mode(path) & 0o077]:
        yield wrong("directory", f"secrets that others may read: {_few(seen)}", f"chmod 600 {' '.join(seen)}")
    if not (found.st_mode & 0o022 or foreign or seen):
        yield ok("directory", f"{run_dir}, {counted(len(files), 'file')}, mode {found.st_mode & 0o777:04o}")


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except OSError:
        return None  # gone meanwhile


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _process_findings(run_dir: Path, left: list[str] | None) -> Iterator[Finding]:
    pid, alone = desk_pid(run_dir), lone_nodes(run_dir)
    if pid is not None:
        yield ok("processes", f"the desk runs, pid {pid}")
    elif alone:
        yield note(
            "processes",
            f"{', '.join(alone)} without a supervisor",
            "nothing, if they were started with `node`; else end them before the next start",
        )
    elif (run_dir / DESK_LOCK).exists():
        yield note("processes", "the desk was killed; its next start goes on from what it has kept")
    else:
        yield ok("processes", "no desk runs")
    if pid is None:
        do = command_text("halt", run_dir)
        yield from (wrong("processes", f"the last desk said: {line}", do) for line in left or ())


def _space_findings(settings: Settings) -> Iterator[Finding]:
    seen: set[int] = set()
    for folder in (settings.run_dir, settings.reports_dir):
        place = folder.absolute()
        while not place.exists():
            place = place.parent
        if (device := place.stat().st_dev) in seen:
            continue
        seen.add(device)
        disk = os.statvfs(place)
        free, files = disk.f_bavail * disk.f_frsize, disk.f_favail
        text = f"{free / 1e9:,.1f} GB free for {folder}"
        if disk.f_flag & os.ST_RDONLY:
            yield wrong("space", f"the disk of {folder} is mounted read-only", "mount it for writing, or use --run-dir")
        elif free < _FREE_BYTES_MIN:
            yield wrong("space", text, "make room: an engine whose disk is full stops")
        elif disk.f_files and files < _FREE_FILES_MIN:
            yield wrong("space", f"room for {counted(files, 'more file')} alone on the disk of {folder}", "make room")
        elif free < _FREE_BYTES_FEW:
            yield note("space", text, "make room soon: an engine whose disk is full stops")
        else:
            yield ok("space", text)


def _clock_findings(settings: Settings) -> Iterator[Finding]:
    now = time()
    newest = max((_changed(path) for path in settings.run_dir.rglob("*")), default=0.0)
    if newest > now + _FUTURE_S:
        what = f"the clock is {newest - now:,.0f} s behind the newest file: it was set back, or had been wrong"
        yield note("clock", what, "compare it with another one (`timedatectl`); the desk goes on by either")
        return
    if is_own_paper(settings):
        yield ok("clock", "no file is from the future; the paper exchange has this machine's clock")
        return
    try:
        quick_venue(settings).look_at_the_clock()
    except MendableError as error:
        yield note("clock", f"{settings.venue.name} was not asked for its time: {error}")
    except VenueError as error:
        yield note("clock", f"{settings.venue.name} does not say its time: {error}", "look after the network")
    else:
        yield ok("clock", f"no file is from the future; {settings.venue.name} is in reach")


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _port_findings(settings: Settings) -> Iterator[Finding]:
    alone = lone_nodes(settings.run_dir)
    if desk_pid(settings.run_dir) is not None:
        yield ok("ports", "the desk has them: `status` names them")
        return
    free: list[str] = []
    for node in settings.plan.chosen():
        place = _place(settings, node)
        if place is None or place[1] == 0 or node.name in alone:
            continue
        try:
            bind(*place).close()
        except NodeError as error:
            do = f"stop who has it (`ss -ltnp`), or start with another: up --{node.kind.name}-port"
            yield wrong("ports", f"{node.name} {error}", do)
        else:
            free.append(str(place[1]))
    if free:
        yield ok("ports", f"free: {', '.join(free)}")


def _place(settings: Settings, node: Instance) -> tuple[str, int] | None:
    if node.name in settings.plan.gateways:
        own = settings.plan.gateways[node.name].settings
        return own.host, own.port
    if node.kind.is_http:
        http = settings.api if node.name == "api" else settings.paper
        return http.host, http.port
    return None


def _key_findings(settings: Settings) -> Iterator[Finding]:
    if is_own_paper(settings) and not settings.keys_file.exists():
        yield ok("keys", "the paper exchange makes its own at its first start")
        return
    try:
        venue_keys(settings)
    except MendableError as error:
        yield wrong("keys", str(error).splitlines()[0], "docs/operating.md says where keys stand")
    else:
        yield ok("keys", f"there are some for {settings.venue.name}")


def _halt_findings(settings: Settings) -> Iterator[Finding]:
    do = command_text("resume", settings.run_dir)
    known = [each.symbol for each in settings.instruments]
    if halted := HaltedFile(settings.run_dir, known).read():
        names = "every symbol" if halted >= set(known) else ", ".join(sorted(halted))
        yield note("halts", f"halted by a person: {names}", do)
    if (found := withdrawn(settings.run_dir)) is not None:
        yield note("halts", f"the maker has withdrawn: {found.text}", do)
    if not halted and found is None:
        yield ok("halts", "nothing is halted")


def _few(names: list[str]) -> str:
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more:,} more" if more > 0 else "")
