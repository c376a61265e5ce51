"""The command line of tickbus: `python cli.py --help`. Nothing heavy is imported before a command needs it."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

try:
    import typer
except ModuleNotFoundError:
    sys.exit("error: this Python has no typer: `make up` sets up .venv; then use .venv/bin/python, or activate it")

from market.mendable import MendableError
from screens.help import EXAMPLES

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="A market-making desk."
)
config_app = typer.Typer(no_args_is_help=True, help="Show the settings.")
app.add_typer(config_app, name="config")
journal_app = typer.Typer(no_args_is_help=True, help="Look at the engine's journal.")
app.add_typer(journal_app, name="journal")
accounts_app = typer.Typer(
    invoke_without_command=True, help="List, create, fund and reset the paper exchange's accounts."
)
app.add_typer(accounts_app, name="accounts")

RunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="Where the desk keeps its sockets, logs and files.", show_default="run")
]
Symbol = Annotated[str | None, typer.Option("--symbol", help="The pair.", show_default="the desk's; BTCUSDT")]
VenueName = Annotated[str | None, typer.Option("--venue", help="paper or binance-testnet.", show_default="paper")]
AnySymbol = Annotated[str | None, typer.Option("--symbol", help="The pair.", show_default="every symbol")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Engine = Annotated[str, typer.Option("--engine", help="Which engine, of a desk with several.")]


def _port(default: str) -> Any:
    return typer.Option(min=0, max=65_535, help="0 takes a free one.", show_default=default)


def _settings(**overrides: Any) -> Any:
    from desk.settings import load_settings

    return load_settings({key.replace("__", "."): value for key, value in overrides.items()})


def _run_dir(run_dir: Path | None) -> Path:
    from desk.settings import named_run_dir

    return named_run_dir(run_dir)


def _desk_settings(run_dir: Path | None, venue: str | None = None, symbol: str | None = None) -> Any:
    from desk.client import desk_settings

    return desk_settings(run_dir, venue, symbol)


def _venue(settings: Any) -> Any:
    from commands.account import command_venue

    return command_venue(settings)


def _print_json(value: Any) -> None:
    from market.exact_json import dumps

    print(dumps(value))


@app.command()
def up(
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    flow: Annotated[
        str | None,
        typer.Option(
            help="synthetic[:PRESET], of practice, calm, normal, busy, crash; replay:FILE,...; live[:URL]; none.",
            show_default="synthetic:practice",
        ),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="How many times faster a recording is replayed.", show_default="1")
    ] = None,
    half_spread: Annotated[
        str | None, typer.Option(help="The maker's, as a fraction of the mid.", show_default="0.002")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run just these nodes.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave these nodes out.")] = None,
    colocate: Annotated[list[str] | None, typer.Option(help="Run nodes, as gateway,engine, in one process.")] = None,
    gateway_port: Annotated[int | None, _port("8083")] = None,
    api_port: Annotated[int | None, _port("8082")] = None,
    paper_port: Annotated[int | None, _port("8084")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the paper accounts first.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the desk is ready; stop it with down.")] = False,
) -> None:
    """Start the desk: every node, in order, watched over until Ctrl-C."""
    overrides = {
        "run_dir": run_dir,
        "venue.name": venue,
        "symbol": symbol,
        "flow.source": flow,
        "flow.speed": speed,
        "maker.half_spread": half_spread,
        "gateway.port": gateway_port,
        "api.port": api_port,
        "paper.port": paper_port,
    }
    from commands.desk_start import run_desk, run_desk_detached
    from desk.outlet import log_file, take_over_output

    if detach:
        raise typer.Exit(run_desk_detached(overrides, sys.argv))
    take_over_output(log_file())
    run_desk(overrides, only or (), without or (), colocate or (), is_fresh=fresh)


@app.command()
def down(run_dir: RunDir = None) -> None:
    """Stop the desk."""
    from desk.client import stop_desk

    print(f"stopped (pid {stop_desk(_run_dir(run_dir))})")


@app.command()
def stop(name: Annotated[str, typer.Argument(metavar="NODE")], run_dir: RunDir = None) -> None:
    """Stop one node of the desk, which stays so until start; the maker cancels its orders."""
    from commands.node_control import stop_node

    print("\n".join(stop_node(_run_dir(run_dir), name)))


@app.command()
def start(name: Annotated[str, typer.Argument(metavar="NODE")], run_dir: RunDir = None) -> None:
    """Start a node of the desk that was stopped, and wait until it is ready."""
    from commands.node_control import start_node

    print("\n".join(start_node(_run_dir(run_dir), name)))


@app.command()
def status(run_dir: RunDir = None, as_json: Json = False) -> None:
    """Show the nodes of the desk and where they can be reached."""
    from desk.client import desk_status

    document = desk_status(_run_dir(run_dir))
    if as_json:
        import json

        print(json.dumps(document))
        return
    from commands.desk_start import print_desk

    print_desk(document)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(metavar="[NODE]", help="One node; all without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each.")] = 20,
    run_dir: RunDir = None,
) -> None:
    """Print the nodes' logs."""
    from commands.logs import print_logs

    print_logs(_run_dir(run_dir), name, lines, is_following=follow)


