"""What a screen of the desk depends on: how old each source is, when it is called stale, and what is wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from desk.alerts.watch import conditions
from market.clock import NS_PER_MS, NS_PER_SECOND
from market.exact_json import JsonObject
from market.words import state_text
from nodes.api.desk_values import Status, row_of

STALE_NS: Final = 1_600 * NS_PER_MS  # an engine tells every second that it is there, a node twice a second
READING_NS: Final = 3 * NS_PER_SECOND  # that a tracker may be late with its next reading
ASKED_NS: Final = 20 * NS_PER_SECOND  # a maker asks for its open orders every 5 s
BEHIND_MS_MAX: Final = 1_000  # Binance refuses what is signed with a time so far ahead of its own ...
AHEAD_MS_MAX: Final = 5_000  # ... or so far behind; a trade's way to us is in it
_AWAY: Final = ("down", "stopped")  # how keys of alerts begin that tell of a node as its source does, if it has one
_WRONG: Final = ("failing", "identity", "standby")  # ... and of those that no source tells
_ASKED_AFTER: Final = "tells when the book changes; asked after 3 s of silence"


class DeskView(NamedTuple):
    """What the api knows of the desk.

    Attributes:
        status: the supervisor's last answer, None before the first: a node that runs alone gets none.
        asked_ns: when it came, monotonic.
        command: the last command of the dashboard, and what it has said so far.
        alerts: those that stand, and the last ones; see `nodes.api.told_alerts`.
        latencies: of each stage; see `nodes.api.latency_meter`.
    """

    status: Status | None
    asked_ns: int
    command: JsonObject | None = None
    alerts: JsonObject | None = None
    latencies: Sequence[JsonObject] = ()


class Source(NamedTuple):
    """Something that the screen depends on.

    Attributes:
        age_ns: since it was heard; None if it never was.
        trouble: what is wrong with it; empty if nothing is.
        limit_ns: how old it is called stale; None where silence alone says nothing, as of orders that do not change.
        note: what else there is to know of it.
    """

    name: str
    age_ns: int | None
    trouble: str
    limit_ns: int | None = None
    note: str = ""


def sources_of_desk(desk: DeskView, now_ns: int, time_ns: int, reading_ns: int) -> Iterator[Source]:
    """Yield what the supervisor tells, and its maker and tracker.

    Args:
        now_ns: monotonic.
        time_ns: since 1970 UTC.
        reading_ns: how old the tracker's last reading of the account may be.
    """
    if desk.status is None:
        yield Source("desk", None, "no supervisor has answered: nothing is known of the nodes", STALE_NS)
        return
    age_ns = now_ns - desk.asked_ns
    yield Source("desk", age_ns, _silent("the supervisor", age_ns), STALE_NS)
    if (maker := row_of(desk.status, "maker")) is not None:
        source = _node_source("maker", maker, age_ns)
        yield source
        if heard := maker["figures"].get("heard"):
            yield from _of_venue(heard, time_ns, is_known=not source.trouble)
    if (tracker := row_of(desk.status, "tracker")) is not None:
        source = _node_source("tracker", tracker, age_ns)
        if read_ms := tracker["figures"].get("read_ms"):
            since_ns = time_ns - read_ms * NS_PER_MS
            late = "the account was not read of late" if since_ns > reading_ns else ""
            source = Source("account", since_ns, source.trouble or late, reading_ns)
        yield source


def _of_venue(heard: Mapping[str, Any], time_ns: int, *, is_known: bool) -> Iterator[Source]:
    """Yield the ways between the maker and its venue, as the maker tells; of a maker that is not well, without a word.

    Args:
        heard: see `nodes.maker.traffic.Heard`.
    """
    silent = heard["silent"] or ""
    ages = {way: _since(heard[f"{way}_ms"], time_ns) for way in ("market", "account", "rest")}
    streams = f"the venue's streams tell nothing: {silent}" if silent else ""
    unanswered = "the venue has answered no question of late" if _is_over(ages["rest"], ASKED_NS) else ""
    lag_ms, wrong, note = heard["lag_ms"], "", ""
    if lag_ms is not None:
        note = f"trades come {lag_ms:,} ms after their time there"
        if not -BEHIND_MS_MAX <= lag_ms <= AHEAD_MS_MAX:
            wrong = f"our clock is not the venue's: {note}"
    for source in (
        Source("market stream", ages["market"], streams, None, _ASKED_AFTER),
        Source("user stream", ages["account"], streams, None, "tells when an order of ours changes"),
        Source("rest", ages["rest"], unanswered, ASKED_NS),
        Source("clock", None if lag_ms is None else ages["market"], wrong, None, note),
    ):
        yield source if is_known else source._replace(trouble="")


def sources_value(sources: Sequence[Source]) -> JsonObject:
    """Return ages and limits by name, ms, and what there is to note of some."""
    return {
        "ages_ms": {each.name: _ms(each.age_ns) for each in sources},
        "limits_ms": {each.name: _ms(each.limit_ns) for each in sources},
        "notes": {each.name: each.note for each in sources if each.note},
    }


def troubles_value(sources: Sequence[Source], status: Status | None, engine: str) -> list[list[str]]:
    """Return what is wrong, each with its source, or with the node that it is of: those that no source tells of, too.

    Args:
        status: None before the first; of one that is old nothing is told.
        engine: the node of which the feed tells.
    """
    told = [[each.name, each.trouble] for each in sources if each.trouble]
    troubles = {name for name, _ in told}
    if status is None or "desk" in troubles:
        return told
    named = {engine: {"feed"}, "tracker": {"tracker", "account"}}
    for each in conditions(status):
        kind, _, node = each.key.partition(" ")
        if kind in _WRONG or (kind in _AWAY and not troubles & named.get(node, {node})):
            told.append([node, each.text])
    return told


def journal_value(status: Status, engine: str) -> JsonObject | None:
    """Return how far the journal of an engine is, None if that is not known."""
    row = next((each for each in status["nodes"] if each["node"] == engine), None)
    if row is None or "journal_records" not in row["figures"]:
        return None
    return {"records": row["figures"]["journal_records"], "waiting": row["figures"].get("journal_waiting")}


def _node_source(name: str, row: Mapping[str, Any], asked_ns: int) -> Source:
    heard_s = row.get("heard_s")
    age_ns = None if heard_s is None else int(heard_s * NS_PER_SECOND) + asked_ns
    if row["state"] != "ready":
        return Source(name, age_ns, f"the {name} {state_text(row['state'])}", STALE_NS)
    return Source(name, age_ns, _silent(f"the {name}", age_ns), STALE_NS)


def _silent(who: str, age_ns: int | None) -> str:
    return f"{who} is silent" if age_ns is None or _is_over(age_ns, STALE_NS) else ""


def _is_over(age_ns: int | None, limit_ns: int) -> bool:
    return age_ns is not None and age_ns > limit_ns


def _since(time_ms: int | None, time_ns: int) -> int | None:
    return None if time_ms is None else max(0, time_ns - time_ms * NS_PER_MS)


def _ms(age_ns: int | None) -> int | None:
    return None if age_ns is None else age_ns // NS_PER_MS
