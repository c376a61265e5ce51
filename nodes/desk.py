"""What the command line does with a whole desk: run it, watch it, read its logs, its book, its feed and its reports."""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bus.channel import wait_any
from bus.curve import is_key
from bus.feed import FeedError, best_topic, book_topic, trades_topic, unpack_frame
from bus.subscriber import FeedSubscriber
from bus.topology import FEED
from market.exact_json import dumps, loads
from nodes.desk_client import DeskError, desk_pid, desk_status
from nodes.desk_wiring import desk_curve, desk_wiring
from nodes.market_flows import check_flows
from nodes.node import NodeError
from nodes.roster import NODE_NAMES, desk_nodes, processes
from nodes.settings import Settings, load_settings
from nodes.supervisor import Supervisor, forget_paper_accounts

DETACHED_START_S = 60.0
FOLLOW_S = 0.2


def run_desk(
    overrides: Mapping[str, Any],
    only: Collection[str],
    without: Collection[str],
    colocated: Collection[str],
    *,
    is_fresh: bool,
) -> None:
    """Run a desk until Ctrl-C or SIGTERM, showing its nodes.

    Raises:
        SettingsError, LockedError, NodeError, DeskError: with what a person must know.
    """
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from screens.desk import activity, addresses, nodes_table

    settings = load_settings(overrides).settings
    try:
        gateway_count = len(settings.gateway.ports)
        specs = desk_nodes(settings.venue.name, settings.flow.source, gateway_count, only, without, settings.engines)
        groups = processes(specs, colocated)
        if any(spec.name == "flow" for spec in specs):
            check_flows(settings)
    except (ValueError, NodeError) as error:
        raise DeskError(str(error)) from None
    console = Console(highlight=False)
    supervisor = Supervisor(settings, groups, overrides, tell=lambda line: console.print(f"desk: {line}"))
    if is_fresh:
        forget_paper_accounts(settings.run_dir)

    def screen() -> Group:
        document = supervisor.status()
        hint = "Ctrl-C stops everything" if supervisor.is_ready else "starting ..."
        lines = [*addresses(document), activity(document)]
        return Group(nodes_table(document), *map(Text, filter(None, lines)), Text(hint, style="dim"))

    if not console.is_terminal:
        announced: list[bool] = []

        def announce_once() -> None:
            if supervisor.is_ready and not announced:
                announced.append(True)
                console.print(screen())

        supervisor.run(announce_once)
        return
    with Live(screen(), console=console, auto_refresh=False) as live:
        supervisor.run(lambda: live.update(screen(), refresh=True))
        live.update(Text("stopped", style="dim"), refresh=True)


