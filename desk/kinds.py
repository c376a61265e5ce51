"""The one table of nodes: what each is, what it needs, and what a desk runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bus.topology import ENGINE_NAMES, FIRST_ENGINE


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One row: a node, the nodes that must be ready before it starts, and what it is for.

    Its code is the module `nodes.<name>.node`, without a number at the end of the name: its `run(node)` returns when
    the node has stopped.
    """

    name: str
    needs: tuple[str, ...]
    says: str
    is_http: bool = False  # it serves HTTP, which its library does once in a process
    has_keys: bool = False  # it trades, or asks for the account, with the venue's key and secret
    cleans_up: bool = False  # it has orders of its own at the venue: whoever sees it killed runs its `clean_up`


ROSTER: tuple[NodeSpec, ...] = (
    NodeSpec("engine", (), "matches orders, publishes the book feed"),
    *(NodeSpec(name, (), "does so for the symbols that are placed there") for name in ENGINE_NAMES[1:]),
    NodeSpec("gateway", ("engine",), "takes orders over TCP"),
    *(NodeSpec(f"gateway{n}", ("engine",), "takes orders over TCP, on another port") for n in (2, 3, 4)),
    NodeSpec("paper", ("engine",), "a Binance Spot look-alike in front of the engine", is_http=True),
    NodeSpec("flow", ("engine",), "brings the paper market to life"),
    NodeSpec("api", ("engine",), "serves the order book over HTTP", is_http=True),
    NodeSpec("maker", ("gateway", "paper", "flow"), "quotes both sides at the venue", has_keys=True, cleans_up=True),
    NodeSpec("tracker", ("paper",), "writes the daily performance file", has_keys=True),
)
NODE_NAMES: tuple[str, ...] = tuple(spec.name for spec in ROSTER)
GATEWAY_NAMES: tuple[str, ...] = tuple(name for name in NODE_NAMES if name.startswith("gateway"))


def module_of(name: str) -> str:
    """Return the module of a node's code."""
    return f"nodes.{name.rstrip('0123456789')}.node"


def desk_nodes(
    venue: str,
    flow: str,
    gateway_count: int = 1,
    only: Collection[str] = (),
    without: Collection[str] = (),
    engines: Sequence[str] = (FIRST_ENGINE,),
) -> tuple[NodeSpec, ...]:
    """Return the nodes of a desk in the order in which they start.

    Args:
        venue: the venue's name; away from `paper` no paper exchange and no flow run here.
        flow: the flow's source, `none` for a market without one.
        gateway_count: how many gateways have a port.
        only: if not empty, just these.
        without: not these.
        engines: the names of its engines.

    Raises:
        ValueError: if a name is not in the roster.
    """
    in_order({*only, *without})
    idle = {"paper", "flow"} if venue != "paper" else {"flow"} if flow == "none" else set()
    idle |= set(GATEWAY_NAMES[gateway_count:]) | set(ENGINE_NAMES) - set(engines)
    chosen = [spec for spec in ROSTER if spec.name in only] if only else [s for s in ROSTER if s.name not in idle]
    return tuple(_spread(spec, engines) for spec in chosen if spec.name not in without)


def _spread(spec: NodeSpec, engines: Sequence[str]) -> NodeSpec:
    """Return the row as it is for a desk with these engines: who needs one needs all of them."""
    return replace(spec, needs=tuple(engines)) if FIRST_ENGINE in spec.needs else spec


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Return `names` in the order in which they start, each once.

    Raises:
        ValueError: if a name is not in the roster.
    """
    if unknown := sorted(set(names) - set(NODE_NAMES)):
        raise ValueError(f"there is no node {', '.join(unknown)}; the nodes are {', '.join(NODE_NAMES)}")
    return tuple(name for name in NODE_NAMES if name in names)


def processes(specs: Collection[NodeSpec], colocated: Collection[str]) -> tuple[tuple[NodeSpec, ...], ...]:
    """Return the nodes of each process of a desk, in the order in which the processes start.

    Args:
        specs: the desk's nodes, in their order.
        colocated: for each process with several nodes, their names joined by commas.

    Raises:
        ValueError: if a node is none of the desk's, is to be in two processes, or a process would have to wait for
            one that waits for it.
    """
    mates: dict[str, tuple[str, ...]] = {}
    for text in colocated:
        group = in_order(text.split(","))
        if stranger := sorted(set(group) - {spec.name for spec in specs}):
            raise ValueError(f"cannot colocate {text}: this desk runs no {', '.join(stranger)}")
        if twice := sorted(set(group) & mates.keys()):
            raise ValueError(f"cannot colocate {text}: {', '.join(twice)} is in another process already")
        servers = [spec.name for spec in specs if spec.name in group and spec.is_http]
        if len(servers) > 1:
            raise ValueError(f"cannot colocate {text}: a process serves HTTP once, not for {' and '.join(servers)}")
        mates |= dict.fromkeys(group, group)
    groups = dict.fromkeys(mates.get(spec.name, (spec.name,)) for spec in specs)
    by_name, started, ordered = {spec.name: spec for spec in specs}, set[str](), list[tuple[NodeSpec, ...]]()
    while waiting := [group for group in groups if not started.issuperset(group)]:
        for group in waiting:
            needed = {need for name in group for need in by_name[name].needs if need in by_name} - set(group)
            if needed <= started:
                break
        else:
            raise ValueError(f"cannot colocate {', '.join(waiting[0])}: others stand between them")
        started |= set(group)
        ordered.append(tuple(by_name[name] for name in group))
    return tuple(ordered)
