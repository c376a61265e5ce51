"""What a long history costs the paper exchange: `python -m benchmarks.paper_history [--trades N] [--json]`.

A ledger grows to a million trades. Most of them are written through the ledger's own transactions, many orders to one;
at a hundredth, a tenth and all of them real orders are placed and filled through the exchange, the questions of
`myTrades`, `allOrders` and `order` are asked, and the ledger is opened as a restart would. Every answer is checked
against what was written; `naive` is the same question without an index, at the end.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from desk.settings import Settings
from market.clock import NS_PER_SECOND, monotonic_ns
from market.codes import SelfTradePrevention, Side, TimeInForce
from market.commands import Command, NewOrder
from market.depth import Depth
from market.events import Accepted, Event, Executed
from paper.exchange.exchange import Exchange
from paper.exchange.public_market import Touched
from paper.money.history import Span
from paper.money.ledger import Ledger
from paper.money.orders import AccountTrade, Order, OrderKind, OrderStatus
from paper.money.tables import TRADE_COLUMNS

TRADES: Final = 1_000_000
ACCOUNTS: Final = tuple(range(1, 21))
TRADES_PER_ORDER: Final = 2
ORDERS_PER_TRANSACTION: Final = 2_000
STEP_MS: Final = 40  # between two orders: a million trades are five and a half hours
START_MS: Final = 1_770_000_000_000
EPOCH: Final = 7
PLACED: Final = 300  # orders placed and filled at each size
ROUNDS: Final = 200
NAIVE_ROUNDS: Final = 3
SWEPT_ROWS: Final = 50
QUANTILES: Final = {"p50": 0.5, "p99": 0.99}

Figures = dict[str, Any]


class Port:
    """An engine that takes everything: each order meets a stranger's at its own price."""

    is_connected = True

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.events: list[Event] = []

    def send(self, commands: Sequence[Command]) -> int:
        """Take commands."""
        self.sent.extend(commands)
        return len(self.sent)

    def depth(self, symbol_id: int, level_count: int) -> Depth:  # noqa: ARG002 - as the exchange calls it
        """Return an empty book."""
        return Depth((), ())

    def level_lots(self, symbol_id: int, side: Side, price_ticks: int) -> int:  # noqa: ARG002
        """Return what an empty book shows at a price."""
        return 0

    def take_touched(self, symbol_id: int) -> Touched:  # noqa: ARG002
        """Return that nothing has changed."""
        return Touched(set(), set())

    def answer(self, order: NewOrder, trade_id: int) -> None:
        """Accept and fill an order."""
        common = order.time_ns, order.symbol_id
        kept = order.owner, order.side, order.price_ticks, order.qty_lots
        number = len(self.events)
        self.events.append(Accepted(number + 1, *common, order.order_id, *kept, 1, 1, 0))
        taker = (order.side, order.order_id, order.owner, 0)
        self.events.append(
            Executed(number + 2, *common, trade_id, order.price_ticks, order.qty_lots, *taker, 0, 0, 0, 0)
        )


