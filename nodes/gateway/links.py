"""A gateway's links to the engines of its desk: which engine a command is for, and what each engine has still to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from bus.engine_client import LinkEnd
from engine.rows.messages import MASS_CANCEL_SYMBOL_ID, NEW_SYMBOL_ID, TAG, Int64Array
from market.codes import Tag
from market.limits import COMMANDS_IN_FLIGHT_MAX

_ALL_ENGINES = -1


@dataclass(slots=True)
class EngineLink:
    """One engine as a gateway sees it.

    Attributes:
        engine: its name.
        symbol_ids: whose books it has.
        cancels_owed: sessions, by number, whose orders are to be cancelled here as soon as the engine takes it.
        leaving: sessions that end: with which command the last of them is done here.
        ready_at: the command with which all of the past is done here, None until the engine has answered.
        is_ready: whether it is done.
    """

    engine: str
    source: LinkEnd
    symbol_ids: frozenset[int]
    cancels_owed: set[int]
    leaving: dict[int, int] = field(default_factory=dict)
    ready_at: int | None = None
    is_ready: bool = False

    @property
    def is_connected(self) -> bool:
        """Whether the engine takes commands."""
        return self.source.is_connected

    @property
    def has_work(self) -> bool:
        """Whether the engine is here, and has still to tell what became of some commands."""
        return self.source.is_connected and self.source.in_flight > 0

    def is_behind(self, *, was_behind: bool) -> bool:
        """Return whether the engine has too much to do; once it had, until it has half of that."""
        in_flight = self.source.in_flight if self.source.is_connected else 0
        return in_flight > (COMMANDS_IN_FLIGHT_MAX // 2 if was_behind else COMMANDS_IN_FLIGHT_MAX)


class EngineLinks:
    """All links of a gateway; of a desk with one engine, one.

    Args:
        links: by engine, the first engine's first; together they have all symbols.
    """

    def __init__(self, links: Sequence[EngineLink]) -> None:
        self._links = tuple(links)
        count = max(max(link.symbol_ids, default=0) for link in links) + 1
        self._places = np.zeros(count, np.int64)
        for place, link in enumerate(links):
            self._places[sorted(link.symbol_ids)] = place

    def __iter__(self) -> Iterator[EngineLink]:
        return iter(self._links)

    def parts(self, rows: Int64Array) -> Iterator[tuple[tuple[EngineLink, ...], Int64Array]]:
        """Yield the rows of clients' messages in their order, cut where the next is for another engine, with the links.

        Rows that are for no engine go with the first's, and a mass cancel of all symbols to every one. Where symbols of
        several engines take turns each part is short: who sends many orders should send them symbol by symbol.
        """
        if len(self._links) == 1:
            yield self._links, rows
            return
        rows = rows.copy()  # each part is taken in the memory that all of them were read into
        is_mass_cancel = rows[:, TAG] == int(Tag.MASS_CANCEL)
        symbols = np.where(is_mass_cancel, rows[:, MASS_CANCEL_SYMBOL_ID], rows[:, NEW_SYMBOL_ID])
        is_order = np.isin(rows[:, TAG], (int(Tag.NEW_ORDER), int(Tag.CANCEL_ORDER), int(Tag.AMEND_ORDER)))
        is_known = (is_order | is_mass_cancel) & (symbols >= 0) & (symbols < len(self._places))
        places = np.where(is_known, self._places[np.where(is_known, symbols, 0)], 0)
        places[is_mass_cancel & (symbols < 0)] = _ALL_ENGINES
        cuts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(rows)]
        for start, end in pairwise(cuts):
            place = int(places[start])
            yield self._links if place == _ALL_ENGINES else (self._links[place],), rows[start:end]

    def is_owed(self, number: int) -> bool:
        """Return whether an engine has still to cancel something of this session."""
        return any(number in link.cancels_owed or number in link.leaving for link in self._links)
