"""The commands `history export` and `history sql`: what the history database holds, for other programs and people."""

import csv
import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from commands.actions.out_file import refuse_kept, text_file
from commands.actions.report import Period
from commands.options import Answer
from commands.progress import counted_on, ticking
from desk.client import UsageError
from desk.settings import Settings
from history.analysis import AMOUNT, ask, write_parquet
from history.database import FILE_NAME, Database
from history.keeping import accounts, trades_of
from market.clock import NS_PER_MS, day_bounds_ns, iso_time
from market.instrument import Instrument, format_decimal
from market.words import counted
from reports.exact import figure
from reports.pnl import FifoBook
from reports.trade_history import HistoryRow, fee_value
from screens.progress import count_line, elapsed_line
from screens.rows import rows_text

COLUMNS: Final = (
    ("time", "VARCHAR"),
    ("pair", "VARCHAR"),
    ("side", "VARCHAR"),
    ("price", AMOUNT),
    ("quantity", AMOUNT),
    ("quote_amount", AMOUNT),
    ("fee", AMOUNT),
    ("fee_asset", "VARCHAR"),
    ("fee_rate", AMOUNT),
    ("fee_in_quote", AMOUNT),
    ("realized_fifo", AMOUNT),
    ("is_maker", "BOOLEAN"),
    ("trade_id", "BIGINT"),
    ("order_id", "VARCHAR"),
    ("source", "VARCHAR"),
)
PARQUET_COLUMNS: Final = (("time", "TIMESTAMP WITH TIME ZONE"), *COLUMNS[1:])
FORMATS: Final = ("csv", "parquet")


class Fill(NamedTuple):
    """A row of the export, in the order of `COLUMNS`; what is not known is None.

    Attributes:
        fee_rate: what one of the fee's asset cost in the quote: 1 for the quote itself, the fill's own price for the
            base, and for a third asset its mid when the fill was first seen.
        realized_fifo: what the fill realized after the fees of both legs, by FIFO over all that the history holds of
            the account in this pair.
        source: the venue and its account.
    """

    time: str
    pair: str
    side: str
    price: Decimal
    quantity: Decimal
    quote_amount: Decimal
    fee: Decimal
    fee_asset: str
    fee_rate: Decimal | None
    fee_in_quote: Decimal | None
    realized_fifo: Decimal | None
    is_maker: bool
    trade_id: int
    order_id: str
    source: str


def export_fills(settings: Settings, form: str, period: Period | None, out: Path | None) -> None:
    """Write the fills of the `period`, or all, to a file, or as CSV to the standard output.

    Raises:
        DeskError: for Parquet without a file, one that cannot be written, and one that a desk keeps.
        HistoryError: if there is no history, or no DuckDB for Parquet.
    """
    if form == "parquet" and out is None:
        raise UsageError("expected --out with the name of the Parquet file")
    if out is not None:
        _check_suffix(out, form)
        refuse_kept(settings, out, f".{form}")
    database = Database(settings.reports_dir / FILE_NAME, is_read_only=True)
    try:
        fills = _fills(database, settings, period)
        rows = Counted(fills)
        fills = iter(rows if out is None else counted_on(rows, "fill"))
        if form == "parquet" and out is not None:
            write_parquet(out, PARQUET_COLUMNS, fills)
        elif out is None:
            _print_csv(sys.stdout, fills)
        else:
            with text_file(out) as file:
                _print_csv(file, fills)
    finally:
        database.close()
    if out is not None:
        print(f"{counted(rows.count, 'fill')} written to {out}", file=sys.stderr)


def _check_suffix(out: Path, form: str) -> None:
    """Refuse a file whose name says that it is of another format.

    Raises:
        UsageError: if it does.
    """
    named = out.suffix.lower().removeprefix(".")
    if named in FORMATS and named != form:
        raise UsageError(f"expected --format {named} for {out.name}, or a file .{form}, was --format {form}")


class Counted:
    """Rows, and how many of them were taken."""

    def __init__(self, rows: Iterator[Fill]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Fill]:
        """Yield the rows."""
        for row in self._rows:
            self.count += 1
            yield row


def ask_history(settings: Settings, statement: str, rows_max: int) -> Answer:
    """Return what a statement of SQL gives, as a document and as text.

    Raises:
        HistoryError: if there is no history, or no DuckDB, or it does not take the statement.
    """
    database = Database(settings.reports_dir / FILE_NAME, is_read_only=True)
    handed, total = 0, 0

    def tell(done: int, count: int) -> None:
        nonlocal handed, total
        handed, total = done, count

    def line(took_ns: int) -> str:
        if handed < total:
            return count_line(handed, total, took_ns, "row")
        return elapsed_line("DuckDB reads and asks" if total else "the tables are looked at", took_ns)

    try:
        with ticking(line):
            columns, rows, has_more = ask(database, statement, rows_max, tell)
    finally:
        database.close()
    text = rows_text(columns, rows)
    if has_more:
        text += f"\n\nThese are the first {rows_max:,} rows: --limit shows more."
    return {"columns": columns, "rows": rows, "has_more": has_more}, text


def _fills(database: Database, settings: Settings, period: Period | None) -> Iterator[Fill]:
    """Return the fills, oldest first within each account; those before the period open the lots that it closes."""
    start_ms, end_ms = (
        (0, sys.maxsize)
        if period is None
        else (
            day_bounds_ns(period.first)[0] // NS_PER_MS,
            day_bounds_ns(period.last)[1] // NS_PER_MS,
        )
    )
    instruments = {one.symbol: one for one in settings.instruments}
    with database.transaction() as connection:
        for account in accounts(connection):
            source = f"{account.venue} {account.account_id or account.id}"
            books: dict[str, FifoBook] = {}
            for row in trades_of(connection, account.id):
                if row.trade.time_ms >= end_ms:
                    break
                realized = _realized(row, instruments.get(row.trade.symbol), books)
                if row.trade.time_ms >= start_ms:
                    yield _fill(row, realized, source)


def _realized(row: HistoryRow, instrument: Instrument | None, books: dict[str, FifoBook]) -> Decimal | None:
    """Return what a fill realized; None in a pair of which the desk does not know the assets."""
    if instrument is None:
        return None
    book = books.setdefault(instrument.symbol, FifoBook(instrument.base))
    before = book.realized_net
    book.apply(row.trade, fee_value(row, instrument))
    return figure(book.realized_net - before)


def _fill(row: HistoryRow, realized: Decimal | None, source: str) -> Fill:
    trade = row.trade
    rate = row.fee_price
    if rate is None and row.fee_in_quote is not None and trade.fee:
        rate = figure(Fraction(row.fee_in_quote) / Fraction(trade.fee))
    return Fill(
        iso_time(trade.time_ms),
        trade.symbol,
        trade.side.name,
        trade.price,
        trade.qty,
        trade.quote_qty,
        trade.fee,
        trade.fee_asset,
        rate,
        row.fee_in_quote,
        realized,
        trade.is_maker,
        trade.trade_id,
        trade.order_id,
        source,
    )


def _print_csv(file: TextIO, fills: Iterator[Fill]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([name for name, _ in COLUMNS])
    for fill in fills:
        writer.writerow([format_decimal(each) if isinstance(each, Decimal) else each for each in fill])
