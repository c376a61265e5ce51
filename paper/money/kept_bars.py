"""The bars of public trades on disk: what tickers and klines are added up from, so that they outlive the exchange.

They are beside the money and no part of it: written by themselves, of late and not with each trade. What has traded
between the last time and a death, a running engine tells again.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from paper.money.ledger_file import writing


class KeptBar(NamedTuple):
    """One bar; what it holds is in the order of its fields, and has no bound."""

    piece_ms: int
    open_ms: int
    figures: tuple[int, ...]


class KeptBars:
    """The table of bars of a ledger."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, symbol: str) -> list[KeptBar]:
        """Return the bars of a symbol; of each length oldest first."""
        sql = "SELECT piece_ms, open_ms, figures FROM bars WHERE symbol = ? ORDER BY piece_ms, open_ms"
        return [
            KeptBar(piece_ms, open_ms, tuple(json.loads(figures)))
            for piece_ms, open_ms, figures in self._connection.execute(sql, (symbol,))
        ]

    def write(self, symbol: str, bars: Sequence[KeptBar], first_open_ms: Sequence[tuple[int, int]]) -> None:
        """Keep bars of a symbol, in place of those that began with them, and drop what is too old.

        Args:
            symbol: whose they are.
            bars: new ones, and those that have changed.
            first_open_ms: lengths of bars, and when the oldest begins that is still of use.

        Raises:
            LedgerError: if the disk does not take it; nothing was written.
        """
        with writing(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO bars VALUES (?,?,?,?)",
                [(symbol, bar.piece_ms, bar.open_ms, json.dumps(bar.figures)) for bar in bars],
            )
            self._connection.executemany(
                "DELETE FROM bars WHERE symbol = ? AND piece_ms = ? AND open_ms < ?",
                [(symbol, *first) for first in first_open_ms],
            )
