"""The alerts of a desk: which were told outlives the desk, so that none is told twice, and none that waits is lost."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from desk.alerts.outlets import AlertOutlets, Delivery, Tell
from desk.alerts.severities import SEVERITIES
from desk.alerts.watch import Alert, Condition, Status, Watch
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
        self._kept = _read(self._path)
        self._watch = Watch({each.condition.key: each.condition for each in self._kept if not each.is_untold})

    def look(self, status: Status, now_ns: int) -> None:
        """Tell what is new; `now_ns` is monotonic."""
        for alert in self._watch.look(status, now_ns):
            self._outlets.give(alert)
        self._keep()

    def close(self) -> None:
        """Deliver what waits, as far as that is soon done, and keep what is on its way still."""
        self._outlets.close()
        self._keep()

    def _keep(self) -> None:
        kept = _kept(self._watch.told, self._outlets.undelivered)
        if kept != self._kept:
            rows = [{**each.condition._asdict(), **each.on_its_way} for each in kept]
            try:
                write_whole(self._path, json.dumps(rows).encode())
            except OSError:
                return  # a full disk: tried again the next time
            self._kept = kept


def read_told(path: Path) -> dict[str, Condition]:
    """Return what was told, or is on its way, and is not known to be over, by key; none if that is not known."""
    return {each.condition.key: each.condition for each in _read(path) if not each.is_over}


class _Kept(NamedTuple):
    """A condition as the file has it; what is on its way is told again by the desk after one that was killed.

    Attributes:
        is_untold: whether its beginning is still on its way.
        is_over: whether it stands no more, and that is still on its way.
    """

    condition: Condition
    is_untold: bool = False
    is_over: bool = False

    @property
    def on_its_way(self) -> Mapping[str, bool]:
        """What of it is, by name."""
        return {name: True for name in ("is_untold", "is_over") if getattr(self, name)}


def _kept(told: Mapping[str, Condition], waiting: Sequence[Alert]) -> list[_Kept]:
    """Return what is to be kept of conditions that were told, while some of that waits to be delivered."""
    begun = {each.key for each in waiting if each.state == "begins"}
    ended = {each.key: each for each in waiting if each.state == "ends" and each.key not in {*told, *begun}}
    return [
        *(_Kept(each, is_untold=key in begun) for key, each in told.items()),
        *(_Kept(Condition(key, each.severity, each.text), is_over=True) for key, each in ended.items()),
    ]


def _read(path: Path) -> list[_Kept]:
    try:
        rows = [dict(each) for each in json.loads(path.read_bytes())]
        ways = [{name: bool(row.pop(name, False)) for name in ("is_untold", "is_over")} for row in rows]
        kept = [_Kept(Condition(**row), **way) for row, way in zip(rows, ways, strict=True)]
    except (OSError, ValueError, TypeError):
        return []  # at worst something is told twice
    return [each for each in kept if isinstance(each.condition.key, str) and each.condition.severity in SEVERITIES]
