"""How the maker knows its orders again: the prefix of their ids, and a note of those that it may have just sent."""

import itertools
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from market.clock import NS_PER_MS, time_ns
from market.codes import Side
from market.whole_file import write_whole
from trading.quoting import Quote

PREFIX_FILE = "maker_id"
SENT_FILE = "maker_sent.json"
_NAME = re.compile(r"[0-9a-f]{6}")


def own_prefix(run_dir: Path) -> str:
    """Return how this desk's client order ids start; made up once and kept in the run directory.

    Two desks on one account must not touch each other's orders.
    """
    path = run_dir / PREFIX_FILE
    name = path.read_text(encoding="ascii", errors="replace").strip() if path.exists() else ""
    if not _NAME.fullmatch(name):  # an empty file is of a maker that was killed as it wrote it
        name = secrets.token_hex(3)
        write_whole(path, f"{name}\n".encode("ascii"), is_synced=False)
    return f"tb-{name}-"


def client_order_ids(prefix: str) -> Iterator[str]:
    """Yield ids that no earlier run has used."""
    start_ms = time_ns() // NS_PER_MS
    return (f"{prefix}{start_ms}-{n}" for n in itertools.count(1))


def read_sent(path: Path, symbol: str) -> dict[str, Quote]:
    """Return the orders in `symbol` whose fate the run before did not know, by client order id.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        rows = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return {}
    try:
        return {
            str(row["id"]): Quote(Side[row["side"]], int(row["price_ticks"]), int(row["qty_lots"]))
            for row in rows
            if row["symbol"] == symbol
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected a list of orders: {error}") from None


def write_sent(path: Path, symbol: str, sent: Mapping[str, Quote]) -> None:
    """Keep the orders whose fate is not known, and no others: what a maker that is killed leaves its successor to ask.

    The note outlives the process, not the machine: it is written before every order, which must not wait for the disk.

    Raises:
        OSError: if that cannot be.
    """
    rows = [{"id": name, "symbol": symbol, **asdict(each), "side": each.side.name} for name, each in sent.items()]
    write_whole(path, json.dumps(rows).encode("ascii"), is_synced=False)


class SentOrders:
    """The note of this desk's orders of unknown fate in one symbol.

    Args:
        on_error: told why they cannot be read or kept; the maker goes on without.

    Attributes:
        orders: as they are kept: at first, those of the run before.
    """

    def __init__(self, run_dir: Path, symbol: str, on_error: Callable[[Exception], None]) -> None:
        self._path = run_dir / SENT_FILE
        self._symbol = symbol
        self._on_error = on_error
        self.orders: Mapping[str, Quote] = {}
        try:
            self.orders = read_sent(self._path, symbol)
        except (OSError, ValueError) as error:
            on_error(error)

    def keep(self, orders: Mapping[str, Quote]) -> None:
        """Keep these, before they leave."""
        if orders == self.orders:
            return
        self.orders = orders
        try:
            write_sent(self._path, self._symbol, orders)
        except OSError as error:
            self._on_error(error)
