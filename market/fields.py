"""The kinds of fields that commands and events are made of: Python type, unit, and bounds.

A message is a NamedTuple whose annotations are these kinds; `market/messages.py` makes the protocol from them.
"""

from typing import Annotated, NamedTuple

from market.limits import ID_MAX, OWNER_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX, SYMBOLS_MAX, TIME_NS_MAX, TRAILING_BPS_MAX


class Bounds(NamedTuple):
    """The unit of a field and the values it may take, both ends included; of a text its length."""

    unit: str
    low: int
    high: int


OrderId = Annotated[int, Bounds("id", 1, ID_MAX)]
OrderIdOrNone = Annotated[int, Bounds("id, 0 for none", 0, ID_MAX)]
TradeId = Annotated[int, Bounds("id", 1, ID_MAX)]
SymbolId = Annotated[int, Bounds("index", 0, SYMBOLS_MAX - 1)]
SymbolIdOrAll = Annotated[int, Bounds("index, -1 for all", -1, SYMBOLS_MAX - 1)]
SideCode = Annotated[int, Bounds("Side", 0, 1)]
SideOrBoth = Annotated[int, Bounds("Side, -1 for both", -1, 1)]
PriceTicks = Annotated[int, Bounds("ticks", 0, PRICE_TICKS_MAX)]
QtyLots = Annotated[int, Bounds("lots", 0, QTY_LOTS_MAX)]
LevelLots = Annotated[int, Bounds("lots, the sum of a level's orders", 0, ID_MAX)]
BasisPoints = Annotated[int, Bounds("basis points", 0, TRAILING_BPS_MAX)]
Owner = Annotated[int, Bounds("owner, 0 for none", 0, OWNER_MAX)]
TimeNs = Annotated[int, Bounds("ns since 1970 UTC", 0, TIME_NS_MAX)]
Sequence = Annotated[int, Bounds("sequence", 0, ID_MAX)]
Count = Annotated[int, Bounds("count", 0, ID_MAX)]
Code = Annotated[int, Bounds("code", 0, 255)]
Flag = Annotated[int, Bounds("0 or 1", 0, 1)]
Text = Annotated[str, Bounds("characters", 0, 64)]
Name = Annotated[str, Bounds("characters", 1, 64)]
Milliseconds = Annotated[int, Bounds("ms", 0, 2**31 - 1)]
