"""The account at the venue, and orders by hand: `orders`, `trades`, `balances`, `account`, `place`, `cancel`."""

from functools import partial
from typing import Annotated

import typer

from commands.options import AnySymbol, Json, RunDir, Symbol, SymbolCommand, VenueName, Watch, settings_of, show

app = typer.Typer()


@app.command(cls=SymbolCommand, epilog="Example: python cli.py orders --watch")
def orders(
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: AnySymbol = None,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Print the account's open orders, as the venue holds them."""
    from commands.actions.account import open_orders, watch_orders

    settings_now = partial(settings_of, run_dir, venue, symbol)
    is_every_symbol = symbol is None
    if watch:
        watch_orders(settings_now, is_every_symbol=is_every_symbol, as_json=as_json)
    show(open_orders(settings_now(), is_every_symbol=is_every_symbol), as_json)


@app.command(cls=SymbolCommand, epilog="Example: python cli.py trades --limit 20")
def trades(
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 100,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Print the account's last trades, oldest first."""
    from commands.actions.account import last_trades, watch_trades

    settings_now = partial(settings_of, run_dir, venue, symbol)
    if watch:
        watch_trades(settings_now, limit, as_json=as_json)
    show(last_trades(settings_now(), limit), as_json)


@app.command(cls=SymbolCommand, epilog="Example: python cli.py balances --all")
def balances(
    show_all: Annotated[bool, typer.Option("--all", help="Every asset.")] = False,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Print the account's balances."""
    from commands.actions.account import held_balances

    show(held_balances(settings_of(run_dir, venue, symbol), show_all), as_json)


@app.command(cls=SymbolCommand, epilog="Example: python cli.py account --json")
def account(
    show_all: Annotated[bool, typer.Option("--all", help="Every asset that the account holds.")] = False,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: AnySymbol = None,
    as_json: Json = False,
) -> None:
    """Print the account at a glance: what it holds, in all, and its open orders."""
    from commands.actions.account import at_a_glance

    settings = settings_of(run_dir, venue, symbol)
    show(at_a_glance(settings, show_all, is_every_symbol=symbol is None), as_json)


@app.command(epilog="Example: python cli.py place buy 0.01 90000")
def place(
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    qty: Annotated[str, typer.Argument(help="Of the base asset, such as 0.01.")],
    price: Annotated[str | None, typer.Argument(help="Such as 91000; a market order without.")] = None,
    post_only: Annotated[bool, typer.Option("--post-only", help="Refused rather than take.")] = False,
    ioc: Annotated[bool, typer.Option("--ioc", help="What does not trade at once is cancelled.")] = False,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Enter an order by hand, as in: python cli.py place buy 0.01 91000. The maker does not cancel it."""
    from commands.actions.by_hand import place as place_by_hand
    from market.account import order_json
    from screens.account import order_text

    settings = settings_of(run_dir, venue, symbol)
    order = place_by_hand(settings, side, qty, price, is_post_only=post_only, is_ioc=ioc)
    show((order_json(order), order_text(order, settings.instrument)), as_json)


@app.command(epilog="Example: python cli.py cancel ORDER_ID")
def cancel(
    order_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `orders --json` tells.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every order that was placed by hand.")] = False,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: AnySymbol = None,
    as_json: Json = False,
) -> None:
    """Cancel orders, and tell how each ended; exit code 1 if one could not be cancelled."""
    from commands.actions.by_hand import cancel as cancel_by_hand
    from market.account import order_json
    from screens.account import order_text

    settings = settings_of(run_dir, venue, symbol)
    ended, failures = cancel_by_hand(settings, order_ids or [], is_all=is_all, is_every_symbol=symbol is None)
    instruments = {each.symbol: each for each in settings.instruments}
    lines = [*(order_text(order, instruments[order.symbol]) for order in ended), *failures]
    document = {"cancelled": [order_json(order) for order in ended], "failures": failures}
    show((document, "\n".join(lines) or "no order that was placed by hand is open"), as_json)
    raise typer.Exit(1 if failures else 0)