class Filler:
    """Writes orders that were filled, and remembers enough of them to check answers."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.ledger = ledger
        self._random = random.Random(seed)
        self.symbol = ledger.symbols["BTCUSDT"]
        self.orders: dict[int, list[int]] = {account: [] for account in ACCOUNTS}
        self.trade_count = 0
        self.order_count = 0

    def fill_to(self, trade_count: int) -> None:
        """Write until there are so many trades; each account buys and sells the same in turn."""
        while self.trade_count < trade_count:
            with self.ledger.transaction():
                for _ in range(ORDERS_PER_TRANSACTION):
                    self._write_order()
                    if self.trade_count >= trade_count:
                        break
            self.ledger.save()

    def _write_order(self) -> None:
        number = self.ledger.next_order_number()
        self.order_count += 1
        account = ACCOUNTS[self.order_count // 2 % len(ACCOUNTS)]
        time_ms = START_MS + STEP_MS * number
        order = self.ledger.change(self._order(number, account, time_ms))
        for _ in range(TRADES_PER_ORDER):
            self.trade_count += 1
            trade_id = self.ledger.trade_id(EPOCH, 2 * self.trade_count)
            self.ledger.add_trade(
                AccountTrade(
                    trade_id,
                    account,
                    self.symbol,
                    number,
                    order.side,
                    order.price_ticks,
                    order.qty_lots // TRADES_PER_ORDER,
                    order.filled_units // TRADES_PER_ORDER,
                    0,
                    "USDT",
                    time_ms,
                    False,
                )
            )
        self.orders[account].append(number)

    def _order(self, number: int, account: int, time_ms: int) -> Order:
        lots, ticks = 2 * (100 + number // 2 % 50), 9_000_000 + number // 2 % 997
        return Order(
            order_id=number,
            account=account,
            symbol=self.symbol,
            client_order_id=f"client-{number:012x}-{self._random.getrandbits(64):016x}",
            side=Side(number % 2),
            kind=OrderKind.LIMIT,
            time_in_force=TimeInForce.GTC,
            self_trade_prevention=SelfTradePrevention.NONE,
            price_ticks=ticks,
            qty_lots=lots,
            quote_order_units=0,
            time_ms=time_ms,
            update_ms=time_ms,
            status=OrderStatus.FILLED,
            filled_lots=lots,
            filled_units=self.symbol.notional(ticks, lots),
            engine_epoch=EPOCH,
            working_ms=time_ms,
        )


class Bench:
    """A ledger that grows, and the exchange on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = Port()
        self.open()
        for account in ACCOUNTS:
            self.exchange.open_account(account)
        self.exchange.engines["engine"].on_connected(EPOCH, 0, START_MS * 1_000_000)
        self.filler = Filler(self.ledger, seed=7)

    def open(self) -> None:
        """Open the ledger, as a restart does."""
        instruments = Settings().instruments
        self.ledger = Ledger(self.path, instruments, dict.fromkeys((each.symbol for each in instruments), "engine"))
        self.exchange = Exchange(self.ledger, {"engine": self.port}, self.port, first_order_id=0)

    def place(self) -> int:
        """Place and fill one order through the exchange and return how long that took, ns."""
        self.filler.order_count += 1
        number = self.filler.order_count
        account, time_ns = ACCOUNTS[number // 2 % len(ACCOUNTS)], (START_MS + STEP_MS * number) * 1_000_000
        symbol = self.filler.symbol
        order = Order(
            account, symbol, Side(number % 2), OrderKind.LIMIT, TimeInForce.GTC, SelfTradePrevention.NONE,
            price_ticks=9_000_000, qty_lots=100,
        )  # fmt: skip
        start_ns = monotonic_ns()
        pending = self.exchange.place(order, time_ns)
        took_ns = monotonic_ns() - start_ns
        command = self.port.sent[-1]
        assert isinstance(command, NewOrder)
        self.filler.trade_count += 1
        self.port.answer(command, 2 * self.filler.trade_count)
        start_ns = monotonic_ns()
        self.exchange.engines["engine"].on_reports(
            EPOCH, self.port.events[-2:], len(self.port.events), len(self.port.sent)
        )
        took_ns += monotonic_ns() - start_ns
        assert pending.order.status is OrderStatus.FILLED, pending.order
        return took_ns

    def questions(self) -> dict[str, Callable[[], None]]:
        """Return the calls by what they ask; each checks its answer."""
        history, symbol = self.ledger.history, self.filler.symbol
        chance = random.Random(11)
        all_of = self.filler.orders

        def somewhere() -> tuple[int, list[int], int]:
            account = chance.choice(ACCOUNTS)
            numbers = all_of[account]
            return account, numbers, chance.randrange(len(numbers))

        def latest_trades() -> None:
            account, numbers, _ = somewhere()
            found = history.trades(account, symbol, None, Span(500))
            assert len(found) == 500, len(found)
            assert found[-1].order_id >= numbers[-1], "the latest are asked for"

        def trades_from_id() -> None:
            account, numbers, place = somewhere()
            (first, _) = history.trades_of_order(numbers[place])
            found = history.trades(account, symbol, None, Span(500, from_id=first.trade_id))
            assert found[0] == first, "the first trade is the one asked for"

        def trades_of_order() -> None:
            account, numbers, place = somewhere()
            found = history.trades(account, symbol, numbers[place], Span(500))
            assert len(found) == TRADES_PER_ORDER, "all trades of the order"

        def trades_since() -> None:
            account, numbers, place = somewhere()
            start_ms = START_MS + STEP_MS * numbers[place]
            found = history.trades(account, symbol, None, Span(500, start_ms=start_ms, end_ms=start_ms + 86_400_000))
            assert found[0].order_id == numbers[place], "the first trade from that time on"

        def latest_orders() -> None:
            account, numbers, _ = somewhere()
            found = history.orders(account, symbol, Span(500))
            assert len(found) >= min(500, len(numbers)), len(found)
            assert found[-1].order_id >= numbers[-1], "the latest are asked for"

        def orders_from_id() -> None:
            account, numbers, place = somewhere()
            assert history.orders(account, symbol, Span(500, from_id=numbers[place]))[0].order_id == numbers[place]

        def order_by_client_id() -> None:
            account, numbers, place = somewhere()
            order = history.order(account, symbol, numbers[place])
            assert order is not None, "the order is there"
            assert history.order_by_client_id(account, symbol, order.client_order_id) == order

        return {
            "myTrades, latest 500": latest_trades,
            "myTrades, 500 from an id": trades_from_id,
            "myTrades, 500 from a time": trades_since,
            "myTrades of an order": trades_of_order,
            "allOrders, latest 500": latest_orders,
            "allOrders, 500 from an id": orders_from_id,
            "order by id and by client id": order_by_client_id,
        }

    def measure(self) -> Figures:
        """Return the figures of the present size."""
        placed = spread([self.place() for _ in range(PLACED)])
        self.ledger.check()
        asked = {name: spread([timed(ask) for _ in range(ROUNDS)]) for name, ask in self.questions().items()}
        checked = spread([timed(self.ledger.check) for _ in range(ROUNDS)])
        last, trades = self.ledger.last_report("engine"), self.filler.trade_count
        self.ledger.close()
        size = self.path.stat().st_size
        opened_ns = timed(self.open)
        assert self.ledger.last_report("engine") == last, "the ledger resumes where it was"
        self.exchange.engines["engine"].on_connected(EPOCH, len(self.port.sent), START_MS * 1_000_000)
        self.filler.ledger = self.ledger
        return {
            "trades": trades,
            "orders": self.filler.order_count,
            "megabytes": size / 1e6,
            "bytes_per_trade": size / trades,
            "open_ms": opened_ns / 1e6,
            "place and fill an order": placed,
            "check of the books": checked,
            "questions": asked,
        }

    def naive(self) -> Figures:
        """Return the cost of the latest trades of an account without the index; the answer is the same."""
        wanted = [trade.trade_id for trade in self.ledger.history.trades(1, self.filler.symbol, None, Span(500))]
        connection = self.ledger._connection
        sql = (
            f"SELECT {TRADE_COLUMNS} FROM trades WHERE +account = 1 AND +symbol = 'BTCUSDT'"
            " ORDER BY +trade_id DESC LIMIT 500"
        )

        def ask() -> None:
            rows = connection.execute(sql).fetchall()
            assert [row[0] for row in rows][::-1] == wanted, "the same trades"

        return spread([timed(ask) for _ in range(NAIVE_ROUNDS)])


def timed(action: Callable[[], object]) -> int:
    """Return how long an action takes, ns."""
    start_ns = monotonic_ns()
    action()
    return monotonic_ns() - start_ns


def spread(took_ns: Sequence[int]) -> Figures:
    """Return the quantiles in milliseconds."""
    ordered = sorted(took_ns)
    return {f"{name}_ms": ordered[int(share * (len(ordered) - 1))] / 1e6 for name, share in QUANTILES.items()}


def measure(path: Path, trades: int) -> Figures:
    """Return all figures."""
    started_ns = monotonic_ns()
    bench = Bench(path)
    sizes = []
    for count in (trades // 100, trades // 10, trades):
        bench.filler.fill_to(count)
        sizes.append(bench.measure())
    naive = bench.naive()
    reset = timed(lambda: bench.exchange.reset_account(1, START_MS * 1_000_000))
    assert not bench.ledger.history.orders(1, bench.filler.symbol, Span(1)), "nothing of before the reset is told"
    slices = []
    while bench.ledger.sweep(SWEPT_ROWS):
        slices.append(timed(lambda: bench.ledger.sweep(SWEPT_ROWS)))
    (left,) = bench.ledger._connection.execute("SELECT count(*) FROM trades WHERE account = 1").fetchone()
    assert left == 0, "all of it is deleted"
    bench.ledger.check()
    bench.ledger.close()
    seconds = (monotonic_ns() - started_ns) / NS_PER_SECOND
    return {"seconds": seconds, "sizes": sizes, "naive": naive, "reset_ms": reset / 1e6, "sweep": spread(slices)}


def show(found: Figures) -> None:
    """Print the figures as a table; times in milliseconds, p50 and p99."""
    sizes, last = found["sizes"], found["sizes"][-1]
    print(f"answers checked, {found['seconds']:.0f} s\n")
    print(f"{'trades':<34}" + "".join(f"{size['trades']:>20,}" for size in sizes))
    print(f"{'size, MB (bytes a trade)':<34}" + "".join(_size_cell(size) for size in sizes))
    print(f"{'open, ms':<34}" + "".join(f"{size['open_ms']:>20.1f}" for size in sizes))
    print("\np50 and p99, ms")
    for name in ("place and fill an order", "check of the books"):
        print(f"{name:<34}" + "".join(_cell(size[name]) for size in sizes))
    for name in last["questions"]:
        print(f"{name:<34}" + "".join(_cell(size["questions"][name]) for size in sizes))
    ratio = found["naive"]["p50_ms"] / last["questions"]["myTrades, latest 500"]["p50_ms"]
    print(f"{'naive: latest 500 without an index':<74}" + _cell(found["naive"]) + f"  {ratio:.0f} x")
    print(f"{'reset of an account, once':<74}{found['reset_ms']:>20.1f}")
    print(f"{f'a slice of its past deleted, {SWEPT_ROWS} rows of each table':<74}" + _cell(found["sweep"]))


def _size_cell(size: Figures) -> str:
    return f"{size['megabytes']:>11.1f} ({size['bytes_per_trade']:>5.0f}) "


def _cell(figures: Figures) -> str:
    return f"{figures['p50_ms']:>11.3f} {figures['p99_ms']:>8.3f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="the paper exchange with a long history")
    parser.add_argument("--trades", type=int, default=TRADES, help=f"how many at the end; from {TRADES:,} on")
    parser.add_argument("--dir", type=Path, help="where to write; the disk there is what is measured")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.trades < TRADES:  # a hundredth of them are the first history, of which each account is asked for 500
        parser.error(f"expected at least {TRADES:,} trades, was {options.trades:,}")
    with tempfile.TemporaryDirectory(prefix="paper-", dir=options.dir) as name:
        found = measure(Path(name) / "ledger.sqlite3", options.trades)
    print(json.dumps(found, indent=2)) if options.json else show(found)


if __name__ == "__main__":
    main()
