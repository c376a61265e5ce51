"""The plan of a desk: what its settings make of it. Which nodes, which symbols on which engine, whose port and number.

Pure: `settings.plan` is the one way to ask, in the supervisor, in every node and in every command.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bus.topology import Source
from bus.wiring import Address
from desk.kinds import ENGINE, GATEWAY, KIND_NAMES, KINDS, Kind
from desk.run_dir import WATCHDOG
from desk.sections import EngineRow, EngineSettings, GatewayRow, GatewaySettings
from market.instrument import Instrument
from market.limits import SOURCE_MAX

# Of the supervisor, or of what else is in the run directory: a node's name is that of its lock, log and folder.
_RESERVED = ("desk", "supervisor", "logs", "journal", "reports", "bus", "before", "none", "maker_id", WATCHDOG)


@dataclass(frozen=True, slots=True)
class Instance:
    """A node of a desk: its kind, its name, and the nodes that must be ready before it starts."""

    kind: Kind
    name: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """An engine: its settings, the symbols whose books it has, its journal, and where its channels are over tcp."""

    name: str
    settings: EngineSettings
    instruments: tuple[Instrument, ...]
    journal_folder: Path
    address: Address

    @property
    def symbol_ids(self) -> frozenset[int]:
        """The ids of its symbols."""
        return frozenset(each.symbol_id for each in self.instruments)


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """A gateway: its settings with its own host and port, its number among the sources, and its sessions' folder."""

    name: str
    settings: GatewaySettings
    source: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """A desk.

    Attributes:
        engines: by name, in the order of their table.
        gateways: likewise.
        idle: the names of those for which the settings leave nothing to do.
        engine_of: by symbol, the name of the engine that has its book.
    """

    engines: Mapping[str, EnginePlan]
    gateways: Mapping[str, GatewayPlan]
    idle: frozenset[str]
    engine_of: Mapping[str, str]

    @property
    def nodes(self) -> tuple[Instance, ...]:
        """Every node that the desk may have, in the order in which they start."""
        names: dict[str, Collection[str]] = {kind.name: (kind.name,) for kind in KINDS}
        names |= {ENGINE.name: self.engines, GATEWAY.name: self.gateways}
        return tuple(
            Instance(kind, name, tuple(each for need in kind.needs for each in names[need]))
            for kind in KINDS
            for name in names[kind.name]
        )

    def named(self, names: Collection[str]) -> tuple[Instance, ...]:
        """Return the nodes with these names in the order in which they start, each once.

        Raises:
            ValueError: if there is no such node.
        """
        known = [node.name for node in self.nodes]
        if unknown := sorted(set(names) - set(known)):
            raise ValueError(f"there is no node {', '.join(unknown)}; the nodes are {', '.join(known)}")
        return tuple(node for node in self.nodes if node.name in names)

    def chosen(self, only: Collection[str] = (), without: Collection[str] = ()) -> tuple[Instance, ...]:
        """Return the nodes that run: those of `only`, else all with something to do; of these none of `without`.

        Raises:
            ValueError: if there is no such node.
        """
        self.named({*only, *without})
        return tuple(
            node
            for node in self.nodes
            if (node.name in only if only else node.name not in self.idle) and node.name not in without
        )

    def needing(self, names: Collection[str]) -> frozenset[str]:
        """Return the nodes that need one of `names`, and those that need these, and so on; without `names`."""
        found = set(names)
        while more := {node.name for node in self.nodes if found & set(node.needs)} - found:
            found |= more
        return frozenset(found - set(names))

    @property
    def symbol_ids(self) -> dict[str, frozenset[int]]:
        """By engine, the ids of the symbols whose books it has, as an engine client takes them."""
        return {engine.name: engine.symbol_ids for engine in self.engines.values()}

    @property
    def is_synced(self) -> bool:
        """Whether an engine acknowledges nothing that its disk has not: so do those then who go on from its reports."""
        return any(engine.settings.journal in ("group", "sync") for engine in self.engines.values())

    def source_name(self, number: int) -> str:
        """Return who gives commands under this number, for a person."""
        by_number = {gateway.source: gateway.name for gateway in self.gateways.values()}
        fixed = {int(source): source.name.lower() for source in Source}
        return (fixed | by_number).get(number, f"source {number}")


