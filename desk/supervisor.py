"""The supervisor: starts the nodes of a desk in order, restarts those that die, and stops all of them."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from bus.channel import ChannelSocket, close_all
from bus.end_signals import on_end_signals
from bus.poll_loop import PollLoop
from bus.topology import CONTROL, SUPERVISOR
from desk.alerts.desk_alerts import DeskAlerts
from desk.desk_file import DESK_FILE, write_desk_file
from desk.halted_file import HaltedFile
from desk.lifecycle import Child, Lifecycle, NodeState, Tell
from desk.live_settings import live_texts, with_changes
from desk.plan import Instance
from desk.risk_file import withdrawn
from desk.run_dir import LockedError, LockFile, NodeError, holder_pid, prepare_run_dir, refuse_while_flattening
from desk.settings import CONFIG_FILE, Settings, SettingsError, environment_name, typed_text
from desk.source_numbers import with_source_numbers
from desk.stopping import WAVE_COUNT, StopBudget, wave_of
from desk.template import Beginner
from market.clock import NS_PER_MS, NS_PER_SECOND, iso_time, monotonic_ns, time_ns
from market.mendable import MendableError
from screens.desk import day_lines

TICK_MS = 50
ALERTS_MS = 1_000
STOP_LOOK_S = 0.01
STOP_WORD_NS = 2 * NS_PER_SECOND  # a stop that takes longer says what it waits for
BEAT_NS_MAX = 10 * NS_PER_SECOND  # a node that is silent for longer is called so


class Supervisor:
    """One desk: the nodes of each of its processes, in the order in which they start; `tell` is given lines for people.

    Raises:
        LockedError: if the run directory has a desk already, or nodes of one that do not end.
        NodeError: if the run directory cannot be used.
    """

    def __init__(self, settings: Settings, processes: Sequence[Sequence[Instance]], tell: Tell) -> None:
        is_closed_now = prepare_run_dir(settings.run_dir)
        self._run_dir = settings.run_dir.resolve()
        self._lock = LockFile(self._run_dir / "desk.lock", "the desk")
        try:
            self._settings = with_source_numbers(settings)
        except NodeError:
            self._lock.release()
            raise
        self._asked: list[tuple[bytes, list[bytes]]] = []  # and not answered yet
        self._market = {name: typed_text(value) for name, value in settings.market.items() if value is not None}
        self._budget = StopBudget(settings)
        self._teller = tell
        self._children = [Child(tuple(map(NodeState, nodes))) for nodes in processes]
        self._nodes = {node.instance.name: (child, node) for child in self._children for node in child.nodes}
        self._kept: Settings | None = None  # what desk.json says
        self._halted_file = HaltedFile(self._run_dir, [each.symbol for each in settings.instruments])
        self._started_ns = monotonic_ns()
        self._ready_ns = 0
        logs = self._run_dir / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        if is_closed_now:
            self._tell(f"others could read {self._run_dir}: its mode is 0700 now")
        try:
            self._alerts = DeskAlerts(settings, self._run_dir, self._tell)
        except MendableError:
            self._lock.release()
            raise
        self._await_earlier_nodes()
        for stale in self._run_dir.glob("*.ipc"):
            stale.unlink()  # from a desk that was killed: we hold its lock
        self._control = ChannelSocket(CONTROL, self._run_dir, SUPERVISOR, is_binder=True)
        environment = {**os.environ, environment_name("run_dir"): str(self._run_dir)}
        kinds = dict.fromkeys(kind for child in self._children for kind in child.kinds)
        longest = max(len(" ".join(child.words(is_cleaning=True))) for child in self._children)
        self._beginner = Beginner(environment, kinds, longest, self._tell)
        self._lives = Lifecycle(self._beginner, logs, self._budget, self._tell)
        self._is_stopping = False

    def run(self, show: Callable[[], None] = lambda: None) -> None:
        """Start all nodes and look after them until a signal ends the desk, then stop them in order.

        `show` is called twice a second, to redraw what a person sees.

        Raises:
            StartError: if a node does not come up at the start; all others are stopped.
            NodeError: if orders of ours may be left at a venue after the stop.
        """
        try:
            self._keep_settings()
        except OSError as error:
            self.close()
            raise NodeError(f"{self._run_dir / DESK_FILE} cannot be written: {error.strerror}") from None
        loop = PollLoop()
        loop.on_readable(self._control, self._on_control)
        loop.every(TICK_MS, lambda: self._tick(loop))
        loop.every(500, show)
        loop.every(ALERTS_MS, lambda: self._alerts.look(self.status(), monotonic_ns()))
        with on_end_signals(loop.stop):  # also while it stops: nothing cuts a stop short
            try:
                loop.run()
            finally:
                self._stop()
        if self._lives.error is not None:
            raise self._lives.error
        if left := self._left():
            raise NodeError("\n".join(left))

    @property
    def is_ready(self) -> bool:
        """Whether every node has been ready and the desk was announced."""
        return self._ready_ns > 0

    def status(self) -> dict[str, Any]:
        """Return the desk as plain values, for `status --json` and the table."""
        self._take_beats()  # what waits for us must not make a node look silent
        now_ns, withdrawal = monotonic_ns(), withdrawn(self._run_dir)
        return {
            "run_dir": str(self._run_dir),
            "pid": os.getpid(),
            "venue": self._settings.venue.name,
            "symbol": self._settings.symbol,
            "market": self._market,
            "halted": sorted(self._halted_file.read()),
            "withdrawn": None if withdrawal is None else withdrawal.document,
            "is_ready": self.is_ready,
            "start_s": round((self._ready_ns - self._started_ns) / NS_PER_SECOND, 2) if self.is_ready else None,
            "stop_s_max": self._budget.total_s,
            "nodes": [self._row(*self._nodes[each.name], now_ns) for each in self._in_order],
        }

    @property
    def _in_order(self) -> tuple[Instance, ...]:
        return self._settings.plan.named(self._nodes)

    def _row(self, child: Child, node: NodeState, now_ns: int) -> dict[str, Any]:
        is_silent = node.state == "ready" and now_ns - node.heard_ns > BEAT_NS_MAX
        since_ns = time_ns() - (now_ns - node.heard_ns) if is_silent else node.since_ns
        return {
            "node": node.instance.name,
            "kind": node.instance.kind.name,
            "process": child.name,
            "pid": child.process.pid if child.process else None,
            "state": "silent" if is_silent else node.state,
            "doing": node.doing,
            "why": child.why,
            "since": f"{iso_time(since_ns // NS_PER_MS)[:19]}Z",
            "uptime_s": round((now_ns - child.started_ns) / NS_PER_SECOND, 1) if child.process else None,
            "restarts": child.restart_count,
            "heard_s": round((now_ns - node.heard_ns) / NS_PER_SECOND, 1) if child.process and node.heard_ns else None,
            "endpoints": node.endpoints,
            "figures": node.figures,
        }

    def _tell(self, line: str) -> None:
        try:
            self._teller(line)
        except OSError:
            return  # whoever listened is gone; the desk is not

    # --- what the nodes say, and what people ask ---

    def _on_control(self) -> None:
        self._take_beats()
        while self._asked:
            identity, rest = self._asked.pop(0)
            answer: dict[str, Any]
            if rest == [b"status"]:
                answer = self.status()
            elif len(rest) == 2 and rest[0] in (b"stop", b"start"):
                name = rest[1].decode(errors="replace")
                if name not in self._nodes:
                    known = ", ".join(each.name for each in self._in_order)
                    answer = {"error": f"this desk runs no {name}; its nodes are {known}"}
                else:
                    answer = self._on_stop_node(name) if rest[0] == b"stop" else self._on_start_node(name)
            elif len(rest) == 2 and rest[0] == b"set":
                answer = self._on_set(msgpack.unpackb(rest[1]))
            else:
                continue
            self._control.send([identity, msgpack.packb(answer)])

    def _take_beats(self) -> None:
        """Take all that waits; what is no beat is answered by `_on_control`."""
        while (frames := self._control.receive()) is not None:
            identity, *rest = frames
            if rest[:1] == [b"beat"] and len(rest) == 2:
                self._on_beat(msgpack.unpackb(rest[1]))
            else:
                self._asked.append((identity, rest))

    def _on_beat(self, report: dict[str, Any]) -> None:
        child, node = self._nodes.get(report["node"], (None, None))
        if child is None or node is None or child.process is None or child.process.pid != report["pid"]:
            return  # a node that was started by hand, or the last word of one that is gone
        node.heard_ns = monotonic_ns()
        node.endpoints, node.figures = report["endpoints"], report["figures"]
        if report["state"] == "warming" and node.state in ("starting", "warming") and report["doing"] != node.doing:
            node.become("warming", report["doing"])
            self._tell(f"{node.instance.name}: {node.doing}")
        if report["state"] == "waiting" and report["doing"]:
            self._on_hold(child, node, report["doing"])
        elif {report["state"], node.state} == {"ready", "waiting"}:  # for another node
            node.become(report["state"])
        if report["state"] == "ready" and node.state in ("starting", "warming"):
            node.become("ready")
            child.why = ""
            child.has_left = child.has_left and not node.instance.kind.cleans_up
            self._keep_port(node)
            if node.was_ready:
                self._tell(f"{node.instance.name} is ready again (pid {child.process.pid})")
            node.was_ready = True

    def _on_hold(self, child: Child, node: NodeState, why: str) -> None:
        """Take note that a node is up and does nothing, beside others in its process, until what it waits for is so."""
        if node.state in ("starting", "warming", "ready", "waiting") and node.doing != why:
            node.become("waiting", why)
            node.was_ready = True
            child.has_left = child.has_left and not node.instance.kind.cleans_up
            self._tell(f"{node.instance.name} waits: {why}")

    def _keep_port(self, node: NodeState) -> None:
        """Make a free port that a node was given its fixed one, for its restarts and for the nodes that need it."""
        address = node.endpoints.get("http") or node.endpoints.get("tcp") or ""
        if port := address.rpartition(":")[2]:
            settings = self._settings.with_port(node.instance, int(port))
            self._settings = self._settings if settings == self._settings else settings

    def _keep_settings(self) -> None:
        if self._kept is not self._settings or not (self._run_dir / DESK_FILE).exists():
            self._kept = None
            write_desk_file(self._run_dir, self._settings)
            self._kept = self._settings

    def _on_set(self, texts: dict[str, str]) -> dict[str, Any]:
        """Change settings that can be while the desk runs; whoever reads them finds them in desk.json."""
        before, before_texts = self._settings, live_texts(self._settings)
        try:
            self._settings = with_changes(before, texts, "command line")
            self._keep_settings()
        except SettingsError as error:
            return {"error": str(error)}
        except OSError as error:
            self._settings = before
            return {"error": f"nothing is set: {self._run_dir / DESK_FILE} cannot be written: {error.strerror}"}
        now = live_texts(self._settings)
        changed = {key: [before_texts[key], now[key]] for key in texts}
        return {"set": changed, "file": str(CONFIG_FILE.absolute())}

    # --- processes ---

    def _await_earlier_nodes(self) -> None:
        """Wait for the nodes of a desk whose supervisor was killed: they stop by themselves, in order.

        Raises:
            LockedError: if one does not.
        """
        deadline, is_told = time.monotonic() + self._budget.total_s, False
        for name in self._nodes:
            path = self._run_dir / f"{name}.lock"
            while (pid := holder_pid(path)) is not None:
                if not is_told:
                    self._tell(f"waiting for nodes of an earlier desk to stop ({name}, pid {pid})")
                    is_told = True
                if time.monotonic() > deadline:
                    self._lock.release()
                    raise LockedError(f"{name} is already running, pid {pid} ({path})")
                time.sleep(STOP_LOOK_S)

    def _tick(self, loop: PollLoop) -> None:
        with contextlib.suppress(OSError):  # a full disk: tried again the next time
            self._keep_settings()
        if self._asked:  # while we looked at ourselves: of that the channel says nothing any more
            self._on_control()
        self._beginner.look()
        for child in self._children:
            self._lives.look_after(child)
        if self._lives.error is not None:
            loop.stop()
            return
        for child in self._children:
            is_due = child.process is None and child.is_wanted and not child.backoff.is_on(monotonic_ns())
            has_settings = self._kept is self._settings  # it reads desk.json
            if is_due and has_settings and self._has_needs(child) and self._beginner.is_ready(child.kinds):
                self._lives.start(child)
        wanted = [node for child, node in self._nodes.values() if child.is_wanted]
        if not self.is_ready and all(node.state == "ready" or node.is_held for node in wanted):
            self._ready_ns = monotonic_ns()
            self._tell(f"ready in {(self._ready_ns - self._started_ns) / NS_PER_SECOND:.1f} s")

    def _has_needs(self, child: Child) -> bool:
        needed = [self._nodes[name] for node in child.nodes for name in node.instance.needs if name in self._nodes]
        return all(other is child or node.was_ready for other, node in needed)

    # --- one node ---

    def _on_stop_node(self, name: str) -> dict[str, Any]:
        """Begin to stop a node, which is then left alone; `status` tells when it is `stopped`."""
        child, _ = self._nodes[name]
        if child.is_wanted or (child.has_left and child.process is None):
            self._lives.let_go(child)
            self._tell(f"{child.name} is stopped by hand, until: start {name}")
        needed_by = [
            node.instance.name
            for other, node in self._nodes.values()
            if other is not child and other.is_wanted and set(child.names) & set(node.instance.needs)
        ]
        return {"process": list(child.names), "needed_by": needed_by, "seconds": 2 * self._budget.of(child.instances)}

    def _on_start_node(self, name: str) -> dict[str, Any]:
        """Let a node that was stopped run again."""
        if self._is_stopping:  # nothing starts any more, and what a killed node has left must still be undone
            return {"error": "the desk is stopping"}
        child, _ = self._nodes[name]
        try:
            if child.may_leave_orders:
                refuse_while_flattening(self._run_dir, f"start {name}")
        except NodeError as error:
            return {"error": str(error)}
        is_news = not child.is_wanted
        child.is_wanted = True
        child.backoff.end()
        if is_news:
            child.why = ""
            child.become("stopping" if child.process else "waiting")
            self._tell(f"{child.name} is started by hand")
        return {"process": list(child.names), "restarts": child.restart_count}

    # --- the end ---

    def _stop(self) -> None:
        self._is_stopping = True
        self._tell("stopping")
        for wave in range(WAVE_COUNT):
            self._stop_wave([child for child in self._children if wave_of(child.instances) == wave])
        status = self.status()
        with contextlib.suppress(OSError):  # then `down` says that it does not know
            write_desk_file(self._run_dir, self._settings, self._left())
        self.close()
        for line in day_lines(status):
            self._tell(line)

    def _left(self) -> list[str]:
        """Return a line for each process whose orders may be at the venue still, all of them being stopped."""
        return [f"{child.name}: {child.why}" for child in self._children if child.has_left]

    def close(self) -> None:
        """Leave the run directory as it was found: no socket and no lock."""
        self._control.close()
        close_all()
        self._lives.close()
        self._alerts.close()
        for name in self._nodes:
            (self._run_dir / f"{name}.lock").unlink(missing_ok=True)
        for left in self._run_dir.glob("*.ipc"):
            left.unlink(missing_ok=True)
        self._lock.release()

    def _stop_wave(self, wave: Sequence[Child]) -> None:
        for child in wave:
            if child.is_wanted or child.has_left:
                self._lives.let_go(child)
        word_ns = monotonic_ns() + STOP_WORD_NS
        while running := [child for child in wave if child.process is not None]:
            for child in running:
                self._lives.look_after(child)
            self._on_control()
            if monotonic_ns() > word_ns:
                word_ns += 5 * STOP_WORD_NS
                self._tell(f"waiting for {', '.join(child.name for child in running)} to stop")
            time.sleep(STOP_LOOK_S)
