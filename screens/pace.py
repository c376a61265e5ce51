"""How fast a node goes, and how long things take there: what of it stands in the table of nodes."""

from typing import Final, NamedTuple

from market.clock import NS_PER_MS, NS_PER_SECOND

_NS_PER_US: Final = 1_000
_FEW: Final = 10  # of what happens so seldom a second a tenth is told


class Pace(NamedTuple):
    """What a node has done of late; None where it does not count that, or nothing has happened.

    Attributes:
        per_s: commands, orders, messages or requests a second.
        median_ns, most_ns: how long half of them took at most, and 99 of 100.
        answers_ns: likewise of the venue's answers to the maker.
    """

    per_s: float | None = None
    median_ns: int | None = None
    most_ns: int | None = None
    answers_ns: tuple[int, int] | None = None


def rate_text(per_s: float | None) -> str:
    """Return a rate as `0.3`, `151` or `12,345`; nothing if there is none."""
    if per_s is None:
        return ""
    return f"{per_s:.1f}" if 0 < per_s < _FEW else f"{per_s:,.0f}"


def took_text(took_ns: int | None) -> str:
    """Return a duration as `5 µs`, `20 ms` or `1 s`; nothing if there is none."""
    if took_ns is None:
        return ""
    for unit_ns, name in ((NS_PER_SECOND, "s"), (NS_PER_MS, "ms")):
        if took_ns >= unit_ns:
            return f"{took_ns // unit_ns} {name}"
    return f"{took_ns // _NS_PER_US} µs"
