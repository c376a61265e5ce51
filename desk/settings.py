"""One typed, frozen tree of settings: defaults, then tickbus.toml, then the environment, then the command line.

Of a kind of node with several instances, `[engine]` says what holds for all and `[[engines]]` what is one's own.
A key is written `maker.half_spread` here, stands in the table `[maker]` of tickbus.toml, and is called
`TICKBUS_MAKER__HALF_SPREAD` in the environment. Secrets are taken from the environment or from a key file of mode 0600,
never from tickbus.toml.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

import desk.sections as section
from bus.wiring import BUS_PORTS, Address
from desk.kinds import ENGINE, GATEWAY
from desk.old_settings import OLD, new_spelling
from desk.plan import EnginePlan, GatewayPlan, Instance, Plan, check_names, gateway_numbers, place_symbols
from desk.section import Section
from desk.sections import SECRET_KEYS, EngineRow, GatewayRow, HomePath, SymbolName
from desk.settings_errors import error_lines
from desk.symbols import DEFAULT_ROWS, SymbolRow
from market.exact_json import JsonObject
from market.http_names import is_loopback
from market.instrument import Instrument
from market.limits import ENGINES_MAX, GATEWAYS_MAX, SYMBOLS_MAX
from market.mendable import MendableError

CONFIG_FILE = Path("tickbus.toml")
ENV_PREFIX = "TICKBUS_"


class Settings(Section):
    """The whole tree."""

    model_config = ConfigDict(validate_default=True)

    run_dir: HomePath = Path("run")
    symbols: Annotated[tuple[SymbolRow, ...], Field(max_length=SYMBOLS_MAX)] = DEFAULT_ROWS
    symbol: SymbolName = "BTCUSDT"
    bus: section.BusSettings = section.BusSettings.model_construct()
    engine: section.EngineSettings = section.EngineSettings.model_construct()
    engines: Annotated[tuple[EngineRow, ...], Field(max_length=ENGINES_MAX)] = (EngineRow(name="engine"),)
    gateway: section.GatewaySettings = section.GatewaySettings.model_construct()
    gateways: Annotated[tuple[GatewayRow, ...], Field(max_length=GATEWAYS_MAX)] = (GatewayRow(name="gateway"),)
    api: section.ApiSettings = section.ApiSettings.model_construct()
    paper: section.PaperSettings = section.PaperSettings.model_construct()
    flow: section.FlowSettings = section.FlowSettings.model_construct()
    venue: section.VenueSettings = section.VenueSettings.model_construct()
    maker: section.MakerSettings = section.MakerSettings.model_construct()
    tracker: section.TrackerSettings = section.TrackerSettings.model_construct()
    alerts: section.AlertSettings = section.AlertSettings.model_construct()

    @field_validator("run_dir")
    @classmethod
    def _is_folder(cls, value: Path) -> Path:
        at = value
        while not os.path.lexists(at) and at != at.parent:
            at = at.parent
        if not at.is_dir():
            raise ValueError(f"expected a folder, and {at} is none")
        return value

    @field_validator("symbols")
    @classmethod
    def _complete(cls, value: tuple[SymbolRow, ...]) -> tuple[SymbolRow, ...]:
        own = {row.symbol: row for row in value}
        if len(own) < len(value):
            raise ValueError("expected each symbol once")
        rows = {row.symbol: row for row in DEFAULT_ROWS} | own
        if len(rows) > SYMBOLS_MAX:
            raise ValueError(f"expected at most {SYMBOLS_MAX} symbols with the default ones, were {len(rows)}")
        return tuple(rows.values())

    @field_validator("symbol")
    @classmethod
    def _known_symbol(cls, value: str, info: ValidationInfo) -> str:
        known = _names(info)
        if known and value not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return value

    @field_validator("engines")
    @classmethod
    def _have_symbols(cls, value: tuple[EngineRow, ...], info: ValidationInfo) -> tuple[EngineRow, ...]:
        if known := _names(info):
            place_symbols(value, known)
        bus = info.data.get("bus")
        for row in value:
            if row.host and not is_loopback(row.host) and bus and bus.is_over_tcp and not bus.curve:
                raise ValueError(f"{row.name}: expected bus.curve to be true: its host {row.host} is not loopback")
        return value

    @field_validator("gateways")
    @classmethod
    def _have_names_and_numbers(cls, value: tuple[GatewayRow, ...], info: ValidationInfo) -> tuple[GatewayRow, ...]:
        if not value:
            raise ValueError("expected at least one")
        check_names(info.data.get("engines", ()), value)
        gateway_numbers(value, {})
        return value

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Every pair that the desk knows, in the order of `symbols`: a symbol's place there is its id on the wire."""
        return tuple(row.instrument(symbol_id) for symbol_id, row in enumerate(self.symbols))

    @property
    def instrument(self) -> Instrument:
        """The pair that the desk trades."""
        return next(instrument for instrument in self.instruments if instrument.symbol == self.symbol)

    @property
    def maker_fee(self) -> Decimal:
        """What the venue takes of a fill of the maker's, as a fraction."""
        row = next(row for row in self.symbols if row.symbol == self.symbol)
        return self.fees(row)[0] if self.maker.fee is None else self.maker.fee

    @property
    def fee_max(self) -> Decimal:
        """What the venue takes of a fill at most, as a fraction, whoever rested."""
        row = next(row for row in self.symbols if row.symbol == self.symbol)
        return max(*self.fees(row), self.maker_fee)

    def fees(self, row: SymbolRow) -> tuple[Decimal, Decimal]:
        """Return the paper exchange's fees of maker and taker in a symbol."""
        maker, taker = self.paper.maker_fee, self.paper.taker_fee
        return maker if row.maker_fee is None else row.maker_fee, taker if row.taker_fee is None else row.taker_fee

    @property
    def market(self) -> JsonObject:
        """Where the account trades, and what that takes, as the daily document tells it."""
        venue: JsonObject = {"venue": self.venue.name}
        if self.venue.url is not None or self.venue.name != "paper":
            return venue | ({} if self.venue.url is None else {"url": self.venue.url})
        flow = {"flow": self.flow.text} | ({"seed": self.flow.seed} if self.flow.source == "synthetic" else {})
        maker_fee, taker_fee = self.fees(next(row for row in self.symbols if row.symbol == self.symbol))
        return {**venue, **flow, "maker_fee": maker_fee, "taker_fee": taker_fee, "fee_in": self.paper.fee_in}

    @property
    def plan(self) -> Plan:
        """The desk that these settings make."""
        engine_of = place_symbols(self.engines, [row.symbol for row in self.symbols])
        numbers = gateway_numbers(self.gateways, {})
        engines = {
            row.name: EnginePlan(
                row.name,
                row.over(self.engine),
                tuple(each for each in self.instruments if engine_of[each.symbol] == row.name),
                self.run_dir / ("journal" if row.name == ENGINE.name else f"journal.{row.name}"),
                Address(row.host or self.bus.host, row.port or self.bus.port + BUS_PORTS * index),
            )
            for index, row in enumerate(self.engines)
        }
        gateways = {
            row.name: GatewayPlan(row.name, row.over(self.gateway), numbers[row.name], self.run_dir / row.name)
            for row in self.gateways
        }
        idle = {"paper", "flow"} if self.venue.name != "paper" else {"flow"} if self.flow.source == "none" else ()
        return Plan(engines, gateways, frozenset(idle), engine_of)

    def with_port(self, node: Instance, port: int) -> Self:
        """Return the settings with the port that a node was given, as that which it is to take."""
        if node.kind is GATEWAY:
            rows = (row.model_copy(update={"port": port}) if row.name == node.name else row for row in self.gateways)
            return self.model_copy(update={"gateways": tuple(rows)})
        own = {"api": self.api, "paper": self.paper}[node.kind.name].model_copy(update={"port": port})
        return self.model_copy(update={node.kind.name: own})

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


