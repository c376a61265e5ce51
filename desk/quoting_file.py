"""quoting_YYYYMMDD.json in the run directory: how well the maker quoted on a UTC day, as it goes on.

The maker keeps it, also for its successor; the daily document has what it comes to.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from desk.desk_file import kept_settings
from desk.market_seen import seen_json, seen_of
from desk.quoting_told import quoting_told
from desk.settings import Settings, SettingsError, setting_texts
from market.exact_json import JsonObject, dumps, loads
from market.whole_file import write_whole
from trading.quoting import Estimates
from trading.quoting_day import FillSums, QuotingDay

DAYS_MAX: Final = 14  # of which files are kept

_COUNTS: Final = ("orders", "orders_filled")
_SUMS: Final = ("notional", "marked_notional", "markout")


def quoting_path(run_dir: Path, day: date) -> Path:
    """Return where a day is."""
    return run_dir / f"quoting_{day:%Y%m%d}.json"


def read_quoting(run_dir: Path, day: date, symbol: str) -> QuotingDay | None:
    """Return what is kept of a day in a pair; None if there is nothing.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is damaged.
    """
    try:
        found = loads(quoting_path(run_dir, day).read_bytes())
    except FileNotFoundError:
        return None
    try:
        if found["symbol"] != symbol:
            return None
        present_ns = {int(minute): int(count) for minute, count in found["present_ns"].items()}
        fills, picked_off = (_sums_of(found[kind]) for kind in ("fills", "picked_off"))
        seen = seen_of(found["seen"]) if "seen" in found else Estimates()  # former versions kept none
        span = int(found["since_ns"]), int(found["until_ns"])
        orders, orders_filled = (int(found.get(name, 0)) for name in _COUNTS)  # former versions kept none
        unfilled = {str(name) for name in found.get("unfilled", ())}
        return QuotingDay(day, *span, present_ns, fills, picked_off, seen, orders, orders_filled, unfilled)
    except (ArithmeticError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"expected a day of quoting: {error!r}") from None


def quoting_document(settings: Settings, day: date) -> JsonObject | None:
    """Return a day as the daily document tells it; None if no maker of this desk has kept it, or it is damaged."""
    try:
        kept = read_quoting(settings.run_dir, day, settings.symbol)
    except (OSError, ValueError):
        return None  # the maker, which reads it as well, tells why
    if kept is None:
        return None
    return quoting_told(settings, kept, _texts_of(settings))


def write_quoting(run_dir: Path, day: QuotingDay, symbol: str) -> None:
    """Keep a day; nothing waits for the disk. Files of more than `DAYS_MAX` days go.

    Raises:
        OSError: if that cannot be.
    """
    document: JsonObject = {
        "symbol": symbol,
        "since_ns": day.since_ns,
        "until_ns": day.until_ns,
        "present_ns": {str(minute): count for minute, count in day.present_ns.items()},
        "fills": _sums_to(day.fills),
        "picked_off": _sums_to(day.picked_off),
        "seen": seen_json(day.seen),
        **{name: getattr(day, name) for name in _COUNTS},
        "unfilled": sorted([*day.unfilled, *day.ended]),
    }
    path = quoting_path(run_dir, day.day)
    is_first = not path.exists()
    write_whole(path, dumps(document).encode("ascii"), is_synced=False)
    if is_first:
        for old in sorted(run_dir.glob("quoting_*.json"))[:-DAYS_MAX]:
            old.unlink(missing_ok=True)


def _texts_of(settings: Settings) -> Mapping[str, str | None]:
    """Return what the desk is set to: by `set`, which a desk keeps, or else as it began."""
    try:
        kept = kept_settings(settings.run_dir)
    except SettingsError:
        kept = None  # every command tells why
    return setting_texts(settings) if kept is None else kept.settings


def _sums_to(sums: FillSums) -> JsonObject:
    return {"count": sums.count, **{name: str(getattr(sums, name)) for name in _SUMS}}


def _sums_of(found: JsonObject) -> FillSums:
    return FillSums(int(found["count"]), *(Decimal(found[name]) for name in _SUMS))
