"""What `flatten` trades while the maker is stopped, as the maker that comes back finds it."""

from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from commands.actions.lost_by_us import lost_by_us, next_stage_text
from desk.risk_file import kept_account, risk_name, write_risk
from desk.settings import Settings, load_settings
from market.account import Balance
from trading.escalation import DAY_NS, Account, Stage
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
    _keep_account(settings, Account(0, Decimal(1), Decimal(10_000), Decimal(10_000), has=has))


def _keep_account(settings: Settings, account: Account) -> None:
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


NOON_NS = DAY_NS // 2
MID = Decimal(90_000)


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ("99", ""),
        ("100", "widens: 500.00 USDT lost today, from 500.00 on; 500.00 USDT below the peak, from 500.00 on"),
        ("599", "widens: 999.00 USDT lost today, from 500.00 on; 999.00 USDT below the peak, from 500.00 on"),
        ("600", "flattens: 1000.00 USDT lost today, from 1000.0 on"),
    ],
)
def test_stage_that_a_cost_leads_to_is_told_with_its_number(settings: Settings, cost: str, told: str) -> None:
    """Of 500 that widen and 1,000 that flatten 400 are lost: the fees of a flatten can be the rest."""
    account = Account(0, Decimal(1), Decimal(10_000), Decimal(10_000), has=Amounts(Decimal("1.05"), Decimal(5_100)))
    _keep_account(settings, account)
    text = next_stage_text(settings, "an account", MID, Decimal(cost), NOON_NS)
    assert text == (f"with that cost the maker withdraws when it is started again, {told}" if told else "")


def test_stage_that_is_reached_already_is_no_news_and_a_new_day_has_lost_nothing(settings: Settings) -> None:
    """What the maker has withdrawn for, or will at its next look, is not the doing of who flattens."""
    has = Amounts(Decimal("1.05"), Decimal(5_100))
    account = Account(0, Decimal(1), Decimal(10_000), Decimal(9_600), has=has)

    def told(of: Account, cost: int, at_ns: int = NOON_NS) -> str:
        _keep_account(settings, of)
        return next_stage_text(settings, "an account", MID, Decimal(cost), at_ns)

    assert "widens" in told(account, 100)
    assert told(replace(account, stage=Stage.WIDENS, why="it was more", since_ns=1), 100) == ""
    assert told(replace(account, start=Decimal(10_200)), 100) == "", "it will find that by itself"
    assert told(account, 499, NOON_NS + DAY_NS) == ""
    assert "widens: 500.00 USDT below the peak" in told(account, 500, NOON_NS + DAY_NS)
    assert told(replace(account, is_begun=False), 100) == told(replace(account, has=None), 100) == ""
    assert next_stage_text(settings, "another account", MID, Decimal(100), NOON_NS) == ""


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
