"""Arrivals that excite one another: a marked Hawkes process with an exponential kernel, drawn by thinning."""

import random
from collections.abc import Hashable
from math import exp
from typing import Generic, TypeVar

Mark = TypeVar("Mark", bound=Hashable)


class HawkesArrivals(Generic[Mark]):
    """Arrivals that come by themselves, and arrivals that an earlier one has caused, its children.

    Hawkes, "Spectra of some self-exciting and mutually exciting point processes", Biometrika 58 (1971), with the kernel
    `branching * decay * exp(-decay * t)`: each arrival has `branching` children on average, so the mean rate is
    `base / (1 - branching)`. Drawn by Ogata's thinning (IEEE Transactions on Information Theory 27, 1981).

    Args:
        rng: where the dice come from.
        rate_per_s: the mean rate.
        branching: from 0 (Poisson) to below 1.
        decay_per_s: how fast an excitation dies.
    """

    def __init__(self, rng: random.Random, rate_per_s: float, branching: float, decay_per_s: float) -> None:
        if not (rate_per_s > 0 and 0 <= branching < 1 and decay_per_s > 0):
            raise ValueError(
                f"expected a positive rate and decay and a branching below 1, were {rate_per_s}, {decay_per_s} "
                f"and {branching}"
            )
        self._rng = rng
        self._base = rate_per_s * (1.0 - branching)
        self._jump = branching * decay_per_s
        self._decay = decay_per_s
        self._excitation: dict[Mark, float] = {}

    def wait_s(self) -> float:
        """Return the time from the last arrival to the next one; `excite` must have been called for the last."""
        waited = 0.0
        while True:
            bound = self.intensity  # it only falls until the next arrival
            pause = self._rng.expovariate(bound)
            waited += pause
            fade = exp(-self._decay * pause)
            for mark in self._excitation:
                self._excitation[mark] *= fade
            if self._rng.random() * bound <= self.intensity:
                return waited

    @property
    def intensity(self) -> float:
        """The rate at which arrivals are expected at the time of the last one, per s."""
        return self._base + sum(self._excitation.values())

    def share(self, mark: Mark) -> float:
        """Return the probability that what arrives now is a child of arrivals with this mark."""
        return self._excitation.get(mark, 0.0) / self.intensity

    def parent(self) -> Mark | None:
        """Draw whose child an arrival at this time is: the mark of its parent, or None if it came by itself."""
        left = self._rng.random() * self.intensity
        for mark, excitation in self._excitation.items():
            left -= excitation
            if left < 0:
                return mark
        return None

    def excite(self, mark: Mark) -> None:
        """Let an arrival with this mark have children."""
        self._excitation[mark] = self._excitation.get(mark, 0.0) + self._jump
