"""What every node is wrapped in: run directory, lock, log, signals, and the word to the supervisor that it is well."""

import asyncio
import contextlib
import gc
import importlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgpack

from bus.channel import ChannelSocket, close_all
from bus.end_signals import end_signals, on_end_signals
from bus.poll_loop import PollLoop
from bus.topology import CONTROL, SUPERVISOR
from desk.outlet import log_file, take_over_output
from desk.plan import Instance, Plan
from desk.run_dir import STAYS_DOWN, LockFile, NodeError, StayDownError, prepare_run_dir
from desk.settings import Settings
from desk.source_numbers import with_source_numbers
from desk.stopping import follow_supervisor
from desk.wiring import desk_wiring
from market.clock import NS_PER_SECOND, monotonic_ns
from market.mendable import MendableError
from nodes.lean_log import structlog

BEAT_MS = 500
WORD_NS_MAX = 2 * NS_PER_SECOND  # for which a word waits for the line to the supervisor
WORD_PAUSE_S = 0.01


class Node:
    """One node of a desk: its settings, its log, and its line to the supervisor.

    Args:
        instance: which of the desk's nodes it is.
        settings: the desk's settings.
        colocated: the nodes that are threads of this process, if there are several.
    """

    def __init__(self, instance: Instance, settings: Settings, colocated: Collection[str] = ()) -> None:
        self.instance = instance
        self.name = instance.name
        self.is_colocated = bool(colocated)
        self.settings = settings
        self.plan: Plan = settings.plan
        self.wiring = desk_wiring(settings, colocated)
        # Threads share the interpreter: one that stays awake would take it from the others again and again.
        self._spin_us = 0 if colocated else settings.bus.spin_us
        self.log = structlog.get_logger().bind(node=self.name)
        self._state = "starting"
        self._doing = ""
        self._endpoints: dict[str, str] = {}
        self._figures: dict[str, Any] = {}
        self.on_ready: Callable[[], None] = lambda: None  # called in the node's own thread
        self._stops: list[Callable[[], None]] = []
        self._is_stopping = False
        self._watched: tuple[ChannelSocket, ...] = ()
        self._refused_count = 0
        self._control = ChannelSocket(CONTROL, self.wiring, SUPERVISOR)
        self.beat()

    def warming(self, what: str) -> None:
        """Say, before this node is ready, that it does something first that takes long."""
        self._state, self._doing = "warming", what
        self.log.info(what)
        # What takes long says nothing meanwhile: this word must not be lost because the line is not there yet.
        deadline_ns = monotonic_ns() + WORD_NS_MAX
        while not self._beat() and log_file() is not None and monotonic_ns() < deadline_ns:
            time.sleep(WORD_PAUSE_S)

    def ready(self, **endpoints: str) -> None:
        """Say that this node does its work, and where it can be reached; again has no effect but after `waiting`."""
        if self._state == "ready":
            return
        is_first = self._state != "waiting"
        self._state, self._doing = "ready", ""
        self._endpoints = endpoints
        self.log.info("ready", **endpoints)
        self.beat()
        if is_first:
            gc.freeze()  # what is there now stays: no collection need look at it again
            self.on_ready()

    def waiting(self) -> None:
        """Say that this node cannot do its work until another one is back; `ready` takes it back."""
        if self._state == "ready":
            self._state = "waiting"
            self.log.info("waiting for another node")
            self.beat()

    def hold(self, why: str) -> None:
        """Say that this node is up and does nothing, and what it waits for; `ready` takes it back.

        For one that shares its process with others, which go on; alone it would end.
        """
        if (self._state, self._doing) != ("waiting", why):
            self._state, self._doing = "waiting", why
            self.log.warning("waits", why=why)
            self.beat()

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._is_stopping

    def ask_desk(self) -> dict[str, Any] | None:
        """Ask the supervisor how the desk is; return what it has answered since the last call, if it has."""
        status: dict[str, Any] | None = None
        while (frames := self._control.receive()) is not None:
            status = msgpack.unpackb(frames[0])
        self._control.send([b"status"])
        return status

    def on_stop(self, action: Callable[[], None]) -> None:
        """Have `action` called by whoever stops this node from another thread; at once if that has been."""
        self._stops.append(action)
        if self._is_stopping:
            action()

    def end(self) -> None:
        """Tell a node that is a process to stop, at a signal: also one that still starts.

        Raises:
            SystemExit: in a node that does not serve yet, and has nothing to put in order. Where that is lost, as in
                what a compiler calls back, the node stops as soon as it could be told to.
        """
        if not self._stops:
            self._is_stopping = True
            raise SystemExit(0)
        self.stop()

    def stop(self) -> None:
        """Tell a node to stop what it does; again has no effect, so that nothing cuts a stop short."""
        self._is_stopping = True
        for action in self._stops:
            action()

    def show(self, **figures: Any) -> None:
        """Set figures that `status` shows; sent with the next beat."""
        self._figures.update(figures)

    def watch(self, *sockets: ChannelSocket) -> None:
        """Count and say, from now on, whose connections these sockets refuse, or that theirs are refused."""
        self._watched = sockets

    def _look_for_refusals(self) -> None:
        tcp = self.wiring.tcp
        if tcp is None or not self._watched:
            return
        count = sum(socket.check_refusals() for socket in self._watched)
        if count > self._refused_count:
            keys = tcp.curve.allowed.take_refused() if tcp.curve is not None else []
            self.log.warning("connections were refused: the keys are not right", count=count, not_allowed=keys)
        self._refused_count = count
        self.show(refused_connections=count)

    def beat(self) -> None:
        """Tell the supervisor how we are; without one nothing happens."""
        self._beat()

    def _beat(self) -> bool:
        """Return whether it went out."""
        self._look_for_refusals()
        report = {
            "node": self.name,
            "pid": os.getpid(),
            "state": self._state,
            "doing": self._doing,
            "endpoints": self._endpoints,
            "figures": self._figures,
        }
        return self._control.send([b"beat", msgpack.packb(report)])

    def poll_loop(self, *, is_awake: bool = False) -> PollLoop:
        """Return a loop that beats, for a node that lives in one thread.

        Args:
            is_awake: whether orders wait for this node, so that after a message it looks for the next one for a while.
        """
        loop = PollLoop(self._spin_us if is_awake else 0)
        self.on_stop(loop.stop)
        loop.every(BEAT_MS, self.beat)
        return loop

    def close(self) -> None:
        """Say goodbye to the supervisor."""
        self._state = "stopped"
        self._watched = ()  # closed already
        self.beat()
        self._control.close()


