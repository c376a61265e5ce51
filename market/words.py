"""Counts, and how a node is, as people write them."""

from collections.abc import Iterable


def counted(count: int, one: str, many: str = "") -> str:
    """Return `1 trade`, `2 trades`; `many` is for what takes more than an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def counts_text(counts: Iterable[int]) -> str:
    """Return `1,200` of counts that are all the same, and each of others: `1,200, 1,180, 950`."""
    every = list(counts)
    return ", ".join(f"{count:,}" for count in (every[:1] if len(set(every)) == 1 else every))


def state_text(state: str) -> str:
    """Return what a node is, or has: `is ready`, `has failed`."""
    return "has failed" if state == "failed" else f"is {state}"


def state_since_text(state: str, since: str) -> str:
    """Return that, and since when: `has failed, since 2026-11-28 13:14:22 UTC`; `since` as documents have it."""
    return f"{state_text(state)}, since {since.replace('T', ' ').removesuffix('Z')} UTC"
