"""A desk faster than time: `simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import Json

app = typer.Typer()

Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, as maker.half_spread=0.0005.")
]
Out = Annotated[
    Path | None, typer.Option(help="A folder for the daily files.", show_default="they are not kept", file_okay=False)
]


@app.command(epilog="Example: python cli.py simulate --seconds 3600 --seed 8 --set maker.half_spread=0.001")
def simulate(
    seconds: Annotated[int, typer.Option(min=1, max=31_536_000, help="How long, by the simulated clock.")] = 600,
    seed: Annotated[int | None, typer.Option(help="Of the market.", show_default="flow.seed")] = None,
    flow: Annotated[
        str | None,
        typer.Option(help="synthetic[:PRESET], replay:FILE or none.", show_default="synthetic:practice"),
    ] = None,
    start: Annotated[str, typer.Option(help="When the simulated clock starts, UTC.")] = "2026-01-01T00:00:00",
    sets: Sets = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Run a whole desk in this process on a simulated clock, and print its day as report does."""
    from commands.actions.simulate import print_simulation, settings_with, start_of
    from desk.sections import flow_in_short

    settings = settings_with({**flow_in_short(flow), "flow.seed": seed}, sets or ())
    raise typer.Exit(print_simulation(settings, start_of(start), seconds, out, as_json=as_json))