def place_symbols(rows: Sequence[EngineRow], symbols: Collection[str]) -> dict[str, str]:
    """Return by symbol the engine that has its book: the one that names it, else the one that names none.

    Raises:
        ValueError: if an engine names a symbol that is unknown or another's, or a symbol or an engine is left over.
    """
    places: dict[str, str] = {}
    for row in rows:
        if unknown := [symbol for symbol in row.symbols if symbol not in symbols]:
            raise ValueError(f"{row.name}: expected symbols of {', '.join(symbols)}, were {', '.join(unknown)} too")
        if twice := [symbol for symbol in row.symbols if symbol in places]:
            raise ValueError(f"{row.name}: expected each symbol at one engine, {places[twice[0]]} has {twice[0]}, too")
        places |= dict.fromkeys(row.symbols, row.name)
    rest, takers = [symbol for symbol in symbols if symbol not in places], [row.name for row in rows if not row.symbols]
    if rest and not takers:
        raise ValueError(f"expected an engine for {', '.join(rest)}: one without `symbols` takes what the others leave")
    if len(takers) > 1 or (takers and not rest):
        raise ValueError(f"{takers[-1]}: expected its symbols, for no other engine leaves it any")
    return {symbol: places.get(symbol) or takers[0] for symbol in symbols}


def gateway_numbers(rows: Sequence[GatewayRow], kept: Mapping[str, int]) -> dict[str, int]:
    """Return by name the number of each gateway among the sources: its row's, else the kept one, else the next free.

    Raises:
        ValueError: if a number is a fixed source's, two have the same, or one is now to have another than before.
    """
    numbers = dict(kept)
    for row in rows:
        if row.source is None:
            continue
        if row.source in list(Source):
            fixed = Source(row.source).name.lower()
            raise ValueError(f"{row.name}: expected a free number as source, {row.source} is {fixed}'s")
        if (before := numbers.get(row.name, row.source)) != row.source:
            raise ValueError(
                f"{row.name}: expected source {before}, which its sessions and orders have, was {row.source}"
            )
        if others := [name for name, number in numbers.items() if number == row.source and name != row.name]:
            raise ValueError(f"{row.name}: expected a source of its own, {row.source} is that of {others[0]}")
        numbers[row.name] = row.source
    new = [row.name for row in rows if row.name not in numbers]
    free = sorted({*range(1, SOURCE_MAX + 1)} - {*numbers.values(), *Source})
    if len(new) > len(free):
        known = "with those that this run directory remembers"
        raise ValueError(f"expected at most {SOURCE_MAX} sources of orders, {known}")
    return numbers | dict(zip(new, free, strict=False))


def check_names(engines: Sequence[EngineRow], gateways: Sequence[GatewayRow]) -> None:
    """Check that no two nodes have one name, and that none is called as another kind of node.

    Raises:
        ValueError: if so.
    """
    named = [(ENGINE, row.name) for row in engines] + [(GATEWAY, row.name) for row in gateways]
    names = [name for _, name in named]
    for kind, name in named:
        if names.count(name) > 1:
            raise ValueError(f"expected each name once, there are two nodes called {name}")
        if name != kind.name and name in (*KIND_NAMES, *_RESERVED):
            raise ValueError(f"expected another name for a node of the kind {kind.name} than {name}")


def processes(nodes: Collection[Instance], colocated: Collection[str]) -> tuple[tuple[Instance, ...], ...]:
    """Return the nodes of each process of a desk, in the order in which the processes start.

    Args:
        nodes: those that run, in their order.
        colocated: for each process with several nodes, their names joined by commas.

    Raises:
        ValueError: if a node is none of the desk's, is to be in two processes, or a process would have to wait for
            one that waits for it.
    """
    by_name = {node.name: node for node in nodes}
    mates: dict[str, tuple[str, ...]] = {}
    for text in colocated:
        named = set(text.split(","))
        if stranger := sorted(named - by_name.keys()):
            raise ValueError(f"cannot colocate {text}: this desk runs no {', '.join(stranger)}")
        if twice := sorted(named & mates.keys()):
            raise ValueError(f"cannot colocate {text}: {', '.join(twice)} is in another process already")
        servers = [name for name, node in by_name.items() if name in named and node.kind.is_http]
        if len(servers) > 1:
            raise ValueError(f"cannot colocate {text}: a process serves HTTP once, not for {' and '.join(servers)}")
        mates |= dict.fromkeys(named, tuple(name for name in by_name if name in named))
    groups = dict.fromkeys(mates.get(name, (name,)) for name in by_name)
    started, ordered = set[str](), list[tuple[Instance, ...]]()
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
