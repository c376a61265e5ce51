"""The engines as a gateway's sessions see them: which of them a command is for, and what each has still to do."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from market.codes import Tag
from market.kernels.row_codes import MASS_CANCEL, NEW
from market.kernels.rows import TAG, Int64Array

_ALL_ENGINES = -1


class LinkEnd(Protocol):
    """What is asked of our end of the order link to one engine; bus/engine_client.py has one over a socket."""

    engine: str
    symbol_ids: frozenset[int]

    @property
    def is_connected(self) -> bool: ...
    @property
    def sent(self) -> int: ...
    @property
    def acknowledged(self) -> int: ...
    def is_behind(self, *, was_behind: bool) -> bool: ...
    def send_encoded(self, payload: bytes, count: int, /) -> int: ...


@dataclass(slots=True, eq=False)
class Engine:
    """One engine.

    Attributes:
        cancels_owed: sessions, by number, whose orders are to be cancelled here as soon as the engine takes it.
        leaving: sessions that end: with which command the last of them is done here.
        ready_at: the command with which all of the past is done here, None until the engine has answered.
    """

    link: LinkEnd
    cancels_owed: set[int]
    leaving: dict[int, int] = field(default_factory=dict)
    ready_at: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether all of the past is done here."""
        return self.ready_at is not None and self.link.acknowledged >= self.ready_at

    def take_left(self) -> list[int]:
        """Return and forget the sessions that have ended here."""
        left = [number for number, last in self.leaving.items() if last <= self.link.acknowledged]
        for number in left:
            del self.leaving[number]
        return left


class Engines:
    """All engines of a gateway; together they have all symbols.

    Args:
        links: our end of the link to each.
        owed: sessions, by number, that have nothing open from before.

    Attributes:
        by_name: each of them.
    """

    def __init__(self, links: Sequence[LinkEnd], owed: Collection[int] = ()) -> None:
        self._all = tuple(Engine(link, set(owed)) for link in links)
        self.by_name = {engine.link.engine: engine for engine in self._all}
        count = max(max(link.symbol_ids, default=0) for link in links) + 1
        self._places = np.zeros(count, np.int64)
        for place, link in enumerate(links):
            self._places[sorted(link.symbol_ids)] = place

    def __iter__(self) -> Iterator[Engine]:
        return iter(self._all)

    def parts(self, rows: Int64Array) -> Iterator[tuple[tuple[Engine, ...], int, int]]:
        """Cut rows of clients' messages, in their order, where the next is for another engine.

        Rows that are for no engine go with the first's, and a mass cancel of all symbols to every one. Where symbols of
        several engines take turns each part is short: who sends many orders should send them symbol by symbol.

        Yields:
            the engines of a part, the index of its first row, and how many it has.
        """
        if len(self._all) == 1:
            yield self._all, 0, len(rows)
            return
        is_mass_cancel = rows[:, TAG] == int(Tag.MASS_CANCEL)
        symbols = np.where(is_mass_cancel, rows[:, MASS_CANCEL.symbol_id], rows[:, NEW.symbol_id])
        is_order = np.isin(rows[:, TAG], (int(Tag.NEW_ORDER), int(Tag.CANCEL_ORDER), int(Tag.AMEND_ORDER)))
        is_known = (is_order | is_mass_cancel) & (symbols >= 0) & (symbols < len(self._places))
        places = np.where(is_known, self._places[np.where(is_known, symbols, 0)], 0)
        places[is_mass_cancel & (symbols < 0)] = _ALL_ENGINES
        cuts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(rows)]
        for start, end in pairwise(cuts):
            place = int(places[start])
            yield self._all if place == _ALL_ENGINES else (self._all[place],), start, end - start

    def is_owed(self, number: int) -> bool:
        """Return whether an engine has still to cancel something of this session."""
        return any(number in engine.cancels_owed or number in engine.leaving for engine in self._all)
