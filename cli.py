"""The command line of tickbus: `python cli.py --help`. Nothing heavy is imported before a command needs it."""

import os
import sys

try:
    import typer
except ModuleNotFoundError:
    sys.exit("error: this Python has no typer: `make up` sets up .venv; then use .venv/bin/python, or activate it")

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
from commands.output import output_told
from market.mendable import MendableError

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


def main() -> None:
    """Run a command; what a person can mend is one line, and an exit code of docs/operating.md."""
    os.umask(0o077)  # nothing that we write is for others
    try:
        with output_told():
            app()
    except KeyboardInterrupt:
        sys.exit(130)
    except MendableError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
