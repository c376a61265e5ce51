"""The desk's screen at the sizes that terminals have."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from screens.desk import UNBOUNDED, day_lines, desk_screen
from screens.frame import ansi_lines, narrowed
from screens.pace import Pace

SIZES = [(40, 12), (40, 24), (80, 20), (80, 24), (120, 40)]
HINT = "Ctrl-C stops everything"


def _row(node: str, pid: int, figures: dict[str, Any] | None = None, **endpoints: str) -> dict[str, Any]:
    return {
        "node": node,
        "kind": node,
        "process": node,
        "pid": pid,
        "state": "ready",
        "doing": "",
        "why": "",
        "uptime_s": 65.0,
        "restarts": 0,
        "endpoints": endpoints,
        "figures": figures or {},
    }


STATUS: dict[str, Any] = {
    "run_dir": "/home/somebody/with/a/long/name/tickbus/run",
    "pid": 1,
    "venue": "paper",
    "symbol": "BTCUSDT",
    "market": {
        "venue": "paper",
        "flow": "synthetic:practice",
        "seed": "7",
        "maker_fee": "0.001",
        "taker_fee": "0.001",
    },
    "is_ready": True,
    "start_s": 4.2,
    "nodes": [
        _row("engine", 27829, {"halted": []}, feed="ipc:///home/somebody/with/a/long/name/tickbus/run/feed.ipc"),
        _row("gateway", 27838, tcp="127.0.0.1:8083"),
        _row("paper", 27839, {"own_orders": [2, 3]}, http="http://127.0.0.1:8084"),
        _row("flow", 27840),
        _row("api", 27841, http="http://127.0.0.1:8082"),
        _row("maker", 27857, {"bid": "91202.23000000", "mid": "91397.635", "ask": "91566.84000000"}),
        _row(
            "tracker",
            27858,
            {
                "trades": 1,
                "buys": 0,
                "sells": 1,
                "pnl": "-1.25",
                "position": "-0.01092",
                "unrealized": "1.99",
                "equity": "101384.5",
                "equity_asset": "USDT",
                "equity_assets": ["BTC", "USDT"],
                "base": "BTC",
                "quote": "USDT",
                "last_fill": {
                    "time_ms": 1_795_347_573_844,
                    "symbol": "BTCUSDT",
                    "side": "SELL",
                    "qty": "0.01092",
                    "price": "91566.84",
                },
            },
        ),
    ],
}


def status_with(node: str, **changes: Any) -> dict[str, Any]:
    """Return the status with changes to one node's row."""
    status = copy.deepcopy(STATUS)
    row = next(row for row in status["nodes"] if row["node"] == node)
    row["figures"] |= changes.pop("figures", {})
    row |= changes
    return status


