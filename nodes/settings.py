"""One typed, frozen tree of settings: defaults, then tickbus.toml, then the environment, then the command line.

A key is written `maker.half_spread` here, stands in the table `[maker]` of tickbus.toml, and is called
`TICKBUS_MAKER__HALF_SPREAD` in the environment. Secrets are taken from the environment or from a key file of mode 0600,
never from tickbus.toml.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bus.topology import ENGINE_NAMES, FIRST_ENGINE
from bus.wiring import BUS_PORTS, is_loopback
from engine.capacity import ORDERS_MAX_LIMIT, PAGES_MAX, PAGES_MAX_LIMIT
from flow.live_url import streams_url
from flow.market_settings import DEFAULT_PRESET, PRESETS
from flow.playlist import parse_playlist
from market.instrument import Instrument, default_instruments, parse_decimal
from market.limits import SYMBOLS_MAX
from paper.latency import Delay

CONFIG_FILE = Path("tickbus.toml")
ENV_PREFIX = "TICKBUS_"
ENV_DELIMITER = "__"
REAL_EXCHANGES = ("binance.com", "binance.us", "binance.vision", "binance.me")
SECRET_KEYS = frozenset({"venue.api_key", "venue.secret"})

PORT_MAX = 65_535
Port = Annotated[int, Field(ge=0, le=PORT_MAX, description="0 takes a free one")]
Host = Annotated[str, Field(min_length=1, max_length=253)]
SymbolName = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,20}$")]
AssetName = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
Step = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=8)]
Fee = Annotated[Decimal, Field(ge=0, le=Decimal("0.1"), decimal_places=8)]
ASSET_UNIT = Decimal("0.00000001")  # what money is counted in


class Section(BaseModel):
    """A table of settings: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def symbol_quantities(text: str, symbols: Collection[str]) -> dict[str, Decimal]:
    """Return the quantities that a text like `BTCUSDT=5,ETHUSDT=100` gives by symbol, each one of `symbols`.

    Raises:
        ValueError: if it says something else.
    """
    quantities: dict[str, Decimal] = {}
    for part in filter(None, text.split(",")):
        symbol, _, quantity = part.partition("=")
        if symbol not in symbols or symbol in quantities:
            raise ValueError(f"expected SYMBOL=QUANTITY,... with {', '.join(symbols)} once each")
        quantities[symbol] = parse_decimal(quantity)
    return quantities


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


def symbol_places(text: str, symbols: Collection[str]) -> dict[str, str]:
    """Return the engines that a text like `ETHUSDT=engine2` gives by symbol, each one of `symbols`.

    Raises:
        ValueError: if it says something else.
    """
    places: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        symbol, _, engine = part.partition("=")
        if symbol not in symbols or symbol in places or engine not in ENGINE_NAMES:
            names = f"with {', '.join(symbols)} once each, and {', '.join(ENGINE_NAMES)}"
            raise ValueError(f"expected SYMBOL=ENGINE,... {names}")
        places[symbol] = engine
    return places


class BusSettings(Section):
    """How the nodes reach the engine: through sockets in the run directory, or over tcp from another machine."""

    transport: Literal["ipc", "tcp"] = "ipc"
    listen: bool = False
    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=PORT_MAX - BUS_PORTS * len(ENGINE_NAMES))] = 8090
    curve: bool = True
    server_key: Annotated[str, Field(pattern=r"^([!-~]{40})?$")] = ""
    keys_file: Path | None = None
    allowed_file: Path | None = None

    @field_validator("curve")
    @classmethod
    def _safe(cls, value: bool, info: ValidationInfo) -> bool:
        host = info.data.get("host", "127.0.0.1")
        is_used = info.data.get("listen") or info.data.get("transport") == "tcp"
        if not value and is_used and not is_loopback(host):
            raise ValueError(f"expected true: bus.host {host} is not loopback, and orders would go there without keys")
        return value


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
    tokens_file: Path | None = None
    idle_s: Annotated[float, Field(ge=0.1, le=3_600)] = 30.0
    forget_s: Annotated[float, Field(ge=1, le=31_536_000)] = 86_400.0
    messages_per_s: Annotated[int, Field(ge=0, le=100_000_000)] = 100_000
    open_orders_max: Annotated[int, Field(ge=1, le=10_000_000)] = 65_536
    unread_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 30)] = 1 << 23
    kept_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 34)] = 1 << 25
    journal_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = 1 << 29
    price_band: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.5")
    notional_max: Annotated[Decimal, Field(ge=0, le=1_000_000_000_000)] = Decimal(10_000_000)
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


class ApiSettings(Section):
    """The HTTP api."""

    host: Host = "127.0.0.1"
    port: Port = 8082


class PaperSettings(Section):
    """The paper exchange."""

    host: Host = "127.0.0.1"
    port: Port = 8084
    maker_fee: Fee = Decimal(0)
    taker_fee: Fee = Decimal(0)
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
    start_mid: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Decimal("91385.00")
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

    @property
    def market_preset(self) -> str:
        """The synthetic market's preset: the source's, if it names one."""
        _, _, named = self.source.partition(":") if self.source.startswith("synthetic") else ("", "", "")
        return named or self.preset


