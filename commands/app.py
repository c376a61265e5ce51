"""The whole command line: every app of this room under one."""

from typing import Annotated

import typer

from commands import (
    accounts,
    backtest,
    config,
    desk,
    engine,
    faults,
    history,
    market,
    operate,
    recordings,
    reports,
    simulation,
    venue,
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="A market-making desk.")


@app.callback(help="A market-making desk.")
def _general(
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; anywhere on the line, or NO_COLOR=1.")
    ] = False,
) -> None:
    assert not no_color, "expected cli.py to have taken it: it is of what the parser prints, too"


for room in (desk, venue, reports, simulation, backtest, recordings, market, config, operate, engine):
    app.add_typer(room.app)
app.add_typer(config.config, name="config")
app.add_typer(engine.journal, name="journal")
app.add_typer(accounts.app, name="accounts")
app.add_typer(history.app, name="history")
app.add_typer(faults.app, name="faults")
app.add_typer(recordings.recording, name="recording")
