"""What every node is wrapped in: run directory, lock, log, signals, and the word to the supervisor that it is well."""

import asyncio
import ctypes
import importlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack
import structlog

from bus.channel import ChannelSocket, PollLoop, close_all
from bus.topology import CONTROL
from market.clock import monotonic_ns
from nodes.lock import LockedError, LockFile
from nodes.roster import module_of
from nodes.settings import Settings

BEAT_MS = 500
SUPERVISOR_PID = "DESK_SUPERVISOR_PID"  # not a setting
_PR_SET_PDEATHSIG = 1


class NodeError(Exception):
    """A node cannot start or go on; the text is one line for a person."""


def prepare_run_dir(run_dir: Path) -> None:
    """Make the run directory, readable by its owner alone, and everything that this process makes from now on too."""
    os.umask(0o077)
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


class Node:
    """One node of a desk: its settings, its log, and its line to the supervisor.

    Args:
        name: a name of the roster.
        settings: the desk's settings.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.log = structlog.get_logger().bind(node=name)
        self._state = "starting"
        self._endpoints: dict[str, str] = {}
        self._figures: dict[str, Any] = {}
        self._control = ChannelSocket(CONTROL, settings.run_dir)
        self.beat()

    def ready(self, **endpoints: str) -> None:
        """Say, once, that this node does its work, and where it can be reached."""
        if self._state != "ready":
            self._state = "ready"
            self._endpoints = endpoints
            self.log.info("ready", **endpoints)
            self.beat()

    def show(self, **figures: Any) -> None:
        """Set figures that `status` shows; sent with the next beat."""
        self._figures.update(figures)

    def beat(self) -> None:
        """Tell the supervisor how we are; without one nothing happens."""
        report = {
            "node": self.name,
            "pid": os.getpid(),
            "state": self._state,
            "endpoints": self._endpoints,
            "figures": self._figures,
        }
        self._control.send([b"beat", msgpack.packb(report)])

    def poll_loop(self) -> PollLoop:
        """Return a loop that beats, for a node that lives in one thread."""
        loop = PollLoop()
        loop.every(BEAT_MS, self.beat)
        return loop

    def close(self) -> None:
        """Say goodbye to the supervisor."""
        self._state = "stopped"
        self.beat()
        self._control.close()


async def run_async(node: Node, *tasks: Callable[[], Awaitable[None]]) -> None:
    """Run `tasks` of an asyncio node, and its beat, until SIGTERM or SIGINT, or until one of them fails.

    Raises:
        BaseException: what the failed task raised.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    async def beat() -> None:
        while True:
            node.beat()
            await asyncio.sleep(BEAT_MS / 1_000)

    running = [asyncio.ensure_future(task()) for task in (beat, *tasks)]
    stop = asyncio.ensure_future(stopping.wait())
    done, _ = await asyncio.wait([*running, stop], return_when=asyncio.FIRST_COMPLETED)
    for task in (*running, stop):
        task.cancel()
    await asyncio.gather(*running, stop, return_exceptions=True)
    for task in done:
        if not task.cancelled() and (error := task.exception()):
            raise error


def run_node(name: str, settings: Settings) -> int:
    """Run one node in the foreground until SIGTERM or SIGINT; return the exit code.

    Errors that a person can mend are one line in the log and exit code 1; a bug of ours is logged with its traceback.
    """
    _die_with_supervisor()
    _configure_log()
    started_ns = monotonic_ns()
    log = structlog.get_logger().bind(node=name)
    try:
        prepare_run_dir(settings.run_dir)
        lock = LockFile(settings.run_dir / f"{name}.lock", name)
    except (LockedError, OSError) as error:
        log.error("cannot start", why=str(error))
        return 1
    node = None
    try:
        module = importlib.import_module(module_of(name))
        node = Node(name, settings)
        module.run(node)
    except (NodeError, OSError) as error:
        log.error("stopped", why=str(error) or type(error).__name__)
        return 1
    except Exception:
        log.exception("stopped by a bug of ours")
        return 70
    else:
        log.info("stopped", after_s=round((monotonic_ns() - started_ns) / 1e9, 1))
        return 0
    finally:
        if node is not None:
            node.close()
        close_all()
        lock.release()


def _die_with_supervisor() -> None:
    """Ask the kernel for a SIGTERM when the supervisor dies, so that its kill -9 leaves no node behind."""
    supervisor_pid = os.environ.get(SUPERVISOR_PID)
    if supervisor_pid is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(supervisor_pid):  # it died before we asked
        sys.exit(1)


def _configure_log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "node", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
