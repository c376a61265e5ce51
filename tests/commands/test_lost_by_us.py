"""What `flatten` trades while the maker is stopped, as the maker that comes back finds it."""

from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from commands.actions.lost_by_us import lost_by_us
from desk.risk_file import kept_account, risk_name, write_risk
from desk.settings import Settings, load_settings
from market.account import Balance
from trading.escalation import Account
from trading.readings import Amounts
from venues.venue import VenueUnavailableError

HAD = Amounts(Decimal("1.05"), Decimal(5_400))


class _Venue:
    """An account of which balances can be had."""

    account_name = "an account"

    def __init__(self) -> None:
        self.held: Amounts | None = Amounts(Decimal("1.06"), Decimal(5_400))  # of late others have paid in 0.01

    def balances(self) -> dict[str, Balance]:
        if self.held is None:
            raise VenueUnavailableError("it does not answer")
        return {name: Balance(each, Decimal(0)) for name, each in zip(("BTC", "USDT"), self.held, strict=True)}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"run_dir": tmp_path}).settings


def _keep(settings: Settings, has: Amounts | None) -> None:
    account = Account(0, Decimal(1), Decimal(10_000), Decimal(10_000), has=has)
    write_risk(settings.run_dir, risk_name("an account", "BTCUSDT"), account, is_synced=False)


def _kept(settings: Settings) -> Account | None:
    return kept_account(settings.run_dir, risk_name("an account", "BTCUSDT"))


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_what_was_traded_is_no_flow_and_its_cost_is_lost(settings: Settings, *, is_interrupted: bool) -> None:
    """The fees of a flatten were in the report, and not in the day's loss; what others did before is a flow still."""
    _keep(settings, HAD)
    venue: Any = _Venue()
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt) if is_interrupted else nullcontext():
        _trade(settings, venue, told, is_interrupted=is_interrupted)
    kept = _kept(settings)
    assert kept is not None
    assert kept.has == Amounts(Decimal("1.00"), Decimal("9964.435"))
    assert (kept.start, told) == (Decimal(10_000), [])


def _trade(settings: Settings, venue: Any, told: list[str], *, is_interrupted: bool) -> None:
    with lost_by_us(settings, venue, told.append):
        venue.held = Amounts(Decimal("1.01"), Decimal("9964.435"))  # 0.05 at 91,380, less 4.565 of fees
        if is_interrupted:
            raise KeyboardInterrupt


@pytest.mark.parametrize("is_kept", [True, False])
def test_nothing_is_noted_where_no_maker_has_counted(settings: Settings, *, is_kept: bool) -> None:
    """One of a former version has kept no balances, and on a first day there is no file."""
    if is_kept:
        _keep(settings, None)
    before = _kept(settings)
    with lost_by_us(settings, _Venue(), pytest.fail):  # type: ignore[arg-type]
        pass
    assert _kept(settings) == before


def test_a_venue_that_does_not_answer_in_the_end_is_told(settings: Settings) -> None:
    """And the file stays as it was: the maker takes for a flow what it cannot explain."""
    _keep(settings, HAD)
    venue: Any = _Venue()
    told: list[str] = []
    with lost_by_us(settings, venue, told.append):
        venue.held = None
    kept = _kept(settings)
    assert kept is not None
    assert kept.has == HAD
    assert told == ["the maker will not count as lost what this has cost: it does not answer"]
