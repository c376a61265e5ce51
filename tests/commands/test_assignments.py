"""KEY=VALUE on the command line."""

import pytest

from commands.actions.assignments import assigned, values_set
from desk.client import DeskError


def test_value_may_hold_what_separates_it() -> None:
    """Only the first sign counts; lists are JSON."""
    assert assigned(["venue.url = http://a/?b=c", "maker.fee="]) == {"venue.url": "http://a/?b=c", "maker.fee": ""}
    assert values_set(['gateways=[{"name": "g"}]'], {"symbol": "ETHUSDT"}) == {"gateways": [{"name": "g"}]}


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["maker.skew"], "expected --set KEY=VALUE, was 'maker.skew'"),
        (["=1"], "expected --set KEY=VALUE"),
        (["maker.skew=0", "maker.skew=1"], "maker.skew: expected once, was there twice"),
        (["venue.secret=hush"], "a secret must not stand on the command line; set TICKBUS_VENUE__SECRET instead"),
        (["symbol=BNBUSDT"], "symbol: given by --set and by an option of its own"),
    ],
)
def test_what_is_spelt_wrong_is_one_line(sets: list[str], said: str) -> None:
    """Nothing is guessed, and a secret is not repeated."""
    with pytest.raises(DeskError, match=said) as refused:
        values_set(sets, {"symbol": "ETHUSDT", "maker.half_spread": None})
    assert "hush" not in str(refused.value)
