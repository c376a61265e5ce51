"""`why`: which rule quotes each side of a running desk, or does not, and what was decided last; and `explain` there."""

import re
from typing import Any

from tests.desk.desk_process import BTCUSDT, LEAN, Desk, until

NAMES = ("bid", "ask")


def test_says_of_each_side_why_it_is_quoted_or_not(desk: Desk) -> None:
    """Quoting, halted, with a maker that was stopped: there is always a code; `explain` sees what the maker sees."""
    desk.start(*LEAN)
    document = until("both sides", lambda: _quoted(desk))
    assert [each["side"] for each in document["sides"]] == ["BUY", "SELL"]
    assert {each["rule"] for each in document["sides"]} <= {"WANTED", "TOLERANCE", "TOP_UP"}
    assert {each["action"] for each in document["decisions"]} & {"place"}
    assert all(type(each[name]) is float for each in document["sides"] for name in ("price", "qty")), "no text"
    text = desk.cli("why", "--last", "2").stdout.splitlines()
    assert text[0] == "BTCUSDT on paper, maker ready"
    assert re.fullmatch(r"bid  [\d.]+ at [\d.]+ {2,}[A-Z_]+ +.+", text[1])
    assert text[3:5] == ["", "last decisions, UTC"]
    assert len(text) == 7
    _assert_explained(desk)
    desk.cli("halt", "--symbol", BTCUSDT.symbol)
    until("both sides are idle", lambda: _rules(desk) == [(None, "HALTED")] * 2)  # said with the next beat
    desk.cli("stop", "maker")
    refused = desk.cli("explain", "glft")
    assert (refused.returncode, "the desk's maker does not run, or sees no mid; or name" in refused.stderr) == (1, True)
    away = desk.cli_json("why", "--last", "0")
    since = r"the maker is stopped, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert all(each["rule"] == "AWAY" and re.fullmatch(since, each["why"]) for each in away["sides"]), away
    assert away["halted"] == [BTCUSDT.symbol]
    assert away["decisions"] == []
    desk.stop()
    told = desk.cli("why", "--last", "1")
    assert told.returncode == 0
    assert re.search(r"^note: no desk runs in .*, whose last decision is \d+ s old$", told.stderr.strip()), told.stderr
    lines = told.stdout.splitlines()
    first, then = (f"python cli.py {name} --run-dir {desk.run_dir}" for name in ("up", "resume"))
    halted = f"HALTED BTCUSDT: no new orders; go on with: {first}, then: {then}"
    sides = [f"{side}  no quote  AWAY  no desk runs" for side in NAMES]
    assert lines[:4] == ["BTCUSDT on paper, maker away", halted, *sides]
    assert (lines[4:6], len(lines)) == (["", "last decisions, UTC"], 7)
    assert "; halted, also when it starts: BTCUSDT" in desk.cli("status").stderr
    kept = desk.cli_json("why")
    assert (len(kept["decisions"]), kept["withdrawn"], kept["age_s"] < 100) == (5, None, True)


def _assert_explained(desk: Desk) -> None:
    """By the maker's mid and position; what it has not seen yet is told to be assumed, not left out."""
    figures = until("it has looked", lambda: desk.node("maker")["figures"].get("mid") and desk.node("maker")["figures"])
    assert set(figures["seen"]) == {"volatility", "bid", "ask"}
    document = desk.cli_json("explain", "glft")
    assert document["origin"] == "the desk's market now"
    assert abs(float(document["mid"]) / float(figures["mid"]) - 1) < 0.05
    assert document["now"] is not None


def test_desk_that_has_decided_nothing_says_that_none_runs(desk: Desk) -> None:
    """There is no journal to answer from."""
    refused = desk.cli("why")
    assert (refused.returncode, refused.stderr.startswith("error: no desk runs in")) == (3, True)


def _rules(desk: Desk) -> list[tuple[str | None, str]]:
    return [(each["price"], each["rule"]) for each in desk.cli_json("why")["sides"]]


def _quoted(desk: Desk) -> Any:
    document = desk.cli_json("why")
    return document if all(each["price"] for each in document["sides"]) else None
