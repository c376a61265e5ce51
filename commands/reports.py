"""What was earned: `report`."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from commands import completing
from commands.options import Json, RunDir, VenueName, settings_of

if TYPE_CHECKING:
    from desk.settings import Settings
    from nodes.tracker.desk_orders import ClockedVenue

app = typer.Typer()

Day = Annotated[str | None, typer.Option("--date", help="One day, such as 2025-11-30, or yesterday.")]
Days = Annotated[int | None, typer.Option("--days", min=1, max=366, help="The last days, today among them.")]
From = Annotated[str | None, typer.Option("--from", help="The first day of several.")]
To = Annotated[str | None, typer.Option("--to", help="The last of them; today without it.")]
Html = Annotated[
    str | None, typer.Option("--html", metavar="[FILE]", help="Write a page for a browser, too.", show_default=False)
]
Compare = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--compare", metavar="A B", help="Set the reports of two folders, or run directories, side by side instead."
    ),
]

OneSymbol = Annotated[
    str | None,
    typer.Option("--symbol", help="Of this pair alone.", show_default="all of them", autocompletion=completing.symbols),
]
Replay = Annotated[
    bool, typer.Option("--replay", help="Try what is recommended on the last whole day; that takes minutes.")
]


class ReportCommand(TyperCommand):
    """A command whose `--html` may stand without a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of `args`."""
        pairs = pairwise([*args, "--"])
        given = [f"{one}=" if one == "--html" and after.startswith("-") else one for one, after in pairs]
        return super().parse_args(ctx, given)


def _venue_of(settings: "Settings") -> "ClockedVenue":
    """Return the venue for a report of today; who reads the files of other days need not load what asks it."""
    from commands.actions.account import command_venue

    return command_venue(settings)


@app.command(cls=ReportCommand, epilog="Example: python cli.py report --date yesterday --html")
def report(
    day: Day = None,
    days: Days = None,
    first: From = None,
    last: To = None,
    run_dir: RunDir = None,
    venue: VenueName = None,
    symbol: OneSymbol = None,
    as_json: Json = False,
    html: Html = None,
    compare: Compare = None,
    replay: Replay = False,
) -> None:
    """Bring today's performance file up to date and print the day and the week, or print the days asked for."""
    from commands.actions.report import period_of, print_report
    from desk.client import UsageError, known_symbol
    from market.collecting import uncollected

    period = period_of(day, days, first, last)
    if replay and (compare is not None or (period.is_given and period.count == 1)):
        raise UsageError("expected --replay with several days, for what is recommended comes of them")
    if compare is not None:
        from commands.actions.compare import print_comparison

        raise typer.Exit(print_comparison(*compare, period, symbol, as_json=as_json))
    from commands.actions.kept_days import kept_period, of_kept_days

    settings = settings_of(run_dir, venue)
    if symbol is not None:
        symbol = known_symbol(settings, symbol)
    page = None if html is None else Path(html)
    venue_of: Callable[[], ClockedVenue] | None = partial(_venue_of, settings)
    if (kept := of_kept_days(settings)) is not None:
        if replay:
            raise UsageError(f"expected --replay with a desk: whatif {settings.run_dir} tries settings on a run")
        settings, venue_of, period = kept, None, kept_period(kept, period, days)
    if replay:
        from commands.actions.replayed import replay_recommendations

        tried = replay_recommendations
        code = print_report(settings, venue_of, period, as_json=as_json, html=page, replay=tried, symbol=symbol)
    else:
        with uncollected():  # of a long day to the end of its output: it would be looked through again and again
            code = print_report(settings, venue_of, period, as_json=as_json, html=page, symbol=symbol)
    raise typer.Exit(code)
