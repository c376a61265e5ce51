"""How far from its centre a model quotes: what the models differ in."""

from decimal import Decimal
from typing import NamedTuple, Protocol

from trading.models.parameters import Parameters
from trading.quoting import Estimates

CALMEST, WILDEST = 0.25, 4.0  # bounds of the volatility, as a multiple of the reference, that `Volatility` follows


class Distances(NamedTuple):
    """From the centre to the first bid, downwards, and to the first ask, upwards; fractions of the centre."""

    bid: Decimal
    ask: Decimal


class Spread(Protocol):
    """What a row of the table of models makes of parameters."""

    def __init__(self, parameters: Parameters) -> None: ...

    def distances(self, inventory: Decimal, seen: Estimates) -> Distances:
        """Return both distances at this inventory, from -1, fully short, to 1, fully long."""


class Symmetric:
    """The half-spread on both sides, moved against the inventory by its part of the skew."""

    def __init__(self, parameters: Parameters) -> None:
        self._half_spread = parameters.half_spread
        self._skew = parameters.skew

    def distances(self, inventory: Decimal, _: Estimates) -> Distances:
        """Return half_spread + inventory x skew, and half_spread - inventory x skew."""
        return _leaning(self._half_spread, inventory * self._skew)


class Volatility:
    """As `Symmetric`, with a half-spread in proportion to the volatility, within bounds."""

    def __init__(self, parameters: Parameters) -> None:
        self._half_spread = parameters.half_spread
        self._skew = parameters.skew
        self._reference = float(parameters.volatility)

    def distances(self, inventory: Decimal, seen: Estimates) -> Distances:
        """Return both distances; at the reference volatility those of `Symmetric`."""
        ratio = 1.0 if seen.volatility is None else seen.volatility / self._reference
        return _leaning(self._half_spread * Decimal(min(max(ratio, CALMEST), WILDEST)), inventory * self._skew)


def _leaning(half_spread: Decimal, lean: Decimal) -> Distances:
    return Distances(half_spread + lean, half_spread - lean)
