"""What the status of a desk says of a side of its maker's quotes: the quote, and the rule that is so by."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import plain
from trading.reasons import Rule

_FIGURES: Final = {Side.BUY: "bid", Side.SELL: "ask"}


def quoted_side(maker: Mapping[str, Any] | None, withdrawal: Mapping[str, Any] | None, side: Side) -> JsonObject:
    """Return a side with price, quantity, the code of its rule, and why.

    Args:
        maker: its row of the status; None: the desk has none.
        withdrawal: what the status says of one.
    """
    name, figures = _FIGURES[side], {} if maker is None else maker["figures"]
    if maker is None:
        return side_row(side, Rule.AWAY.value, "the desk has none")
    if maker["state"] == "failed" and withdrawal is not None:
        return side_row(side, Rule.WITHDRAWN.value, f"{withdrawal['stage']}: {withdrawal['why']}")
    if maker["state"] not in ("ready", "silent"):
        said = f", {maker['why']}" if maker["why"] else ""
        return side_row(side, Rule.AWAY.value, f"the maker is {maker['state']}{said}")
    price, qty = figures.get(name), figures.get(f"{name}_qty")
    if failing := figures.get("failing"):
        return side_row(side, Rule.FAILED.value, failing, price, qty)
    if (rule := figures.get(f"{name}_rule")) is None:
        return side_row(side, Rule.AWAY.value, "the maker has not said yet", price, qty)
    return side_row(side, rule, figures[f"{name}_why"], price, qty)


def side_row(side: Side, rule: str, why: str, price: str | None = None, qty: str | None = None) -> JsonObject:
    """Return a side as `why --json` tells it."""
    numbers = (None if text is None else plain(Decimal(text)) for text in (price, qty))
    return {"side": side.name, **dict(zip(("price", "qty"), numbers, strict=True)), "rule": rule, "why": why}
