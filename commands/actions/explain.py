"""What a quoting model would quote, position by position, in the market of now, and what each parameter does to it."""

from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from commands.actions.assignments import check_read, values_set
from commands.options import Answer
from desk.client import DeskError, NoDeskError, SilentDeskError, desk_pid, desk_settings, desk_status
from desk.market_seen import seen_of
from desk.settings import Settings, SettingsError, load_kept_settings, setting_texts
from desk.strategy import limits_of, parameters_of
from market.exact_json import JsonObject
from market.limits import PRICE_TICKS_MAX
from reports.folder import ReportsFolder
from screens.explain import explained_text
from trading.arrivals import believed, weight_of
from trading.models import MODELS, model_named
from trading.models.explaining import UNEVEN_BOOK, Stand, effect, market_around, stand_at, stands, uneven_market
from trading.models.parameters import MEANINGS, STEPS, Parameters
from trading.models.spreads import expected_arrivals
from trading.quoting import Arrivals, Estimates, Market

_READ: Final = ("symbol", "maker.", "paper.maker_fee")
_DIGITS: Final = 6


class _Known(NamedTuple):
    """The market of now: around which price, what is seen of it, what is held, and who says so."""

    origin: str
    mid: Decimal
    seen: Estimates = Estimates()
    position: Decimal | None = None


def explained(
    named: Path | None, model: str | None, sets: Sequence[str], mid: Decimal | None, volatility: float | None
) -> Answer:
    """Explain a model, by default the desk's.

    Args:
        named: the run directory.
        mid: around which price, quote per base; None: the desk's mid now, or the last one that it has recorded.
        volatility: fraction per square-root second, instead of what the desk has seen.

    Raises:
        DeskError, SettingsError: if there is no such model or setting, or no price to explain it around.
    """
    settings = _settings(named, model, sets)
    known = _known(settings, mid)
    if volatility is not None:
        known = known._replace(seen=known.seen._replace(volatility=volatility))
    document = _document(settings, known)
    document["seen"]["volatility"]["is_given"] = volatility is not None
    return document, explained_text(document)


def _settings(named: Path | None, model: str | None, sets: Sequence[str]) -> Settings:
    given = values_set(sets)
    check_read(given, _READ)
    of_desk = desk_settings(named)
    if model is not None:
        given["maker.model"] = model
    elif of_desk.maker.strategy is not None:
        raise DeskError(f"{of_desk.maker.strategy} quotes here, and no model: name one of {', '.join(MODELS)}")
    return load_kept_settings(setting_texts(of_desk), "the desk", given)


def _known(settings: Settings, mid: Decimal | None) -> _Known:
    """Return what is known of the market: of the maker that runs, or what was given or last recorded."""
    why: object = NoDeskError(settings.run_dir)
    if desk_pid(settings.run_dir) is not None:
        why = "the desk's maker does not run, or sees no mid"
        figures: JsonObject = {}
        try:
            rows = desk_status(settings.run_dir)["nodes"]
        except SilentDeskError as error:
            rows, why = [], error
        for row in rows:
            if row["kind"] == "maker" and row["state"] == "ready":
                figures = row["figures"]
        if figures.get("mid"):
            position = None if figures["position"] is None else Decimal(figures["position"])
            now = _Known("the desk's market now", Decimal(figures["mid"]), seen_of(figures["seen"]), position)
            return now if mid is None else now._replace(mid=mid, origin="around the given price, as the desk sees it")
    if mid is not None:
        return _Known("around the given price", mid)
    folder = ReportsFolder(settings.reports_dir)
    for day in sorted(folder.days(), reverse=True):
        document = folder.read(day) or {}
        if mark := document.get("symbols", {}).get(settings.symbol, {}).get("mark_price"):
            return _Known(f"around the last price of {day}", Decimal(mark))
    raise DeskError(f"there is no market to explain it in: {why}; or name a price: --mid 91385")


