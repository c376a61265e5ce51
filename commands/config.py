"""The settings, and what is set up once on a machine: `config show`, `warm`, `keys`."""

from typing import Annotated

import typer

from commands.options import Json, RunDir, settings_of, show
from commands.progress import ticking

app = typer.Typer()
config = typer.Typer(no_args_is_help=True, help="Show the settings.")


@app.command(epilog="Example: python cli.py warm")
def warm() -> None:
    """Compile what is compiled, once, so that the next start is quick."""
    from desk.warm import warm_kernels, warm_mirror, warm_sessions
    from market.kernels.compiling import compiled_count, kernel_count
    from screens.progress import count_line
    from simulation.recorded_market import warm as warm_replay

    before, count = compiled_count(), kernel_count()

    def line(took_ns: int) -> str:
        done = compiled_count() - before
        return count_line(done, max(done, count - before), took_ns, "kernel")

    with ticking(line) as progress:
        for warm_some in (warm_kernels, warm_mirror, warm_replay):
            warm_some(progress.say)
        warm_sessions()


@app.command(epilog="Example: python cli.py keys --allow KEY_OF_THE_OTHER --whose desk-b")
def keys(
    allow: Annotated[str | None, typer.Option(help="The public key of a machine that may reach our engine.")] = None,
    whose: Annotated[str, typer.Option(help="A word on whose it is.")] = "",
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Show this machine's public key for the bus over tcp; make the pair if there is none."""
    from commands.actions.keys import bus_keys
    from desk.client import DeskError

    if run_dir is not None and not run_dir.is_dir():
        raise DeskError(f"there is no run directory {run_dir}: `up` makes it, or mkdir")
    show(bus_keys(settings_of(run_dir), allow, whose), as_json)


@config.command("show", epilog="Example: python cli.py config show --json")
def show_settings(run_dir: RunDir = None, as_json: Json = False) -> None:
    """Print every effective setting and where it came from; secrets are not shown."""
    from desk.settings import load_settings

    values = list(load_settings({"run_dir": run_dir}).values())
    if as_json:
        show(({key: {"value": text, "from": origin} for key, text, origin in values}, ""), as_json)
        return
    width = max(len(key) for key, _, _ in values)
    for key, text, origin in values:
        print(f"{key:{width}} {text:28} {origin}")
