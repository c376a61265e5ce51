"""The whole command line: every app of this room under one."""

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

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="A market-making desk."
)
for room in (desk, venue, reports, simulation, backtest, recordings, market, config, operate, engine):
    app.add_typer(room.app)
app.add_typer(config.config, name="config")
app.add_typer(engine.journal, name="journal")
app.add_typer(accounts.app, name="accounts")
app.add_typer(history.app, name="history")
app.add_typer(faults.app, name="faults")
app.add_typer(recordings.recording, name="recording")