@app.command()
def node(
    names: Annotated[list[str], typer.Argument(metavar="NODE...")],
    clean_up: Annotated[bool, typer.Option("--clean-up", help="Cancel what a killed one has left, and end.")] = False,
    run_dir: RunDir = None,
) -> None:
    """Run one node in the foreground, as systemd or a container would; several are threads of one process."""
    from desk.kinds import in_order
    from desk.run_dir import NodeError
    from nodes.node import run_nodes

    try:
        ordered = in_order(names)
    except ValueError as error:
        raise NodeError(str(error)) from None
    raise typer.Exit(run_nodes(ordered, _settings(run_dir=run_dir).settings, is_cleaning=clean_up))


@app.command()
def orders(run_dir: RunDir = None, venue: VenueName = None, symbol: Symbol = None, as_json: Json = False) -> None:
    """Print the account's open orders, as the venue holds them."""
    settings = _desk_settings(run_dir, venue, symbol)
    from commands.account import account_source

    with ExitStack() as stack:
        found = account_source(settings, stack).open_orders(settings.instrument)
    from screens.account import orders_json, orders_text

    if as_json:
        _print_json(orders_json(found))
    else:
        print(orders_text(found, [settings.instrument]))


@app.command()
def trades(
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 100,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Print the account's last trades, oldest first."""
    settings = _desk_settings(run_dir, venue, symbol)
    from commands.account import account_source

    with ExitStack() as stack:
        found = account_source(settings, stack).trades(settings.instrument, limit)
    from screens.account import trades_json, trades_text

    if as_json:
        _print_json(trades_json(found, limit))
    else:
        print(trades_text(found, [settings.instrument], limit))


@app.command()
def balances(
    show_all: Annotated[bool, typer.Option("--all", help="Every asset.")] = False,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Print the account's balances."""
    settings = _desk_settings(run_dir, venue, symbol)
    from commands.account import account_source

    with ExitStack() as stack:
        found = account_source(settings, stack).balances()
    from screens.account import balances_json, balances_text

    if as_json:
        _print_json(balances_json(found, [settings.instrument], show_all))
    else:
        print(balances_text(found, [settings.instrument], show_all))


@app.command()
def account(
    show_all: Annotated[bool, typer.Option("--all", help="Every asset that the account holds.")] = False,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Print the account at a glance: what it holds, in all, and its open orders."""
    settings = _desk_settings(run_dir, venue, symbol)
    from commands.account import account_source
    from screens.account import account_json, account_text

    with ExitStack() as stack:
        source = account_source(settings, stack)
        held, found = source.balances(), source.open_orders(settings.instrument)
    if as_json:
        _print_json(account_json(held, found))
    else:
        print(account_text(held, found, settings.instrument, show_all))


@app.command()
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
    """Enter an order by hand, as in: python cli.py place buy 0.01 91000. The maker leaves it alone."""
    from commands.account import place as place_by_hand
    from screens.account import order_json, order_text

    settings = _desk_settings(run_dir, venue, symbol)
    order = place_by_hand(settings, side, qty, price, is_post_only=post_only, is_ioc=ioc)
    if as_json:
        _print_json(order_json(order))
    else:
        print(order_text(order, settings.instrument))


@app.command()
def cancel(
    order_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `orders --json` tells.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every order that was placed by hand.")] = False,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: AnySymbol = None,
    as_json: Json = False,
) -> None:
    """Cancel orders, and tell how each ended; exit code 1 if one could not be cancelled."""
    from commands.account import cancel as cancel_by_hand
    from screens.account import order_json, order_text

    settings = _desk_settings(run_dir, venue, symbol)
    ended, failures = cancel_by_hand(settings, order_ids or [], is_all=is_all, is_every_symbol=symbol is None)
    if as_json:
        _print_json({"cancelled": [order_json(order) for order in ended], "failures": failures})
    elif not ended and not failures:
        print("no order that was placed by hand is open")
    else:
        instruments = {each.symbol: each for each in settings.instruments}
        print("\n".join([*(order_text(order, instruments[order.symbol]) for order in ended), *failures]))
    raise typer.Exit(1 if failures else 0)


Day = Annotated[str | None, typer.Option("--date", help="One day, such as 2025-11-30, or yesterday.")]
Days = Annotated[int | None, typer.Option("--days", min=1, max=366, help="The last days, today among them.")]
From = Annotated[str | None, typer.Option("--from", help="The first day of several.")]
To = Annotated[str | None, typer.Option("--to", help="The last of them; today without it.")]


@app.command()
def report(
    day: Day = None,
    days: Days = None,
    first: From = None,
    last: To = None,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Bring today's performance file up to date and print the day and the week, or print the days asked for."""
    from commands.report import period_of, print_report

    period = period_of(day, days, first, last)
    settings = _desk_settings(run_dir, venue, symbol)
    raise typer.Exit(print_report(settings, lambda: _venue(settings), period, as_json=as_json))


@app.command()
def history(
    day: Day = None,
    days: Days = None,
    first: From = None,
    last: To = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many of each on a page.")] = 50,
    page: Annotated[int, typer.Option(min=1, help="1 is the newest.")] = 1,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Print ended orders and trades, of today or of the days asked for; without a desk the trades on file."""
    from commands.report import period_of, print_history

    period = period_of(day, days, first, last)
    settings = _desk_settings(run_dir, venue, symbol)
    found = print_history(settings, lambda: _venue(settings), period, limit=limit, page=page, as_json=as_json)
    raise typer.Exit(found)


@app.command()
def book(
    once: Annotated[bool, typer.Option("--once", help="Print it and return.")] = False,
    levels: Annotated[int, typer.Option(min=1, max=100)] = 12,
    run_dir: RunDir = None,
    symbol: Symbol = None,
    as_json: Json = False,
) -> None:
    """Show the order book as a live ladder."""
    from commands.book import show_book

    show_book(_desk_settings(run_dir, None, symbol), levels, is_once=once or as_json, as_json=as_json)


@app.command()
def feed(
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Such as depth.BTCUSDT, reference.BTCUSDT or health; book, trades and best without."),
    ] = None,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many messages; 0 goes on until Ctrl-C.")] = 0,
    is_raw: Annotated[bool, typer.Option("--raw", help="As they are: in ticks, lots and codes.")] = False,
    run_dir: RunDir = None,
    symbol: Symbol = None,
) -> None:
    """Subscribe to the book feed over ZeroMQ and print its messages decoded."""
    from commands.book import print_feed

    print_feed(_desk_settings(run_dir, None, symbol), topic or (), count, is_raw=is_raw)


@app.command()
def warm() -> None:
    """Compile what is compiled, once, so that the next start is quick."""
    from desk.warm import warm_kernels, warm_sessions

    warm_kernels(lambda line: print(line, file=sys.stderr))
    warm_sessions()


@app.command()
def keys(
    allow: Annotated[str | None, typer.Option(help="The public key of a machine that may reach our engine.")] = None,
    whose: Annotated[str, typer.Option(help="A word on whose it is.")] = "",
    run_dir: RunDir = None,
) -> None:
    """Show this machine's public key for the bus over tcp; make the pair if there is none."""
    from commands.book import bus_keys

    print(bus_keys(_desk_settings(run_dir), allow, whose))


@app.command()
def halt(
    symbol: AnySymbol = None,
    cancel_all: Annotated[bool, typer.Option("--cancel-all", help="Cancel every open order, too.")] = False,
    run_dir: RunDir = None,
) -> None:
    """The kill switch: the engine takes no new orders, of one symbol or of all; cancels go through."""
    _set_halted(run_dir, symbol, is_halted=True, is_cancelling=cancel_all)


@app.command()
def resume(symbol: AnySymbol = None, run_dir: RunDir = None) -> None:
    """Take new orders again."""
    _set_halted(run_dir, symbol, is_halted=False, is_cancelling=False)


def _set_halted(run_dir: Path | None, symbol: str | None, *, is_halted: bool, is_cancelling: bool) -> None:
    from desk.client import DeskError, known_symbol
    from desk.operator import set_halted

    settings = _desk_settings(run_dir)
    named = None if symbol is None else known_symbol(settings, symbol)
    outcome = set_halted(settings, named, is_halted=is_halted, is_cancelling=is_cancelling)
    for line in outcome.confirmed:
        print(line)
    if outcome.missing:
        raise DeskError("\n".join(outcome.missing))


@app.command()
def replay(
    verify: Annotated[bool, typer.Option("--verify", help="Compare with the live engine's state.")] = False,
    engine: Engine = "engine",
    run_dir: RunDir = None,
) -> None:
    """Replay the journal into an engine of its own and print what comes out."""
    from commands.journal import replay_journal

    print(replay_journal(_desk_settings(run_dir), engine, is_verified=verify))


def _paper_accounts(run_dir: Path | None) -> Any:
    from desk.paper_accounts import PaperAccounts

    return PaperAccounts(_desk_settings(run_dir))


def _print_account(document: Any, text: str, as_json: bool) -> None:
    if as_json:
        _print_json(document)
    else:
        print(text)


@accounts_app.callback()
def accounts(context: typer.Context, run_dir: RunDir = None, as_json: Json = False) -> None:
    """List the paper exchange's accounts, or do something with one."""
    if context.invoked_subcommand is not None:
        return
    from commands.account import listed_accounts

    found = listed_accounts(_desk_settings(run_dir))
    if as_json:
        _print_json(found)
        return
    from screens.paper_accounts import accounts_text

    print(accounts_text(found, _desk_settings(run_dir).instruments))


@accounts_app.command("create")
def accounts_create(run_dir: RunDir = None, as_json: Json = False) -> None:
    """Make one more account with the starting assets; its keys are in the file that is named."""
    made = _paper_accounts(run_dir).create()
    _print_account(made, f"account {made['account']} is made; its keys are in {made['keys']}", as_json)


@accounts_app.command("fund")
def accounts_fund(
    number: int,
    asset: Annotated[str, typer.Argument(help="Such as USDT.")],
    amount: Annotated[str, typer.Argument(help="Such as 100.5.")],
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Give an account money; it hears a balanceUpdate."""
    funded = _paper_accounts(run_dir).fund(number, asset.upper(), amount)
    _print_account(funded, f"account {number} has {funded['free']} {funded['asset']} free", as_json)


@accounts_app.command("reset")
def accounts_reset(number: int, run_dir: RunDir = None, as_json: Json = False) -> None:
    """Let an account begin anew: its orders, trades and balances are forgotten; its keys stay."""
    reset = _paper_accounts(run_dir).reset(number)
    from market.words import counted

    times = counted(reset["resets"], "time")
    _print_account(reset, f"account {number} begins anew with the starting assets; it was reset {times}", as_json)


@journal_app.command("inspect")
def journal_inspect(engine: Engine = "engine", run_dir: RunDir = None, as_json: Json = False) -> None:
    """Print what the journal holds: files, sources, sequences."""
    _print_journal(run_dir, engine, as_json, is_verification=False)


@journal_app.command("verify")
def journal_verify(engine: Engine = "engine", run_dir: RunDir = None, as_json: Json = False) -> None:
    """Read every record and say whether an engine can start from the journal."""
    _print_journal(run_dir, engine, as_json, is_verification=True)


def _print_journal(run_dir: Path | None, engine: str, as_json: bool, *, is_verification: bool) -> None:
    from commands.journal import journal_report

    document, text = journal_report(_desk_settings(run_dir), engine, is_verification=is_verification)
    if as_json:
        _print_json(document)
    else:
        print(text)
    raise typer.Exit(1 if document.get("corruption") else 0)


@config_app.command("show")
def config_show(run_dir: RunDir = None) -> None:
    """Print every effective setting and where it came from; secrets are not shown."""
    values = list(_settings(run_dir=run_dir).values())
    width = max(len(value.key) for value in values)
    for value in values:
        print(f"{value.key:{width}} {value.text:28} {value.origin}")


def _show_examples(group: typer.Typer, prefix: str = "") -> None:
    for command in group.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        if example := EXAMPLES.get(prefix + name):
            command.epilog = f"Example: {example}"
    for sub in group.registered_groups:
        if sub.typer_instance is not None:
            _show_examples(sub.typer_instance, f"{prefix}{sub.name} ")


_show_examples(app)


def main() -> None:
    """Run a command; what a person can mend is one line, and an exit code of docs/operating.md."""
    os.umask(0o077)  # nothing that we write is for others
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except MendableError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
