"""The tables of the settings, one for each part of a desk: what may be set, its default, and what is allowed."""

from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bus.topology import ENGINE_NAMES, TCP_CHANNELS
from bus.wiring import BUS_PORTS, is_loopback
from engine.capacity import ORDERS_MAX_LIMIT, PAGES_MAX, PAGES_MAX_LIMIT
from flow.live_url import streams_url
from flow.market_settings import DEFAULT_PRESET, PRESETS
from flow.playlist import parse_playlist
from market.instrument import Instrument, parse_decimal
from market.limits import TCP_SESSIONS_MAX
from paper.latency import Delay
from venues.venue_url import practice_url

PORT_MAX = 65_535
NOTIONAL_MAX = 1_000_000_000_000  # quote
TRANSPORTS = ("ipc", "listen", "tcp")  # of a channel; listen: ipc here, and open to tcp from elsewhere
Port = Annotated[int, Field(ge=0, le=PORT_MAX, description="0 takes a free one")]
Host = Annotated[str, Field(min_length=1, max_length=253)]
SymbolName = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,20}$")]
AssetName = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
Step = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=8)]
Fee = Annotated[Decimal, Field(ge=0, le=Decimal("0.1"), decimal_places=8)]
MID_MAX = 1_000_000
ASSET_UNIT = Decimal("0.00000001")  # what money is counted in


def _at_home(path: Path) -> Path:
    """Return the path with a `~` in front read as a shell reads it.

    Raises:
        ValueError: if there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("expected a path, or the home folder of a user that there is") from None


HomePath = Annotated[Path, AfterValidator(_at_home)]


class Section(BaseModel):
    """A table of settings: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _by_symbol(text: str, symbols: Collection[str], form: str, more: str = "") -> Iterator[tuple[str, str]]:
    """Yield symbol and value of each part of a text like `BTCUSDT=5,ETHUSDT=100`; the value keeps its `=`.

    Raises:
        ValueError: if one is not of `symbols`, or comes twice.
    """
    seen = set()
    for part in filter(None, text.split(",")):
        symbol, equals, value = part.partition("=")
        if symbol not in symbols or symbol in seen:
            raise ValueError(f"expected {form},... with {', '.join(symbols)} once each{more}")
        seen.add(symbol)
        yield symbol, equals + value


def symbol_quantities(text: str, symbols: Collection[str]) -> dict[str, Decimal]:
    """Return the quantities that a text like `BTCUSDT=5,ETHUSDT=100` gives by symbol, each one of `symbols`.

    Raises:
        ValueError: if it says something else.
    """
    parts = _by_symbol(text, symbols, "SYMBOL=QUANTITY")
    return {symbol: parse_decimal(quantity.removeprefix("=")) for symbol, quantity in parts}


