"""Practice for whoever trades at the paper exchange: `faults run`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import RunDir, settings_of

app = typer.Typer(no_args_is_help=True, help="Let the paper exchange go wrong by a scenario.")


@app.command(epilog="Example: python cli.py faults run examples/faults.toml")
def run(
    file: Annotated[Path, typer.Argument(help="A scenario, as docs/paper.md describes it.")], run_dir: RunDir = None
) -> None:
    """Set fault switches as a scenario says, a line for each; none outlives the command, however it ends."""
    from commands.actions.fault_scenario import run_scenario

    raise typer.Exit(run_scenario(settings_of(run_dir), file))
