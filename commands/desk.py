"""The desk, its nodes and its directory: `up`, `down`, `stop`, `start`, `status`, `doctor`, `backup` and others."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from commands import completing
from commands.options import Json, RunDir, StrategyFile, Symbol, VenueName, Watch, run_dir_of, show
from commands.plain import run_node, run_watchdog

app = typer.Typer()


def _port(default: str) -> Any:
    return typer.Option(min=0, max=65_535, help="0 takes a free one.", show_default=default)


@app.command(epilog="Example: python cli.py up --flow synthetic:normal --half-spread 0.0005")
def up(
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    flow: Annotated[
        str | None,
        typer.Option(
            help="synthetic[:PRESET], of practice, calm, normal, toxic, busy, crash; replay:FILE; live[:URL]; none.",
            show_default="synthetic:practice",
        ),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="How many times faster a recording is replayed.", show_default="1")
    ] = None,
    half_spread: Annotated[
        str | None, typer.Option(help="The maker's, as a fraction of the mid.", show_default="0.002")
    ] = None,
    strategy: StrategyFile = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any setting, as maker.skew=0.001.", autocompletion=completing.keys
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Run just these nodes.", autocompletion=completing.nodes)
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave these nodes out.", autocompletion=completing.nodes)
    ] = None,
    colocate: Annotated[list[str] | None, typer.Option(help="Run nodes, as gateway,engine, in one process.")] = None,
    gateway_port: Annotated[int | None, _port("8083")] = None,
    api_port: Annotated[int | None, _port("8082")] = None,
    paper_port: Annotated[int | None, _port("8084")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the paper accounts first.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the desk is ready; stop it with down.")] = False,
) -> None:
    """Start the desk: every node, in order, watched over until Ctrl-C."""
    from commands.actions.assignments import values_set
    from commands.actions.desk_start import run_desk, run_desk_detached
    from desk.outlet import log_file, take_over_output
    from desk.sections import flow_in_short

    overrides = {
        "run_dir": run_dir,
        "venue.name": venue,
        "symbol": symbol,
        **flow_in_short(flow),
        "flow.speed": speed,
        "maker.half_spread": half_spread,
        "maker.strategy": strategy,
        "gateway.port": gateway_port,
        "api.port": api_port,
        "paper.port": paper_port,
    }
    overrides |= values_set(sets or (), overrides)
    if detach:
        raise typer.Exit(run_desk_detached(overrides, sys.argv))
    take_over_output(log_file())
    run_desk(overrides, only or (), without or (), colocate or (), is_fresh=fresh)


@app.command(epilog="Example: python cli.py down --run-dir run2")
def down(run_dir: RunDir = None) -> None:
    """Stop the desk."""
    from desk.client import NoDeskError, stop_desk

    named = run_dir_of(run_dir)
    try:
        print(f"stopped (pid {stop_desk(named)})")
    except NoDeskError:
        from commands.actions.halting import left_text

        raise NoDeskError(named, left_text(named)) from None


_Node = Annotated[str, typer.Argument(metavar="NODE", autocompletion=completing.nodes)]


@app.command(epilog="Example: python cli.py stop maker")
def stop(name: _Node, run_dir: RunDir = None) -> None:
    """Stop one node of the desk, which stays so until start; the maker cancels its orders."""
    from commands.actions.node_control import stop_node

    print("\n".join(stop_node(run_dir_of(run_dir), name)))


@app.command(epilog="Example: python cli.py start maker")
def start(name: _Node, run_dir: RunDir = None) -> None:
    """Start a node of the desk that was stopped, and wait until it is ready."""
    from commands.actions.node_control import start_node

    print("\n".join(start_node(run_dir_of(run_dir), name)))


@app.command(epilog="Example: python cli.py status --json")
def status(run_dir: RunDir = None, watch: Watch = False, as_json: Json = False) -> None:
    """Show the nodes of the desk and where they can be reached."""
    from commands.actions.desk_status import print_status, watch_desk

    (watch_desk if watch else print_status)(run_dir_of(run_dir), as_json=as_json)


@app.command(epilog="Example: python cli.py top")
def top(run_dir: RunDir = None, as_json: Json = False) -> None:
    """Show a desk that runs as `up` does, until Ctrl-C: its nodes and how fast they go, quotes, position, PnL."""
    from commands.actions.desk_status import watch_desk

    watch_desk(run_dir_of(run_dir), as_json=as_json)


@app.command(epilog="Example: python cli.py doctor --json")
def doctor(run_dir: RunDir = None, as_json: Json = False) -> None:
    """Check the run directory, running or not, and say what to do; exit code 1 if something is wrong."""
    from commands.actions.doctor import desk_health

    document, text = desk_health(run_dir_of(run_dir))
    show((document, text), as_json)
    raise typer.Exit(0 if document["is_sound"] else 1)


@app.command(epilog="Example: python cli.py backup desk.tar.gz")
def backup(
    file: Annotated[Path, typer.Argument(help="A new one; gzip if it ends with gz.")], run_dir: RunDir = None
) -> None:
    """Write all that the desk goes on from to one file, as of one moment; the desk may run meanwhile."""
    from commands.actions.backup import backup as write_backup

    print(write_backup(run_dir_of(run_dir), file))


@app.command(epilog="Example: python cli.py restore desk.tar.gz --run-dir run2")
def restore(file: Annotated[Path, typer.Argument(help="That `backup` has written.")], run_dir: RunDir = None) -> None:
    """Make a new run directory of a backup, whole or not at all; `up` then goes on from it."""
    from commands.actions.backup import restore as restore_desk

    print(restore_desk(file, run_dir_of(run_dir)))


@app.command(epilog="Example: python cli.py why --last 20")
def why(
    last: Annotated[int, typer.Option("--last", min=0, max=1_000, help="How many of the last decisions.")] = 5,
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Say of each side why the maker quotes it, or does not, and what it has decided last."""
    from commands.actions.why import why_quoted

    show(why_quoted(run_dir_of(run_dir), last), as_json)


