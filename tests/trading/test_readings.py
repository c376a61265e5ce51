"""Which balances are believed at once, which at the second look, and what of them is a flow."""

from decimal import Decimal

import pytest

from market.clock import NS_PER_MS, NS_PER_SECOND
from market.codes import Side
from trading.readings import CONFIRM_NS, Amounts, FillSeen, Readings

HAD = Amounts(Decimal(1), Decimal(100_000))
NOTHING = Amounts()
BOUGHT = FillSeen(0, Side.BUY, Decimal("0.1"), Decimal(100_000))
SOLD = FillSeen(0, Side.SELL, Decimal("0.1"), Decimal(100_000))
MID = Decimal(100_000)


def amounts(base: str, quote: str) -> Amounts:
    return Amounts(Decimal(base), Decimal(quote))


@pytest.fixture
def readings() -> Readings:
    """Readings that have believed one."""
    readings = Readings()
    assert readings.believe(HAD, [], 0)
    return readings


@pytest.mark.parametrize(
    ("has", "fills"),
    [
        (HAD, []),
        (HAD, [BOUGHT, SOLD]),
        (amounts("1.1", "90000"), [BOUGHT]),
        (amounts("1.0999", "90000"), [BOUGHT]),
        (amounts("1.05", "95000"), [BOUGHT]),
        (amounts("0.9", "109990"), [SOLD]),
        (amounts("0.9", "110050"), [SOLD]),
        (amounts("1", "99990"), [BOUGHT, SOLD]),
    ],
    ids=["nothing", "none of them", "a bid", "with its fee", "half of it", "an ask", "at a better price", "both"],
)
def test_what_fills_explain_is_believed_at_once_and_is_no_flow(
    readings: Readings, has: Amounts, fills: list[FillSeen]
) -> None:
    """In whole, in part or not yet, and with what their fees have taken."""
    assert readings.believe(has, fills, 1)
    assert (readings.flow, readings.is_doubtful) == (NOTHING, False)


@pytest.mark.parametrize(
    ("has", "fills"),
    [
        (amounts("1.09", "90000"), [BOUGHT]),
        (amounts("1.1", "89000"), [BOUGHT]),
        (amounts("0.9", "109000"), [SOLD]),
        (amounts("0.89", "110000"), [SOLD]),
        (amounts("0.99", "99000"), [BOUGHT, SOLD]),
    ],
    ids=["of a purchase", "on top of it", "of a sale", "on top of it", "of both"],
)
def test_fee_is_a_fee_whatever_its_size(readings: Readings, has: Amounts, fills: list[FillSeen]) -> None:
    """A tenth of a fill, of what is received, or of what is paid: a venue that took it looked as if money was lost."""
    dear = Readings(Decimal("0.1"))
    assert dear.believe(HAD, [], 0)
    assert dear.believe(has, fills, 1)
    assert (dear.flow, dear.is_doubtful) == (NOTHING, False)
    assert not dear.believe(amounts("0.85", "88000"), fills, 2), "it is no fee that is more than that"
    assert not readings.believe(has, fills, 1), "nor one that the venue does not take"


@pytest.mark.parametrize("senseless", [NOTHING, amounts("0", "100000"), amounts("7", "0")])
def test_one_senseless_answer_changes_nothing(readings: Readings, senseless: Amounts) -> None:
    """An empty list of balances was a loss of everything: the maker disconnected for good."""
    for n in range(1, 4):
        assert not readings.believe(senseless, [], n * 10 * NS_PER_SECOND)
        assert readings.is_doubtful
        assert readings.is_to_be_confirmed(n * 10 * NS_PER_SECOND + CONFIRM_NS)
        assert readings.believe(HAD, [], n * 10 * NS_PER_SECOND + CONFIRM_NS)
        assert (readings.flow, readings.is_doubtful) == (NOTHING, False)


def test_what_comes_or_goes_without_a_fill_is_a_flow_at_the_second_look(readings: Readings) -> None:
    """Not at another one a moment after the first: the news of a fill may be on their way."""
    has = amounts("1.5", "99000")
    for asked_ns in (0, CONFIRM_NS - 1):
        assert not readings.believe(has, [], asked_ns)
        assert not readings.is_to_be_confirmed(CONFIRM_NS - 1)
    assert readings.believe(has, [], CONFIRM_NS)
    assert readings.flow == amounts("0.5", "-1000")
    assert readings.flow.value(MID) == 49_000
    assert readings.believe(has, [], CONFIRM_NS + 1)
    assert readings.flow == NOTHING, "it is told once"


def test_fill_of_which_the_news_come_after_the_balances_is_no_flow(readings: Readings) -> None:
    """It is doubted for a second, and explained then."""
    has = amounts("1.1", "90000")
    assert not readings.believe(has, [], 0)
    assert readings.believe(has, [BOUGHT], CONFIRM_NS)
    assert readings.flow == NOTHING


@pytest.mark.parametrize("is_in_it", [True, False])
def test_flow_beside_a_fill_is_worth_what_it_is(readings: Readings, *, is_in_it: bool) -> None:
    """Whether the balances have the fill or not: what comes in one asset alone is told as that."""
    has = amounts("1.1", "92000") if is_in_it else amounts("1", "102000")
    assert not readings.believe(has, [BOUGHT], 0)
    assert readings.believe(has, [BOUGHT], CONFIRM_NS)
    assert readings.flow == amounts("0", "2000")


def test_account_that_is_emptied_is_believed_at_the_second_look_and_at_first_too(readings: Readings) -> None:
    """Nothing at all must be told twice, also after something else that was doubted."""
    assert not readings.believe(amounts("2", "5"), [], 0)
    assert not readings.believe(NOTHING, [], CONFIRM_NS)
    assert readings.believe(NOTHING, [], 2 * CONFIRM_NS)
    new = Readings()
    assert not new.believe(NOTHING, [], 0)
    assert new.believe(NOTHING, [], CONFIRM_NS)
    assert new.flow == NOTHING


def test_account_on_which_others_trade_all_the_time_is_known_a_second_later(readings: Readings) -> None:
    """No look is like the one before it: to wait for two that are alike would be to wait for ever."""
    looks = [(Amounts(HAD.base + n + 1, HAD.quote - n), n * 500 * NS_PER_MS) for n in range(20)]
    believed = [readings.believe(has, [], asked_ns) for has, asked_ns in looks]
    assert believed == [False, False, True] * 6 + [False, False]