def printed(status: dict[str, Any], width: int, height: int) -> list[str]:
    """Return the lines that a terminal of this size shows."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(desk_screen(status, width, height, HINT))
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_fits_and_keeps_what_matters(width: int, height: int) -> None:
    """At 80 columns the maker's line wrapped, at 40 cells became "en...", short terminals lost the last lines."""
    lines = printed(STATUS, width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert lines[-1] == HINT
    for phrase in ("bid 91,202.23", "mid 91,397.635", "ask 91,566.84", "PnL -$1.25 realized", "+$1.99 unrealized"):
        assert phrase in text
    for phrase in (
        "1 trade",
        "position -0.01092 BTC",
        "equity of BTC+USDT $101,384.50",
        "11:39:33 UTC",
        "SELL 0.01092 at 91,566.84",
    ):
        assert phrase in text
    assert "1 trades" not in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_breaks_no_phrase(width: int, height: int) -> None:
    """A line is broken between two phrases, never within one."""
    for line in printed(STATUS, width, height):
        assert not line.endswith((" ·", ",")), line
        assert "…" not in line or "run" in line or "ipc" in line or "/home" in line, line


def test_shows_every_node_where_there_is_room() -> None:
    """A table of nodes, the addresses and the market; 80 by 24 is what most terminals begin with."""
    lines = printed(STATUS, 80, 24)
    for row in STATUS["nodes"]:
        assert any(line.startswith(row["node"]) and str(row["pid"]) in line for line in lines), row["node"]
    assert any(line == "paper exchange   http://127.0.0.1:8084" for line in lines)
    assert "paper exchange, synthetic market (practice, seed 7); fees 0.1 % maker, 0.1 % taker" in "\n".join(
        printed(STATUS, 120, 40)
    )


def test_table_drops_columns_before_it_cuts_cells() -> None:
    """Where a node answers goes before its name and its state do."""
    lines = printed(STATUS, 40, 24)
    assert next(line for line in lines if line.startswith("node")).split() == ["node", "state", "endpoint"]
    assert next(line for line in printed(STATUS, 30, 24) if line.startswith("node")).split() == ["node", "state"]


def test_short_terminal_names_the_nodes_that_are_not_ready() -> None:
    """One line stays of the table."""
    text = "\n".join(printed(status_with("engine", state="restarting"), 40, 12))
    assert "engine restarting, 6 other nodes ready" in text
    assert "7 nodes ready" in "\n".join(printed(STATUS, 40, 12))


def test_says_what_a_node_does_that_starts_slowly() -> None:
    """A start that takes long is no silence, and is shown as what it is."""
    lines = printed(status_with("engine", state="warming", doing="replays its journal"), 120, 40)
    assert any(line.startswith("engine") and "warming: replays its journal" in line for line in lines)


def test_halted_desk_keeps_its_figures() -> None:
    """The way on is said beside them, not in their place."""
    lines = printed(status_with("engine", figures={"halted": ["BTCUSDT", "ETHUSDT"]}), 80, 24)
    text = "\n".join(lines)
    resume = f"python cli.py resume --run-dir {STATUS['run_dir']}"
    assert f"HALTED BTCUSDT, ETHUSDT: no new orders; go on with: {resume}" in " ".join(lines)
    assert "PnL -$1.25 realized" in text
    assert "bid 91,202.23" in text


def test_way_on_from_a_halt_is_short_where_the_desk_is_the_usual_one() -> None:
    """Whoever stands beside its run directory need not name it."""
    status = status_with("engine", figures={"halted": ["BTCUSDT"]}) | {"run_dir": str(Path("run").resolve())}
    assert any(line.endswith("go on with: python cli.py resume") for line in printed(status, 120, 40))


def test_stopped_maker_shows_no_quotes() -> None:
    """The last quotes of a maker that is gone are none."""
    text = "\n".join(printed(status_with("maker", state="stopped"), 80, 24))
    assert "stopped, it quotes nothing" in text
    assert "91,202.23" not in text


@pytest.mark.parametrize("known", [{}, {"bid": None, "mid": None, "ask": None}])
def test_quotes_that_nobody_looks_after_are_no_quotes(known: dict[str, Any]) -> None:
    """What the venue last said of them is old."""
    figures = {"failing": "paper has banned this address, for 120 s", **known}
    text = " ".join("\n".join(printed(status_with("maker", figures=figures), 80, 24)).split())
    assert "paper has banned this address, for 120 s" in text
    assert "orders there stay as they are" in text
    assert "91,202.23" not in text


def test_quotes_that_are_missing_are_said_to_be() -> None:
    """A side without a quote, and a book without a mid."""
    text = "\n".join(printed(status_with("maker", figures={"bid": None, "mid": None, "bid_rule": "NO_MID"}), 100, 24))
    assert "no bid: NO_MID · no mid: a side of the book is empty · ask 91,566.84" in text
    bound = {"bid": None, "bid_rule": "POSITION_LIMIT", "bid_bound": ["POSITION_LIMIT", "ORDER_LIMIT"]}
    text = "\n".join(printed(status_with("maker", figures={**bound, "ask_bound": ["ORDER_LIMIT"]}), 120, 24))
    assert "no bid: POSITION_LIMIT, ORDER_LIMIT · " in text
    assert "ask 91,566.84: ORDER_LIMIT" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_holds_a_side_up_or_takes_from_it_is_told_in_words(width: int) -> None:
    """Limits were named by their codes alone."""
    why = "the position could be 0.12 BTC, at most 0.1; 0.05 held, and 0.07 in orders"
    bound = {"bid": None, "bid_rule": "POSITION_LIMIT", "bid_idle": why, "ask_bound": ["ORDER_LIMIT", "BAND_LIMIT"]}
    less = {"ask_bound_why": ["the quote at 9 is 2.00 USDT, at most 1.00 USDT", "too far"]}
    lines = printed(status_with("maker", figures=bound | less), width, 40)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert why in text
    assert "the quote at 9 is 2.00 USDT, at most 1.00 USDT" in text
    assert "too far" in text
    low = printed(status_with("maker", figures=bound | less), width, 12)
    assert "POSITION_LIMIT" in " ".join(low), "where there is no room the codes stay"
    assert low[-1] == HINT
    silent = printed(status_with("maker", figures=bound | less, state="restarting"), width, 40)
    assert "at most" not in " ".join(silent), "nobody vouches for it"


def test_what_is_no_terminal_gets_all_of_it() -> None:
    """A file or a pipe has no columns."""
    text = desk_screen(STATUS, UNBOUNDED, UNBOUNDED).plain
    assert "ipc:///home/somebody/with/a/long/name/tickbus/run/feed.ipc" in text
    assert "…" not in text


def test_day_ends_in_two_lines() -> None:
    """Ctrl-C said only "stopped"."""
    assert day_lines(STATUS) == [
        "today: 1 trade (0 buys, 1 sell), PnL -$1.25 realized, +$1.99 unrealized",
        "open: position -0.01092 BTC, equity of BTC+USDT $101,384.50, 2 open orders",
    ]
    nothing = {
        "position": "0",
        "unrealized": None,
        "equity": None,
        "last_fill": None,
        "trades": 0,
        "sells": 0,
        "pnl": "0",
    }
    ended = status_with("tracker", figures=nothing)
    next(row for row in ended["nodes"] if row["node"] == "paper")["figures"]["own_orders"] = []
    assert day_lines(ended) == [
        "today: 0 trades (0 buys, 0 sells), PnL $0.00 realized",
        "open: no position, no open orders",
    ]


def test_figures_of_a_day_that_is_not_written_say_of_when_they_are() -> None:
    """On a full disk the old ones stood there as those of now."""
    failing = {"since": "2026-11-30T14:03:07.250Z", "why": "No space left on device"}
    figures = {"failing": failing, "read_ms": 1_796_047_382_250}
    status = status_with("tracker", figures=figures)
    assert "1 trade · as of 14:03:02 UTC" in desk_screen(status, 120, 40).plain
    assert day_lines(status)[0].endswith("+$1.99 unrealized, as of 14:03:02 UTC")
    well = status_with("tracker", figures=figures | {"failing": None})
    assert "as of" not in desk_screen(well, 120, 40).plain + day_lines(well)[0]
    for state in ("restarting", "silent", "failed", "stopped"):
        away = status_with("tracker", figures={"read_ms": 1_795_347_582_000, "failing": None}, state=state)
        assert "1 trade · as of 2026-11-22 11:39:42 UTC" in desk_screen(away, 120, 40).plain


def test_what_a_silent_maker_quoted_is_not_told_as_of_now() -> None:
    """Its orders may have been cancelled by its watchdog since."""
    assert (
        "ask 91,566.84 · it is silent: so it said last"
        in desk_screen(status_with("maker", state="silent"), 120, 40).plain
    )


def test_nothing_of_a_stranger_s_text_is_a_terminal_s_command() -> None:
    """Names of folders and recordings, and what others answer: it cleared the screen, or turned the line around."""
    evil = "\x1b[2Jgone\x9b1m\u202e"
    status = status_with("gateway", state="stopped", why=evil)
    status |= {"run_dir": f"/srv/{evil}/run", "market": {"venue": evil}}
    shown = narrowed(desk_screen(status, 120, 40), "utf-8").plain
    assert shown.count("?[2Jgone?1m?") == 3
    assert not {*"\x1b\x9b\u202e"} & {*"".join(ansi_lines(narrowed(Text(evil), "utf-8"), 80, 24)).replace("\x1b[K", "")}


def test_says_what_of_the_tracker_is_behind_since_when_and_why() -> None:
    """A tracker whose disk was full looked as well as ever."""
    full = {"since": "2026-11-30T14:03:07.250Z", "why": "No space left on device"}
    lines = desk_screen(status_with("tracker", figures={"failing": full, "history_failing": None}), 120, 40).plain
    assert "The daily file is behind since 2026-11-30 14:03:07.250 UTC: No space left on device\n" in lines
    assert "The history" not in lines
    narrow = " ".join(desk_screen(status_with("tracker", figures={"history_failing": full}), 40, 40).plain.split())
    assert "The history is behind since 2026-11-30 14:03:07.250 UTC: No space left on device" in " ".join(
        narrow.split()
    )
    assert "is behind" not in desk_screen(STATUS, 120, 40).plain


def test_desk_without_a_tracker_has_no_day() -> None:
    """A desk whose start failed, or that runs some of the nodes."""
    assert day_lines({**STATUS, "nodes": STATUS["nodes"][:6]}) == []
    assert day_lines({**STATUS, "nodes": []}) == []
    assert desk_screen({**STATUS, "nodes": []}, 80, 24).plain


def test_status_is_plain_values() -> None:
    """The figures travel in beats: what is shown here can be written as JSON."""
    assert json.loads(json.dumps(STATUS)) == STATUS


def test_halted_maker_is_not_said_to_see_an_empty_book() -> None:
    """One that starts halted has looked at no book: it was told that a side of it was empty."""
    halted = {"mid": None, "bid": None, "ask": None, "bid_rule": "HALTED", "ask_rule": "HALTED"}
    text = "\n".join(printed(status_with("maker", figures=halted), 120, 40))
    assert "no bid: HALTED · no mid · no ask: HALTED" in text


def test_presence_fits_a_narrow_terminal() -> None:
    """At 40 columns its phrase was cut."""
    lines = printed(status_with("maker", figures={"presence_minute": "1"}), 40, 40)
    assert "        two-sided 100.0 % of last minute" in lines


def test_withdrawal_is_told_with_its_number_since_when_and_what_takes_it_back() -> None:
    """Of a maker that has ended, the start as well; whoever stands elsewhere is told the run directory."""
    told = {"stage": "disconnects", "why": "1.49 USDT lost today", "since": "2026-11-29T11:54:22Z"}
    status = status_with("maker", state="failed") | {"withdrawn": told}
    run_dir = STATUS["run_dir"]
    text = " ".join(" ".join(printed(status, 120, 40)).split())
    assert "WITHDRAWN disconnects: 1.49 USDT lost today; since 2026-11-29 11:54:22 UTC; go on with: " in text
    assert f"python cli.py resume --run-dir {run_dir}, then: python cli.py start maker --run-dir {run_dir}" in text


STANDBY: dict[str, Any] = {
    "role": "standby",
    "is_refused": False,
    "is_following": True,
    "is_awaited": True,
    "lag": 0,
    "lag_ms": 0.0,
    "hash_equal_at": 1_234,
    "journal": "write 1240",
}


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({"standby_follows": True, "standby_lag": 3, "standby_lag_ms": 0.4}, "a standby follows, 3 records and 0.4 ms"),
        ({"standby_follows": False}, "no standby follows"),
        ({"standby_follows": False, "waits_for": "7 records wait"}, "engine: 7 records wait"),
        (STANDBY, "a standby, 0 records and 0 ms behind, the same state behind record 1,234"),
        (STANDBY | {"is_awaited": False, "hash_equal_at": 0}, "behind; its primary does not wait for it"),
        (STANDBY | {"is_following": False}, "a standby, whose primary is silent; write 1240 is what it has"),
        (STANDBY | {"is_following": False, "is_refused": True}, "another standby follows its primary"),
    ],
)
def test_a_standby_and_its_lag_are_shown_on_either_side(figures: dict[str, Any], says: str) -> None:
    """Whoever looks at one of the two knows how the other is."""
    status = copy.deepcopy(STATUS)
    status["nodes"][0]["figures"] |= figures
    assert says in desk_screen(status, UNBOUNDED, UNBOUNDED).plain
    assert "standby" not in desk_screen(STATUS, UNBOUNDED, UNBOUNDED).plain


