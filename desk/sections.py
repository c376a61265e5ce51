"""The tables of the settings, one for each part of a desk: what may be set, its default, and what is allowed."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bus.wiring import BUS_PORTS
from desk.alerts.severities import Severity
from desk.engine_place import PlaceText
from desk.safety_sections import LimitSettings, StageSettings
from desk.section import Section
from engine.capacity import ORDERS_MAX_LIMIT, PAGES_MAX, PAGES_MAX_LIMIT
from flow.live_url import PUBLIC_STREAMS, rest_url
from flow.market_settings import DEFAULT_PRESET
from flow.recordings.playlist import PARTS_MAX
from market.http_names import is_loopback
from market.instrument import venue_spelling
from market.limits import ENGINES_MAX, SOURCE_MAX, TCP_SESSIONS_MAX
from paper.delay import DELAY_MS_MAX, Delay
from trading.models import MODELS
from trading.models.parameters import Centre
from venues.venue_url import practice_url

PORT_MAX = 65_535
SECRET_KEYS = frozenset({"venue.api_key", "venue.secret"})
NOTIONAL_MAX = 1_000_000_000_000  # quote
DIVISOR_PLACES = 24  # of what models divide by, as floats: of less than that the square may be 0
Transport = Literal["ipc", "listen", "tcp"]  # of a channel; listen: ipc here, and open to tcp from elsewhere
Port = Annotated[int, Field(ge=0, le=PORT_MAX, description="0 takes a free one")]
Host = Annotated[str, Field(min_length=1, max_length=253)]
NodeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,19}$")]
AssetName = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
Step = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=8)]
Fee = Annotated[Decimal, Field(ge=0, le=Decimal("0.1"), decimal_places=8)]
Band = Annotated[Decimal, Field(ge=0, lt=1, decimal_places=6)]
Mid = Annotated[Decimal, Field(gt=0, le=1_000_000)]
DelayMs = Annotated[float, Field(ge=0, le=DELAY_MS_MAX)]
Notional = Annotated[Decimal, Field(ge=0, le=NOTIONAL_MAX)]


def _at_home(path: Path) -> Path:
    """Return the path with a `~` in front read as a shell reads it.

    Raises:
        ValueError: if there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("expected a path, or the home folder of a user that there is") from None


def _spelt(value: object) -> object:
    return venue_spelling(value) if isinstance(value, str) else value


HomePath = Annotated[Path, AfterValidator(_at_home)]
SymbolName = Annotated[str, BeforeValidator(_spelt), Field(pattern=r"^[A-Z0-9]{2,20}$")]


class ChannelSettings(Section):
    """How single channels of an engine are reached; those of which nothing is said as `bus` says of all."""

    orders: Transport | None = None
    feed: Transport | None = None
    snapshots: Transport | None = None


class BusSettings(Section):
    """How the nodes reach the engine: through sockets in the run directory, or over tcp from another machine."""

    transport: Literal["ipc", "tcp"] = "ipc"
    listen: bool = False
    channels: ChannelSettings = ChannelSettings.model_construct()
    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=PORT_MAX - BUS_PORTS * ENGINES_MAX)] = 8090
    curve: bool = True
    server_key: Annotated[str, Field(pattern=r"^([!-~]{40})?$")] = ""
    keys_file: HomePath | None = None
    allowed_file: HomePath | None = None
    spin_us: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.curve and self.is_over_tcp and not is_loopback(self.host):
            raise ValueError(
                f"expected curve to be true: orders would go without keys to {self.host}, which is not loopback"
            )
        return self

    @property
    def transports(self) -> dict[str, Transport]:
        """How each channel that may leave the machine is reached."""
        of_all: Transport = "listen" if self.listen and self.transport == "ipc" else self.transport
        return {name: own or of_all for name, own in self.channels}

    @property
    def is_over_tcp(self) -> bool:
        """Whether any channel is open to tcp, or reached over it."""
        return set(self.transports.values()) != {"ipc"}


class EngineSettings(Section):
    """The matching engine."""

    book: Literal["fast", "reference"] = "fast"
    orders_max: Annotated[int, Field(ge=16, le=ORDERS_MAX_LIMIT)] = 65_536
    pages_max: Annotated[int, Field(ge=3, le=PAGES_MAX_LIMIT)] = PAGES_MAX
    lane: Literal["on", "off"] = "off"
    journal: Literal["none", "write", "group", "sync"] = "write"
    group_ms: Annotated[float, Field(gt=0, le=1_000)] = 5.0
    depth_ms: Annotated[int, Field(ge=1, le=60_000)] = 100
    checkpoint_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    checkpoint_records: Annotated[int, Field(ge=1_000, le=10_000_000)] = 40_000
    journal_keep: Literal["prune", "archive", "all"] = "prune"
    journal_days: Annotated[float, Field(gt=0, le=3_650)] = 7.0
    journal_bytes: Annotated[int, Field(ge=1 << 28, le=1 << 40)] = 1 << 30
    standby: Literal["none", "may", "must"] = "none"
    standby_at: PlaceText = ""
    follows: PlaceText = ""


