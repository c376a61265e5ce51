"""A desk faster than time: `simulate`, and a run of it again with other settings: `whatif`."""

from pathlib import Path
from typing import Annotated

import typer

from commands import completing
from commands.options import Json, RunDir, StrategyFile

app = typer.Typer()

Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A setting, as maker.half_spread=0.0005.", autocompletion=completing.keys
    ),
]
Latency = Annotated[
    float, typer.Option("--latency-ms", min=0, max=60_000, help="Between maker and exchange, each way, at least.")
]
Jitter = Annotated[
    float, typer.Option("--jitter-ms", min=0, max=60_000, help="The mean of what comes to it by chance.")
]
JitterFrom = Annotated[
    Path | None,
    typer.Option("--jitter-from", help="A recording: what its messages took more than the quickest.", metavar="FILE"),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="A new folder: daily files, and what whatif takes.", show_default="none is kept", file_okay=False
    ),
]


@app.command(epilog="Example: python cli.py simulate --seconds 3600 --seed 8 --set maker.half_spread=0.001")
def simulate(
    seconds: Annotated[int, typer.Option(min=1, max=31_536_000, help="How long, by the simulated clock.")] = 600,
    seed: Annotated[int | None, typer.Option(help="Of the market.", show_default="flow.seed")] = None,
    flow: Annotated[
        str | None,
        typer.Option(help="synthetic[:PRESET], replay:FILE or none.", show_default="synthetic:practice"),
    ] = None,
    strategy: StrategyFile = None,
    start: Annotated[str, typer.Option(help="When the simulated clock starts, UTC.")] = "2026-01-01T00:00:00",
    latency_ms: Latency = 1.0,
    jitter_ms: Jitter = 0.0,
    jitter_from: JitterFrom = None,
    sets: Sets = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Run a whole desk in this process on a simulated clock, and print its day as report does."""
    from commands.actions.simulate import READ, delays_of, print_simulation, settings_with, start_of
    from desk.sections import flow_in_short

    settings = settings_with({**flow_in_short(flow), "flow.seed": seed, "maker.strategy": strategy}, sets or (), READ)
    delays = delays_of(latency_ms, jitter_ms, jitter_from, settings.flow.seed)
    raise typer.Exit(print_simulation(settings, start_of(start), seconds, delays, out, as_json=as_json))


@app.command(epilog="Example: python cli.py whatif --date yesterday --set maker.half_spread=0.001")
def whatif(
    run: Annotated[
        Path | None,
        typer.Argument(help="What simulate --out has left.", metavar="FOLDER", show_default="a day of the desk"),
    ] = None,
    day: Annotated[str | None, typer.Option("--date", help="Of the desk.", show_default="its last day")] = None,
    sets: Sets = None,
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Trade a day again in the same market with other settings, and say what that would have earned, within what."""
    from commands.actions.report import day_of
    from commands.actions.whatif import whatif_lived, whatif_simulated
    from commands.options import settings_of, show

    if run is None:
        show(whatif_lived(settings_of(run_dir), None if day is None else day_of(day), sets or ()), as_json)
        return
    for option, value in (("--date", day), ("--run-dir", run_dir)):
        if value is not None:
            raise typer.BadParameter(f"{option} is of a desk, and FOLDER is a run of its own: expected one of the two")
    answer, code = whatif_simulated(run, sets or ())
    show(answer, as_json)
    raise typer.Exit(code)