PACES = {
    "engine": Pace(12_345.0, 5_000, 100_000),
    "gateway": Pace(0.0),
    "maker": Pace(0.6, 20_000_000, 100_000_000, (200_000_000, 500_000_000)),
}
DECISION = {
    "time": "2026-11-30T15:08:25.879Z",
    "side": "SELL",
    "action": "place",
    "rule": "WANTED",
    "why": "it is wanted",
}


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_shows_how_fast_it_goes_at_every_width(width: int) -> None:
    """Rates, latencies and the last rule; what of the table has no room are ports and pids, which stand elsewhere."""
    status = status_with("maker", figures={"last_decision": DECISION})
    lines = desk_screen(status, width, 30, HINT, PACES).plain.split("\n")
    assert len(lines) <= 30
    assert max(map(len, lines)) <= width
    head = next(line for line in lines if line.startswith("node "))
    assert head.split("  ")[0] == "node"
    assert all(name in head for name in ("state", "per s", "median", "99 %"))
    assert ("endpoint" in head) == (width >= 80)
    row = next(line for line in lines if line.startswith("engine"))
    assert row.endswith("12,345    5 µs  100 µs")
    text = " ".join("\n".join(lines).split())
    assert "15:08:25 UTC · place SELL WANTED" in text.replace(" · it is wanted", "")
    assert "half of them within 200 ms" in text
    assert "99 % within 500 ms" in text
    assert "PnL -$1.25 realized" in text


