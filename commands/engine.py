"""An engine's journal: `replay`, `journal inspect`, `journal verify`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import Json, RunDir, settings_of, show

app = typer.Typer()
journal = typer.Typer(no_args_is_help=True, help="Look at the engine's journal.")

Engine = Annotated[str | None, typer.Option("--engine", help="Which engine, of a desk with several.")]


@app.command(epilog="Example: python cli.py replay --verify")
def replay(
    verify: Annotated[bool, typer.Option("--verify", help="Compare with the live engine's state.")] = False,
    engine: Engine = None,
    run_dir: RunDir = None,
) -> None:
    """Replay the journal into an engine of its own and print what comes out."""
    from commands.actions.journal import replay_journal

    print(replay_journal(settings_of(run_dir), engine, is_verified=verify))


@journal.command(epilog="Example: python cli.py journal inspect --json")
def inspect(engine: Engine = None, run_dir: RunDir = None, as_json: Json = False) -> None:
    """Print what the journal holds: files, sources, sequences."""
    _show_journal(run_dir, engine, as_json, is_verification=False)


@journal.command(epilog="Example: python cli.py journal verify --engine engine2")
def verify(engine: Engine = None, run_dir: RunDir = None, as_json: Json = False) -> None:
    """Read every record and say whether an engine can start from the journal."""
    _show_journal(run_dir, engine, as_json, is_verification=True)


def _show_journal(run_dir: Path | None, engine: str | None, as_json: bool, *, is_verification: bool) -> None:
    from commands.actions.journal import journal_report

    document, text = journal_report(settings_of(run_dir), engine, is_verification=is_verification)
    show((document, text), as_json)
    raise typer.Exit(1 if document.get("corruption") else 0)
