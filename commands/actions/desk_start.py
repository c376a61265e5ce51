"""Starting a desk from the command line: in the foreground, or in the background and waiting until it is ready."""

import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from rich.text import Text

from bus.end_signals import on_end_signals
from commands.actions.pace import PaceMeter
from commands.output import is_screen
from commands.watching import around_stops, print_once
from desk.client import DeskError, command_text, desk_pid, desk_status
from desk.kinds import GATEWAY
from desk.outlet import LOG_FILE, Outlet, put_log_aside
from desk.plan import Instance, processes
from desk.run_dir import LockedError, NodeError, prepare_run_dir
from desk.settings import Settings, load_settings
from desk.strategy import check_strategy
from desk.supervisor import Supervisor
from market.clock import monotonic_ns, time_ns
from nodes.flow.market_flows import check_flows
from screens.desk import UNBOUNDED, desk_screen
from screens.fold import harmless
from screens.frame import ansi_lines, narrowed, redrawn_above

HINT = "Ctrl-C stops everything"
NEWS_MAX = 10  # lines that stay on the screen when the terminal changes its size
LOOK_S = 0.05
WORD_S = 2.0  # a start that takes longer says what it waits for
SAID_S = 30.0  # and says it again
QUIET_S_MAX = 120.0  # without any node getting on; then the desk is given up
WARMING_S_MAX = 900.0  # likewise while one compiles or replays, which may take long


def run_desk(
    overrides: Mapping[str, Any],
    only: Collection[str],
    without: Collection[str],
    colocated: Collection[str],
    *,
    is_fresh: bool,
) -> None:
    """Run a desk until a signal ends it, showing its nodes.

    Raises:
        SettingsError, LockedError, NodeError, DeskError: with what a person must know.
    """
    settings = load_settings(overrides).settings
    try:
        nodes = settings.plan.chosen(only, without)
        groups = processes(nodes, colocated)
        if any(node.kind.name == "flow" for node in nodes):
            check_flows(settings)
    except (ValueError, NodeError) as error:
        raise DeskError(str(error)) from None
    if any(node.kind.name == "maker" for node in nodes):
        check_strategy(settings, time_ns())  # what is wrong with it is better said before anything runs
    if any(node.kind.has_keys for node in nodes) and (missing := settings.venue.missing_keys):
        raise DeskError(missing)
    news: deque[str] = deque(maxlen=NEWS_MAX)
    standing = _Standing(news) if is_screen() else None

    def tell(line: str) -> None:
        news.append(f"desk: {harmless(line)}")
        if standing is not None:
            standing.say(news[-1])
        else:
            print(news[-1], flush=True)

    supervisor = Supervisor(settings, groups, tell)
    if taken := taken_ports(settings, nodes):
        supervisor.close()
        raise DeskError("\n".join(taken))
    if is_fresh:  # balances, orders and trades are forgotten; the keys stay
        for ledger in (settings.run_dir / "paper").glob("ledger.sqlite3*"):
            ledger.unlink()
    if standing is not None:
        _run_on_terminal(supervisor, standing)
    else:
        _run_quietly(supervisor)


def _run_quietly(supervisor: Supervisor) -> None:
    """Run the desk and show it once, when it is ready."""
    announced: list[bool] = []

    def announce_once() -> None:
        if supervisor.is_ready and not announced:
            announced.append(True)
            print(desk_screen(supervisor.status(), UNBOUNDED, UNBOUNDED, HINT), flush=True)

    supervisor.run(announce_once)


class _Standing:
    """Lines that stay in place on a terminal, below what is said; only those that change are written."""

    def __init__(self, news: Iterable[str]) -> None:
        self._news = news
        self._lines: list[str] = []
        self._stands = self._state()

    def show(self, drawn: Callable[[int, int], Text]) -> None:
        """Show a frame at the size that the terminal has; if what stands there is torn, the last news, too."""
        columns, rows = get_terminal_size()
        lines = ansi_lines(narrowed(drawn(columns, max(1, rows - 1)), sys.stdout.encoding), columns, max(1, rows - 1))
        if self._stands != (state := self._state()):
            self._stands, self._lines = state, []
            sys.stdout.write("\x1b[H\x1b[2J" + "".join(f"{line}\r\n" for line in self._news))
        if lines != self._lines:
            sys.stdout.write(redrawn_above(self._lines, lines))
            self._lines = lines
        sys.stdout.flush()

    def say(self, line: str) -> None:
        """Print a line above them."""
        sys.stdout.write(f"{redrawn_above(self._lines, [])}{line}\r\n{redrawn_above([], self._lines)}")
        sys.stdout.flush()

    def leave(self) -> None:
        """Let the cursor be seen."""
        sys.stdout.write("\x1b[?25h")
        sys.stdout.flush()

    def enter(self) -> None:
        """Hide the cursor; whatever stands there is drawn anew."""
        sys.stdout.write("\x1b[?25l")
        self._stands = None

    def _state(self) -> tuple[Any, int] | None:
        """Return what changes when it is torn: the terminal has wrapped it anew, or a part of it was lost."""
        outlet = sys.stdout
        return get_terminal_size(), outlet.loss_count if isinstance(outlet, Outlet) else 0


