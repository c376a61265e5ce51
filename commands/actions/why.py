"""Why each side is quoted, or is not, as the maker says it now; and its last decisions."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from commands.options import Answer
from desk.client import DeskError, desk_status
from desk.decisions_file import last_decisions
from market.codes import Side
from market.exact_json import JsonObject
from market.instrument import plain
from screens.why import why_text
from trading.reasons import Rule

_FIGURES: Final = {Side.BUY: "bid", Side.SELL: "ask"}


def why_quoted(run_dir: Path, count: int) -> Answer:
    """Return the sides with the codes of their rules, and the last `count` decisions, oldest first.

    Raises:
        DeskError: if no desk runs, or what the maker has decided cannot be read.
    """
    status = desk_status(run_dir)
    maker = next((row for row in status["nodes"] if row["kind"] == "maker"), None)
    try:
        decisions = last_decisions(run_dir, count)
    except OSError as error:
        raise DeskError(f"the decisions cannot be read: {error}") from None
    document = {
        "symbol": status["symbol"],
        "venue": status["venue"],
        "maker": "not a node of this desk" if maker is None else maker["state"],
        "sides": [_side(maker, side) for side in Side],
        "decisions": decisions,
    }
    return document, why_text(document)


def _side(maker: Mapping[str, Any] | None, side: Side) -> JsonObject:
    name, figures = _FIGURES[side], {} if maker is None else maker["figures"]
    rule, why = figures.get(f"{name}_rule"), figures.get(f"{name}_why")
    price, qty = figures.get(name), figures.get(f"{name}_qty")
    if maker is None or maker["state"] not in {"ready", "silent"}:
        away = "the desk has none" if maker is None else f"the maker is {maker['state']}"
        price, qty, rule, why = None, None, Rule.AWAY.value, away
    elif failing := figures.get("failing"):
        rule, why = Rule.FAILED.value, failing
    elif rule is None:
        rule, why = Rule.AWAY.value, "the maker has not said yet"
    price, qty = (None if text is None else plain(Decimal(text)) for text in (price, qty))
    return {"side": side.name, "price": price, "qty": qty, "rule": rule, "why": why}
