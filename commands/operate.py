"""What a person does to a desk that runs: `halt`, `resume`, `flatten`, `set`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import AnySymbol, RunDir, SymbolCommand, run_dir_of, settings_of

app = typer.Typer()


@app.command(cls=SymbolCommand, epilog="Example: python cli.py halt --symbol BTCUSDT --cancel-all")
def halt(
    symbol: AnySymbol = None,
    cancel_all: Annotated[bool, typer.Option("--cancel-all", help="Cancel every open order, too.")] = False,
    run_dir: RunDir = None,
) -> None:
    """The kill switch: the engine takes no new orders, of one symbol or of all; cancels go through."""
    _set_halted(run_dir, symbol, is_halted=True, is_cancelling=cancel_all)


@app.command(cls=SymbolCommand, epilog="Example: python cli.py resume")
def resume(symbol: AnySymbol = None, run_dir: RunDir = None) -> None:
    """Take new orders again; a maker that has withdrawn by itself quotes again."""
    from desk.client import NoDeskError
    from desk.halted_file import HaltedFile

    is_resumed = _resume_maker(run_dir, symbol)
    try:
        _set_halted(run_dir, symbol, is_halted=False, is_cancelling=False)
    except NoDeskError:
        settings = settings_of(run_dir)
        if not is_resumed or HaltedFile(settings.run_dir, [each.symbol for each in settings.instruments]).read():
            raise  # what is halted stays so: its engine has to say that it is not


@app.command(epilog="Example: python cli.py flatten BTCUSDT --band 0.002")
def flatten(
    symbol: Annotated[str | None, typer.Argument(help="The pair.", show_default="the desk's")] = None,
    band: Annotated[
        float, typer.Option(min=0.0001, max=0.05, help="How far from the mid an order may trade, as a fraction.")
    ] = 0.005,
    neutral: Annotated[
        str | None,
        typer.Option(help="How much of the base asset is no position.", show_default="as the maker has it"),
    ] = None,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask for the symbol.")] = False,
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
        if not is_sure and venue_spelling(typer.prompt(f"Type {name} to go on", err=True)) != name:
            raise DeskError(f"nothing was done: expected {name}")

    quoted = settings_of(run_dir).symbol
    flatten_position(settings, quoted, kept, Decimal(str(band)), confirm, lambda line: print(line, flush=True))


@app.command("set", epilog="Example: python cli.py set maker.half_spread=0.001 maker.skew=0.0005")
def set_settings(
    assignments: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="As maker.half_spread=0.001.")],
    run_dir: RunDir = None,
) -> None:
    """Change settings of the quoting model while the desk runs; they last until the desk is started anew."""
    from commands.actions.live_settings import set_live

    for line in set_live(run_dir_of(run_dir), assignments):
        print(line)


def _resume_maker(run_dir: Path | None, symbol: str | None) -> bool:
    """Take back a withdrawal of the maker; return whether there was one."""
    from desk.client import known_symbol
    from desk.resuming import resume_maker

    settings = settings_of(run_dir)
    lines = resume_maker(settings) if symbol is None or known_symbol(settings, symbol) == settings.symbol else []
    for line in lines:
        print(line)
    return bool(lines)


def _set_halted(run_dir: Path | None, symbol: str | None, *, is_halted: bool, is_cancelling: bool) -> None:
    from desk.client import DeskError, known_symbol
    from desk.operator import set_halted

    settings = settings_of(run_dir)
    named = None if symbol is None else known_symbol(settings, symbol)
    outcome = set_halted(settings, named, is_halted=is_halted, is_cancelling=is_cancelling)
    for line in outcome.confirmed:
        print(line)
    if outcome.missing:
        raise DeskError("\n".join(outcome.missing))