def _run_on_terminal(supervisor: Supervisor, standing: _Standing) -> None:
    """Run the desk and keep its screen below the news."""
    meter = PaceMeter()

    def show() -> None:
        hint = HINT if supervisor.is_ready else "starting ..."
        status = supervisor.status()
        paces = meter.look(status, monotonic_ns())
        standing.show(lambda width, height: desk_screen(status, width, height, hint, paces))

    sys.stdout.write("\x1b[?25l")
    try:
        with around_stops(standing.leave, standing.enter):
            show()
            supervisor.run(show)
            standing.show(lambda _width, _height: Text("stopped", style="dim"))
    finally:
        standing.leave()


def taken_ports(settings: Settings, nodes: Collection[Instance]) -> list[str]:
    """Return a line for each port that a node of the desk is to listen on, and cannot."""
    lines = []
    with ExitStack() as held:  # together, so that two nodes with one port are told, too
        for node, host, port, advice in _ports(settings, nodes):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                held.enter_context(socket.create_server((host, port), family=family))
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else str(error)
                lines.append(f"{node}: cannot listen on {host}:{port}: {why}; {advice}")
    return lines


def _ports(settings: Settings, nodes: Collection[Instance]) -> Iterator[tuple[str, str, int, str]]:
    gateways = settings.plan.gateways
    for node in nodes:
        listens = {"gateway": gateways[node.name].settings if node.kind is GATEWAY else None,
                   "api": settings.api, "paper": settings.paper}.get(node.kind.name)  # fmt: skip
        if listens is None or not listens.port:
            continue
        is_one_of_many = node.kind is GATEWAY and len(gateways) > 1
        option = "port = 0 in its table [[gateways]]" if is_one_of_many else f"--{node.kind.name}-port 0"
        yield node.name, listens.host, listens.port, f"{option} takes a free one"


def run_desk_detached(overrides: Mapping[str, Any], arguments: Sequence[str]) -> int:
    """Start a desk in the background and return once it is ready: its exit code if it ends before, else 0.

    However this ends, a desk that did not become ready is stopped.

    Args:
        overrides: the settings of the command line, by dotted key.
        arguments: the command line itself, which the background process gets without `--detach`.

    Raises:
        SettingsError, LockedError, NodeError, DeskError: if it does not come up; with its last word.
    """
    run_dir = load_settings(overrides).settings.run_dir
    if (pid := desk_pid(run_dir)) is not None:
        raise LockedError(f"the desk is already running, pid {pid} ({run_dir / 'desk.lock'})")
    prepare_run_dir(run_dir)
    path = (run_dir / "logs" / "desk.log").resolve()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    put_log_aside(path)
    with path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line again
            [sys.executable, *(word for word in arguments if word != "--detach")],
            env={**os.environ, LOG_FILE: str(path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    document = None
    with on_end_signals(_interrupt):
        try:
            document = _await_ready(run_dir, process)
        finally:
            if document is None and process.poll() is None:
                process.terminate()
                process.wait()
    if document is None:
        errors = [line for line in path.read_text(errors="replace").splitlines() if line.startswith("error: ")]
        print("\n".join(errors) or f"error: it said nothing, see {path}", file=sys.stderr)
        return process.returncode
    down = command_text("down", run_dir)
    print_once(partial(desk_screen, document, hint=f"it runs on (pid {document['pid']}); stop it with: {down}"))
    return 0


def _interrupt() -> None:
    raise KeyboardInterrupt


def _await_ready(run_dir: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any] | None:
    """Return the status of the desk once it is ready, None if it ends before; say meanwhile what it waits for.

    Raises:
        DeskError: if nothing has got on for a long time.
    """
    started = changed = time.monotonic()
    before, told, said, told_at = "", "", "", started + WORD_S - SAID_S
    while process.poll() is None:
        document = _status(run_dir, process.pid)
        if document is not None and document["is_ready"]:
            return document
        now, what = time.monotonic(), _awaited(document)
        if what != before:
            before, changed = what, now
        doing = _doing(document)
        if doing not in ("", told) or now - told_at > SAID_S:
            so_long = f", for {now - started:.0f} s so far" if what == said else ""
            print(f"waiting for {what}{so_long}", file=sys.stderr)
            told, said, told_at = doing, what, now
        is_warming = document is not None and any(row["state"] == "warming" for row in document["nodes"])
        if now - changed > (WARMING_S_MAX if is_warming else QUIET_S_MAX):
            raise DeskError(f"gave up after {now - started:.0f} s of waiting for {what}; the desk is stopped")
        time.sleep(LOOK_S)
    return None


def _status(run_dir: Path, pid: int) -> dict[str, Any] | None:
    try:
        return desk_status(run_dir) if desk_pid(run_dir) == pid else None
    except DeskError:
        return None  # it begins, or it ends: the process itself tells which


def _doing(document: Mapping[str, Any] | None) -> str:
    """Return what nodes do that takes long: said as soon as it is known."""
    rows = () if document is None else document["nodes"]
    return ", ".join(sorted({row["doing"] for row in rows if row["doing"]}))


def _awaited(document: Mapping[str, Any] | None) -> str:
    if document is None:
        return "the supervisor"
    by_state: dict[str, list[str]] = {}
    for row in document["nodes"]:
        if row["state"] != "ready":
            by_state.setdefault(row["doing"] or row["state"], []).append(row["node"])
    return ", ".join(f"{' and '.join(names)} ({state})" for state, names in by_state.items()) or "the supervisor"