async def run_async(node: Node, *tasks: Callable[[], Awaitable[None]]) -> None:
    """Run `tasks` of an asyncio node, and its beat, until it is told to stop, or until one of them fails.

    Raises:
        BaseException: what the failed task raised.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_from_another_thread() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has just ended by itself
            loop.call_soon_threadsafe(stopping.set)

    node.on_stop(stop_from_another_thread)
    if threading.current_thread() is threading.main_thread():
        for number in end_signals():
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


def run_nodes(names: Collection[str], settings: Settings, *, is_cleaning: bool = False) -> int:
    """Run nodes in the foreground until a signal ends them, several as threads of this process; return the exit code.

    Args:
        names: of the desk's nodes.
        is_cleaning: whether to undo what a killed process of these nodes has left behind, instead of running them.

    Raises:
        NodeError: if the desk has no such node.
    """
    try:
        instances = settings.plan.named(names)
    except ValueError as error:
        raise NodeError(str(error)) from None
    path = log_file()
    configure_log(path)
    log = structlog.get_logger().bind(node="+".join(each.name for each in instances))
    if path is not None:  # then a supervisor has made it, and our standard input ends when it is gone
        follow_supervisor(instances, settings, log.warning)
    with contextlib.ExitStack() as locks:
        try:
            prepare_run_dir(settings.run_dir)
            for each in instances:
                locks.callback(LockFile(settings.run_dir / f"{each.name}.lock", each.name).release)
            return _run(instances, with_source_numbers(settings), is_cleaning=is_cleaning)
        except (MendableError, OSError) as error:
            log.error("cannot start", why=str(error))
            return 1
        except Exception:
            log.exception("stopped by a bug of ours")
            return 70
        finally:
            close_all()


def _run(instances: Sequence[Instance], settings: Settings, *, is_cleaning: bool) -> int:
    if is_cleaning:
        cleaners = [each for each in instances if each.kind.cleans_up]
        with on_end_signals(lambda: None):  # it is the end already, and has its time from who started it
            return max((live(Node(each, settings), "clean_up") for each in cleaners), default=0)
    if len(instances) > 1:
        together = [each.name for each in instances]
        return live_together([Node(each, settings, together) for each in instances])
    node = Node(instances[0], settings)
    with on_end_signals(node.end):
        return live(node)


def live(node: Node, what: str = "run") -> int:
    """Run a node in this thread until it is told to stop; return the exit code.

    Errors that a person can mend are one line in the log and exit code 1; a bug of ours is logged with its traceback.
    """
    started_ns = monotonic_ns()
    try:
        getattr(importlib.import_module(node.instance.kind.module), what)(node)
    except (MendableError, OSError) as error:
        node.log.error("stopped", why=str(error) or type(error).__name__)
        return STAYS_DOWN if isinstance(error, StayDownError) else 1
    except Exception:
        node.log.exception("stopped by a bug of ours")
        return 70
    else:
        node.log.info("stopped", after_s=round((monotonic_ns() - started_ns) / 1e9, 1))
        return 0
    finally:
        node.close()


def live_together(nodes: Sequence[Node]) -> int:
    """Run nodes as threads of this process until a signal or until one of them ends; return the exit code.

    Each starts when those are ready that it needs, and they stop in the reverse order. They share one life: when one
    ends, for whatever reason, all of them stop.
    """
    for node in nodes:
        importlib.import_module(node.instance.kind.module)  # two threads that import the same modules may deadlock
    news: SimpleQueue[tuple[str, int | None]] = SimpleQueue()  # who, and its exit code if it has ended
    waiting, ready, threads = list(nodes), set[str](), dict[str, threading.Thread]()
    needs = {node.name: set(node.instance.needs) & {other.name for other in nodes} for node in nodes}
    code: int | None = None
    with on_end_signals(lambda: news.put(("", 0))):
        while code is None:
            while waiting and needs[waiting[0].name] <= ready:
                node = waiting.pop(0)
                node.on_ready = partial(news.put, (node.name, None))
                thread = threads[node.name] = threading.Thread(
                    target=lambda node=node: news.put((node.name, live(node))), name=node.name
                )
                thread.start()
            name, code = news.get()
            ready.add(name)
        for node in reversed(nodes):
            if node.name in threads:
                node.stop()
                threads[node.name].join()
            else:
                node.close()
    return code


def configure_log(path: Path | None) -> None:
    """Have everything that this process says go out in a way that cannot end it.

    Args:
        path: of the log that standard error is, if our supervisor has made it one.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "node", "event"]),
        ],
        logger_factory=structlog.WriteLoggerFactory(take_over_output(path)),
        cache_logger_on_first_use=True,
    )