def test_desk_without_a_maker_has_no_last_rule() -> None:
    """Nor has one of which nobody has asked how fast it goes."""
    assert "last rule" not in desk_screen({**STATUS, "nodes": STATUS["nodes"][:4]}, 80, 24, HINT, PACES).plain
    assert "last rule" not in desk_screen(status_with("maker", figures={"last_decision": DECISION}), 80, 24).plain


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_low_terminal_keeps_what_it_holds_before_how_fast_it_goes(width: int, height: int) -> None:
    """The last rule pushed the quotes off the top of a terminal of 12 rows."""
    status = status_with("maker", figures={"last_decision": DECISION})
    lines = desk_screen(status, width, height, HINT, PACES).plain.split("\n")
    assert len(lines) <= height
    text = "\n".join(lines)
    for phrase in ("bid 91,202.23", "ask 91,566.84", "PnL -$1.25 realized", "position -0.01092 BTC", HINT):
        assert phrase in text


def test_position_beyond_its_limit_is_told_of_a_maker_that_runs() -> None:
    """A limit that was set below what is held said nothing before it bound."""
    line = "The position is 1.25 times its limit: only orders that make it smaller are placed"
    assert line in printed(status_with("maker", figures={"position_use": "1.2500"}), 120, 40)
    for row in ({"figures": {"position_use": "1.0000"}}, {"figures": {"position_use": "1.2500"}, "state": "stopped"}):
        assert line not in printed(status_with("maker", **row), 120, 40)


