"""What a person does to a desk that runs, or that was killed: `halt`, `resume`, `flatten`, `set`."""

from contextlib import suppress
from typing import Annotated

import typer

from commands import completing
from commands.options import AnySymbol, Json, RunDir, SymbolCommand, run_dir_of, settings_of, show
from commands.output import OutputError

app = typer.Typer()


def _tell(line: str) -> None:
    """Print a line; nobody who reads it, or a full disk, keeps nothing from being done: `output_told` says so then."""
    with suppress(OutputError, BrokenPipeError):
        print(line, flush=True)


@app.command(cls=SymbolCommand, epilog="Example: python cli.py halt --symbol BTCUSDT --cancel-all")
def halt(
    symbol: AnySymbol = None,
    cancel_all: Annotated[bool, typer.Option("--cancel-all", help="Cancel every open order, too.")] = False,
    run_dir: RunDir = None,
) -> None:
    """The kill switch: no new orders, of one symbol or of all; of a desk that was killed, cancel what it has left."""
    from commands.actions.halting import halt as halt_desk

    halt_desk(settings_of(run_dir), symbol, _tell, is_cancelling=cancel_all)


@app.command(cls=SymbolCommand, epilog="Example: python cli.py resume")
def resume(symbol: AnySymbol = None, run_dir: RunDir = None) -> None:
    """Take new orders again; a maker that has withdrawn by itself quotes again."""
    from commands.actions.halting import resume as resume_desk

    resume_desk(settings_of(run_dir), symbol, _tell)


@app.command(epilog="Example: python cli.py flatten BTCUSDT --band 0.002")
def flatten(
    symbol: Annotated[
        str | None, typer.Argument(help="The pair.", show_default="the desk's", autocompletion=completing.symbols)
    ] = None,
    band: Annotated[
        float, typer.Option(min=0.0001, max=0.05, help="How far from the mid an order may trade, as a fraction.")
    ] = 0.005,
    neutral: Annotated[
        str | None,
        typer.Option(help="How much of the base asset is no position.", show_default="as the maker has it"),
    ] = None,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask for the symbol.")] = False,
    is_preview: Annotated[bool, typer.Option("--preview", help="Only tell what would be done.")] = False,
    run_dir: RunDir = None,
) -> None:
    """End a position: stop the maker, cancel its orders, trade in slices; exit code 1 if it is not flat then."""
    from decimal import Decimal

    from commands.actions.flatten import flatten as flatten_position
    from desk.client import DeskError
    from market.instrument import parse_decimal, venue_spelling

    settings = settings_of(run_dir, symbol=symbol)
    try:
        kept = None if neutral is None else parse_decimal(neutral)
    except ValueError as error:
        raise DeskError(f"--neutral: {error}") from None

    def confirm() -> None:
        name = settings.symbol
        if is_sure:
            return
        try:
            typed = typer.prompt(f"Type {name} to go on", err=True)
        except typer.Abort:
            raise DeskError(f"nothing was done: nobody has typed {name}; with --yes nobody is asked") from None
        if venue_spelling(typed) != name:
            raise DeskError(f"nothing was done: expected {name}")

    quoted = settings_of(run_dir).symbol
    flatten_position(settings, quoted, kept, Decimal(str(band)), None if is_preview else confirm, _tell)


@app.command(epilog="Example: python cli.py token")
def token(run_dir: RunDir = None, as_json: Json = False) -> None:
    """The token with which the dashboard halts, resumes and flattens; the api makes it."""
    from desk.client import require_node
    from desk.command_token import TOKEN_FILE, load_token

    where = run_dir_of(run_dir)
    require_node(where, "api")
    found = load_token(where)
    show(({"token": found, "file": str(where / TOKEN_FILE)}, found), as_json)


@app.command("set", epilog="Example: python cli.py set maker.half_spread=0.001 maker.skew=0.0005")
def set_settings(
    assignments: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE...", help="As maker.half_spread=0.001.", autocompletion=completing.live_keys),
    ],
    is_saved: Annotated[bool, typer.Option("--save", help="Keep them in the desk's tickbus.toml, too.")] = False,
    run_dir: RunDir = None,
) -> None:
    """Change settings of the quoting model while the desk runs; without --save they last until it is started anew."""
    from commands.actions.live_settings import set_live

    for line in set_live(run_dir_of(run_dir), assignments, is_saved=is_saved):
        print(line)
