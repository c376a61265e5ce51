"""What the commands share: their options, the settings of the desk they ask, and how an answer is printed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from commands import completing

if TYPE_CHECKING:
    from desk.settings import Settings

RunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="Where the desk keeps its sockets, logs and files.", show_default="run")
]
Symbol = Annotated[
    str | None,
    typer.Option("--symbol", help="The pair.", show_default="the desk's; BTCUSDT", autocompletion=completing.symbols),
]
AnySymbol = Annotated[
    str | None,
    typer.Option("--symbol", help="The pair.", show_default="every symbol", autocompletion=completing.symbols),
]
VenueName = Annotated[str | None, typer.Option("--venue", help="paper or binance-testnet.", show_default="paper")]
StrategyFile = Annotated[
    Path | None, typer.Option("--strategy", help="A file with a strategy of one's own.", show_default="maker.model")
]
Watch = Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C, and show what changes.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Answer = tuple[Any, str]  # a document, and what it says as text


class SymbolCommand(TyperCommand):
    """A command without arguments that is about a pair: who names that alone hears how it is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return nothing: all that is given are options."""
        ctx.allow_extra_args = True
        if rest := super().parse_args(ctx, args):
            ctx.fail(f"expected options alone, was {' '.join(rest)}; a pair is named with --symbol {rest[0]}")
        return rest


def run_dir_of(named: Path | None) -> Path:
    """Return the run directory: that of the command line, or the settings'."""
    from desk.settings import named_run_dir

    return named_run_dir(named)


def settings_of(run_dir: Path | None, venue: str | None = None, symbol: str | None = None) -> "Settings":
    """Return the settings of the desk that is asked: `desk.client.desk_settings` says which."""
    from desk.client import desk_settings

    return desk_settings(run_dir, venue, symbol)


def show(answer: Answer, as_json: bool) -> None:
    """Print an answer."""
    from market.exact_json import dumps
    from screens.fold import harmless

    document, text = answer
    print(dumps(document) if as_json else harmless(text))
