"""The kill switch: `halt`, `resume`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import AnySymbol, RunDir, settings_of

app = typer.Typer()


@app.command(epilog="Example: python cli.py halt --symbol BTCUSDT --cancel-all")
def halt(
    symbol: AnySymbol = None,
    cancel_all: Annotated[bool, typer.Option("--cancel-all", help="Cancel every open order, too.")] = False,
    run_dir: RunDir = None,
) -> None:
    """The kill switch: the engine takes no new orders, of one symbol or of all; cancels go through."""
    _set_halted(run_dir, symbol, is_halted=True, is_cancelling=cancel_all)


@app.command(epilog="Example: python cli.py resume")
def resume(symbol: AnySymbol = None, run_dir: RunDir = None) -> None:
    """Take new orders again."""
    _set_halted(run_dir, symbol, is_halted=False, is_cancelling=False)


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
