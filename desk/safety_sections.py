"""The tables of the settings that keep a maker from harm."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from desk.section import Section
from market.limits import QUOTES_MAX

AMOUNT_MAX = 1_000_000_000_000
Amount = Annotated[Decimal, Field(gt=0, le=AMOUNT_MAX)]
Times = Annotated[Decimal, Field(gt=0, le=1_000_000)]


class LimitSettings(Section):
    """The most that the maker may have, whatever its strategy wants; see `trading.limits`.

    Attributes:
        position: base asset, long or short; None: as `exposure` says.
        exposure: quote amount of the position; None: 5 times `maker.inventory`.
        order: quote amount of one order; None: 10 times `maker.notional`.
        band: how far from the mid an order may be, as a fraction of it.
        open_orders: how many at once.
        orders_in_10_s, orders_in_a_day: how many that have not traded; Binance bans beyond 50 and 160,000. Within 10 s
            a few more may arrive than have left: what was held up comes with what was not.
        daily_loss: quote amount since the UTC day began; None: a tenth of `maker.inventory`.
        drawdown: quote amount below the peak; None: likewise.
    """

    position: Amount | None = None
    exposure: Amount | None = None
    order: Amount | None = None
    band: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.1")
    open_orders: Annotated[int, Field(ge=1, le=QUOTES_MAX)] = 100
    orders_in_10_s: Annotated[int, Field(ge=1, le=1_000_000)] = 25
    orders_in_a_day: Annotated[int, Field(ge=1, le=1_000_000_000)] = 96_000
    daily_loss: Amount | None = None
    drawdown: Amount | None = None


class StageSettings(Section):
    """What leads to each stage of a withdrawal; see `trading.escalation`.

    Attributes:
        widens: part of `daily_loss` or `drawdown`.
        widen_by: times the distance from the mid.
        stops_new: times the limit of the position.
        cancels_all: times `drawdown`.
        flattens, disconnects: times `daily_loss`.
    """

    widens: Times = Decimal("0.5")
    widen_by: Annotated[Decimal, Field(ge=1, le=100)] = Decimal(2)
    stops_new: Times = Decimal("1.5")
    cancels_all: Times = Decimal(1)
    flattens: Times = Decimal(1)
    disconnects: Times = Decimal("1.5")
