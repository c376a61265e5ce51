"""What recommendations would have brought on a day that has been: it is traded again as it was, and with each."""

from datetime import date

from commands.actions.whatif import LivedDay
from desk.client import DeskError
from desk.settings import Settings
from market.clock import now, utc_date
from market.exact_json import JsonObject
from screens.money import gain_text


def replay_recommendations(settings: Settings, week: JsonObject) -> str | None:
    """Put into each recommendation of a weekly document what it would have brought on the newest whole day of it.

    `replay` is the document of that difference, with the `date`, and `same_fills` as `whatif` has it; of one that
    cannot be tried it is the `why` alone. Return a note where there is nothing to try.
    """
    days = [date.fromisoformat(row["date"]) for row in week["days"] if row["state"] == "reported"]
    today = utc_date(now().time_ns)
    day = max((each for each in days if each < today), default=max(days, default=today))
    lived: LivedDay | None = None
    is_any_tried = False
    for row in week["recommendations"]:
        if row["kind"] != "recommendation" or row["to"] is None:
            continue
        try:
            lived = lived or LivedDay(settings, day)
            found = lived.whatif([f"{row['setting']}={row['to']:f}"])
            row["replay"] = {"date": day.isoformat(), "same_fills": found["same_fills"], **found["difference"]}
        except DeskError as error:
            row["replay"] = {"date": day.isoformat(), "why": str(error)}
        row["advice"] += _phrase(row["replay"], week["quote"])
        is_any_tried = True
    return None if is_any_tried else "nothing was replayed, for no setting is recommended"


def _phrase(replay: JsonObject, quote: str | None) -> str:
    if "pnl" not in replay:
        return f" It could not be tried: {replay['why']}."
    said = f" On {replay['date']} it would have earned {gain_text(replay['pnl'], quote)}"
    if replay["low"] is not None:
        said += f" (95 % from {gain_text(replay['low'], quote)} to {gain_text(replay['high'], quote)})"
    return f"{said}, if nobody had answered it."
