"""The desk on the terminal, laid out by its size: the nodes, where they can be reached, what the maker does."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from rich.text import Text

from market.clock import iso_time
from market.instrument import format_decimal
from market.words import counted, state_text
from screens.market import market_text
from screens.money import amount_text, gain_text, money_text, percent_text
from screens.pace import Pace, rate_text, took_text

_STYLES: Final = {"ready": "green", "silent": "red", "failed": "red"} | dict.fromkeys(
    ("starting", "warming", "restarting", "stopping", "waiting"), "yellow"
)
_RIGHT: Final = frozenset({"pid", "uptime", "restarts", "per s", "median", "99 %"})
# Of the table's columns, when there is no room.
_DROPPED: Final = ("restarts", "pid", "uptime", "endpoint", "99 %", "median", "per s")
_WIDE: Final = 70  # columns of a terminal from which on labels are spelt out
_GAP: Final = "  "
_SIDES: Final = ("bid", "ask")
UNBOUNDED: Final = 10_000  # what is not a terminal has as many columns and rows as it takes

Status = Mapping[str, Any]
_NAMES: Final = {  # of the lines below the table: wide and narrow
    "api": ("dashboard", "web"),
    "paper": ("paper exchange", "paper"),
    "gateway": ("order gateway", "gateway"),
    "feed": ("book feed", "feed"),
    "maker": ("maker", "maker"),
    "bid": ("why the bid", "bid"),
    "ask": ("why the ask", "ask"),
    "rule": ("last rule", "rule"),
    "venue": ("venue answers", "venue"),
    "today": ("today", "today"),
    "fill": ("last fill", "fill"),
    "account": ("account", "account"),
}


def desk_screen(
    status: Status, width: int, height: int, hint: str = "", paces: Mapping[str, Pace] | None = None
) -> Text:
    """Return the desk in at most `height` lines of at most `width` columns; with `paces` how fast each node goes, too.

    What does not fit goes, the least important first: how to reach the desk, the market, the nodes' table (of which
    one line stays). What the maker does, and the way out, are always there.
    """
    paces = {} if paces is None else paces
    head = [Text(f"tickbus · {status['symbol']} on {status['venue']} · {status['run_dir']}", "bold")]
    market = [Text(line, "dim") for line in wrap(market_text(status.get("market", {})), width)]
    table, addresses, below = _table(status, width, paces), _addresses(status, width), _activity(status, width, paces)
    if len(below) >= height:  # how it goes may be asked again, what it holds may not be missed
        below = _activity(status, width, {}, is_short=True)
    below += [Text(hint, "dim")] if hint else []
    room = height - len(below)
    parts: list[list[Text]] = []
    for lines in (head, table, addresses, market):
        fits = len(lines) <= room
        parts.append(lines if fits else _summary(status) if lines is table and room > 0 else [])
        room -= len(parts[-1])
    head, table, addresses, market = parts
    lines = [*head, *market, *table, *addresses, *below][-height:]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def withdrawn_text(withdrawn: Mapping[str, Any], go_on: str) -> str:
    """Return how far the maker has withdrawn, since when, and the commands that take it back."""
    since = withdrawn["since"].replace("T", " ").removesuffix("Z")
    return f"WITHDRAWN {withdrawn['stage']}: {withdrawn['why']}; since {since} UTC; go on with: {go_on}"


def halted_text(symbols: Sequence[str], go_on: str) -> str:
    """Return which symbols are halted, and the command that takes it back."""
    return f"HALTED {', '.join(symbols)}: no new orders; go on with: {go_on}"


def day_lines(status: Status) -> list[str]:
    """Return two lines on the day that a desk has had: what was done and earned, and what is open."""
    figures = _figures(status)
    tracker = figures.get("tracker", {})
    if "trades" not in tracker:
        return []
    trades, buys, sells = (counted(tracker[f"{each}s"], each) for each in ("trade", "buy", "sell"))
    own = figures.get("paper", {}).get("own_orders")
    orders = [] if own is None else [counted(len(own), "open order") if own else "no open orders"]
    return [
        f"today: {trades} ({buys}, {sells}), {', '.join([*_gains(tracker), *_until(tracker)])}",
        f"open: {', '.join([*_holdings(tracker), *orders])}",
    ]


def uptime_text(seconds: float) -> str:
    """Return a duration as a person says it: `12 s`, `3 m 05 s`, `2 h 10 m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60:02d} m"


# --- the nodes ---


def _table(status: Status, width: int, paces: Mapping[str, Pace]) -> list[Text]:
    rows = [_cells(row, paces.get(row["node"], Pace())) for row in status["nodes"]]
    columns = [name for name in rows[0] if name in ("node", "state") or any(row[name] for row in rows)] if rows else []
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in columns}
    for name in _DROPPED:
        if sum(widths[each] + len(_GAP) for each in columns) - len(_GAP) <= width:
            break
        columns = [each for each in columns if each != name]
    lines = [Text(_line({name: name for name in columns}, columns, widths), "dim")]
    for row, cells in zip(status["nodes"], rows, strict=True):
        line = Text(_line(cells, columns, widths))
        line.highlight_regex(rf"(?<= ){row['state']}(?= |:|$)", _STYLES.get(row["state"], "dim"))
        lines.append(line)
    return lines


def _cells(row: Mapping[str, Any], pace: Pace) -> dict[str, str]:
    doing = row.get("doing") or row.get("why")
    return {
        "node": row["node"],
        "state": row["state"] + (f": {doing}" if doing else ""),
        "endpoint": row["endpoints"].get("http") or row["endpoints"].get("tcp") or "",
        "pid": str(row["pid"] or ""),
        "uptime": "" if row["uptime_s"] is None else uptime_text(row["uptime_s"]),
        "restarts": str(row["restarts"] or ""),
        "per s": rate_text(pace.per_s),
        "median": took_text(pace.median_ns),
        "99 %": took_text(pace.most_ns),
    }


def _line(cells: Mapping[str, str], columns: Sequence[str], widths: Mapping[str, int]) -> str:
    return _GAP.join(
        cells[name].rjust(widths[name]) if name in _RIGHT else cells[name].ljust(widths[name]) for name in columns
    ).rstrip()


def _summary(status: Status) -> list[Text]:
    """Return the nodes in one line, those that are not ready first."""
    others = [f"{row['node']} {row['state']}" for row in status["nodes"] if row["state"] != "ready"]
    ready = len(status["nodes"]) - len(others)
    return [Text(", ".join([*others, f"{counted(ready, 'other node' if others else 'node')} ready"]))]


# --- the lines below ---


def _addresses(status: Status, width: int) -> list[Text]:
    at: dict[str, list[str]] = {}
    for row in status["nodes"]:
        for name, address in row["endpoints"].items():
            at.setdefault(f"{row['kind']} {name}", []).append(address)
    shown = {
        "api": [*at["api http"], "the book as JSON /api/orderbook"] if "api http" in at else [],
        "paper": at.get("paper http", []),
        "gateway": [f"tcp {address}" for address in at.get("gateway tcp", [])],
        "feed": at.get("engine feed", []),
    }
    return [Text(line) for name, phrases in shown.items() for line in _packed(name, phrases, width, ", ")]


def _activity(status: Status, width: int, paces: Mapping[str, Pace], *, is_short: bool = False) -> list[Text]:
    figures, states = _figures(status), {row["node"]: row["state"] for row in status["nodes"]}
    tracker = figures.get("tracker", {})
    of_engines = [row["figures"].get("halted", ()) for row in status["nodes"] if row["kind"] == "engine"]
    halted = sorted({*status.get("halted", ()), *chain.from_iterable(of_engines)})
    lines = [
        Text(line, "bold red") for line in wrap(_halt(status, halted) if halted else "", width, break_on_hyphens=False)
    ]
    if status.get("withdrawn"):
        down = states.get("maker") in ("stopped", "failed")
        text = withdrawn_text(status["withdrawn"], _go_on(status, "resume", *(["start maker"] if down else [])))
        lines += [Text(line, "bold red") for line in wrap(text, width, break_on_hyphens=False)]
    for beyond in _beyond(status, figures.get("maker", {}), states.get("maker", "")):
        lines += [Text(line, "bold red") for line in wrap(beyond, width, break_on_hyphens=False)]
    for behind in _behind(tracker):
        lines += [Text(line, "bold red") for line in wrap(behind, width, break_on_hyphens=False)]
    for row in status["nodes"]:
        lines += [Text(line, style) for text, style in _standby(row) for line in wrap(text, width)]
    maker, state = figures.get("maker", {}), states.get("maker", "")
    sections = [("maker", _quotes(maker, state))]
    told = () if is_short else _SIDES  # the codes of what holds a side up stand in the line before
    sections += [(side, _phrases_of(_held_up(maker, state, side), width)) for side in told]
    if paces:
        sections += [("rule", _last_rule(figures.get("maker", {}))), ("venue", _answers(paces.get("maker", Pace())))]
    if "trades" in tracker:
        until = _until(tracker, states.get("tracker", "ready"))
        sections.append(("today", [*_gains(tracker), counted(tracker["trades"], "trade"), *until]))
        if last := tracker["last_fill"]:
            fill = f"{last['side']} {last['qty']} at {_price(last['price'])}"
            sections.append(("fill", [f"{iso_time(last['time_ms'])[11:19]} UTC", fill]))
        sections.append(("account", _holdings(tracker)))
    for name, phrases in sections:
        lines += map(Text, _packed(name, phrases, width, " · "))
    return lines


def _standby(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield how an engine and its standby are, each in a line with its style; nothing of one without."""
    figures, name = row["figures"], row["node"]
    if waits := figures.get("waits_for"):
        yield f"{name}: {waits}", "bold red"
    elif figures.get("standby_follows"):
        yield f"{name}: a standby follows, {_lag(figures['standby_lag'], figures['standby_lag_ms'])}", ""
    elif figures.get("standby_follows") is False:
        yield f"{name}: no standby follows", "yellow"
    if figures.get("role") != "standby":
        return
    if figures["is_refused"]:
        yield f"{name}: another standby follows its primary", "bold red"
    elif not figures["is_following"]:
        yield f"{name}: a standby, whose primary is silent; {figures['journal']} is what it has", "bold red"
    else:
        same = f", the same state behind record {figures['hash_equal_at']:,}" if figures["hash_equal_at"] else ""
        awaited = "" if figures["is_awaited"] else "; its primary does not wait for it"
        yield f"{name}: a standby, {_lag(figures['lag'], figures['lag_ms'])}{same}{awaited}", ""


def _lag(records: int, ms: float) -> str:
    return f"{counted(records, 'record')} and {ms:g} ms behind"


def _halt(status: Status, symbols: Sequence[str]) -> str:
    """Return what is halted."""
    return halted_text(symbols, _go_on(status, "resume"))


def _go_on(status: Status, *commands: str) -> str:
    """Return the commands that take a halt or a withdrawal back, from where the reader stands."""
    run_dir = status["run_dir"]
    named = "" if run_dir == str(Path("run").resolve()) else f" --run-dir {run_dir}"
    return ", then: ".join(f"python cli.py {each}{named}" for each in commands)


def _quotes(maker: Mapping[str, Any], state: str) -> list[str]:
    failing = maker.get("failing")
    if "mid" not in maker and not failing:
        return []
    if state not in ("ready", "silent"):
        return [f"{state_text(state).removeprefix('is ')}, it quotes nothing"]
    if failing:
        return [failing, "orders there stay as they are"]
    sides = [_side(maker, side) for side in _SIDES]
    is_empty = "NO_MID" in (maker.get("bid_rule"), maker.get("ask_rule"))
    none = "no mid: a side of the book is empty" if is_empty else "no mid"  # a maker that is halted has not looked
    mid = f"mid {_price(maker['mid'])}" if maker["mid"] else none
    presence = maker.get("presence_minute")
    present = [] if presence is None else [f"two-sided {percent_text(Decimal(presence))} of last minute"]
    said = ["it is silent: so it said last"] if state == "silent" else []
    return [sides[0], mid, sides[1], *said, *present, *([maker["slow"]] if maker.get("slow") else [])]


def _side(maker: Mapping[str, Any], side: str) -> str:
    """Return a quote, or that there is none, with the codes of the rule that is so by and of the limits that bind."""
    bound, rule = maker.get(f"{side}_bound") or [], maker.get(f"{side}_rule")
    is_quoted = bool(maker.get(side))
    codes = [*([rule] if rule and not is_quoted else []), *bound]
    told = f"{side} {_price(maker[side])}" if is_quoted else f"no {side}"
    return f"{told}: {', '.join(dict.fromkeys(codes))}" if codes else told


def _held_up(maker: Mapping[str, Any], state: str, side: str) -> list[str]:
    """Return what keeps a side from being quoted, or takes something from it, in words; nothing of a side as wanted."""
    if state not in ("ready", "silent") or maker.get("failing"):
        return []
    if idle := maker.get(f"{side}_idle"):
        return [idle]
    return list(maker.get(f"{side}_bound_why") or [])


def _phrases_of(texts: Sequence[str], width: int) -> list[str]:
    """Return texts in pieces of which each fits into a line behind a label."""
    return [piece for text in texts for piece in wrap(text, width - _indent(width))]


def _last_rule(maker: Mapping[str, Any]) -> list[str]:
    """Return what the maker has decided last, by which rule, and why."""
    if (last := maker.get("last_decision")) is None:
        return []
    side = "" if last["side"] is None else f" {last['side']}"
    return [f"{last['time'][11:19]} UTC", f"{last['action']}{side} {last['rule']}", last["why"]]


def _answers(pace: Pace) -> list[str]:
    if pace.answers_ns is None:
        return []
    median_ns, most_ns = pace.answers_ns
    return [f"half of them within {took_text(median_ns)}", f"99 % within {took_text(most_ns)}"]


def _beyond(status: Status, maker: Mapping[str, Any], state: str) -> Iterator[str]:
    """Yield that the maker holds more than its limit, as one may that was started with a lower one."""
    use = Decimal(maker.get("position_use", 0))
    if use <= 1 or state not in ("ready", "silent"):
        return
    stage = (status.get("withdrawn") or {}).get("stage")
    is_quoted = stage in (None, "widens", "stops new") and not status.get("halted")
    told = f"The position is {format_decimal(use)} times its limit"
    told += ": only orders that make it smaller are placed" if is_quoted else ""
    if use >= Decimal(maker.get("position_use_max", "Infinity")):
        flatten = _go_on(status, "flatten")
        told += f"; until it is smaller a resume does not last: {flatten}, or start with a larger limit"
    yield told


def _behind(tracker: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of the tracker's files lacks what is new, since when, and why: it goes on by itself."""
    for name, figure in (("daily file", "failing"), ("history", "history_failing")):
        if failing := tracker.get(figure):
            since = failing["since"].replace("T", " ").removesuffix("Z")
            yield f"The {name} is behind since {since} UTC: {failing['why']}"


def _until(tracker: Mapping[str, Any], state: str = "ready") -> list[str]:
    """Return of when the day's figures are, where they are not of now: its file is behind, or the tracker is away."""
    read_ms = tracker.get("read_ms")
    if not read_ms or (state == "ready" and not tracker.get("failing")):
        return []
    text = iso_time(read_ms)[:19].replace("T", " ")
    return [f"as of {text if state != 'ready' else text[11:]} UTC"]  # who is away may be so since another day


def _gains(tracker: Mapping[str, Any]) -> list[str]:
    quote = tracker["quote"]
    gains = [f"PnL {gain_text(_decimal(tracker['pnl']), quote)} realized"]
    if tracker["unrealized"] is not None:
        gains.append(f"{gain_text(Decimal(tracker['unrealized']), quote)} unrealized")
    return gains


def _holdings(tracker: Mapping[str, Any]) -> list[str]:
    base, position = tracker["base"], _decimal(tracker["position"])
    sign = "+" if position and position > 0 else ""
    held = [f"position {sign}{amount_text(position, base)} {base}" if position else "no position"]
    if tracker["equity"] is not None:
        assets = "+".join(tracker["equity_assets"])
        held.append(f"equity of {assets} {money_text(Decimal(tracker['equity']), tracker['equity_asset'])}")
    return held


def _packed(name: str, phrases: Sequence[str], width: int, joint: str) -> Iterator[str]:
    """Yield lines that begin with a label or its indent; a phrase is never broken, but cut if it is too long alone."""
    label, indent, line = _NAMES[name][0 if width >= _WIDE else 1], _indent(width), ""
    for phrase in phrases:
        if line and indent + len(line) + len(joint) + len(phrase) > width:
            yield label.ljust(indent) + line
            label, line = "", phrase
        else:
            line += (joint if line else "") + phrase
    if line:
        yield label.ljust(indent) + line


def _indent(width: int) -> int:
    return 17 if width >= _WIDE else 8


def _figures(status: Status) -> dict[str, Mapping[str, Any]]:
    return {row["node"]: row["figures"] for row in status["nodes"]}


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _price(text: str) -> str:
    return f"{Decimal(text).normalize():,f}" if Decimal(text) % Decimal("0.01") else f"{Decimal(text):,.2f}"
