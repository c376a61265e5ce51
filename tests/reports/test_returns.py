"""Sharpe and Sortino: figures by hand, and where there are none."""

import json
import random
import subprocess
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Final

import pytest

from reports.returns import day_return, ratios
from tests.environments.made import python_of

_PROGRAMS: Final = Path(__file__).parent / "programs"


def test_divides_the_mean_by_what_it_scatters() -> None:
    """Guards both: of 1, -1, 2, 0, 3 % the mean is 1 %, the deviation sqrt(10 / 4) %, the downside sqrt(1 / 5) %."""
    found = ratios([Fraction(one, 100) for one in (1, -1, 2, 0, 3)])
    assert float(found["sharpe"]["value"]) == pytest.approx(sqrt(365) / sqrt(2.5), abs=1e-6)
    assert float(found["sortino"]["value"]) == pytest.approx(sqrt(365) / sqrt(0.2), abs=1e-6)
    assert found["sharpe"]["n"] == found["sortino"]["n"] == 5


def test_counts_an_idle_day() -> None:
    """Guards idle days: a return of 0 is one."""
    assert ratios([Fraction(1, 100)] * 4 + [Fraction(0)])["sharpe"]["n"] == 5


@pytest.mark.parametrize(
    ("returns", "why"),
    [
        ([Fraction(1, 100)] * 4, "it takes 5 days with a known equity"),
        ([Fraction(1, 100), None, *[Fraction(2, 100)] * 4], "the equity of a day between is not known"),
        ([Fraction(1, 100)] * 5, "every day had the same return"),
    ],
)
def test_says_why_there_is_none(returns: list[Fraction | None], why: str) -> None:
    """Guards honesty: too few days, an unknown one, no scatter."""
    found = ratios(returns)["sharpe"]
    assert (found["value"], found["why"]) == (None, why)


def test_has_no_sortino_without_a_loss() -> None:
    """Guards the division."""
    found = ratios([Fraction(one, 100) for one in (1, 2, 1, 2, 1)])
    assert (found["sortino"]["value"], found["sortino"]["why"]) == (None, "no day had a loss")
    assert found["sharpe"]["value"] is not None


def test_leaves_flows_out_of_a_return() -> None:
    """Guards deposits: 10 earned on 1,000 is 1 %, whatever was paid in; without equity there is none."""
    equity = {"start": Decimal(1_000), "change": Decimal(510), "change_less_flows": Decimal(10)}
    assert day_return({"equity": equity}) == Fraction(1, 100)
    assert day_return({}) is None
    assert day_return({"equity": equity | {"change_less_flows": None}}) is None


def test_agrees_with_empyrical() -> None:
    """Guards the definitions against those that others use: empyrical-reloaded, in an environment of its own."""
    python = python_of(_PROGRAMS / "empyrical.lock")
    dice = random.Random(7)
    returns = [Fraction(dice.randint(-300, 320), 10_000) for _ in range(60)]
    told = json.dumps([float(one) for one in returns])
    command = [str(python), str(_PROGRAMS / "ratios.py")]
    done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=100, check=True)
    theirs, ours = json.loads(done.stdout), ratios(returns)
    for name in ("sharpe", "sortino"):
        assert float(ours[name]["value"]) == pytest.approx(theirs[name], abs=1e-6)