class VenueSettings(Section):
    """Where the maker and the tracker trade; `url` sends Binance's calls to another host, for instance another desk."""

    name: Literal["paper", "binance-testnet"] = "paper"
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+$")] | None = None
    timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    api_key: SecretStr | None = None
    secret: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _not_real_money(cls, value: str | None) -> str | None:
        host = (urlsplit(value).hostname or "") if value else ""
        is_practice = host.startswith(("testnet.", "demo-"))
        if host.endswith(REAL_EXCHANGES) and not is_practice:
            raise ValueError("expected a testnet or a look-alike: this is Binance's exchange for real money")
        return value


class MakerSettings(Section):
    """The market maker's quote: see docs/glossary.md for its terms."""

    half_spread: Annotated[Decimal, Field(gt=0, lt=Decimal("0.5"))] = Decimal("0.002")
    notional: Annotated[Decimal, Field(gt=0, le=1_000_000_000)] = Decimal(1_000)
    requote_tolerance: Annotated[Decimal, Field(ge=0, lt=Decimal("0.5"))] = Decimal("0.0003")
    interval_ms: Annotated[int, Field(ge=10, le=60_000)] = 250


class TrackerSettings(Section):
    """The tracker, which writes the daily file."""

    interval_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    folder: Path | None = None


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        allow_inf_nan=False,
    )

    run_dir: Path = Path("run")
    symbols: Annotated[tuple[SymbolSettings, ...], Field(max_length=SYMBOLS_MAX)] = ()
    symbol: SymbolName = "BTCUSDT"
    bus: BusSettings = BusSettings()
    engine: EngineSettings = EngineSettings()
    gateway: GatewaySettings = GatewaySettings()
    api: ApiSettings = ApiSettings()
    paper: PaperSettings = PaperSettings()
    flow: FlowSettings = FlowSettings()
    venue: VenueSettings = VenueSettings()
    maker: MakerSettings = MakerSettings()
    tracker: TrackerSettings = TrackerSettings()

    @field_validator("symbols")
    @classmethod
    def _distinct(cls, value: tuple[SymbolSettings, ...]) -> tuple[SymbolSettings, ...]:
        if len({each.symbol for each in value}) < len(value):
            raise ValueError("expected each symbol once")
        if (count := len(_instruments(value))) > SYMBOLS_MAX:
            raise ValueError(f"expected at most {SYMBOLS_MAX} symbols with the default ones, were {count}")
        return value

    @field_validator("symbol")
    @classmethod
    def _known_symbol(cls, value: str, info: ValidationInfo) -> str:
        known = _names(info)
        if known and value not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return value

    @field_validator("engine")
    @classmethod
    def _known_placement(cls, value: EngineSettings, info: ValidationInfo) -> EngineSettings:
        try:
            if known := _names(info):
                symbol_places(value.placement, known)
        except ValueError as error:
            raise ValueError(f"placement: {error}, was {value.placement!r}") from None
        return value

    @field_validator("gateway")
    @classmethod
    def _known_quantities(cls, value: GatewaySettings, info: ValidationInfo) -> GatewaySettings:
        try:
            if known := _names(info):
                symbol_quantities(value.qty_max, known)
        except ValueError as error:
            raise ValueError(f"qty_max: {error}, was {value.qty_max!r}") from None
        return value

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every pair that the desk knows: the default ones, by the rules of `symbols` if it names them, then the rest.

        A symbol's place in it is its id on the wire.
        """
        return _instruments(self.symbols)

    @property
    def instrument(self) -> Instrument:
        """The pair that the desk trades."""
        return next(instrument for instrument in self.instruments if instrument.symbol == self.symbol)

    @property
    def places(self) -> dict[str, str]:
        """By symbol, the name of the engine that has its book."""
        names = [instrument.symbol for instrument in self.instruments]
        return dict.fromkeys(names, FIRST_ENGINE) | symbol_places(self.engine.placement, names)

    @property
    def market_engine(self) -> str:
        """The engine of the pair that the desk trades: the paper exchange and the flow are in front of it."""
        return self.places[self.symbol]

    @property
    def engines(self) -> tuple[str, ...]:
        """The names of the desk's engines, the first one first."""
        return tuple(sorted({FIRST_ENGINE, *self.places.values()}))

    def instruments_of(self, engine: str) -> tuple[Instrument, ...]:
        """Return the pairs whose books `engine` has."""
        places = self.places
        return tuple(each for each in self.instruments if places[each.symbol] == engine)

    def symbol_ids_of(self, engine: str) -> frozenset[int]:
        """Return the symbols whose books `engine` has."""
        return frozenset(each.symbol_id for each in self.instruments_of(engine))

    def journal_folder(self, engine: str) -> Path:
        """Return the folder of an engine's journal."""
        return self.run_dir / ("journal" if engine == FIRST_ENGINE else f"journal.{engine}")

    @property
    def reports_dir(self) -> Path:
        """The folder of the daily files."""
        return self.tracker.folder or self.run_dir / "reports"

    @property
    def bus_keys_file(self) -> Path:
        """The pair of keys of this machine's end of the bus, mode 0600."""
        return self.bus.keys_file or self.run_dir / "bus" / "curve.keys"

    @property
    def bus_allowed_file(self) -> Path:
        """The public keys of other machines that may reach the bus."""
        return self.bus.allowed_file or self.run_dir / "bus" / "allowed_keys"

    @property
    def keys_file(self) -> Path:
        """The key file of the paper exchange's account, mode 0600."""
        return self.run_dir / "paper" / "keys.env"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library calls us with all of them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values only from `load_settings`, which has merged the sources and remembers where each came from."""
        return (init_settings,)


def _instruments(symbols: Sequence[SymbolSettings]) -> tuple[Instrument, ...]:
    changed = {each.symbol: each for each in symbols}
    known = default_instruments()
    pairs = [changed.pop(each.symbol).instrument(each.symbol_id) if each.symbol in changed else each for each in known]
    return (*pairs, *(each.instrument(number) for number, each in enumerate(changed.values(), len(known))))


def _names(info: ValidationInfo) -> list[str]:
    """Return the symbols that a desk of the settings read so far knows; none if those settings are wrong."""
    symbols = info.data.get("symbols")
    return [] if symbols is None else [instrument.symbol for instrument in _instruments(symbols)]


class Value(NamedTuple):
    """An effective setting: its key, its value as text (never a secret), and where it came from."""

    key: str
    text: str
    origin: str


class SettingsError(Exception):
    """The settings cannot be used; the text has a line for each error: its key, what was there, what was expected."""


class LoadedSettings(NamedTuple):
    """The settings and the origin of every key that is not a default."""

    settings: Settings
    origins: dict[str, str]

    def values(self) -> Iterator[Value]:
        """Yield every effective setting, in the order of the tree."""
        for key, value in _flat(dict(self.settings)):
            is_secret = isinstance(value, SecretStr)
            text = "(set, not shown)" if is_secret else _text(value)
            yield Value(key, text, self.origins.get(key, "default"))


def load_settings(overrides: Mapping[str, Any] | None = None, config_file: Path | None = None) -> LoadedSettings:
    """Merge the sources into the settings.

    Args:
        overrides: values from the command line, by dotted key; None values are left out.
        config_file: instead of ./tickbus.toml, which may be absent.

    Raises:
        SettingsError: with all errors at once.
    """
    path = config_file or CONFIG_FILE
    if config_file is not None and not config_file.is_file():
        raise SettingsError(f"there is no settings file {config_file}")
    errors: list[str] = []
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, values in (
        (str(path), _toml_values(path, errors)),
        ("environment", _environment_values(errors)),
        ("command line", {key: value for key, value in (overrides or {}).items() if value is not None}),
    ):
        for key, value in values.items():
            _put(merged, key, value)
            origins[key] = origin
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        errors.extend(_lines(error, origins))
    if errors:
        raise SettingsError("\n".join(errors))
    return LoadedSettings(settings, origins)


def environment_of(overrides: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables that say what `overrides` (by dotted key) says."""
    return {_environment_name(key): str(value) for key, value in overrides.items() if value is not None}