def run_desk_detached(overrides: Mapping[str, Any], arguments: Sequence[str]) -> None:
    """Start a desk in the background and return once it is ready.

    Args:
        overrides: the settings of the command line, by dotted key.
        arguments: the command line itself, which the background process gets without `--detach`.

    Raises:
        SettingsError, DeskError: if it does not come up; with its last word.
    """
    run_dir = load_settings(overrides).settings.run_dir
    if (pid := desk_pid(run_dir)) is not None:
        raise DeskError(f"the desk is already running, pid {pid} ({run_dir / 'desk.lock'})")
    logs = run_dir / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = logs / "desk.log"
    with path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line again
            [sys.executable, *(word for word in arguments if word != "--detach")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + DETACHED_START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = path.read_text(errors="replace").splitlines() or ["it said nothing"]
            raise DeskError(lines[-1].removeprefix("error: "))
        if desk_pid(run_dir) == process.pid and (document := desk_status(run_dir))["is_ready"]:
            from rich.console import Console

            from screens.desk import addresses, nodes_table

            Console().print(nodes_table(document))
            print("\n".join(addresses(document)))  # noqa: T201
            return
        time.sleep(0.05)
    raise DeskError(f"the desk (pid {process.pid}) is not ready after {DETACHED_START_S:.0f} s; see {path}")


def print_logs(run_dir: Path, name: str | None, line_count: int, *, is_following: bool) -> None:
    """Print the last lines of one node's log or of all, and what is added to them if `is_following`.

    Raises:
        DeskError: if there is no such log.
    """
    if name is not None and name not in (*NODE_NAMES, "desk"):
        raise DeskError(f"there is no node {name}; the nodes are {', '.join(NODE_NAMES)}")
    paths = sorted(path for path in (run_dir / "logs").glob("*.log") if name is None or name in path.stem.split("+"))
    if not paths:
        raise DeskError(f"there are no logs of {name or 'any node'} in {run_dir / 'logs'}")
    ends = {}
    for path in paths:
        with path.open(errors="replace") as file:
            for line in deque(file, maxlen=line_count):
                sys.stdout.write(line)
            ends[path] = file.tell()
    while is_following:
        sys.stdout.flush()
        time.sleep(FOLLOW_S)
        for path, end in ends.items():
            with path.open(errors="replace") as file:
                file.seek(end if path.stat().st_size >= end else 0)
                sys.stdout.write(file.read())
                ends[path] = file.tell()


def report_day_and_week(settings: Settings, venue: Any, *, as_json: bool) -> int:
    """Update today's file, print the day and the week, and return the exit code: 1 if the books do not balance.

    Raises:
        NodeError: if the file cannot be written.
    """
    from nodes.bookkeeper import Bookkeeper
    from reports.folder import ReportsFolder
    from screens.report import day_text, week_text

    bookkeeper = Bookkeeper(venue, settings.instrument, ReportsFolder(settings.reports_dir))
    try:
        recorded = bookkeeper.update()
    except OSError as error:
        raise DeskError(f"cannot write {settings.reports_dir}: {error.strerror or error}") from None
    week = bookkeeper.week()
    if as_json:
        print(dumps({"file": str(recorded.path), "day": recorded.document, "week": week}))  # noqa: T201
    else:
        print(day_text(recorded.document), week_text(week), f"💾 {recorded.path}", sep="\n\n")  # noqa: T201
    for note in recorded.notes:
        print(f"note: {note}", file=sys.stderr)  # noqa: T201
    return 0 if recorded.document["reconciliation"]["is_exact"] else 1


def show_book(settings: Settings, level_count: int, *, is_once: bool, as_json: bool) -> None:
    """Show the api's book as a ladder, live or once, or print its JSON.

    Raises:
        DeskError: if the api is out of reach.
    """
    from rich.console import Console
    from rich.live import Live

    from screens.book import ladder

    console = Console()
    if as_json:
        print(_orderbook(settings, level_count))  # noqa: T201
        return
    if is_once:
        console.print(ladder(loads(_orderbook(settings, level_count)), level_count))
        return
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(ladder(loads(_orderbook(settings, level_count)), level_count), refresh=True)
            time.sleep(FOLLOW_S)


def _orderbook(settings: Settings, level_count: int) -> str:
    import http.client

    connection = http.client.HTTPConnection(settings.api.host, settings.api.port, timeout=3)
    try:
        connection.request("GET", f"/api/orderbook?symbol={settings.symbol}&depth={level_count}")
        response = connection.getresponse()
        text = response.read().decode()
    except OSError as error:
        where = f"{settings.api.host}:{settings.api.port}"
        raise DeskError(f"the api is out of reach at {where} ({error.strerror or error}); is the desk up?") from None
    finally:
        connection.close()
    if response.status != 200:
        raise DeskError(f"the api answers {response.status}: {text[:200]}")
    return text


def print_feed(settings: Settings, topics: Sequence[str], count: int) -> None:
    """Print the messages of `topics` (of the symbol's three if empty) as they come, `count` of them (0: without end).

    Raises:
        DeskError: if no desk runs here.
    """
    wiring = desk_wiring(settings)
    is_here = desk_pid(settings.run_dir) is not None or (settings.run_dir / "feed.ipc").exists()
    if not is_here and settings.bus.transports[FEED.name] != "tcp":
        raise DeskError(f"the desk is not running (run directory {settings.run_dir})")
    symbol = settings.symbol
    wanted = [topic.encode() for topic in topics] or [book_topic(symbol), trades_topic(symbol), best_topic(symbol)]
    subscriber = FeedSubscriber(wiring, wanted)
    feeds, printed = subscriber.sockets[::2], 0
    while count == 0 or printed < count:
        wait_any(feeds, 1_000)
        frames = next(filter(None, (feed.receive() for feed in feeds)), None)
        if frames is None:
            continue
        try:
            frame = unpack_frame(frames)
        except FeedError as error:
            raise DeskError(f"the feed sent something else: {error}") from None
        for number, message in enumerate(frame.messages):
            print(f"{frame.topic.decode()} {frame.sequence + number} {message}", flush=True)  # noqa: T201
            printed += 1
            if printed == count:
                break


def bus_keys(settings: Settings, allowed: str | None, whose: str) -> str:
    """Return what a person must know of this machine's keys, which are made if there are none; let `allowed` in.

    Args:
        allowed: the public key of another machine, to be added to those that may reach our engine.
        whose: a word on the holder, for the file.

    Raises:
        CurveError, DeskError: if a file of keys cannot be used, or that is no key.
    """
    curve, path = desk_curve(settings), settings.bus_allowed_file
    if allowed is not None:
        if not is_key(allowed.encode()):
            raise DeskError(f"expected a public key of 40 characters, was {allowed[:60]!r}")
        if allowed.encode() not in curve.allowed.load():
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{allowed} {' '.join(whose.split())}".rstrip() + "\n")
    lines = [f"public key     {curve.keys.public.decode()}", f"both keys      {settings.bus_keys_file}"]
    lines += [f"may reach us   {key.decode()} {whose}".rstrip() for key, whose in curve.allowed.load().items()]
    return "\n".join(lines)
