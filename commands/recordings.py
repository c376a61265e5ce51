"""Recordings of a market: `record`, `recording info`, `recording check`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import Json, RunDir, Symbol, settings_of, show

app = typer.Typer()
recording = typer.Typer(no_args_is_help=True, help="What recordings hold.")

_File = Annotated[Path, typer.Argument(metavar="FILE")]


@app.command(epilog="Example: python cli.py record --minutes 1 --out btc.gz")
def record(
    source: Annotated[
        str, typer.Option("--from", help="desk, its own exchange; binance; or the streams' ws://HOST:PORT.")
    ] = "desk",
    out: Annotated[
        Path | None, typer.Option("--out", help="The file.", show_default="RUN_DIR/recordings/SYMBOL-TIME.gz")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="How long.", show_default="until Ctrl-C")] = None,
    file_minutes: Annotated[float, typer.Option(min=0.01, help="How long one file becomes, then NAME-2.gz.")] = 60,
    file_mb: Annotated[float, typer.Option(min=0.001, help="How large one becomes.")] = 256,
    run_dir: RunDir = None,
    symbol: Symbol = None,
) -> None:
    """Record a market's public streams, to be replayed (`up --flow replay:FILE`) or traded on (`backtest FILE`)."""
    from commands.actions.record import Extent, record_market

    extent = Extent(minutes, file_minutes, file_mb)
    raise typer.Exit(record_market(settings_of(run_dir, None, symbol), source, out, extent))


@recording.command(epilog="Example: python cli.py recording info btc.gz --json")
def info(path: _File, run_dir: RunDir = None, as_json: Json = False) -> None:
    """Print what a recording holds: its symbol, times, messages, prices and faults."""
    from commands.actions.record import inspected
    from screens.recording import recording_text

    found, instrument = inspected(settings_of(run_dir), path)
    document = found.document(instrument)
    show((document, recording_text(document)), as_json)


@recording.command(epilog="Example: python cli.py recording check btc.gz")
def check(path: _File, run_dir: RunDir = None, as_json: Json = False) -> None:
    """Read a recording to its end and print what is wrong with it; exit code 1 if anything is."""
    from commands.actions.record import inspected

    found, _ = inspected(settings_of(run_dir), path)
    show(
        (
            {"file": str(path), "is_sound": not found.faults, "faults": found.faults},
            "\n".join(found.faults) or f"{path}: nothing is wrong",
        ),
        as_json,
    )
    raise typer.Exit(1 if found.faults else 0)
