"""Days of fills drawn from a model, as daily documents hold them: whether what is said of them is right, is known.

Takers reach a quote d bps from the mid at a rate that falls as exp(-d / REACH_BPS); the mid wanders, and moves against
each fill by `adverse_bps` within ten seconds. Full skew makes of fills at five orders held three of four less.
"""

import random
from dataclasses import dataclass, replace
from decimal import Decimal
from math import exp, log
from typing import Any, Final

DAY_S: Final = 86_400
REACH_BPS: Final = 4.0
FEE_BPS: Final = 1.0
ADVERSE_BPS: Final = 1.0
VOLATILITY_BPS: Final = 1.0  # in a second
FILLS: Final = 2_000  # of a day whose settings are right
BEST_BPS: Final = REACH_BPS + ADVERSE_BPS + FEE_BPS  # the half-spread that earns most
FULL_SKEW_BPS: Final = REACH_BPS * log(3) / 2  # at FULL orders held
FULL: Final = 5
QTY: Final = Decimal("0.01")


@dataclass(frozen=True)
class Made:
    """What a day is made of, all in basis points."""

    half_spread: float = BEST_BPS
    adverse: float = ADVERSE_BPS
    skew: float = FULL_SKEW_BPS


RIGHT: Final = Made()


def right(dice: random.Random) -> Made:
    """Return settings that are right: as nobody knows the best exactly, within an eighth of what a fill may earn."""
    return replace(RIGHT, half_spread=BEST_BPS + REACH_BPS * dice.uniform(-0.125, 0.125))


def faulty(cause: str, dice: random.Random) -> Made:
    """Return settings, or a market, with one fault: what it earns is at least a quarter less than it could be."""
    match cause:
        case "spread_too_wide":
            return replace(RIGHT, half_spread=BEST_BPS + REACH_BPS * dice.uniform(1.5, 2.5))
        case "spread_too_narrow":
            return replace(RIGHT, half_spread=BEST_BPS - REACH_BPS * dice.uniform(0.7, 1.1))
        case "toxic_flow":
            return replace(RIGHT, adverse=REACH_BPS * dice.uniform(1.25, 2))
        case "skew_missing":
            return replace(right(dice), skew=0.0)
    raise ValueError(cause)


def made_day(made: Made, dice: random.Random, fills: int = FILLS) -> dict[str, Any]:
    """Return the document of a day; `fills` of them on average where all is right."""
    base_rate = fills / 2 / DAY_S * exp(BEST_BPS / REACH_BPS)
    fills_at: list[tuple[float, int, int]] = []
    now_s, position = 0.0, 0
    while True:
        lean = made.skew * position / FULL
        rates = [base_rate * exp(-(made.half_spread + sign * lean) / REACH_BPS) for sign in (1, -1)]
        now_s += dice.expovariate(sum(rates))
        if now_s >= DAY_S - 60:
            return _document(made, dice, fills_at)
        sign = 1 if dice.random() * sum(rates) < rates[0] else -1
        fills_at.append((now_s, sign, position))
        position += sign


def _document(made: Made, dice: random.Random, fills: list[tuple[float, int, int]]) -> dict[str, Any]:
    """Return the day of fills: when, 1 of a buy, how many orders were held before."""
    moments = sorted({moment for at_s, _, _ in fills for moment in (at_s, at_s + 10)})
    mid_bps, mids, last_s = 0.0, dict[float, float](), 0.0
    for moment in moments:
        mid_bps += dice.gauss(0, VOLATILITY_BPS * (moment - last_s) ** 0.5)
        mids[moment], last_s = mid_bps, moment
    moved, pushed = 0.0, dict[float, float]()
    pushes = iter([(at_s + 5, -sign * made.adverse) for at_s, sign, _ in fills])
    push = next(pushes, None)
    for moment in moments:
        while push is not None and push[0] <= moment:
            moved += push[1]
            push = next(pushes, None)
        pushed[moment] = moved
    rows = []
    for number, (at_s, sign, position) in enumerate(fills, 1):
        mid, later = (100_000 * (1 + (mids[each] + pushed[each]) / 10_000) for each in (at_s, at_s + 10))
        distance = made.half_spread + sign * made.skew * position / FULL
        price = Decimal(f"{mid * (1 - sign * distance / 10_000):.2f}")
        rows.append(_row(number, at_s, sign, price, mid, later))
    return {"date": "2026-01-01", "trade_history": rows, "quoting": _quoting(made)}


def _row(number: int, at_s: float, sign: int, price: Decimal, mid: float, later: float) -> dict[str, Any]:
    return {
        "id": number,
        "symbol": "BTCUSDT",
        "time_ms": round(at_s * 1_000),
        "side": "BUY" if sign > 0 else "SELL",
        "price": price,
        "qty": QTY,
        "fee_in_quote": price * QTY * Decimal(FEE_BPS) / 10_000,
        "mid": Decimal(f"{mid:.3f}"),
        "mids": {"10": Decimal(f"{later:.3f}")},
    }


def _quoting(made: Made) -> dict[str, Any]:
    side = {"rate": "0.1", "decay": f"{10_000 / REACH_BPS:.6g}", "takers": "5000", "r2": "0.98"}
    maker = {"half_spread": f"{made.half_spread / 10_000:.6g}", "skew": f"{made.skew / 10_000:.6g}"}
    return {"symbol": "BTCUSDT", "seen": {"volatility": "0.0001", "bid": side, "ask": side}, "maker": maker}