def test_position_that_stops_new_orders_is_told_with_what_helps_and_no_quotes_that_there_are_not() -> None:
    """`resume` was named alone, which lasts for a second; of a maker without any order "only orders" were placed."""
    status = status_with("maker", figures={"position_use": "2.9138", "position_use_max": "1.5"})
    held, helps = "The position is 2.9138 times its limit", "; until it is smaller a resume does not last: "
    told = " ".join(printed(status, 400, 40))
    assert f"{held}: only orders that make it smaller are placed{helps}python cli.py flatten" in told
    since = "2026-01-02T03:04:05Z"
    withdrawn = {"stage": "cancels all", "why": "much", "since": since}
    assert f"{held}{helps}" in " ".join(printed({**status, "withdrawn": withdrawn}, 400, 40))


def test_venue_that_is_slow_is_told_beside_the_quotes() -> None:
    """It was told nowhere."""
    slow = "the venue has not answered since 12:00:03 UTC to: place BUY"
    assert slow in " ".join(printed(status_with("maker", figures={"slow": slow}), 400, 40))


def test_maker_that_has_failed_is_said_so() -> None:
    """It was `failed, it quotes nothing`; `orders` said that it is failed."""
    assert "maker            has failed, it quotes nothing" in printed(status_with("maker", state="failed"), 120, 40)
