"""The alerts of a desk: which were told outlives the desk, so that none is told twice."""

import json
from pathlib import Path
from typing import Final

from desk.alerts.outlets import AlertOutlets, Delivery, Tell
from desk.alerts.watch import SEVERITIES, Condition, Status, Watch
from desk.settings import Settings
from market.whole_file import write_whole

FILE: Final = "alerts.json"


class DeskAlerts:
    """Those of one desk.

    Args:
        settings: the desk's.
        run_dir: where it is kept what was told.
        tell: is given lines for a person: what could not be delivered.

    Raises:
        MendableError: if alerts cannot be delivered as the settings say.
    """

    def __init__(self, settings: Settings, run_dir: Path, tell: Tell) -> None:
        own = settings.alerts
        self._outlets = AlertOutlets(
            run_dir / "logs" / "alerts.log", Delivery(own.least, own.webhook_file, own.command), tell
        )
        self._path = run_dir / FILE
        self._watch = Watch(read_told(self._path))
        self._kept = dict(self._watch.told)

    def look(self, status: Status, now_ns: int) -> None:
        """Tell what is new; `now_ns` is monotonic."""
        for alert in self._watch.look(status, now_ns):
            self._outlets.give(alert)
        if self._watch.told != self._kept:
            try:
                write_whole(self._path, json.dumps([each._asdict() for each in self._watch.told.values()]).encode())
            except OSError:
                return  # a full disk: tried again the next time
            self._kept = dict(self._watch.told)

    def close(self) -> None:
        """Deliver what waits, as far as that is soon done."""
        self._outlets.close()


def read_told(path: Path) -> dict[str, Condition]:
    """Return what was told and is not known to be over, by key; none if that is not known."""
    try:
        conditions = [Condition(**each) for each in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError):
        return {}  # at worst something is told twice
    sound = (each for each in conditions if isinstance(each.key, str) and each.severity in SEVERITIES)
    return {each.key: each for each in sound}