class EngineRow(EngineSettings):
    """One of the desk's engines, a table `[[engines]]`; what it does not say holds as in `[engine]`.

    Attributes:
        symbols: whose books it has; of one engine they may be left out: it has what the others leave.
        host: where its channels are over tcp; None: `bus.host`.
        port: that of the first of them; None: `bus.port`, and behind those of the engines before it.
    """

    name: NodeName
    symbols: tuple[SymbolName, ...] = ()
    host: Host | None = None
    port: Annotated[int, Field(ge=1, le=PORT_MAX - BUS_PORTS)] | None = None


class GatewaySettings(Section):
    """The TCP order gateway, and what each of its sessions may do."""

    host: Host = "127.0.0.1"
    port: Port = 8083
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
    price_band: Band = Decimal("0.5")
    notional_max: Notional = Decimal(10_000_000)


class GatewayRow(GatewaySettings):
    """One of the desk's gateways, a table `[[gateways]]`; what it does not say holds as in `[gateway]`.

    Attributes:
        source: its number among the sources of orders, kept for good; None: the desk gives it one, and keeps that.
    """

    name: NodeName
    source: Annotated[int, Field(ge=1, le=SOURCE_MAX)] | None = None


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
    order_delay_ms: DelayMs = 0.0
    order_delay_ms_max: DelayMs | None = None
    market_data_delay_ms: DelayMs = 0.0
    market_data_delay_ms_max: DelayMs | None = None
    delay_seed: Annotated[int, Field(ge=0)] = 1

    @field_validator("order_delay_ms_max", "market_data_delay_ms_max")
    @classmethod
    def _at_least_the_shortest(cls, value: float | None, info: ValidationInfo) -> float | None:
        shortest = info.data.get(str(info.field_name).removesuffix("_max"), 0.0)
        if value is not None and value < shortest:
            raise ValueError(f"expected at least the shortest, {shortest:g}")
        return value

    @property
    def order_delay(self) -> Delay:
        """How long signed calls travel, their replies, and what an account's own stream says."""
        return _delay(self.order_delay_ms, self.order_delay_ms_max)

    @property
    def market_data_delay(self) -> Delay:
        """How long public calls travel, their replies, and market streams."""
        return _delay(self.market_data_delay_ms, self.market_data_delay_ms_max)


def _delay(shortest_ms: float, longest_ms: float | None) -> Delay:
    return Delay(shortest_ms, shortest_ms if longest_ms is None else longest_ms)


def _recording(path: Path) -> Path:
    if not path.is_file():
        hint = "; several are a list, flow.recordings" if {",", "+"} & set(path.name) else ""
        raise ValueError(f"expected a file{hint}")
    return path


def _alone(part: object) -> object:
    return (part,) if isinstance(part, str | Path) else part


Recording = Annotated[HomePath, AfterValidator(_recording)]
Part = Annotated[tuple[Recording, ...], BeforeValidator(_alone), Field(min_length=1)]


class FlowSettings(Section):
    """The order flow that brings the paper market to life."""

    source: Literal["synthetic", "replay", "live", "none"] = "synthetic"
    preset: Literal["practice", "calm", "normal", "toxic", "busy", "crash"] = DEFAULT_PRESET
    recordings: Annotated[tuple[Part, ...], Field(max_length=PARTS_MAX)] = ()
    url: str = PUBLIC_STREAMS
    toxicity: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 7
    start_mid: Mid | None = None
    speed: Annotated[float, Field(gt=0, le=1_000)] = 1.0
    opening_s: Annotated[float, Field(ge=0, le=3_600)] = 8.0
    loop: bool = False
    queue_model: Literal["behind", "proportional"] = "behind"

    @field_validator("url")
    @classmethod
    def _of_streams(cls, value: str) -> str:
        rest_url(value.rstrip("/"))
        return value.rstrip("/")

    @model_validator(mode="after")
    def _has_recordings(self) -> Self:
        if self.source == "replay" and not self.recordings:
            raise ValueError("expected recordings to replay, there are none")
        return self

    @property
    def text(self) -> str:
        """The source in short, for a person: what `flow_in_short` reads, where that can say it."""
        recordings = ",".join("+".join(map(str, part)) for part in self.recordings)
        url = "" if self.url == PUBLIC_STREAMS else self.url
        detail = {"synthetic": self.preset, "replay": recordings, "live": url, "none": ""}[self.source]
        return f"{self.source}:{detail}" if detail else self.source


