"""What was done, from the venue and from the history database: `history`, `history export`, `history sql`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from commands.options import Json, RunDir, Symbol, VenueName, settings_of
from commands.reports import Day, Days, From, To

app = typer.Typer(invoke_without_command=True, help="Print ended orders and trades, export them, or ask for figures.")


class ExportFormat(StrEnum):
    """What `history export` writes."""

    CSV = "csv"
    PARQUET = "parquet"


@app.callback(epilog="Example: python cli.py history --date 2026-11-27")
def history(
    context: typer.Context,
    day: Day = None,
    days: Days = None,
    first: From = None,
    last: To = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many of each on a page.")] = 50,
    page: Annotated[int, typer.Option(min=1, help="1 is the newest.")] = 1,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Print ended orders and trades, of today or of the days asked for; without a desk the trades on file."""
    if context.invoked_subcommand is not None:
        return
    from commands.actions.account import command_venue
    from commands.actions.report import period_of, print_history

    period = period_of(day, days, first, last)
    settings = settings_of(run_dir, venue, symbol)
    venue_of = lambda: command_venue(settings)  # noqa: E731
    raise typer.Exit(print_history(settings, venue_of, period, limit=limit, page=page, as_json=as_json))


@app.command(epilog="Example: python cli.py history export --from 2026-01-01 --to 2026-12-31 --out trades.csv")
def export(
    form: Annotated[ExportFormat, typer.Option("--format", help="What to write.")] = ExportFormat.CSV,
    first: From = None,
    last: To = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file.", show_default="CSV is printed")] = None,
    run_dir: RunDir = None,
) -> None:
    """Write a row for each fill in the history database: for an accountant as CSV, for programs as Parquet."""
    from commands.actions.export import export_fills
    from commands.actions.report import period_of

    period = period_of(None, None, first, last, most=None) if first or last else None
    export_fills(settings_of(run_dir), form.value, period, out)


@app.command(epilog="Example: python cli.py history sql 'SELECT count(*) FROM trades'")
def sql(
    statement: Annotated[str, typer.Argument(help="A question, in the SQL of DuckDB.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many rows at most.")] = 1_000,
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Ask the history database in SQL; it changes nothing."""
    from commands.actions.export import ask_history
    from commands.options import show

    show(ask_history(settings_of(run_dir), statement, limit), as_json)
