"""A desk on recorded markets: `backtest`."""

from pathlib import Path
from typing import Annotated

import typer

from commands import completing
from commands.options import Json
from commands.simulation import Jitter, JitterFrom, Latency, Sets

app = typer.Typer()


@app.command(epilog="Example: python cli.py backtest btc.gz --set maker.half_spread=0.0001 --out first")
def backtest(
    recordings: Annotated[list[Path], typer.Argument(metavar="RECORDING...", help="As `record` writes them.")],
    strategy: Annotated[
        str | None,
        typer.Option(
            help="A quoting model by its name, or a file.", show_default="maker.model", autocompletion=completing.models
        ),
    ] = None,
    sets: Sets = None,
    latency_ms: Latency = 1.0,
    jitter_ms: Jitter = 0.0,
    jitter_from: JitterFrom = None,
    queue: Annotated[
        str | None, typer.Option(help="behind or proportional: who left a queue.", show_default="flow.queue_model")
    ] = None,
    fees: Annotated[
        str | None, typer.Option(metavar="MAKER,TAKER", help="As 0.001,0.001.", show_default="the settings'")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the dice of queue and latency.", show_default="flow.seed")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="The pair that is traded.", show_default="the first recording's")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder: daily files, fills, settings.", show_default="none is kept", file_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let the desk trade on recorded markets, on a simulated clock, and print each day as report does."""
    from commands.actions.backtest import backtest_settings, print_backtest
    from commands.actions.simulate import delays_of

    overrides = {"flow.queue_model": queue, "flow.seed": seed, "symbol": symbol}
    settings = backtest_settings(recordings, strategy, fees, overrides, sets or ())
    delays = delays_of(latency_ms, jitter_ms, jitter_from, settings.flow.seed)
    raise typer.Exit(print_backtest(settings, recordings, delays, out, as_json=as_json))