def _names(info: ValidationInfo) -> list[str]:
    """Return the symbols that a desk of the settings read so far knows; none if those settings are wrong."""
    return [row.symbol for row in info.data.get("symbols", ())]


class SettingsError(MendableError):
    """The settings cannot be used; the text has a line for each error: its key, what was there, what was expected."""


class LoadedSettings(NamedTuple):
    """The settings and the origin of every key that is not a default."""

    settings: Settings
    origins: dict[str, str]

    def values(self) -> Iterator[tuple[str, str, str]]:
        """Yield of every effective setting its key, its text (never a secret) and its origin."""
        for key, value in _flat(dict(self.settings)):
            text = "(set, not shown)" if isinstance(value, SecretStr) else _text(value)
            yield key, text, self.origins.get(key, "default")


def load_settings(overrides: Mapping[str, Any] | None = None) -> LoadedSettings:
    """Merge the sources into the settings; overrides are the command line's, by dotted key, None values left out.

    Raises:
        SettingsError: with all errors at once.
    """
    errors: list[str] = []
    sources = (
        (str(CONFIG_FILE), _toml_values(errors)),
        ("environment", _environment_values(errors)),
        ("command line", overrides or {}),
    )
    return _merged(sources, errors)


def load_kept_settings(texts: Mapping[str, str], origin: str, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings that a desk has kept, with secrets of the environment, and the command line's overrides.

    The texts are what `setting_texts` returned, their origin is for a person.

    Raises:
        SettingsError: with all errors at once.
    """
    errors: list[str] = []
    values = _parsed({key: text for key, text in texts.items() if text or key not in OLD}, origin, errors)
    secrets = {key: value for key, value in _environment_values([]).items() if key in SECRET_KEYS}
    return _merged(((origin, values), ("environment", secrets), ("command line", overrides)), errors).settings


def setting_texts(settings: Settings) -> dict[str, str]:
    """Return every setting but the secrets as text by dotted key, as the environment would say it; paths absolute."""
    texts = {}
    for key, value in _flat(dict(settings)):
        if value is None or key in SECRET_KEYS:
            continue
        plain = _plain(value)
        texts[key] = json.dumps(plain) if isinstance(plain, list) else plain
    return texts


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, BaseModel):
        return {key: _plain(each) for key, each in value if key in value.model_fields_set and each is not None}
    return typed_text(value.absolute() if isinstance(value, Path) else value)


def typed_text(value: Any) -> str:
    """Return a value as one would type it: no number has an exponent."""
    is_short = isinstance(value, Decimal | float) and "e" in str(value).lower()
    return f"{Decimal(str(value)):f}" if is_short else str(value)


def named_run_dir(named: Path | None) -> Path:
    """Return the run directory that a command is about: `named`, the environment's or that of tickbus.toml.

    Of the other settings none is looked at.

    Raises:
        SettingsError: if it is told where it cannot be read.
    """
    errors: list[str] = []
    origin, path = ("command line", named) if named else ("environment", os.environ.get(environment_name("run_dir")))
    if not path:
        origin, path = str(CONFIG_FILE), _toml_values(errors).get("run_dir")
    return _merged([(origin, {"run_dir": path})], errors).settings.run_dir


def _merged(sources: Iterable[tuple[str, Mapping[str, Any]]], errors: list[str]) -> LoadedSettings:
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, values in sources:
        for key, value in values.items():
            if advice := new_spelling(key, value):
                errors.append(f"{key}: {advice} (from {origin})")
            elif value is not None:
                _put(merged, key, value)
                origins[key] = origin
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        errors.extend(error_lines(error, origins, defaults()))
    if errors:
        raise SettingsError("\n".join(errors))
    return LoadedSettings(settings, origins)


def environment_name(key: str) -> str:
    """Return the environment variable of a key: `TICKBUS_MAKER__NOTIONAL` of `maker.notional`."""
    return ENV_PREFIX + key.upper().replace(".", "__")


def _toml_values(errors: list[str]) -> dict[str, Any]:
    if not CONFIG_FILE.is_file():
        return {}
    try:
        values = dict(_flat(tomllib.loads(CONFIG_FILE.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        errors.append(f"{CONFIG_FILE}: expected TOML: {error}")
        return {}
    for key in SECRET_KEYS & values.keys():
        errors.append(f"{key}: a secret must not stand in {CONFIG_FILE}; set {environment_name(key)} instead")
        del values[key]
    return values


def _environment_values(errors: list[str]) -> dict[str, Any]:
    keys = {environment_name(key): key for key in (*defaults(), *OLD)}
    parameters = environment_name("maker.parameters.")
    texts: dict[str, str] = {}
    for name in sorted(os.environ):
        if key := keys.get(name.upper()):
            texts[key] = os.environ[name]
        elif name.upper().startswith(parameters):
            texts[f"maker.parameters.{name[len(parameters) :].lower()}"] = os.environ[name]
        elif name.upper().startswith(ENV_PREFIX):
            errors.append(f"{name}: no such setting; `python cli.py config show` lists them")
    return _parsed(texts, "environment", errors)


def values_of(texts: Mapping[str, str], origin: str) -> dict[str, Any]:
    """Return settings that are spelt as in the environment, lists as JSON, by dotted key.

    Raises:
        SettingsError: with all that cannot be read.
    """
    errors: list[str] = []
    values = _parsed(texts, origin, errors)
    if errors:
        raise SettingsError("\n".join(errors))
    return values


def _parsed(texts: Mapping[str, str], origin: str, errors: list[str]) -> dict[str, Any]:
    """Return the settings that texts by dotted key say; lists are JSON."""
    known, values = defaults(), dict[str, Any]()
    for key, text in texts.items():
        try:
            values[key] = json.loads(text) if isinstance(known.get(key), tuple) else text
        except ValueError as error:
            errors.append(f"{key}: expected JSON, was {text!r} (from {origin}): {error}")
    return values


def defaults() -> dict[str, Any]:
    """Return the default of every setting, by dotted key."""
    return dict(_flat(dict(Settings.model_construct())))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, EngineRow | GatewayRow):
        return value.name
    if isinstance(value, SymbolRow):
        return value.symbol
    return "" if value is None else typed_text(value)


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
        if not isinstance(tree, dict):
            return  # no table, which is an error already
    tree[leaf] = value
