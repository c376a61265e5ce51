"""What the programs have in common that keep a book by a client's own means: they print it at every number it reaches.

A line is `{"speed": "100", "id": 17, "bids": {"91000.0": 0.5}, "asks": {}, "since": 0}`.
"""

import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

URL = os.environ["EXCHANGE_URL"]
SOCKETS = URL.replace("http", "ws")
SPEEDS = ("100", "1000")  # ms
JOIN_S = 2.5  # how long a book is kept before the next one begins with a snapshot of its own

_SECONDS = float(os.environ["EXCHANGE_SECONDS"])
_shown_s: list[float] = []  # when the first book was shown


def is_over() -> bool:
    """Say whether the time that the test has given is over; it begins with the first book."""
    return bool(_shown_s) and time.monotonic() - _shown_s[0] > _SECONDS


def show(speed: str, update_id: int, bids: Iterable[Any], asks: Iterable[Any], since: int = 0) -> None:
    """Print a book; each level is a price and a quantity.

    `since` is the number of the snapshot that it began with, of a client that does not look whether updates were lost
    between that and the first that it read.
    """
    if not _shown_s:
        _shown_s.append(time.monotonic())
    sides = [{str(float(price)): float(qty) for price, qty, *_ in side} for side in (bids, asks)]
    line = json.dumps({"speed": speed, "id": update_id, "bids": sides[0], "asks": sides[1], "since": since})
    os.write(sys.stdout.fileno(), f"{line}\n".encode())  # as a whole: several processes write here
