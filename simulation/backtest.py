"""Recordings as the market of simulated desks: which of them follow one on the other, from when to when.

The simulated clock shows the time at which a record was received, later by how far a trade may be brought forward to
its effect (`flow.recordings.trade_placement`): so nothing that a desk decides rests on what was received afterwards.
"""

from collections.abc import Iterable, Sequence
from itertools import count, pairwise
from typing import Final, NamedTuple

from bus.topology import Source, first_owner
from desk.settings import Settings
from flow.recordings.inspection import Inspection
from flow.replay import ReplayFlow, ReplaySettings
from market.clock import NS_PER_MS, day_bounds_ns, utc_date
from market.mendable import MendableError
from nodes.flow.market_flows import make_flows

WINDOW_NS: Final = ReplaySettings(()).trade_window_ms * NS_PER_MS


class BacktestError(MendableError):
    """These recordings cannot be traded on; the text is one line for a person."""


class Stretch(NamedTuple):
    """Recordings that one desk trades on: those of a symbol one after the other, those of several side by side.

    Attributes:
        settings: of the desk.
        start_ns: when the first book is known, by the simulated clock.
        end_ns: when everything has been handled.
        found: the recordings, in the order of time.
    """

    settings: Settings
    start_ns: int
    end_ns: int
    found: tuple[Inspection, ...]


def plan(settings: Settings, inspections: Iterable[Inspection]) -> list[Stretch]:
    """Return the stretches of recordings in the order of time; one of a day later than all before begins a new one.

    Args:
        settings: of every desk, but for what is replayed.

    Raises:
        BacktestError: if one is damaged or holds nothing, or two of a symbol are of the same time.
        NodeError: if one cannot be replayed.
    """
    stretches: list[list[Inspection]] = []
    end_ns = 0
    for found in sorted(inspections, key=lambda one: (_times_ns(one), one.symbol)):
        first_ns, last_ns = _times_ns(found)
        if not stretches or utc_date(first_ns) > utc_date(end_ns):
            stretches.append([])
        stretches[-1].append(found)
        end_ns = max(end_ns, last_ns)
    return [_stretch(settings, each) for each in stretches]


def _stretch(settings: Settings, found: Sequence[Inspection]) -> Stretch:
    by_symbol: dict[str, list[Inspection]] = {}
    for each in found:
        by_symbol.setdefault(each.symbol, []).append(each)
    for of_symbol in by_symbol.values():
        _check_order(of_symbol)
    parts = tuple((each.path,) for each in found)
    replayed = {"source": "replay", "recordings": parts, "speed": 1.0, "opening_s": 0.0, "loop": False}
    settings = settings.model_copy(update={"flow": settings.flow.model_copy(update=replayed)})
    starts_ns = {
        settings.instruments[symbol_id].symbol: flow.starts_ns
        for symbol_id, flow in make_flows(settings, first_owner(Source.FLOW), count(1)).items()
        if isinstance(flow, ReplayFlow)
    }
    start_ns = min(starts_ns.values())
    end_ns = max(starts_ns[symbol] + _length_ns(each, starts_ns[symbol]) for symbol, each in by_symbol.items())
    _, midnight_ns = day_bounds_ns(utc_date(end_ns))  # what a day's last moments would bring on the next day is left
    return Stretch(settings, start_ns + WINDOW_NS, min(end_ns + 2 * WINDOW_NS, midnight_ns - 1), tuple(found))


def _length_ns(found: Sequence[Inspection], start_ns: int) -> int:
    """Return how long a symbol's recordings run one after the other, at most."""
    (_, last_ns), *others = map(_times_ns, found)
    return last_ns - start_ns + sum(each_last - each_first + NS_PER_MS for each_first, each_last in others)


def _check_order(found: Sequence[Inspection]) -> None:
    """Make sure that each begins after the one before; files of one recording overlap by a few updates."""
    for one, following in pairwise(found):
        if _times_ns(following)[0] < sum(_times_ns(one)) // 2:
            raise BacktestError(f"expected one recording after the other, were {one.path} and {following.path} at once")


def _times_ns(found: Inspection) -> tuple[int, int]:
    if found.damage:
        raise BacktestError(found.damage)
    if found.first_ns is None or found.last_ns is None:
        raise BacktestError(f"{found.path}: expected recorded market data, found none")
    return found.first_ns, found.last_ns
