"""How the maker knows its orders again: the prefix of their ids, and a note of those that no list may show yet.

The note tells as well how many have left, for the venue counts them, whoever sends them.
"""

import itertools
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from desk.run_dir import MAKER_OUT
from market.account import VenueOrder
from market.clock import NS_PER_MS, iso_time, time_ns
from market.codes import Side
from market.whole_file import write_whole
from trading.own_orders import Left
from trading.quoting import Quote
from trading.sending_rate import NOTHING_SENT, SentLately

PREFIX_FILE = "maker_id"
SENT_FILE = "maker_sent.json"
_NAME = re.compile(r"[0-9a-f]{6}")


def own_prefix(run_dir: Path) -> str:
    """Return how this desk's client order ids start; made up once and kept in the run directory.

    Two desks on one account must not touch each other's orders. One desk's are known again in whatever pair.
    """
    path = run_dir / PREFIX_FILE
    name = path.read_text(encoding="ascii", errors="replace").strip() if path.exists() else ""
    if not _NAME.fullmatch(name):  # an empty file is of a maker that was killed as it wrote it
        name = secrets.token_hex(3)
        write_whole(path, f"{name}\n".encode("ascii"))
    return f"tb-{name}-"


def note_out(run_dir: Path) -> None:
    """Note that surely no order of this desk's maker is anywhere; where that cannot be, nobody knows of it.

    Raises:
        OSError: if the disk does not take it.
    """
    write_whole(run_dir / MAKER_OUT, f"{iso_time(time_ns() // NS_PER_MS)[:19]}Z\n".encode("ascii"))


def out_since(run_dir: Path) -> str:
    """Return since when surely no order of its maker is anywhere, as documents have it; empty where nobody knows."""
    try:
        return (run_dir / MAKER_OUT).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def forget_out(run_dir: Path) -> None:
    """Take that back, before an order may leave.

    Raises:
        OSError: if it cannot be.
    """
    (run_dir / MAKER_OUT).unlink(missing_ok=True)


def client_order_ids(prefix: str) -> Iterator[str]:
    """Yield ids that no earlier run has used."""
    start_ms = time_ns() // NS_PER_MS
    return (f"{prefix}{start_ms}-{n}" for n in itertools.count(1))


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order that a maker which is killed leaves its successor: to ask for, or to know though no list shows it yet.

    Attributes:
        name: its client order id.
        account: the `account_name` of a `BinanceAccount`; empty in a note of an earlier version, which had none.
        order: as it was sent; as it was last heard of, once the venue has taken it.
    """

    name: str
    symbol: str
    account: str
    order: Left


class Note(NamedTuple):
    """What a maker that is killed leaves its successor.

    Attributes:
        orders: in whatever pair and account.
        lately: how many orders have left, by `account_name`.
    """

    orders: Sequence[SentOrder]
    lately: Mapping[str, SentLately]


NO_NOTE: Final = Note((), {})


def read_note(path: Path) -> Note:
    """Return what the runs before have left; earlier versions wrote the orders alone, as a list.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        said = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return NO_NOTE
    try:
        rows, lately = (said, {}) if isinstance(said, list) else (said["orders"], said["lately"])
        orders = [
            SentOrder(str(row["id"]), str(row["symbol"]), str(row.get("account", "")), _order_of(row)) for row in rows
        ]
        return Note(orders, {account: _lately_of(row) for account, row in lately.items()})
    except (ArithmeticError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"expected orders, and how many have left: {error}") from None


def write_note(path: Path, note: Note) -> None:
    """Keep this note in place of the one before.

    The note outlives the process, not the machine: it is written before every order, which must not wait for the disk.

    Raises:
        OSError: if that cannot be.
    """
    orders = [
        {"id": each.name, "symbol": each.symbol, "account": each.account, **_terms_of(each.order)}
        for each in note.orders
    ]
    lately = {account: sent._asdict() for account, sent in note.lately.items()}
    write_whole(path, json.dumps({"orders": orders, "lately": lately}).encode("ascii"), is_synced=False)


