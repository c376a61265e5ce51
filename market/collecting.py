"""Python's collector of cycles, which need not look through what is only being read."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let no cycles be looked for meanwhile, in any thread: of much that is made and stays that is a sixth of the time.

    What has none, as documents and books have, is freed as ever.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
