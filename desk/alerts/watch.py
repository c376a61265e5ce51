"""What a person is to be told of a desk: what has begun, what is over, and what has happened, each of them once."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Final, Literal, NamedTuple

from desk.alerts.severities import Severity
from desk.client import advised
from market.clock import NS_PER_SECOND
from market.words import counted, state_text

NODE_S: Final = 5.0  # a node that is killed is back within a second: that is told as a restart
IDLE_S: Final = 60.0  # a side without a quote has a pause now and then
_SAID: Final = ("failing", "stale", "identity", "standby", "idle")  # what a node says of itself: how their keys begin
Status = Mapping[str, Any]


class Condition(NamedTuple):
    """Something that should not be, for as long as it is.

    Attributes:
        key: which, the same from its beginning to its end.
        text: one line for a person, which may change.
        after_s: how long it has to be before anybody is told.
    """

    key: str
    severity: Severity
    text: str
    after_s: float = 0.0


class Alert(NamedTuple):
    """What is told, once.

    Attributes:
        state: `begins` and `ends` of a condition, `happens` of what has no length.
    """

    state: Literal["begins", "ends", "happens"]
    key: str
    severity: Severity
    text: str


def conditions(status: Status) -> Iterator[Condition]:
    """Yield what should not be of a desk that has been ready, from the status of its supervisor."""
    for symbol in status["halted"]:
        text = f"{symbol} is halted; go on with: {advised(f'resume --symbol {symbol}', status)}"
        yield Condition(f"halted {symbol}", "warning", text)
    if status["withdrawn"]:
        yield Condition("withdrawn", "critical", f"a limit has made the maker withdraw: {advised('status', status)}")
    for row in status["nodes"]:
        yield from _of_node(row, status)


def _of_node(row: Mapping[str, Any], status: Status) -> Iterator[Condition]:
    name, figures = row["node"], row["figures"]
    why = f": {row['why']}" if row["why"] else ""
    if row["state"] == "stopped":
        text = f"{name} is stopped by hand{why}; go on with: {advised(f'start {name}', status)}"
        yield Condition(f"stopped {name}", "warning", text)
    elif row["state"] not in ("ready", "stopping"):  # only a person makes a node stop of a desk that goes on
        yield Condition(f"down {name}", "critical", f"{name} {state_text(row['state'])}{why}", NODE_S)
    if row["state"] != "ready":
        return  # what it last said of itself is old
    if failing := figures.get("failing") or figures.get("history_failing"):
        text = failing["why"] if isinstance(failing, Mapping) else failing
        severity: Severity = "critical" if row["kind"] == "maker" else "warning"
        yield Condition(f"failing {name}", severity, f"{name}: {text}", NODE_S)
    if silent := (figures.get("heard") or {}).get("silent"):
        yield Condition(f"stale {name}", "warning", f"{name}: the venue's streams tell nothing: {silent}", NODE_S)
    if figures.get("is_sound") is False:
        says = advised("report", status)
        text = f"what the trades moved is not what the account has: {says} says by how much"
        yield Condition(f"identity {name}", "critical", text)
    if figures.get("standby_follows") is False:
        yield Condition(f"standby {name}", "critical", f"no standby follows {name}", NODE_S)
    for side in ("bid", "ask") if row["kind"] == "maker" and not figures.get("halted") else ():
        if why := figures.get(f"{side}_idle"):
            yield Condition(f"idle {name} {side}", "warning", f"{name} has no {side}: {why}", IDLE_S)


def _is_known(key: str, rows: Mapping[str, Mapping[str, Any]]) -> bool:
    """Say whether a condition of a key would be among `conditions` if it stood.

    Args:
        rows: of the nodes, by name.
    """
    said, _, rest = key.partition(" ")
    row = rows.get(rest.partition(" ")[0])
    if said not in _SAID or row is None:
        return True
    figures = row["figures"]
    is_silent = {"idle": figures.get("halted"), "identity": figures.get("is_sound") is None}  # it has only started
    return row["state"] == "ready" and not is_silent.get(said)


class Watch:
    """What stands at one desk, and which of it was told.

    Args:
        told: the conditions that were told to have begun and not to have ended, by key, as `told` was at the last end.
    """

    def __init__(self, told: Mapping[str, Condition]) -> None:
        self.told = dict(told)
        self._since_ns: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self._fills: dict[str, tuple[int, int]] = {}  # by node: of which process, and the number of the last one

    def look(self, status: Status, now_ns: int) -> list[Alert]:
        """Return what is to be told now.

        Args:
            status: the supervisor's.
            now_ns: monotonic.
        """
        alerts = [*self._happened(status["nodes"])]
        if status["is_ready"]:  # nodes that start for the first time are not down, and what was told may stand still
            rows = {row["node"]: row for row in status["nodes"]}
            known = {key for key in self.told if _is_known(key, rows)}
            alerts += self._changed({each.key: each for each in conditions(status)}, known, now_ns)
        return alerts

    def _changed(self, standing: Mapping[str, Condition], known: Set[str], now_ns: int) -> Iterator[Alert]:
        self._since_ns = {key: self._since_ns.get(key, now_ns) for key in standing}
        for key, one in standing.items():
            if key not in self.told and now_ns - self._since_ns[key] >= one.after_s * NS_PER_SECOND:
                self.told[key] = one
                yield Alert("begins", key, one.severity, one.text)
        for key in [key for key in self.told if key in known and key not in standing]:
            one = self.told.pop(key)
            yield Alert("ends", key, one.severity, f"over: {one.text}")

    def _happened(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Alert]:
        for row in rows:
            name, count = row["process"], row["restarts"]  # of several nodes, perhaps: told once
            if count > self._restarts.get(name, 0):
                text = f"{name} ended and is started again ({count})" + (f": {row['why']}" if row["why"] else "")
                yield Alert("happens", f"restart {name}", "warning", text)
            self._restarts[name] = count
            yield from self._filled(row)

    def _filled(self, row: Mapping[str, Any]) -> Iterator[Alert]:
        if row["state"] != "ready":
            return  # what it shows may be of the process before
        last_pid, last = self._fills.get(row["node"], (0, 0))
        for fill in row["figures"].get("recent_fills", ()):
            if row["pid"] != last_pid:
                last_pid, last = row["pid"], 0
            if fill["number"] > last:
                missed = fill["number"] - last - 1  # it shows its last ones alone
                before = f" ({counted(missed, 'fill')} before it, not told one by one)" if missed else ""
                last = fill["number"]
                text = f"{row['node']}: {fill['side']} {fill['qty']} at {fill['price']}{before}"
                yield Alert("happens", f"fill {row['node']}", "info", text)
        self._fills[row["node"]] = last_pid, last