def _environment_name(key: str) -> str:
    return ENV_PREFIX + key.upper().replace(".", ENV_DELIMITER)


def _toml_values(path: Path, errors: list[str]) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = dict(_flat(TomlConfigSettingsSource(Settings, path)()))
    except (OSError, ValueError) as error:
        errors.append(f"{path}: expected TOML: {error}")
        return {}
    for key in SECRET_KEYS & values.keys():
        errors.append(f"{key}: a secret must not stand in {path}; set {_environment_name(key)} instead")
        del values[key]
    return values


def _environment_values(errors: list[str]) -> dict[str, Any]:
    values = dict(_flat(EnvSettingsSource(Settings)()))
    known = {_environment_name(key) for key, _ in _flat(dict(Settings.model_construct()))}
    errors.extend(
        f"{name}: no such setting; `python cli.py config show` lists them"
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known
    )
    return values


def _lines(error: ValidationError, origins: Mapping[str, str]) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield f"{key}: no such setting (from {_origin(key, origins)})"
            continue
        expected = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected", 1)
        shown = "a secret" if key in SECRET_KEYS else repr(problem["input"])
        was = "" if isinstance(problem["input"], list | tuple | Mapping | BaseModel) else f", was {shown}"
        yield f"{key}: {expected[0].lower()}{expected[1:]}{was} (from {_origin(key, origins)})"


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Return where a setting came from: the list that it is an item of, or the first of its table's."""
    while key:
        for known, origin in origins.items():
            if known == key or known.startswith(f"{key}."):
                return origin
        key = key.rpartition(".")[0]
    return "default"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(each.symbol for each in value)
    return "" if value is None else str(value)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        branch = dict(value) if isinstance(value, BaseModel) else value
        if isinstance(branch, dict):
            yield from _flat(branch, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, leaf = key.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
    tree[leaf] = value