def flow_in_short(text: str | None) -> dict[str, Any]:
    """Return the settings that a short text means: a source, or `synthetic:PRESET`, `replay:FILE` or `live:URL`."""
    source, _, detail = (text or "").partition(":")
    key = {"synthetic": "flow.preset", "replay": "flow.recordings", "live": "flow.url"}.get(source)
    if not detail or key is None:
        return {"flow.source": text}
    return {"flow.source": source, key: [detail] if source == "replay" else detail}


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


def _known_model(name: str) -> str:
    if name not in MODELS:
        raise ValueError(f"expected one of {', '.join(MODELS)}")
    return name


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, bool | int | float) else value


ParameterText = Annotated[str, BeforeValidator(_as_text)]


class MakerSettings(Section):
    """The market maker's quote: see docs/glossary.md for its terms.

    Attributes:
        limits: of what it may have in the book.
        stages: when and how far it withdraws.
        strategy: a file with a strategy of one's own, instead of the model.
        fee: what the venue takes of a fill of ours, for models that reckon with it; None: the paper exchange's.
        neutral: how much of the base asset is no position; None: what is held when a maker of this desk first starts.
        presence_within: how far from the mid a quote may be to count as presence, as a fraction of it.
        presence_target: the part of each minute that there ought to be such quotes on both sides.
        parameters: its own, a table `[maker.parameters]`; as text, since only the file says which type each has.
    """

    strategy: HomePath | None = None
    parameters: dict[str, ParameterText] = Field(default_factory=dict)
    model: Annotated[str, AfterValidator(_known_model)] = "symmetric"
    half_spread: Annotated[Decimal, Field(gt=0, lt=Decimal("0.5"), decimal_places=DIVISOR_PLACES)] = Decimal("0.002")
    notional: Annotated[Decimal, Field(gt=0, le=1_000_000_000, decimal_places=DIVISOR_PLACES)] = Decimal(1_000)
    centre: Centre = "mid"
    skew: Annotated[Decimal, Field(ge=0, lt=Decimal("0.5"))] = Decimal(0)
    size_skew: Annotated[Decimal, Field(ge=0, le=1)] = Decimal(0)
    inventory: Annotated[Decimal, Field(gt=0, le=NOTIONAL_MAX, decimal_places=DIVISOR_PLACES)] = Decimal(10_000)
    levels: Annotated[int, Field(ge=1, le=20)] = 1
    level_step: Annotated[Decimal, Field(gt=0, le=Decimal("0.02"))] = Decimal("0.0005")
    level_growth: Annotated[Decimal, Field(gt=0, le=2)] = Decimal(1)
    volatility: Annotated[Decimal, Field(gt=0, le=Decimal("0.01"), decimal_places=DIVISOR_PLACES)] = Decimal("0.0001")
    horizon_s: Annotated[Decimal, Field(ge=1, le=86_400)] = Decimal(60)
    arrival_rate: Annotated[Decimal, Field(gt=0, le=10_000, decimal_places=DIVISOR_PLACES)] = Decimal("0.1")
    fee: Fee | None = None
    half_life_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    requote_tolerance: Annotated[Decimal, Field(ge=0, lt=Decimal("0.5"))] = Decimal("0.0003")
    replace_below: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.5")
    queue_gain: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal(0)
    life_min_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    age_max_s: Annotated[float, Field(ge=0, le=604_800)] = 0.0
    hanging: Annotated[Decimal, Field(ge=0, lt=Decimal("0.5"))] = Decimal(0)
    refill_pause_s: Annotated[float, Field(ge=0, le=3_600)] = 0.0
    run_over_orders: Annotated[int, Field(ge=0, le=1_000)] = 0
    run_over_s: Annotated[float, Field(ge=0, le=3_600)] = 30.0
    reference_s: Annotated[float, Field(ge=0, le=3_600)] = 0.0
    cancel_replace: bool = True
    amend: bool = True
    interval_ms: Annotated[int, Field(ge=10, le=60_000)] = 250
    neutral: Annotated[Decimal, Field(ge=0, le=1_000_000_000)] | None = None
    presence_within: Annotated[Decimal, Field(gt=0, lt=Decimal("0.5"))] = Decimal("0.005")
    presence_target: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.95")
    silence_s: Annotated[float, Field(ge=1, le=60)] = 4.0
    limits: LimitSettings = LimitSettings.model_construct()
    stages: StageSettings = StageSettings.model_construct()


class AlertSettings(Section):
    """Who is told of what goes wrong, besides the log of alerts; `least` is how bad it has to be for that."""

    least: Severity = "warning"
    webhook_file: HomePath | None = None
    command: Annotated[str, Field(max_length=4_096)] = ""


class TrackerSettings(Section):
    """The tracker, which writes the daily file."""

    interval_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    folder: HomePath | None = None
    keep_days: Annotated[int, Field(ge=1, le=36_500)] = 1_100
    keep_details_days: Annotated[int, Field(ge=1, le=36_500)] = 30
