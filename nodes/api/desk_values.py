"""What the live line tells of the desk as a whole, made from the status that its supervisor gives."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from desk.quoted_sides import quoted_side
from market.codes import Side
from market.exact_json import JsonObject

Status = Mapping[str, Any]

# Of each kind of node the figures that a person looks at.
_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "engine": ("commands", "live_orders", "journal"),
    "gateway": ("clients", "orders", "rejected"),
    "paper": ("open_orders", "lost_reports"),
    "flow": ("trades", "behind_ms_max"),
    "api": ("orders", "gaps", "browsers"),
    "maker": ("placed", "cancelled", "filled", "refused"),
    "tracker": ("trades", "writes", "failures"),
}
_OF_THE_DAY: Final = (
    *("pnl", "unrealized", "marked_pnl", "spread_capture", "inventory_pnl", "fees", "position"),
    *("trades", "buys", "sells", "equity", "equity_asset", "equity_assets", "read_ms"),
)
_OF_THE_MAKER: Final = (
    *("position", "neutral", "presence", "presence_minute", "presence_minutes"),
    "picked_off",
)


def row_of(status: Status, kind: str) -> Mapping[str, Any] | None:
    """Return the row of the first node of a kind, None if the desk has none."""
    return next((row for row in status["nodes"] if row["kind"] == kind), None)


def nodes_value(status: Status) -> list[JsonObject]:
    """Return each node with its state and some of its figures."""
    return [
        {
            **{name: row[name] for name in ("node", "kind", "state", "doing", "why", "restarts")},
            "figures": {name: row["figures"][name] for name in _SHOWN.get(row["kind"], ()) if name in row["figures"]},
        }
        for row in status["nodes"]
    ]


def quoting_value(status: Status) -> JsonObject:
    """Return why each side is quoted or is not, of the pair that the maker quotes."""
    maker = row_of(status, "maker")
    return {
        "symbol": status["symbol"],
        "maker": None if maker is None else maker["state"],
        "sides": [quoted_side(maker, status["withdrawn"], side) for side in Side],
    }


def money_value(status: Status) -> JsonObject:
    """Return position and result of the day: live from the maker, its parts from the tracker's last reading.

    What a maker has said that is not ready any more is of before: others may have traded its position since. A reading
    has its time, and a decision, too.
    """
    maker, tracker = _live_figures(status, "maker"), _figures(status, "tracker")
    lost = maker.get("lost_today")
    last = _figures(status, "maker").get("last_decision")
    return {
        "gained": None if lost is None else str(-Decimal(lost)),
        "maker": {name: maker.get(name) for name in _OF_THE_MAKER} | {"last_decision": last},
        "day": {name: tracker.get(name) for name in _OF_THE_DAY} if "trades" in tracker else None,
    }


def markouts_value(status: Status) -> list[JsonObject]:
    """Return the markouts of the day's fills so far, as the daily document has them, decimals as text."""
    return list(_figures(status, "tracker").get("markouts", ()))


def risk_value(status: Status) -> JsonObject:
    """Return what is halted or withdrawn, and how near to its limits the maker is."""
    maker = _live_figures(status, "maker")
    names = "lost_today", "loss_max", "below_peak", "drawdown_max", "position_use"
    return {"halted": status["halted"], "withdrawn": status["withdrawn"], **{name: maker.get(name) for name in names}}


def _figures(status: Status, kind: str) -> Mapping[str, Any]:
    row = row_of(status, kind)
    return {} if row is None else row["figures"]


def _live_figures(status: Status, kind: str) -> Mapping[str, Any]:
    """Return the figures of a node that is there to say them now."""
    row = row_of(status, kind)
    return row["figures"] if row is not None and row["state"] == "ready" else {}