def _document(settings: Settings, known: _Known) -> JsonObject:
    name, parameters, instrument = settings.maker.model, parameters_of(settings), settings.instrument
    model, market = model_named(name, parameters), market_around(known.mid, instrument, known.seen)
    least, most = 2 * instrument.tick_size, PRICE_TICKS_MAX * instrument.tick_size
    if market.mid is None or not least <= known.mid <= most:
        raise DeskError(f"--mid: expected from {least} to {most}, was {known.mid}")
    fee, limits = parameters.fee, limits_of(settings)
    five = stands(model, market, parameters.inventory, fee, limits)
    now = None if known.position is None else stand_at(model, market, known.position, fee, limits)
    return {
        "symbol": instrument.symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "model": name,
        "origin": known.origin,
        "mid": known.mid,
        "fee": parameters.fee,
        "reads": [*MODELS[name].reads],
        "seen": _seen(known.seen, parameters, settings.maker.half_life_s),
        "stands": [_stand(each, market.mid) for each in five],
        "now": None if now is None else _stand(now, market.mid),
        "parameters": [
            {
                "name": f"maker.{each}",
                "value": getattr(parameters, each),
                **MEANINGS[each]._asdict(),
                "twice": _twice(settings, parameters, each, known),
                "step": _step(settings, parameters, each, known),
            }
            for each in (field.name for field in fields(Parameters))
        ],
    }


def _stand(stand: Stand, mid: Decimal) -> JsonObject:
    bps = {
        f"{name}_bps": None if value is None else round(10_000 * value / mid, _DIGITS)
        for name, value in (("spread", stand.spread), ("skew", stand.skew))
    }
    levels = [{name: _rounded(value) for name, value in each._asdict().items()} for each in stand.levels]
    kept = [{"side": side.name, "rule": str(why.rule), "why": why.text} for side, why in stand.kept]
    figures = {name: _rounded(value) for name, value in {**stand._asdict(), **bps}.items()}
    return {**figures, "levels": levels, "kept": kept}


def _twice(settings: Settings, parameters: Parameters, name: str, known: _Known) -> JsonObject | None:
    """Return what twice the value changes, by figure; None where there is no such value, or it cannot be set."""
    value = getattr(parameters, name)
    if isinstance(value, str) or not value:
        return None
    return _changes(settings, parameters, name, 2 * value, market_around(known.mid, settings.instrument, known.seen))


def _step(settings: Settings, parameters: Parameters, name: str, known: _Known) -> JsonObject | None:
    """Return what a first step changes where twice is no other value: from nothing, or to the other choice."""
    value, of_market = getattr(parameters, name), (known.mid, settings.instrument, known.seen)
    to: Decimal | str
    if name == "centre":
        to, book, market = "mid" if value == "micro" else "micro", UNEVEN_BOOK, uneven_market(*of_market)
    elif name in STEPS and not value:
        to, book, market = STEPS[name], None, market_around(*of_market)
    else:
        return None
    changes = _changes(settings, parameters, name, to, market)
    return None if changes is None else {"to": to, "book": book, "changes": changes}


def _changes(
    settings: Settings, parameters: Parameters, name: str, value: Decimal | str, market: Market
) -> JsonObject | None:
    """Return what another value changes, by figure before and after; None where it cannot be set."""
    try:
        load_kept_settings(setting_texts(settings), "the desk", {f"maker.{name}": str(value)})
    except SettingsError:
        return None
    changes = effect(name, lambda each: model_named(settings.maker.model, each), parameters, market, value)
    return {figure: [*map(_rounded, change)] for figure, change in changes.items()}


def _seen(seen: Estimates, parameters: Parameters, half_life_s: float) -> JsonObject:
    """Return what is known of the market, and what the models take for it."""
    taken = float(parameters.volatility) if seen.volatility is None else seen.volatility
    return {
        "half_life_s": _exact(half_life_s),
        "volatility": {"seen": None if seen.volatility is None else _exact(seen.volatility), "taken": _exact(taken)},
        "bid": _arrivals(seen.bid, parameters),
        "ask": _arrivals(seen.ask, parameters),
    }


def _arrivals(seen: Arrivals | None, parameters: Parameters) -> JsonObject:
    taken = believed(seen, expected_arrivals(parameters))
    return {
        "seen": None if seen is None else {name: _exact(value) for name, value in seen._asdict().items()},
        "weight": _exact(0.0 if seen is None else weight_of(seen)),
        "taken": {"rate": _exact(taken.rate), "decay": _exact(taken.decay)},
    }


def _exact(value: float) -> Decimal:
    return Decimal(f"{value:.6g}")


def _rounded(value: Any) -> Any:
    return round(value, 12) if isinstance(value, Decimal) else value
