"""How far from its centre a model quotes: what the models differ in."""

from collections.abc import Collection
from decimal import Decimal
from math import exp, log1p, sqrt
from typing import ClassVar, Final, NamedTuple, Protocol

from trading.arrivals import believed
from trading.models.parameters import Parameters
from trading.quoting import Arrivals, Estimates

VOLATILITY, RATE, DECAY = "volatility", "rate", "decay"  # what is known of a market: sigma, and A and k of its takers
CALMEST, WILDEST = 0.25, 4.0  # bounds of the volatility, as a multiple of the reference, that `Volatility` follows
LOG_AVERSIONS: Final = (-40.0, 40.0)  # ln(gamma / k), from none to nothing but fear
BISECTIONS: Final = 64  # halve that to less than the last bit of a float


class Distances(NamedTuple):
    """From the centre to the first bid, downwards, and to the first ask, upwards; fractions of the centre."""

    bid: Decimal
    ask: Decimal


class Spread(Protocol):
    """What a row of the table of models makes of parameters.

    Attributes:
        reads: what of the market it goes by: VOLATILITY, and of the arrivals RATE and DECAY.
    """

    reads: ClassVar[Collection[str]]

    def __init__(self, parameters: Parameters) -> None: ...

    def distances(self, inventory: Decimal, seen: Estimates) -> Distances:
        """Return both distances at this inventory, from -1, fully short, to 1, fully long."""


class Symmetric:
    """The half-spread on both sides, moved against the inventory by its part of the skew."""

    reads: ClassVar[Collection[str]] = ()

    def __init__(self, parameters: Parameters) -> None:
        self._half_spread = parameters.half_spread
        self._skew = parameters.skew

    def distances(self, inventory: Decimal, _: Estimates) -> Distances:
        """Return half_spread + inventory x skew, and half_spread - inventory x skew."""
        return _leaning(self._half_spread, inventory * self._skew)


class Volatility:
    """As `Symmetric`, with a half-spread in proportion to the volatility, within bounds."""

    reads: ClassVar[Collection[str]] = (VOLATILITY,)

    def __init__(self, parameters: Parameters) -> None:
        self._half_spread = parameters.half_spread
        self._skew = parameters.skew
        self._reference = float(parameters.volatility)

    def distances(self, inventory: Decimal, seen: Estimates) -> Distances:
        """Return both distances; at the reference volatility those of `Symmetric`."""
        ratio = 1.0 if seen.volatility is None else seen.volatility / self._reference
        return _leaning(self._half_spread * Decimal(min(max(ratio, CALMEST), WILDEST)), inventory * self._skew)


class AvellanedaStoikov:
    """Reservation price and optimal spread of Avellaneda and Stoikov (2008, eq. 3.6 to 3.8, rolling horizon).

    Prices are fractions of the mid, inventory q counts quotes of `notional`; so the risk aversion gamma is per quote
    and fraction of the mid. Nobody has a feeling for that: it is made of `skew`, so that at the reference volatility
    full inventory moves the quotes by just that. At twice the volatility they move by four times as much.

    A fee f of each fill is not in the paper. What a quote at the distance d earns is d - f: with d - f for d and
    A exp(-k f) for A the problem is the paper's, whose answer does not depend on A; so both quotes are farther by f.
    """

    reads: ClassVar[Collection[str]] = (VOLATILITY, DECAY)

    def __init__(self, parameters: Parameters) -> None:
        self._full_quotes = float(parameters.inventory / parameters.notional)
        self._reference = float(parameters.volatility)
        self._horizon_s = float(parameters.horizon_s)
        self._fee = float(parameters.fee)
        self._expected = expected_arrivals(parameters)
        variance = self._reference**2 * self._horizon_s
        self._risk_aversion = float(parameters.skew) / (self._full_quotes * variance)

    def distances(self, inventory: Decimal, seen: Estimates) -> Distances:
        """Return fee + half of gamma s^2 T + (2 / gamma) ln(1 + gamma / k), and q gamma s^2 T to either side.

        k is that of the side.
        """
        volatility = self._reference if seen.volatility is None else seen.volatility
        risk = self._risk_aversion * volatility**2 * self._horizon_s
        lean = float(inventory) * self._full_quotes * risk
        decays = (believed(side, self._expected).decay for side in (seen.bid, seen.ask))
        bid, ask = (self._fee + risk / 2 + _half_spread(self._risk_aversion, decay) for decay in decays)
        return Distances(Decimal(bid + lean), Decimal(ask - lean))


