"""What markouts are made of, and which there are: for who only reads them, without what it takes to compute them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from market.codes import Side

HORIZONS_S: Final = (1, 10, 60)
SIDES: Final = ("buy", "sell", "both")


class MarkedFill(NamedTuple):
    """A fill, and the others' mids around it.

    Attributes:
        mid: just before it; None where it is not known.
        mids: by how many seconds after it; no entry, or None, where it is not known.
    """

    time_ms: int
    side: Side
    price: Decimal
    qty: Decimal
    mid: Decimal | None
    mids: Mapping[int, Decimal | None]
