"""What a person's command trades in the maker's pair while the maker is stopped: lost or earned, and no flow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from desk.risk_file import kept_account, risk_name, write_risk
from desk.settings import Settings
from desk.strategy import triggers_of
from trading.escalation import DAY_NS, Reached, Seen, Stage, reached_by
from trading.readings import Amounts
from venues.binance_account import BinanceAccount
from venues.venue import VenueError


@contextmanager
def lost_by_us(settings: Settings, venue: BinanceAccount, tell: Callable[[str], None]) -> Iterator[None]:
    """Let the next maker find what its predecessor has believed last moved by all that moves the account meanwhile.

    It would take that, with its cost and its fees, for what others have done, by which nothing is lost. No maker may
    run, and nobody else trade.

    Raises:
        VenueError: if the venue does not say what there is before.
    """
    before = _amounts(settings, venue)
    try:
        yield
    finally:
        try:
            _move(settings, venue.account_name, before, _amounts(settings, venue))
        except (OSError, VenueError) as error:
            tell(f"the maker will not count as lost what this has cost: {error}")


def next_stage_text(settings: Settings, account_name: str, mid: Decimal, cost: Decimal, now_ns: int) -> str:
    """Return how far the maker would withdraw by what a command is to cost, empty if no farther than it has.

    That is told by what it has believed last of the account, and counted so far.

    Args:
        mid: quote per base.
        cost: quote amount.
        now_ns: ns since 1970 UTC.
    """
    kept = kept_account(settings.run_dir, risk_name(account_name, settings.symbol))
    if kept is None or kept.has is None or not kept.is_begun:
        return ""
    before, is_of_today = kept.has.value(mid) - kept.neutral_qty * mid, kept.day >= now_ns // DAY_NS

    def reached(equity: Decimal) -> Mapping[Stage, Reached]:
        loss = kept.start - equity if is_of_today else Decimal(0)  # another day begins with what is left
        seen = Seen(loss, max(Decimal(0), kept.peak - equity), Decimal(0))
        return reached_by(triggers_of(settings), seen, settings.instrument.quote)

    told = reached(before - cost)
    stage = max(told, default=Stage.QUOTES)
    if stage <= max([kept.stage, *reached(before)]):
        return ""
    return f"with that cost the maker withdraws when it is started again, {stage.title}: {told[stage].why}"


def _move(settings: Settings, account_name: str, before: Amounts, now: Amounts) -> None:
    of = risk_name(account_name, settings.symbol)
    kept = kept_account(settings.run_dir, of)
    if kept is not None and kept.has is not None:  # else no maker has counted anything that this could be missing in
        has = kept.has.plus(Amounts(now.base - before.base, now.quote - before.quote))
        write_risk(settings.run_dir, of, replace(kept, has=has), is_synced=True)


def _amounts(settings: Settings, venue: BinanceAccount) -> Amounts:
    pair, told = settings.instrument, venue.balances()
    return Amounts(*(told[asset].total if asset in told else Decimal(0) for asset in (pair.base, pair.quote)))
