"""The accounts of the paper exchange: `accounts`, `accounts create`, `accounts fund`, `accounts reset`."""

from typing import Annotated

import typer

from commands.options import Json, RunDir, settings_of, show

app = typer.Typer(invoke_without_command=True, help="List, create, fund and reset the paper exchange's accounts.")


@app.callback(epilog="Example: python cli.py accounts")
def accounts(context: typer.Context, run_dir: RunDir = None, as_json: Json = False) -> None:
    """List the paper exchange's accounts, or do something with one."""
    if context.invoked_subcommand is not None:
        return
    from commands.actions.account import listed_accounts
    from screens.account import accounts_text

    settings = settings_of(run_dir)
    found = listed_accounts(settings)
    show((found, accounts_text(found, settings.instruments)), as_json)


@app.command(epilog="Example: python cli.py accounts create")
def create(run_dir: RunDir = None, as_json: Json = False) -> None:
    """Make one more account with the starting assets; its keys are in the file that is named."""
    from commands.actions.account import ask_paper

    settings = settings_of(run_dir)
    made = ask_paper(settings, "POST", "accounts")
    keys = settings.run_dir / "paper" / "accounts" / f"{made['account']}.env"
    document = {"account": made["account"], "apiKey": made["apiKey"], "keys": str(keys)}
    show((document, f"account {made['account']} is made; its keys are in {keys}"), as_json)


@app.command(epilog="Example: python cli.py accounts fund 2 USDT 5000")
def fund(
    number: int,
    asset: Annotated[str, typer.Argument(help="Such as USDT.")],
    amount: Annotated[str, typer.Argument(help="Such as 100.5.")],
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Give an account money; it hears a balanceUpdate."""
    from commands.actions.account import ask_paper

    body = {"asset": asset.upper(), "amount": amount}
    funded = ask_paper(settings_of(run_dir), "POST", f"accounts/{number}/deposit", body)
    show((funded, f"account {number} has {funded['free']} {funded['asset']} free"), as_json)


@app.command(epilog="Example: python cli.py accounts reset 2")
def reset(
    number: int,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask whether that is meant.")] = False,
    run_dir: RunDir = None,
    as_json: Json = False,
) -> None:
    """Let an account begin anew: its orders, trades and balances are forgotten; its keys stay."""
    from commands.actions.account import ask_paper
    from market.words import counted

    settings = settings_of(run_dir)
    if not is_sure:
        typer.confirm(f"Forget the orders, trades and balances of account {number}?", abort=True, err=True)
    found = ask_paper(settings, "POST", f"accounts/{number}/reset")
    times = counted(found["resets"], "time")
    show((found, f"account {number} begins anew with the starting assets; it was reset {times}"), as_json)
