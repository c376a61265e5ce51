"""Who takes back what the maker has done by itself: it had lost too much, or held too much."""

import time
from typing import Final

from desk.client import DeskError, desk_pid, desk_status
from desk.risk_file import resume, withdrawn
from desk.settings import Settings

MAKER_S_MAX: Final = 8.0
LOOK_S: Final = 0.05


def resume_maker(settings: Settings) -> list[str]:
    """Take back a withdrawal, and wait until the maker knows; return a line for a person, none if there was nothing.

    Raises:
        DeskError: if the maker has not said that it goes on, or the disk does not take it.
    """
    trip, why = withdrawn(settings.run_dir)
    if not trip:
        return []
    try:
        resume(settings.run_dir, trip)
    except OSError as error:
        raise DeskError(f"the maker stays withdrawn ({why}): {error}") from None
    if desk_pid(settings.run_dir) is None:
        return [f"the maker quotes again when it is started; it had withdrawn: {why}"]
    deadline = time.monotonic() + MAKER_S_MAX
    while time.monotonic() < deadline:
        row = next((row for row in desk_status(settings.run_dir)["nodes"] if row["node"] == "maker"), None)
        if row is None or row["state"] in ("stopped", "failed"):
            return [f"the maker quotes again after: python cli.py start maker; it had withdrawn: {why}"]
        if (now := row["figures"].get("trip")) != trip:
            if now:  # what has happened since is not what was looked at
                raise DeskError(f"the maker has withdrawn again meanwhile: {row['figures']['withdrawn']}")
            return [f"the maker quotes again; it had withdrawn: {why}"]
        time.sleep(LOOK_S)
    raise DeskError(f"the maker has not said that it goes on; it had withdrawn: {why}")
