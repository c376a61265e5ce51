"""Who takes back what the maker has done by itself: it had lost too much, or held too much."""

from decimal import Decimal
from typing import Any

from desk.client import DeskError, awaited_maker, command_text, desk_pid
from desk.halted_file import HaltedFile
from desk.risk_file import resume, withdrawn
from desk.settings import Settings


def resume_maker(settings: Settings) -> list[str]:
    """Take back a withdrawal, and wait until the maker knows; return a line for a person, none if there was nothing.

    Raises:
        DeskError: if the maker has not said that it goes on, or the disk does not take it.
    """
    found = withdrawn(settings.run_dir)
    if found is None:
        return []
    trip, why = found.trip, found.text
    try:
        resume(settings.run_dir, trip)
    except OSError as error:
        raise DeskError(f"the maker stays withdrawn ({why}): {error}") from None
    if desk_pid(settings.run_dir) is None:
        is_halted = settings.symbol in HaltedFile(settings.run_dir, [settings.symbol]).read()
        and_resumed = f" and the halt of {settings.symbol} is taken back" if is_halted else ""
        return [f"the maker quotes again when it is started{and_resumed}; it had withdrawn: {why}"]

    def has_said(row: dict[str, Any]) -> bool:  # one that has just begun has no figures yet, and has said nothing
        return row["state"] == "ready" and bool(row["figures"].get("trip") != trip)

    row = awaited_maker(settings.run_dir, lambda row: row["state"] == "failed" or has_said(row))
    if row is None or row["state"] in ("stopped", "failed"):
        start = command_text("start maker", settings.run_dir)
        return [f"the maker quotes again after: {start}; it had withdrawn: {why}"]
    if has_said(row):
        if row["figures"].get("trip"):  # what has happened since is not what was looked at
            again = withdrawn(settings.run_dir)
            why = "" if again is None else f": {again.text}"
            raise DeskError(f"the maker has withdrawn again meanwhile{why}")
        how = _as_far_as_its_position_lets_it(settings, row["figures"])
        return [f"the maker quotes again{how}; it had withdrawn: {why}"]
    raise DeskError(f"the maker has not said that it goes on; it had withdrawn: {why}")


def _as_far_as_its_position_lets_it(settings: Settings, figures: dict[str, Any]) -> str:
    """Return what is still too large for a resume to last, and what helps; empty if nothing is.

    What was lost is not held against a maker that was resumed; what it holds is.
    """
    use, most = Decimal(figures.get("position_use", 0)), Decimal(figures.get("position_use_max", "Infinity"))
    if use < most:
        return ""
    flatten = command_text("flatten", settings.run_dir)
    holds = f"the position is still {use.normalize():f} times its limit, from {most:f} on it stops new orders"
    helps = f"what helps: {flatten}, or a start with a larger maker.limits.position and maker.limits.exposure"
    return f" on the side alone that makes the position smaller, and withdraws again in a second: {holds}; {helps}"
