"""The one table of channels: who binds, who connects, what may be lost; and the one table of order sources.

Every channel is a ZeroMQ socket pair over ipc, its socket file `<run directory>/<channel>.ipc`; between threads of one
process over inproc; and between machines over tcp, if the settings say so: bus/wiring.py.
"""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from market import limits


@dataclass(frozen=True, slots=True)
class Channel:
    """One row of the table.

    Attributes:
        binder: the kind of node that binds it, with a socket of `bind_type`.
        high_water_mark: messages that may wait in each direction for each peer.
        is_lossy: whether ZeroMQ may drop a message when a peer is slow or gone (its stream then carries a sequence).
        linger_ms: how long a closing socket waits for messages on their way.
        tcp_port: what is added to the desk's first port for the channel's own; None if it never leaves the machine.
        answer_bytes_max: the largest frame that a connecting node takes; a larger one ends its connection.
    """

    name: str
    binder: str
    bind_type: str
    high_water_mark: int
    is_lossy: bool
    linger_ms: int
    says: str
    tcp_port: int | None = None
    answer_bytes_max: int = limits.FRAME_BYTES_MAX

    @property
    def connect_type(self) -> str:
        """The type of socket with which all others connect."""
        return {"ROUTER": "DEALER", "XPUB": "SUB"}[self.bind_type]

    @property
    def is_bulky(self) -> bool:
        """Whether its frames may be so large that others should not wait behind them."""
        return self.answer_bytes_max > limits.FRAME_BYTES_MAX


ORDERS = Channel("orders", "engine", "ROUTER", limits.ORDERS_HIGH_WATER_MARK, False, 1_000, "commands and reports", 0)
FEED = Channel("feed", "engine", "XPUB", limits.FEED_HIGH_WATER_MARK, True, 0, "book, trades and best prices", 1)
SNAPSHOTS = Channel(
    "snapshots", "engine", "ROUTER", 100, True, 0, "a topic's state at a sequence", 2, limits.SNAPSHOT_BYTES_MAX
)
SUPERVISOR = "supervisor"
CONTROL = Channel("control", SUPERVISOR, "ROUTER", 1_000, True, 200, "nodes say that they are ready and well")

CHANNELS: tuple[Channel, ...] = (ORDERS, FEED, SNAPSHOTS, CONTROL)
TCP_CHANNELS = tuple(channel.name for channel in CHANNELS if channel.tcp_port is not None)


class Source(IntEnum):
    """Who may send commands to the engines, beside the gateways, whose numbers are the desk's plan's to give.

    The number stands in front of every order id and owner that a source hands out.
    """

    PAPER = 2
    FLOW = 3
    OPERATOR = 4  # the command line: halts and resumes trading
    DESK = 8  # the engine's own desk: halts that its run directory has kept, and nobody sends


def is_remembering(source: int) -> bool:
    """Return whether a source keeps its reports for good, so that those of before its restart mean something to it."""
    return source not in (Source.FLOW, Source.OPERATOR, Source.DESK)


def first_order_id(source: int) -> int:
    """Return the id before a source's first: ids are `first_order_id + n`, n from 1."""
    return source * limits.ORDER_IDS_PER_SOURCE


def first_owner(source: int) -> int:
    """Return the lowest owner number of a source."""
    return source * limits.OWNERS_PER_SOURCE


def source_of_order(order_id: int) -> int:
    """Return the number of the source that handed out `order_id`."""
    return order_id // limits.ORDER_IDS_PER_SOURCE


def endpoint(channel: Channel, run_dir: Path, binder: str) -> str:
    """Return the ZeroMQ endpoint of the channel that the node `binder` binds, for the desk that lives in `run_dir`.

    Its file is called as the channel is, with the binder's name behind it unless that is called as its kind is.

    Raises:
        ValueError: if the path is too long for a Unix socket.
    """
    path = run_dir.resolve() / f"{channel.name}{'' if binder == channel.binder else f'.{binder}'}.ipc"
    size = len(str(path).encode())
    if size > limits.IPC_PATH_BYTES_MAX:
        raise ValueError(
            f"run directory is too deep: {path} has {size} bytes, a Unix socket takes {limits.IPC_PATH_BYTES_MAX}"
        )
    return f"ipc://{path}"
