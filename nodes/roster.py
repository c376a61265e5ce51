"""The one table of nodes: what each is, what it needs, and what a desk runs."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One row: a node, the nodes that must be ready before it starts, and what it is for.

    Its code is the module `nodes.<name>`, without a number at the end: its `run(node)` returns when the node has
    stopped.
    """

    name: str
    needs: tuple[str, ...]
    says: str


ROSTER: tuple[NodeSpec, ...] = (
    NodeSpec("engine", (), "matches orders, publishes the book feed"),
    NodeSpec("gateway", ("engine",), "takes orders over TCP"),
    *(NodeSpec(f"gateway{n}", ("engine",), "takes orders over TCP, on another port") for n in (2, 3, 4)),
    NodeSpec("paper", ("engine",), "a Binance Spot look-alike in front of the engine"),
    NodeSpec("flow", ("engine",), "brings the paper market to life"),
    NodeSpec("api", ("engine",), "serves the order book over HTTP"),
    NodeSpec("maker", ("gateway", "paper", "flow"), "quotes both sides at the venue"),
    NodeSpec("tracker", ("paper",), "writes the daily performance file"),
)
NODE_NAMES: tuple[str, ...] = tuple(spec.name for spec in ROSTER)
GATEWAY_NAMES: tuple[str, ...] = tuple(name for name in NODE_NAMES if name.startswith("gateway"))


def module_of(name: str) -> str:
    """Return the module of a node's code."""
    return f"nodes.{name.rstrip('0123456789')}"


def desk_nodes(
    venue: str, flow: str, gateway_count: int = 1, only: Collection[str] = (), without: Collection[str] = ()
) -> tuple[NodeSpec, ...]:
    """Return the nodes of a desk in the order in which they start.

    Args:
        venue: the venue's name; away from `paper` no paper exchange and no flow run here.
        flow: the flow's source, `none` for a market without one.
        gateway_count: how many gateways have a port.
        only: if not empty, just these.
        without: not these.

    Raises:
        ValueError: if a name is not in the roster.
    """
    unknown = sorted({*only, *without} - set(NODE_NAMES))
    if unknown:
        raise ValueError(f"there is no node {', '.join(unknown)}; the nodes are {', '.join(NODE_NAMES)}")
    idle = {"paper", "flow"} if venue != "paper" else {"flow"} if flow == "none" else set()
    idle |= set(GATEWAY_NAMES[gateway_count:])
    chosen = [spec for spec in ROSTER if spec.name in only] if only else [s for s in ROSTER if s.name not in idle]
    return tuple(spec for spec in chosen if spec.name not in without)