def _order_of(row: dict[str, Any]) -> Left:
    if "order_id" not in row:  # as in each row of an earlier version
        return Quote(Side[row["side"]], int(row["price_ticks"]), int(row["qty_lots"]))
    return VenueOrder(
        str(row["order_id"]),
        str(row["id"]),
        str(row["symbol"]),
        Side[row["side"]],
        Decimal(row["price"]),
        Decimal(row["qty"]),
        Decimal(row["filled_qty"]),
        str(row["status"]),
        int(row["time_ms"]),
    )


def _lately_of(row: dict[str, Any]) -> SentLately:
    sent_ns = {str(name): int(at_ns) for name, at_ns in row["sent_ns"].items()}
    spent = tuple((int(at_ns), int(weight)) for at_ns, weight in row.get("spent", ()))  # earlier versions had none
    return SentLately(sent_ns, int(row["day"]), int(row["day_count"]), spent)


def _terms_of(order: Left) -> dict[str, Any]:
    if isinstance(order, Quote):
        return {"side": order.side.name, "price_ticks": order.price_ticks, "qty_lots": order.qty_lots}
    texts = {key: str(getattr(order, key)) for key in ("price", "qty", "filled_qty")}
    return {"order_id": order.order_id, "side": order.side.name, **texts,
            "status": order.status, "time_ms": order.time_ms}  # fmt: skip


class SentOrders:
    """The note of this desk's orders.

    Args:
        symbol, account: what is traded now; what the note has of others stays in it.
        log: told why they cannot be read or kept; the maker goes on without.

    Attributes:
        prefix: with which the ids of all our orders start.
        account: the `account_name` of a `BinanceAccount`.
        orders: those in `symbol`, as they are kept: at first, those of the run before.
        elsewhere: those in other pairs of `account`.
        lately: how many orders of `account` have left.
    """

    def __init__(self, run_dir: Path, prefix: str, symbol: str, account: str, log: Any) -> None:
        self.prefix = prefix
        self.symbol = symbol
        self._path = run_dir / SENT_FILE
        self.account = account
        self._log = log
        self._why_failed = ""
        found = NO_NOTE
        try:
            found = read_note(self._path)
        except (OSError, ValueError) as error:
            self._failed(error)
        here = [each for each in found.orders if each.account in ("", account)]
        self._of_others = [each for each in found.orders if each not in here]
        self._lately_of_others = {name: sent for name, sent in found.lately.items() if name != account}
        self.lately = found.lately.get(account, NOTHING_SENT)
        self.orders: Mapping[str, Left] = {each.name: each.order for each in here if each.symbol == symbol}
        self.elsewhere = [each for each in here if each.symbol != symbol]

    def taken(self) -> list[VenueOrder]:
        """Return those that the venue has taken and that may be open, in whatever pair of `account`."""
        left = (*self.orders.values(), *(each.order for each in self.elsewhere))
        return [order for order in left if isinstance(order, VenueOrder) and order.is_open]

    def keep(self, orders: Mapping[str, Left], lately: SentLately) -> None:
        """Keep these in our pair, before they leave, and how many have left with them, and what else was spent."""
        if orders != self.orders or lately.spent[-1:] != self.lately.spent[-1:]:
            self.orders, self.lately = orders, lately
            self._write()

    def settle(self, order: SentOrder) -> None:
        """Forget one elsewhere: nothing of it is open any more."""
        self.elsewhere.remove(order)
        self._write()

    def _write(self) -> None:
        ours = [SentOrder(name, self.symbol, self.account, order) for name, order in self.orders.items()]
        try:
            lately = {**self._lately_of_others, self.account: self.lately}
            write_note(self._path, Note([*ours, *self.elsewhere, *self._of_others], lately))
        except OSError as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if (why := str(error) or type(error).__name__) != self._why_failed:
            self._why_failed = why
            cost = "a maker that is killed now may double one for a moment"
            self._log.warning(f"the newest orders are not kept: {cost}", why=why)