class Glft:
    """The quotes of Gueant, Lehalle and Fernandez-Tapia far from the end (Gueant, arXiv 1605.01862, eq. 4.6 and 4.7).

    With xi = gamma and a size of 1, in the units of `AvellanedaStoikov`, and as there gamma is made of `skew`: at the
    reference volatility and the expected arrivals full inventory moves the quotes by that. It moves them in proportion
    to the volatility. They are farther by the fee, as there; but A is left as it is: with A exp(-k f), where nearly
    nobody reaches as far as the fee, one quote's worth of inventory would move them out of any market.
    """

    reads: ClassVar[Collection[str]] = (VOLATILITY, RATE, DECAY)

    def __init__(self, parameters: Parameters) -> None:
        self._full_quotes = float(parameters.inventory / parameters.notional)
        self._reference = float(parameters.volatility)
        self._fee = float(parameters.fee)
        self._expected = expected_arrivals(parameters)
        lean = float(parameters.skew) / (self._full_quotes * self._reference)
        self._risk_aversion = _relative_aversion(lean, self._expected.rate) * self._expected.decay

    def distances(self, inventory: Decimal, seen: Estimates) -> Distances:
        """Return fee + c1 + s c2 / 2, and q s c2 more for the bid and less for the ask, c1 and c2 by side."""
        volatility = self._reference if seen.volatility is None else seen.volatility
        quotes = float(inventory) * self._full_quotes
        bid, ask = (
            self._distance(believed(side, self._expected), volatility, held)
            for side, held in ((seen.bid, quotes), (seen.ask, -quotes))
        )
        return Distances(Decimal(bid), Decimal(ask))

    def _distance(self, arrivals: Arrivals, volatility: float, quotes: float) -> float:
        c1 = _half_spread(self._risk_aversion, arrivals.decay)
        c2 = _lean(self._risk_aversion / arrivals.decay, arrivals.rate)
        return self._fee + c1 + (0.5 + quotes) * volatility * c2


def expected_arrivals(parameters: Parameters) -> Arrivals:
    """Return the arrivals that are assumed until they are known."""
    return Arrivals(float(parameters.arrival_rate), 1 / float(parameters.half_spread), 0, 0)


def _leaning(half_spread: Decimal, lean: Decimal) -> Distances:
    return Distances(half_spread + lean, half_spread - lean)


def _half_spread(risk_aversion: float, decay: float) -> float:
    """Return ln(1 + gamma / k) / gamma, and its limit 1 / k without risk aversion."""
    return log1p(risk_aversion / decay) / risk_aversion if risk_aversion else 1 / decay


def _lean(relative_aversion: float, rate: float) -> float:
    """Return GLFT's c2 = sqrt(u / (2 A) (1 + u)^(1 / u + 1)) at u = gamma / k; 0, its limit, without risk aversion."""
    u = relative_aversion
    return sqrt(u / (2 * rate) * exp((1 / u + 1) * log1p(u))) if u else 0.0


def _relative_aversion(lean: float, rate: float) -> float:
    """Return the gamma / k at which `_lean`, which rises with it, is `lean`; what is beyond the bounds is at one."""
    if not lean:
        return 0.0
    low, high = LOG_AVERSIONS
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _lean(exp(middle), rate) < lean else (low, middle)
    return exp(low)
