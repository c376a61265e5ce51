"""How the command line asks a running desk: who it is, how it is, and to stop."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgpack

from bus.channel import ChannelSocket
from bus.topology import CONTROL, SUPERVISOR
from desk.desk_file import DESK_FILE, kept_settings
from desk.run_dir import WATCHDOG, holder_pid
from desk.settings import Settings, SettingsError, load_kept_settings, load_settings, named_run_dir
from desk.settings_errors import meant_text
from market.instrument import venue_spelling
from market.mendable import MendableError
from market.words import state_text

DESK_LOCK = "desk.lock"
ANSWER_MS_MAX = 2_000
MAKER_S_MAX = 8.0  # for its word on what it was told: an order whose fate is unknown may still arrive for 5 s
SILENCES = 3  # answers that a supervisor owes, in a row, after which it is not asked again: one may be late
LOOK_S = 0.05
STOP_MARGIN_S = 5.0  # beyond what the desk gives its nodes
SILENT_STOP_S = 60.0


class DeskError(MendableError):
    """The desk does not do what it was asked for, or does not answer; the text is one line for a person."""


class UsageError(DeskError):
    """The command line says what no desk could do: a value that is not of its kind, or options beside each other."""

    exit_code: ClassVar[int] = 2


class NoDeskError(DeskError):
    """No desk runs in the run directory; a command that needs one ends with an exit code of its own."""

    exit_code: ClassVar[int] = 3

    def __init__(self, run_dir: Path, more: str = "") -> None:
        where = run_dir if run_dir.is_absolute() else f"{run_dir} ({run_dir.absolute()})"
        super().__init__(f"no desk runs in {where}; start it with: {command_text('up', run_dir)}{more}")


class SilentDeskError(DeskError):
    """The supervisor of a desk is there and does not answer: it hangs, or is held back, and its nodes may go on."""

    def __init__(self, run_dir: Path, pid: int) -> None:
        self.pid = pid
        go_on = "its nodes may go on without it, and the maker's orders be open"
        halt, down = command_text("halt", run_dir), command_text("down", run_dir)
        super().__init__(f"the desk (pid {pid}) does not answer: {go_on}; {halt} takes them away, {down} stops all")


def command_text(words: str, run_dir: Path) -> str:
    """Return a command to advise, which is of the same desk."""
    named = "" if run_dir == Settings.model_fields["run_dir"].default else f" --run-dir {run_dir}"
    return f"python cli.py {words}{named}"


def advised(words: str, status: Mapping[str, Any]) -> str:
    """Return a command to advise to who reads what a supervisor has told, from where the desk was started."""
    run_dir, default = Path(status["run_dir"]), Settings.model_fields["run_dir"].default
    return command_text(words, default if run_dir == default.resolve() else run_dir)


def desk_pid(run_dir: Path) -> int | None:
    """Return the pid of the supervisor of the desk in `run_dir`, or None if none runs."""
    return holder_pid(run_dir / DESK_LOCK)


def desk_status(run_dir: Path) -> dict[str, Any]:
    """Return the status that the desk's supervisor gives.

    Raises:
        DeskError: if no desk runs in `run_dir`, or it does not answer.
    """
    return ask_desk(run_dir, b"status")


def maker_row(run_dir: Path) -> dict[str, Any] | None:
    """Return what the status says of the desk's maker; None if it has none.

    Raises:
        DeskError: as `desk_status`.
    """
    return next((row for row in desk_status(run_dir)["nodes"] if row["node"] == "maker"), None)


def awaited_maker(
    run_dir: Path, is_done: Callable[[dict[str, Any]], bool], meanwhile: Callable[[], object] | None = None
) -> dict[str, Any] | None:
    """Return the maker's row once `is_done` says so of it, it is stopped, or it takes too long; None without a maker.

    Args:
        meanwhile: called where the supervisor does not answer, once, before it is asked for the last time.

    Raises:
        NoDeskError: if no desk runs, or not any more.
        DeskError: if it does not answer.
    """
    deadline, silences = time.monotonic() + MAKER_S_MAX, 0
    while True:
        try:
            row = maker_row(run_dir)
        except NoDeskError:
            raise
        except DeskError:
            silences += 1
            if silences == SILENCES:
                raise
            if meanwhile is not None:
                meanwhile()
                meanwhile, silences, deadline = None, SILENCES - 1, time.monotonic() + MAKER_S_MAX
            continue
        silences = 0
        if row is None or row["state"] == "stopped" or is_done(row) or time.monotonic() > deadline:
            return row
        time.sleep(LOOK_S)


def ask_desk(run_dir: Path, *words: bytes) -> dict[str, Any]:
    """Ask the desk's supervisor, and return its answer.

    Raises:
        NoDeskError: if no desk runs in `run_dir`.
        SilentDeskError: if it does not answer.
        DeskError: if it says that it cannot.
    """
    pid = desk_pid(run_dir)
    if pid is None:
        raise NoDeskError(run_dir)
    try:
        frames = asked(ChannelSocket(CONTROL, run_dir, SUPERVISOR), [*words], "", "")
    except DeskError:
        raise SilentDeskError(run_dir, pid) from None
    answer: dict[str, Any] = msgpack.unpackb(frames[0])
    if "error" in answer:
        raise DeskError(answer["error"])
    return answer


def asked(socket: ChannelSocket, question: list[bytes], nobody: str, silent: str) -> list[bytes]:
    """Ask once, as soon as the connection is made, and return the answer; the socket is closed.

    Raises:
        DeskError: saying `nobody` or `silent`, if nobody is there or he does not answer.
    """
    try:
        deadline = time.monotonic() + ANSWER_MS_MAX / 1_000
        while not socket.send(question):
            if time.monotonic() > deadline:
                raise DeskError(nobody)
            time.sleep(0.01)
        if not socket.wait(ANSWER_MS_MAX) or (answer := socket.receive()) is None:
            raise DeskError(silent)
        return answer
    finally:
        socket.close()


def stop_desk(run_dir: Path) -> int:
    """Ask the desk in `run_dir` to stop, wait until it has, and return its pid.

    Raises:
        DeskError: if none runs, it does not stop in the time that it has itself, or it may have left something.
    """
    pid = desk_pid(run_dir)
    if pid is None:
        raise NoDeskError(run_dir)
    try:
        timeout_s = float(desk_status(run_dir)["stop_s_max"]) + STOP_MARGIN_S
    except DeskError:
        timeout_s = SILENT_STOP_S  # held back by Ctrl-Z, stuck, or already stopping
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        _end(pid, timeout_s)
    _check_end(run_dir, pid)
    return pid


def _end(pid: int, timeout_s: float) -> None:
    """Ask a process to end, and wait until it has.

    Raises:
        ProcessLookupError: if there is none.
        DeskError: if it does not end in time.
    """
    process = os.pidfd_open(pid)
    try:
        for number in (signal.SIGTERM, signal.SIGCONT):
            signal.pidfd_send_signal(process, number)
        if not select.select([process], [], [], timeout_s)[0]:
            raise DeskError(f"the desk (pid {pid}) did not stop within {timeout_s:.0f} s")
    finally:
        os.close(process)


def _check_end(run_dir: Path, pid: int) -> None:
    """Make sure that the desk that was `pid` has stopped its nodes itself, and has left nothing at its venue.

    Raises:
        DeskError: if it has not said so.
    """
    kept = kept_settings(run_dir)
    if kept is None or kept.pid != pid:
        return  # it had not begun, or the next one has
    if kept.left is None:
        raise DeskError(f"the desk (pid {pid}) is gone, but has not said that it stopped in order: see its logs")
    if kept.left:
        raise DeskError("\n".join(f"the desk (pid {pid}) is stopped, but: {line}" for line in kept.left))


def desk_settings(named: Path | None, venue: str | None = None, symbol: str | None = None) -> Settings:
    """Return the settings of the desk in the run directory, whichever shell asks, and wherever it stands.

    A desk that runs, or ran last, has kept them in its run directory. Where nodes run one at a time, or no desk has
    ever run, they are those that `up` would take. `venue` and `symbol` name others than the desk's.

    Raises:
        SettingsError: if they cannot be used.
        DeskError: if the desk has just begun to start.
    """
    run_dir = named_run_dir(named)
    overrides = {"run_dir": run_dir, "venue.name": venue}
    pid, kept = desk_pid(run_dir), kept_settings(run_dir)
    if pid is not None and (kept is None or kept.pid != pid):
        raise DeskError(f"the desk (pid {pid}) has not written {run_dir / DESK_FILE} yet: it is just starting")
    if kept is None or (pid is None and lone_nodes(run_dir)):
        settings = load_settings(overrides).settings
    else:
        texts = kept.settings
        if venue not in (None, texts.get("venue.name")):
            texts.pop("venue.url", None)  # of the desk's venue
        settings = load_kept_settings(texts, f"the desk in {run_dir}", overrides)
    # With the symbol of the question, the desk's markets stay as they are: so they are not looked at again.
    return settings if symbol is None else settings.model_copy(update={"symbol": known_symbol(settings, symbol)})


def known_symbol(settings: Settings, symbol: str) -> str:
    """Return a symbol of the command line as the desk spells it.

    Raises:
        SettingsError: if the desk does not know it.
    """
    known = [instrument.symbol for instrument in settings.instruments]
    if (spelt := venue_spelling(symbol)) not in known:
        meant = meant_text(spelt, known)
        raise SettingsError(f"symbol: expected one of {', '.join(known)}, was {symbol!r} (from command line){meant}")
    return spelt


def lone_nodes(run_dir: Path) -> tuple[str, ...]:
    """Return the names of the nodes that run in `run_dir`, asked of their locks: where no supervisor can be asked."""
    locks = (path for path in sorted(run_dir.glob("*.lock")) if path.name not in (DESK_LOCK, f"{WATCHDOG}.lock"))
    return tuple(path.stem for path in locks if holder_pid(path) is not None)


def require_node(run_dir: Path, *names: str) -> None:
    """Make sure that nodes of `run_dir` are there to be asked, so that nobody else is asked in their place.

    Of a desk whose supervisor does not answer their locks tell which run.

    Raises:
        NoDeskError: if no desk runs there.
        DeskError: if its desk runs no such node, or it was stopped, or has yet to start: its port may not be known.
    """
    if desk_pid(run_dir) is None:
        if not lone_nodes(run_dir):
            raise NoDeskError(run_dir)
        _require_locks(run_dir, names)
        return
    try:
        rows = {row["node"]: row for row in desk_status(run_dir)["nodes"]} if names else {}
    except SilentDeskError:
        _require_locks(run_dir, names)
        return
    for name in names:
        if name not in rows:
            raise DeskError(f"the desk in {run_dir} runs no {name}; its nodes are {', '.join(rows)}")
        if rows[name]["state"] in ("stopped", "failed"):
            start = command_text(f"start {name}", run_dir)
            raise DeskError(f"{name} of the desk in {run_dir} {state_text(rows[name]['state'])}: {start}")
        if rows[name]["state"] in ("waiting", "starting", "warming") and not rows[name]["endpoints"]:
            raise DeskError(f"{name} of the desk in {run_dir} is {rows[name]['state']}: ask again when it is ready")


def _require_locks(run_dir: Path, names: Collection[str]) -> None:
    running = lone_nodes(run_dir)
    if missing := [name for name in names if name not in running]:
        raise DeskError(f"no {' and no '.join(missing)} runs in {run_dir}")
