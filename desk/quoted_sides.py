"""What the status of a desk says of a side of its maker's quotes: the quote, and the rule that is so by."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import plain
from market.words import state_since_text
from trading.reasons import Rule

_FIGURES: Final = {Side.BUY: "bid", Side.SELL: "ask"}
_NOWHERE: Final = {"level": None, "is_hanging": False}


def quoted_side(maker: Mapping[str, Any] | None, withdrawal: Mapping[str, Any] | None, side: Side) -> JsonObject:
    """Return a side with price, quantity, the code of its rule, and why.

    Args:
        maker: its row of the status; None: the desk has none.
        withdrawal: what the status says of one.
    """
    name, figures = _FIGURES[side], {} if maker is None else maker["figures"]
    if maker is None:
        return side_row(side, Rule.AWAY.value, "the desk has none")
    if maker["state"] in ("failed", "waiting") and withdrawal is not None:
        return side_row(side, Rule.WITHDRAWN.value, f"{withdrawal['stage']}: {withdrawal['why']}")
    if maker["state"] != "ready":
        return side_row(side, Rule.AWAY.value, _away_text(maker))
    price, qty = figures.get(name), figures.get(f"{name}_qty")
    if failing := figures.get("failing"):
        return side_row(side, Rule.FAILED.value, failing, price, qty)
    if (rule := figures.get(f"{name}_rule")) is None:
        return side_row(side, Rule.AWAY.value, "the maker has not said yet", price, qty)
    why = "; ".join([figures[f"{name}_why"], *([slow] if (slow := figures.get("slow")) else [])])
    return side_row(side, rule, why, price, qty)


def quotes_of(maker: Mapping[str, Any] | None, row: JsonObject) -> list[JsonObject]:
    """Return every quote that stands on a side, nearest to the mid first, as `side_row` tells it, and where it stands.

    That is the `level` that it was placed for, 1 nearest to the mid, None where nobody counts them; and whether it
    `is_hanging`: left where it is after the other side was filled.

    Args:
        maker: its row of the status.
        row: the side, as `quoted_side` has it; where that tells of none, none can be vouched for.
    """
    if maker is None or row["price"] is None:
        return []
    told = maker["figures"].get("quotes", ())
    here = [each for each in told if each["side"] == row["side"]]
    rows = [side_row(Side[each["side"]], each["rule"], each["why"], each["price"], each["qty"]) for each in here]
    places = [{"level": each["level"], "is_hanging": each["is_hanging"]} for each in here]
    rows[:1] = [row]  # the side tells as well what binds it
    return [row | place for row, place in zip(rows, places or [_NOWHERE], strict=True)]


def _away_text(maker: Mapping[str, Any]) -> str:
    """Return how a maker is that says nothing of its quotes, and since when; of a silent one what it said last."""
    figures, said = maker["figures"], [maker["why"]] if maker["why"] else []
    if maker["state"] == "silent" and (quotes := figures.get("quotes")):
        terms = [f"{Side[each['side']].name} {each['qty']} at {each['price']}" for each in quotes]
        said.append(f"it had {', '.join(terms)}")
    return ": ".join([f"the maker {state_since_text(maker['state'], maker['since'])}", *said])


def side_row(side: Side, rule: str, why: str, price: str | None = None, qty: str | None = None) -> JsonObject:
    """Return a side as `why --json` tells it."""
    numbers = (None if text is None else plain(Decimal(text)) for text in (price, qty))
    return {"side": side.name, **dict(zip(("price", "qty"), numbers, strict=True)), "rule": rule, "why": why}