@app.command(epilog="Example: python cli.py explain glft --set maker.skew=0.001")
def explain(
    model: Annotated[
        str | None,
        typer.Argument(help="A quoting model.", show_default="maker.model", autocompletion=completing.models),
    ] = None,
    mid: Annotated[str | None, typer.Option(help="Around which price.", show_default="the market's now")] = None,
    sigma: Annotated[
        float | None,
        typer.Option(min=1e-9, max=0.1, help="Fraction per square-root second.", show_default="as the maker sees it"),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting, as maker.skew=0.001.", autocompletion=completing.live_keys
        ),
    ] = None,
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Say what a model quotes at five positions in the market of now, and what doubling each parameter changes."""
    from commands.actions.explain import explained
    from desk.client import DeskError
    from market.instrument import parse_decimal

    try:
        price = None if mid is None else parse_decimal(mid)
    except ValueError as error:
        raise DeskError(f"--mid: {error}") from None
    show(explained(run_dir, model, sets or (), price, sigma), as_json)


@app.command(epilog="Example: python cli.py logs maker -f")
def logs(
    name: Annotated[
        str | None, typer.Argument(metavar="[NODE]", help="One node; all without it.", autocompletion=completing.nodes)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each.")] = 20,
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Print the nodes' logs."""
    from commands.actions.logs import print_logs

    print_logs(run_dir_of(run_dir), name, lines, is_following=follow, as_json=as_json)


@app.command(epilog="Example: TICKBUS_GATEWAY__PORT=8083 python cli.py node gateway")
def node(
    names: Annotated[list[str], typer.Argument(metavar="NODE...", autocompletion=completing.nodes)],
    clean_up: Annotated[bool, typer.Option("--clean-up", help="Cancel what a killed one has left, and end.")] = False,
    run_dir: RunDir = None,
) -> None:
    """Run one node in the foreground, as systemd or a container would; several are threads of one process."""
    raise typer.Exit(run_node(names, run_dir, is_cleaning=clean_up))


@app.command(hidden=True, epilog="Example: python cli.py watchdog tb-0a1b2c-")
def watchdog(prefix: Annotated[str, typer.Argument(metavar="PREFIX")], run_dir: RunDir = None) -> None:
    """Watch over the maker that has started this, and take its orders off the venue when it dies or falls silent."""
    raise typer.Exit(run_watchdog(prefix, run_dir))
