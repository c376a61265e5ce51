"""How far something is that runs on a clock of its own."""

from market.clock import NS_PER_SECOND


def progress_line(done_ns: int, all_ns: int, took_ns: int) -> str:
    """Return the part that is done, how many seconds of its clock go by in one of ours, and how long it will take.

    Args:
        done_ns, all_ns: by its clock.
        took_ns: by ours.
    """
    rate = done_ns / max(took_ns, 1)
    left_s = (all_ns - done_ns) / max(rate, 1e-9) / NS_PER_SECOND
    bar = "#" * round(30 * done_ns / max(all_ns, 1))
    return f"[{bar:<30}] {done_ns / max(all_ns, 1):4.0%}  {rate:,.0f} s/s  {left_s:,.0f} s left   "