class SymbolSettings(Section):
    """One more pair, or other rules for one that every desk knows: a table `[[symbols]]`.

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
    max_position: Annotated[Decimal, Field(gt=0, le=90_000_000_000, decimal_places=8)] | None = None
    opening_mid: Annotated[Decimal, Field(gt=0, le=MID_MAX)] | None = None

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.base == self.quote:
            raise ValueError(f"expected two assets, was {self.base} twice")
        if self.tick_size * self.lot_size % ASSET_UNIT:
            raise ValueError(f"expected tick_size x lot_size to be a multiple of {ASSET_UNIT:f}")
        return self

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


def symbol_limits(text: str, symbols: Collection[str]) -> dict[str, Decimal]:
    """Return what a text like `0.5,ETHUSDT=0.1` gives each of `symbols`: its own number, else the one in front.

    Raises:
        ValueError: if it says something else.
    """
    default, _, own = text.partition(",")
    return dict.fromkeys(symbols, parse_decimal(default)) | symbol_quantities(own, symbols)


def _in_plain_digits(value: object) -> object:
    return f"{Decimal(str(value)):f}" if type(value) in (int, float, Decimal) else value


Limits = Annotated[str, BeforeValidator(_in_plain_digits)]  # a number, or what `symbol_limits` reads


def symbol_places(text: str, symbols: Collection[str]) -> dict[str, str]:
    """Return the engines that a text like `ETHUSDT=engine2` gives by symbol, each one of `symbols`.

    Raises:
        ValueError: if it says something else.
    """
    form, more = "SYMBOL=ENGINE", f", and {', '.join(ENGINE_NAMES)}"
    places = {symbol: place.removeprefix("=") for symbol, place in _by_symbol(text, symbols, form, more)}
    if not set(places.values()) <= set(ENGINE_NAMES):
        raise ValueError(f"expected {form},... with {', '.join(symbols)} once each{more}")
    return places


def symbol_mids(text: str, symbols: Collection[str]) -> dict[str, Decimal | None]:
    """Return the mids that a text like `ETHUSDT=3000,BNBUSDT` gives by symbol, each one of `symbols`; None for no mid.

    Raises:
        ValueError: if it says something else.
    """
    mids: dict[str, Decimal | None] = {}
    for symbol, mid in _by_symbol(text, symbols, "SYMBOL=MID"):
        mids[symbol] = parse_decimal(mid.removeprefix("=")) if mid else None
        if mid and not 0 < (mids[symbol] or 0) <= MID_MAX:
            raise ValueError(f"expected a mid of {symbol} of more than 0 and at most {MID_MAX}")
    return mids


def channel_transports(text: str) -> dict[str, str]:
    """Return the transports that a text like `feed=listen,snapshots=tcp` gives by channel, each of TCP_CHANNELS.

    Raises:
        ValueError: if it says something else; an unknown channel is named.
    """
    transports: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        channel, _, transport = part.partition("=")
        if channel not in TCP_CHANNELS:
            raise ValueError(f"expected channels of {', '.join(TCP_CHANNELS)}, there is no {channel!r} among them")
        if channel in transports or transport not in TRANSPORTS:
            raise ValueError(f"expected CHANNEL=TRANSPORT,... each once and with one of {', '.join(TRANSPORTS)}")
        transports[channel] = transport
    return transports


class BusSettings(Section):
    """How the nodes reach the engine: through sockets in the run directory, or over tcp from another machine."""

    transport: Literal["ipc", "tcp"] = "ipc"
    listen: bool = False
    channels: str = ""
    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=PORT_MAX - BUS_PORTS * len(ENGINE_NAMES))] = 8090
    curve: bool = True
    server_key: Annotated[str, Field(pattern=r"^([!-~]{40})?$")] = ""
    keys_file: HomePath | None = None
    allowed_file: HomePath | None = None
    spin_us: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, value: str) -> str:
        channel_transports(value)
        return value

    @field_validator("curve")
    @classmethod
    def _safe(cls, value: bool, info: ValidationInfo) -> bool:
        host, given = info.data.get("host", "127.0.0.1"), info.data
        if not {"transport", "listen", "channels"} <= given.keys():
            return value  # one of them is wrong, and that is said
        how = _transports(given["transport"], is_listening=given["listen"], channels=given["channels"])
        is_used = set(how.values()) != {"ipc"}
        if not value and is_used and not is_loopback(host):
            raise ValueError(f"expected true: bus.host {host} is not loopback, and orders would go there without keys")
        return value

    @property
    def transports(self) -> dict[str, str]:
        """By channel that may leave the machine, one of TRANSPORTS."""
        return _transports(self.transport, is_listening=self.listen, channels=self.channels)

    @property
    def is_over_tcp(self) -> bool:
        """Whether any channel is open to tcp, or reached over it."""
        return set(self.transports.values()) != {"ipc"}


def _transports(transport: str, *, is_listening: bool, channels: str) -> dict[str, str]:
    default = "listen" if is_listening and transport == "ipc" else transport
    return dict.fromkeys(TCP_CHANNELS, default) | channel_transports(channels)


class EngineSettings(Section):
    """The matching engine."""

    book: Literal["fast", "reference"] = "fast"
    orders_max: Annotated[int, Field(ge=16, le=ORDERS_MAX_LIMIT)] = 65_536
    pages_max: Annotated[int, Field(ge=3, le=PAGES_MAX_LIMIT)] = PAGES_MAX
    journal: Literal["none", "write", "group", "sync"] = "write"
    group_ms: Annotated[float, Field(gt=0, le=1_000)] = 5.0
    placement: str = ""
    depth_ms: Annotated[int, Field(ge=1, le=60_000)] = 100


class GatewaySettings(Section):
    """The TCP order gateway, and what each of its sessions may do."""

    host: Host = "127.0.0.1"
    port: Port = 8083
    more_ports: Annotated[str, Field(pattern=r"^([0-9]{1,5}(,[0-9]{1,5}){0,2})?$")] = ""
    tokens_file: HomePath | None = None
    idle_s: Annotated[float, Field(ge=0.1, le=3_600)] = 30.0
    forget_s: Annotated[float, Field(ge=1, le=31_536_000)] = 86_400.0
    address_sessions_max: Annotated[int, Field(ge=1, le=TCP_SESSIONS_MAX)] = 48
    logons_per_s: Annotated[float, Field(ge=0.1, le=10_000)] = 10.0
    messages_per_s: Annotated[int, Field(ge=0, le=100_000_000)] = 100_000
    open_orders_max: Annotated[int, Field(ge=1, le=10_000_000)] = 65_536
    unread_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 30)] = 1 << 23
    kept_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 34)] = 1 << 25
    journal_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = 1 << 29
    price_band: Limits = "0.5"
    notional_max: Limits = "10000000"
    qty_max: str = ""

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of the desk's gateways: of `gateway`, `gateway2`, and so on."""
        return (self.port, *(int(port) for port in self.more_ports.split(",") if port))

    @field_validator("more_ports")
    @classmethod
    def _are_ports(cls, value: str) -> str:
        if any(int(port) > PORT_MAX for port in value.split(",") if port):
            raise ValueError(f"expected ports of at most {PORT_MAX}")
        return value

    @field_validator("price_band")
    @classmethod
    def _are_bands(cls, value: str) -> str:
        if not all(band < 1 and band % Decimal("0.000001") == 0 for band in _limits_of(value)):
            raise ValueError("expected fractions of less than 1 with at most 6 decimals")
        return value

    @field_validator("notional_max")
    @classmethod
    def _are_notionals(cls, value: str) -> str:
        if not all(notional <= NOTIONAL_MAX for notional in _limits_of(value)):
            raise ValueError(f"expected at most {NOTIONAL_MAX}")
        return value


