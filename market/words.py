"""Counts as people write them."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return `1 trade`, `2 trades`; `many` is for what takes more than an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
