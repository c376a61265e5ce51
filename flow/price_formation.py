"""Two prices: what the asset is worth, which few know, and the makers' price, which learns it from who takes."""

import random
from collections import deque
from math import exp, sqrt
from typing import Final

from flow.market_settings import SyntheticSettings

_BPS: Final = 1e-4
_MOVE_MEMORY_S: Final = 1.0


class HiddenValue:
    """The value's path: a random walk in steps of a beat, with jumps, and crashes if the settings have them.

    Args:
        settings: of the market.
        rng: a stream of its own, so that a seed's path is always the same.
        beat_s: length of a step.
        start: the value at first.
    """

    def __init__(self, settings: SyntheticSettings, rng: random.Random, beat_s: float, start: float) -> None:
        self._settings = settings
        self._rng = rng
        self._beat_s = beat_s
        self._step_bps = settings.value_bps * sqrt(beat_s / 60.0)
        self._news_chance = settings.news_per_min * beat_s / 60.0
        self._crash_beats = 0
        self._recovery_beats = 0
        self._crash_step_bps = 0.0
        self._until_crash = self._pause_beats()
        self.price = start
        self.crashes = 0

    def advance(self) -> None:
        """Go one beat further."""
        move_bps = self._rng.gauss(0.0, self._step_bps) + self._crash_move_bps()
        if self._rng.random() < self._news_chance:
            move_bps += self._rng.gauss(0.0, self._settings.news_bps)
        self.price *= exp(move_bps * _BPS)

    def jump(self, move_bps: float) -> None:
        """Change at once, by what somebody has just shown to know."""
        self.price *= exp(move_bps * _BPS)

    def _pause_beats(self) -> int:
        bounds = self._settings.crash_interval_s
        return -1 if bounds is None else round(self._rng.uniform(*bounds) / self._beat_s)

    def _crash_move_bps(self) -> float:
        if self._crash_beats:
            self._crash_beats -= 1
            return -self._crash_step_bps
        if self._recovery_beats:
            self._recovery_beats -= 1
            return self._crash_step_bps / 6.0  # half of it in thrice the time
        if self._until_crash > 0:
            self._until_crash -= 1
        elif self._until_crash == 0:
            self.crashes += 1
            self._crash_beats = max(1, round(self._settings.crash_s / self._beat_s))
            self._recovery_beats = 3 * self._crash_beats
            self._crash_step_bps = self._rng.uniform(*self._settings.crash_bps) / self._crash_beats
            self._until_crash = self._pause_beats()
        return 0.0


class MakersPrice:
    """The price around which the makers quote, in ticks: what they believe after every taker that they have seen.

    Whether a taker knows more than they do, they cannot tell; so they expect the same of all (Glosten and Milgrom,
    Journal of Financial Economics 14, 1985) and move their price with the order flow (Kyle, Econometrica 53, 1985), but
    only with the part of it that surprises them: signs of takers are long correlated, prices are not (Lillo and Farmer,
    Studies in Nonlinear Dynamics & Econometrics 8, 2004). The move is `impact_bps * (amount / 1000)^impact_exponent`
    times the surprise, a concave function of the amount. Slowly, the hidden value of a while ago becomes public, too.

    Attributes:
        ticks: the price.
        moved_bps: by how much it has moved in the last moments, all moves counted as positive.
    """

    def __init__(self, settings: SyntheticSettings, beat_s: float, start: float) -> None:
        self._settings = settings
        self._leak = settings.leak_per_s * beat_s
        self._calming = exp(-beat_s / _MOVE_MEMORY_S)
        self._past_values: deque[float] = deque(maxlen=max(1, round(settings.leak_lag_s / beat_s)))
        self.ticks = start
        self.moved_bps = 0.0

    def on_taker(self, surprise: float, amount: float) -> None:
        """Learn of a taker: `surprise` is its sign less the sign that was expected, `amount` in the quote asset."""
        settings = self._settings
        self._move(settings.impact_bps * (amount / 1_000.0) ** settings.impact_exponent * surprise)

    def on_beat(self, value: float) -> None:
        """Learn what has become public, a beat later."""
        self.moved_bps *= self._calming
        self._past_values.append(value)
        if len(self._past_values) == self._past_values.maxlen:
            self._move(self._leak * (self._past_values[0] / self.ticks - 1.0) / _BPS)

    def on_sweep(self, move_bps: float) -> None:
        """Learn of a sweep, whose size tells by how much the value has changed; nobody gets nervous of it."""
        self.ticks *= exp(move_bps * _BPS)

    def mispricing_bps(self, value: float) -> float:
        """Return how much too low the price is, by the hidden value."""
        return (value / self.ticks - 1.0) / _BPS

    def _move(self, move_bps: float) -> None:
        self.ticks *= exp(move_bps * _BPS)
        self.moved_bps += abs(move_bps)
