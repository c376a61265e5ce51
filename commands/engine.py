"""An engine: `promote`, and its journal: `replay`, `at`, and `journal` with all that can be done with it."""

from pathlib import Path
from typing import Annotated

import typer

from commands import completing
from commands.options import Json, RunDir, Symbol, settings_of, show

app = typer.Typer()
journal = typer.Typer(no_args_is_help=True, help="Look at the engine's journal, or change that of one that is stopped.")

Engine = Annotated[
    str | None,
    typer.Option("--engine", help="One engine.", show_default="every engine", autocompletion=completing.engines),
]


@app.command(epilog="Example: python cli.py replay --verify")
def replay(
    verify: Annotated[bool, typer.Option("--verify", help="Compare with the live engine's state.")] = False,
    engine: Engine = None,
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Replay the journal into an engine of its own and print what comes out."""
    from commands.actions.journal import asked_engines, replay_journal

    settings = settings_of(run_dir)
    engines = asked_engines(settings, engine)
    documents = {}
    for each in engines:
        documents[each.name], line = replay_journal(settings, each, is_verified=verify)
        if not as_json:
            print(line if len(engines) == 1 else f"{each.name}: {line}")
    if as_json:
        show((documents, ""), as_json)


@app.command(epilog="Example: python cli.py promote --run-dir standby")
def promote(
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="One engine.", show_default="the only one", autocompletion=completing.engines),
    ] = None,
    run_dir: RunDir = None,
) -> None:
    """Let a standby take the place of its primary, which is none any more from then on."""
    from commands.actions.promote import promote as promote_engine

    print(promote_engine(settings_of(run_dir), engine))


@app.command(epilog="Example: python cli.py at 14:03:07 --window 300")
def at(
    time: Annotated[str, typer.Argument(help="UTC: 2026-11-29T14:03:07.250, 14:03 of today, or now.")],
    run_dir: RunDir = None,
    symbol: Symbol = None,
    window: Annotated[
        int | None,
        typer.Option("--window", min=1, max=3_600, help="So many seconds before it, too.", show_default="none"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what was at a moment: the book, our orders and what was ahead of them, position, the last decisions."""
    from commands.actions.at import desk_at

    show(desk_at(settings_of(run_dir, symbol=symbol), time, window), as_json)


@app.command(epilog="Example: python cli.py trace tb-0fadf2-1796039021104-3")
def trace(
    order: Annotated[str, typer.Argument(help="Its client order id, or its id at the venue; both in orders --json.")],
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Print an order's life: what was decided, what the exchange and the engine did, with the time at each node."""
    from commands.actions.trace import order_life

    show(order_life(settings_of(run_dir), order), as_json)


@journal.command(epilog="Example: python cli.py journal inspect --json")
def inspect(engine: Engine = None, run_dir: RunDir = None, as_json: Json = False) -> None:
    """Print what the journal holds: files, sources, sequences."""
    _show_journal(run_dir, engine, as_json, is_verification=False)


@journal.command(epilog="Example: python cli.py journal verify --engine engine2")
def verify(engine: Engine = None, run_dir: RunDir = None, as_json: Json = False) -> None:
    """Read every record and say whether an engine can start from the journal."""
    _show_journal(run_dir, engine, as_json, is_verification=True)


@journal.command(epilog="Example: python cli.py journal repair --yes")
def repair(
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else say what would be done.")] = False,
    engine: Engine = None,
    run_dir: RunDir = None,
) -> None:
    """Put what is damaged aside, so that the engine starts again; nothing is removed."""
    from commands.actions.journal import asked_engines
    from commands.actions.journal_upkeep import repair_journal

    settings = settings_of(run_dir)
    answers = [repair_journal(settings, each, is_sure=yes) for each in asked_engines(settings, engine)]
    for line, _ in answers:
        print(line)
    raise typer.Exit(1 if any(is_due for _, is_due in answers) else 0)


@journal.command(epilog="Example: python cli.py journal prune")
def prune(engine: Engine = None, run_dir: RunDir = None) -> None:
    """Remove what no start needs; an engine that runs does so by engine.journal_keep."""
    _prune(run_dir, engine, "prune")


@journal.command(epilog="Example: python cli.py journal archive --engine engine2")
def archive(engine: Engine = None, run_dir: RunDir = None) -> None:
    """Compress what no start needs into the journal's archive, and remove it."""
    _prune(run_dir, engine, "archive")


def _prune(run_dir: Path | None, engine: str | None, keep: str) -> None:
    from commands.actions.journal import asked_engines
    from commands.actions.journal_upkeep import prune_journal
    from journal.pruning import Keep

    settings = settings_of(run_dir)
    for each in asked_engines(settings, engine):
        print(prune_journal(settings, each, Keep(keep)))


def _show_journal(run_dir: Path | None, engine: str | None, as_json: bool, *, is_verification: bool) -> None:
    from commands.actions.journal import asked_engines, journal_report

    settings = settings_of(run_dir)
    engines = asked_engines(settings, engine)
    answers = {each.name: journal_report(settings, each, is_verification=is_verification) for each in engines}
    documents = {name: document for name, (document, _) in answers.items()}
    if len(engines) == 1:
        show(next(iter(answers.values())), as_json)
    else:
        show((documents, "\n\n".join(f"{name}:\n{text}" for name, (_, text) in answers.items())), as_json)
    raise typer.Exit(1 if any(document.get("corruption") for document in documents.values()) else 0)
