"""What the maker has seen of its market, as `status` carries it."""

from collections.abc import Mapping
from typing import Any

from market.exact_json import JsonObject
from trading.quoting import Arrivals, Estimates


def seen_json(seen: Estimates) -> JsonObject:
    """Return it as texts of six digits; what is not known is null."""
    sides = {"bid": seen.bid, "ask": seen.ask}
    return {
        "volatility": _short(seen.volatility),
        **{name: None if each is None else _texts(each) for name, each in sides.items()},
    }


def seen_of(document: Mapping[str, Any]) -> Estimates:
    """Return what `seen_json` was made of."""
    volatility, *sides = (document[name] for name in ("volatility", "bid", "ask"))
    bid, ask = (
        None if each is None else Arrivals(**{name: float(text) for name, text in each.items()}) for each in sides
    )
    return Estimates(None if volatility is None else float(volatility), bid, ask)


def _texts(arrivals: Arrivals) -> JsonObject:
    return {name: _short(value) for name, value in arrivals._asdict().items()}


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"
