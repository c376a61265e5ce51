"""What is true of a symbol: its row, a table `[[symbols]]` of the settings, and the rows that every desk has."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from desk.section import Section
from desk.sections import AssetName, Band, Fee, Mid, Notional, Step, SymbolName
from market.instrument import Instrument, venue_spelling

ASSET_UNIT = Decimal("0.00000001")  # what money is counted in
# Ticks and lots as on Binance Spot.
KNOWN_PAIRS: Final[Mapping[str, Mapping[str, str]]] = {
    "BTCUSDT": {"base": "BTC", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.00001", "opening_mid": "91385.00"},
    "ETHUSDT": {"base": "ETH", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.0001", "opening_mid": "3000.00"},
    "BNBUSDT": {"base": "BNB", "quote": "USDT", "tick_size": "0.01", "lot_size": "0.001", "opening_mid": "600.00"},
}

Qty = Annotated[Decimal, Field(gt=0, le=90_000_000_000, decimal_places=8)]


class SymbolRow(Section):
    """A pair. One of KNOWN_PAIRS keeps what its row does not say.

    Attributes:
        symbol: the venue's spelling, `BTCUSDT`.
        base: the asset that is bought and sold.
        quote: the asset that it is paid in.
        tick_size: smallest step of a price, quote per base.
        lot_size: smallest step of a quantity, base.
        min_notional: smallest price x quantity of an order, quote.
        notional_filter: under which of Binance's names min_notional is checked; NOTIONAL has an upper bound too.
        maker_fee: the paper exchange's share of a resting order's fill; None: `paper.maker_fee`.
        taker_fee: likewise of an arriving order's fill.
        max_position: the most of `base` that an account of the paper exchange may come to own by buying; None: any.
        opening_mid: the mid at which a synthetic market in it begins, quote per base; None: there can be none.
        has_flow: whether the flow makes a market in it, synthetic or live, though it is not the desk's symbol.
        price_band: how far from the reference price the gateway takes an order; None: `gateway.price_band`; 0: any.
        notional_max: the largest order that the gateway takes, quote; None: `gateway.notional_max`; 0: any.
        qty_max: likewise in base; None: any.
    """

    symbol: SymbolName
    base: AssetName
    quote: AssetName
    tick_size: Step
    lot_size: Step
    min_notional: Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=8)] = Decimal(5)
    notional_filter: Literal["NOTIONAL", "MIN_NOTIONAL"] = "NOTIONAL"
    maker_fee: Fee | None = None
    taker_fee: Fee | None = None
    max_position: Qty | None = None
    opening_mid: Mid | None = None
    has_flow: bool = False
    price_band: Band | None = None
    notional_max: Notional | None = None
    qty_max: Qty | None = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, row: Any) -> Any:
        named = row.get("symbol") if isinstance(row, Mapping) else None
        return {**KNOWN_PAIRS.get(venue_spelling(named), {}), **row} if isinstance(named, str) else row

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.base == self.quote:
            raise ValueError(f"expected two assets, was {self.base} twice")
        if self.notional_unit % ASSET_UNIT:
            raise ValueError(f"expected tick_size x lot_size to be a multiple of {ASSET_UNIT:f}")
        return self

    @property
    def notional_unit(self) -> Decimal:
        """The quote amount of one tick times one lot."""
        return self.tick_size * self.lot_size

    def instrument(self, symbol_id: int) -> Instrument:
        """Return the pair as the desk counts it."""
        return Instrument(
            symbol_id,
            self.symbol,
            self.base,
            self.quote,
            self.tick_size,
            self.lot_size,
            self.min_notional,
            self.max_position,
            self.notional_filter == "NOTIONAL",
        )


DEFAULT_ROWS: Final = tuple(SymbolRow.model_validate({"symbol": symbol}) for symbol in KNOWN_PAIRS)
