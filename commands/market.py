"""What is heard of the market: `book`, `feed`."""

from typing import Annotated

import typer

from commands.options import Json, RunDir, Symbol, settings_of

app = typer.Typer()


@app.command(epilog="Example: python cli.py book --levels 20")
def book(
    once: Annotated[bool, typer.Option("--once", help="Print it and return.")] = False,
    levels: Annotated[int, typer.Option(min=1, max=100)] = 12,
    run_dir: RunDir = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Show the order book as a live ladder."""
    from commands.actions.book import show_book

    show_book(lambda: settings_of(run_dir, None, symbol), levels, is_once=once or as_json, as_json=as_json)


@app.command(epilog="Example: python cli.py feed --topic trades.BTCUSDT --count 10")
def feed(
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Such as depth.BTCUSDT, reference.BTCUSDT or health; book, trades and best without."),
    ] = None,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many messages; 0 goes on until Ctrl-C.")] = 0,
    is_raw: Annotated[bool, typer.Option("--raw", help="As they are: in ticks, lots and codes.")] = False,
    run_dir: RunDir = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Subscribe to the book feed over ZeroMQ and print its messages decoded."""
    from commands.actions.book import print_feed

    print_feed(settings_of(run_dir, None, symbol), topic or (), count, is_raw=is_raw, as_json=as_json)
