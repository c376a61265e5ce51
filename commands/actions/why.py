"""Why each side is quoted, or is not, as the maker says it now; and its last decisions, of a desk that is down, too."""

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from commands.actions.halting import halted_in, left_text
from commands.options import Answer
from desk.client import DeskError, NoDeskError, SilentDeskError, command_text, desk_status
from desk.decisions_file import is_decision, last_decisions
from desk.desk_file import kept_settings
from desk.quoted_sides import quoted_side, quotes_of, side_row
from desk.risk_file import withdrawn
from market.clock import NS_PER_SECOND, time_ns
from market.codes import Side
from market.exact_json import JsonObject
from screens.desk import uptime_text
from screens.why import why_text
from trading.reasons import Rule


def why_quoted(run_dir: Path, count: int) -> Answer:
    """Return the sides with the codes of their rules, and the last `count` decisions, oldest first.

    Of a desk that does not run, or does not answer, the journal of decisions answers, and how old its last one is, is
    said on stderr.

    Raises:
        NoDeskError: if no desk runs, and none has ever decided anything there.
        DeskError: likewise if the desk does not answer, or if what the maker has decided cannot be read.
    """
    try:
        status = desk_status(run_dir)
    except (NoDeskError, SilentDeskError) as error:
        return _of_journal(run_dir, count, error)
    maker = next((row for row in status["nodes"] if row["kind"] == "maker"), None)
    withdrawal = status["withdrawn"]
    sides = [quoted_side(maker, withdrawal, side) for side in Side]
    document = {
        "symbol": status["symbol"],
        "venue": status["venue"],
        "maker": "not a node of this desk" if maker is None else maker["state"],
        "withdrawn": withdrawal,
        "halted": status["halted"],
        "sides": [row | {"quotes": quotes_of(maker, row)} for row in sides],
        "decisions": _decisions(run_dir, count),
    }
    is_down = maker is not None and maker["state"] in ("stopped", "failed")
    return document, why_text(document, _go_on(run_dir, is_down=is_down))


def _of_journal(run_dir: Path, count: int, error: NoDeskError | SilentDeskError) -> Answer:
    is_down = isinstance(error, NoDeskError)
    kept, found = kept_settings(run_dir), _decisions(run_dir, max(count, 1))
    if kept is None or not found:
        raise error
    last, withdrawal = found[-1], withdrawn(run_dir)
    age_s = max(0.0, time_ns() / NS_PER_SECOND - datetime.fromisoformat(last["time"]).timestamp())
    away = "no desk runs" if is_down else "the desk does not answer: `orders` tells what stands at the venue"
    document = {
        "symbol": last["symbol"],
        "venue": kept.settings["venue.name"],
        "maker": "away",
        "withdrawn": None if withdrawal is None else withdrawal.document,
        "halted": halted_in(run_dir),
        "sides": [side_row(side, Rule.AWAY.value, away) | {"quotes": []} for side in Side],
        "age_s": Decimal(f"{age_s:.1f}"),
        "decisions": found if count else [],
    }
    age = uptime_text(age_s)
    told = f"this is its journal, whose last decision is {age} old"
    note = f"no desk runs in {run_dir}: {told}{left_text(run_dir)}" if is_down else f"{error}; {told}"
    print(f"note: {note}", file=sys.stderr)
    # A halt is only taken back by engines that run.
    first = f"{command_text('up', run_dir)}, then: " if document["halted"] and is_down else ""
    return document, why_text(document, first + _go_on(run_dir, is_down=False))


def _decisions(run_dir: Path, count: int) -> list[JsonObject]:
    try:
        return [each for each in last_decisions(run_dir, count) if is_decision(each)]
    except OSError as error:
        raise DeskError(f"the decisions cannot be read: {error}") from None


def _go_on(run_dir: Path, *, is_down: bool) -> str:
    return ", then: ".join(command_text(each, run_dir) for each in ("resume", *(["start maker"] if is_down else [])))
