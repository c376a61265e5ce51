"""How far a long work is."""

from typing import Final

from market.clock import NS_PER_SECOND
from market.words import counted

_MB: Final = 1_000_000


def progress_line(done_ns: int, all_ns: int, took_ns: int) -> str:
    """Return the part that is done, how many seconds of its own clock go by in one of ours, and how long it takes.

    Args:
        done_ns, all_ns: by its clock.
        took_ns: by ours.
    """
    rate = done_ns / max(took_ns, 1)
    left_s = (all_ns - done_ns) / max(rate, 1e-9) / NS_PER_SECOND
    bar = "#" * round(30 * done_ns / max(all_ns, 1))
    return f"[{bar:<30}] {done_ns / max(all_ns, 1):4.0%}  {rate:,.0f} s/s  {left_s:,.0f} s left   "


def count_line(done: int, total: int | None, took_ns: int, noun: str) -> str:
    """Return how many are done, how many in a second, and how long the rest will take if the `total` is known."""
    rate = done * NS_PER_SECOND / max(took_ns, 1)
    left = "" if total is None or not done else f", {(total - done) / rate:,.0f} s left"
    return f"{counted(done, noun)}, {rate:,.0f} a second{left}"


def size_line(done: int, total: int, took_ns: int) -> str:
    """Return how many of the bytes of a work are done, how many in a second, and how long the rest will take."""
    rate = done * NS_PER_SECOND / max(took_ns, 1)
    left_s = max(0, total - done) / max(rate, 1e-9)
    return f"{done / _MB:,.1f} of {total / _MB:,.1f} MB, {rate / _MB:,.1f} MB a second, {left_s:,.0f} s left"


def elapsed_line(what: str, took_ns: int) -> str:
    """Return what is done, and for how long it has been: of a work of which nobody knows how far it is."""
    return f"{what}, {took_ns / NS_PER_SECOND:,.0f} s"
