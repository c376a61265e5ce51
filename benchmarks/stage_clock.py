"""A node that says where its time goes: `python -m benchmarks.stage_clock NODE FILE` runs it under a clock.

The methods that make the stages are wrapped. Counted is the processor time of a call, the kernel's for it included, but
not that of the stages that it calls, nor the time of waiting. When the node is stopped it writes FILE. The nodes know
nothing of this; the clock costs them about 1 us for each call.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bus.channel import ChannelSocket
from bus.engine_client import LinkEnd
from bus.engine_link import EngineEnd
from bus.poll_loop import PollLoop
from desk.settings import load_settings
from engine.fast.engine import FastEngine
from engine.wire.codec import BookFeed, CommandDecoder, EventRouter, PieceDecoder, RowEncoder
from journal.journal import Journal
from nodes.engine.core import EngineCore
from nodes.engine.turns import EngineTurns
from nodes.gateway.connection import ClientConnection
from nodes.gateway.node import GatewayNode
from nodes.node import run_nodes
from sessions.session_table import SessionTable

# The stages of each node, about in the order in which an order meets them: the stage, whose method, and which.
STAGES: Final[dict[str, tuple[tuple[str, type[Any], str], ...]]] = {
    "gateway": (
        ("poll", PollLoop, "_turn"),
        ("read TCP", ClientConnection, "receive_into"),
        ("decode (both ways)", PieceDecoder, "_decode"),
        ("sessions and limits", SessionTable, "admit"),
        ("encode commands", RowEncoder, "encode"),
        ("link", LinkEnd, "send_encoded"),
        ("ZeroMQ send", ChannelSocket, "send"),
        ("ZeroMQ receive", ChannelSocket, "receive"),
        ("journal of reports", Journal, "append"),
        ("route to sessions", SessionTable, "report"),
        ("encode reports", RowEncoder, "frames_of"),
        ("write TCP", ClientConnection, "flush"),
        ("node: clients", GatewayNode, "_on_client"),
        ("node: engine", GatewayNode, "_on_engine"),
    ),
    "engine": (
        ("poll", PollLoop, "_turn"),
        ("ZeroMQ receive", ChannelSocket, "receive"),
        ("link in", EngineEnd, "receive"),
        ("journal", Journal, "append"),
        ("decode", CommandDecoder, "admit"),
        ("match", FastEngine, "match"),
        ("route to sources", EventRouter, "route"),
        ("encode reports and feed", RowEncoder, "frames_of"),
        ("feed: what changed", BookFeed, "take"),
        ("feed: best prices", FastEngine, "best"),
        ("link out", EngineEnd, "report_encoded"),
        ("ZeroMQ send", ChannelSocket, "send"),
        ("core", EngineCore, "handle"),
        ("node", EngineTurns, "take_orders"),
    ),
}


class StageClock:
    """Counts calls and their own time by stage; one thread."""

    def __init__(self) -> None:
        self.times: dict[str, dict[str, int]] = {}
        self._running: list[str] = []
        self._since_ns = time.thread_time_ns()

    def wrap(self, stage: str, owner: type[Any], name: str) -> None:
        """Count the calls of a method as this stage."""
        times = self.times.setdefault(stage, {"calls": 0, "ns": 0})
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            self._switch()
            self._running.append(stage)
            times["calls"] += 1
            try:
                return method(*arguments, **options)
            finally:
                self._switch()
                self._running.pop()

        setattr(owner, name, timed)

    def _switch(self) -> None:
        now_ns = time.thread_time_ns()
        if self._running:
            self.times[self._running[-1]]["ns"] += now_ns - self._since_ns
        self._since_ns = now_ns


def main(node: str, path: Path) -> int:
    """Run the node; return its exit code."""
    clock = StageClock()
    for stage, owner, name in STAGES[node]:
        clock.wrap(stage, owner, name)
    code = run_nodes([node], load_settings().settings)
    path.write_text(json.dumps(clock.times))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