def _limits_of(text: str) -> Collection[Decimal]:
    named = {part.partition("=")[0] for part in text.split(",")[1:]}  # whether they are symbols is asked later
    try:
        return symbol_limits(text, {"all others", *named}).values()
    except ValueError:
        raise ValueError("expected NUMBER,SYMBOL=NUMBER,... with each symbol once") from None


class ApiSettings(Section):
    """The HTTP api."""

    host: Host = "127.0.0.1"
    port: Port = 8082


class PaperSettings(Section):
    """The paper exchange."""

    host: Host = "127.0.0.1"
    port: Port = 8084
    maker_fee: Fee = Decimal("0.001")
    taker_fee: Fee = Decimal("0.001")
    fee_in: Literal["received", "base", "quote", "BNB"] = "received"
    bnb_discount: Annotated[Decimal, Field(ge=0, lt=1, decimal_places=8)] = Decimal("0.25")
    rate_limits: bool = True
    order_delay_ms: str = "0"
    market_data_delay_ms: str = "0"
    delay_seed: Annotated[int, Field(ge=0)] = 1

    @field_validator("order_delay_ms", "market_data_delay_ms")
    @classmethod
    def _is_delay(cls, value: str) -> str:
        Delay.parse(value)
        return value


class FlowSettings(Section):
    """The order flow that brings the paper market to life: `synthetic`, `none`, or `replay:FILE`."""

    source: str = "synthetic"
    preset: Literal["practice", "calm", "normal", "busy", "crash"] = DEFAULT_PRESET
    toxicity: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 7
    start_mid: Annotated[Decimal, Field(gt=0, le=MID_MAX)] | None = None
    more_symbols: str = ""
    speed: Annotated[float, Field(gt=0, le=1_000)] = 1.0
    opening_s: Annotated[float, Field(ge=0, le=3_600)] = 8.0
    loop: bool = False
    queue_model: Literal["behind", "proportional"] = "behind"

    @field_validator("source")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("synthetic", "live", "none") and not value.startswith(("synthetic:", "replay:", "live:")):
            raise ValueError("expected synthetic, synthetic:PRESET, replay:FILE,..., live, live:URL or none")
        if value.startswith("synthetic:") and value.removeprefix("synthetic:") not in PRESETS:
            raise ValueError(f"expected a preset of {', '.join(PRESETS)}")
        if value.startswith("replay:"):
            parse_playlist(value.removeprefix("replay:"))
        if value.startswith("live"):
            streams_url(value)
        return value

    def check_symbols(self, symbols: Collection[str]) -> None:
        """Check that `more_symbols` names some of `symbols`, as the source wants it.

        Raises:
            ValueError: if not.
        """
        if symbol_mids(self.more_symbols, symbols) and self.source.startswith("replay:"):
            raise ValueError("expected none: a replay's symbols are those of its recordings")

    @property
    def market_preset(self) -> str:
        """The synthetic market's preset: the source's, if it names one."""
        _, _, named = self.source.partition(":") if self.source.startswith("synthetic") else ("", "", "")
        return named or self.preset


class VenueSettings(Section):
    """Where the maker and the tracker trade; `url` sends Binance's calls to another host, for instance another desk."""

    name: Literal["paper", "binance-testnet"] = "paper"
    url: str | None = None
    timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    api_key: SecretStr | None = None
    secret: SecretStr | None = None

    @property
    def missing_keys(self) -> str:
        """What must be set before anybody can trade there; the paper exchange makes its own keys."""
        if self.name == "paper" or (self.api_key is not None and self.secret is not None):
            return ""
        return f"{self.name} needs keys: set TICKBUS_VENUE__API_KEY and TICKBUS_VENUE__SECRET"

    @field_validator("url")
    @classmethod
    def _not_real_money(cls, value: str | None) -> str | None:
        return None if value is None else practice_url(value)


class MakerSettings(Section):
    """The market maker's quote: see docs/glossary.md for its terms."""

    half_spread: Annotated[Decimal, Field(gt=0, lt=Decimal("0.5"))] = Decimal("0.002")
    notional: Annotated[Decimal, Field(gt=0, le=1_000_000_000)] = Decimal(1_000)
    requote_tolerance: Annotated[Decimal, Field(ge=0, lt=Decimal("0.5"))] = Decimal("0.0003")
    replace_below: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.5")
    interval_ms: Annotated[int, Field(ge=10, le=60_000)] = 250


class TrackerSettings(Section):
    """The tracker, which writes the daily file."""

    interval_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    folder: HomePath | None = None
