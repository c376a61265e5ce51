"""`why`: which rule quotes each side of a running desk, or does not, and what was decided last."""

import re
from typing import Any

from tests.desk.desk_process import BTCUSDT, Desk, until

NAMES = ("bid", "ask")


def test_says_of_each_side_why_it_is_quoted_or_not(desk: Desk) -> None:
    """Quoting, halted, and with a maker that was stopped: there is always a code."""
    desk.start("--without", "tracker", "--without", "api")
    document = until("both sides", lambda: _quoted(desk))
    assert [each["side"] for each in document["sides"]] == ["BUY", "SELL"]
    assert {each["rule"] for each in document["sides"]} <= {"WANTED", "TOLERANCE", "TOP_UP"}
    assert {each["action"] for each in document["decisions"]} & {"place"}
    assert all(type(each[name]) is float for each in document["sides"] for name in ("price", "qty")), "no text"
    text = desk.cli("why", "--last", "2").stdout.splitlines()
    assert text[0] == "BTCUSDT on paper, maker ready"
    assert re.fullmatch(r"bid  [\d.]+ at [\d.]+  [A-Z_]+ +.+", text[1])
    assert text[3:5] == ["", "last decisions, UTC"]
    assert len(text) == 7
    desk.cli("halt", "--symbol", BTCUSDT.symbol)
    until("both sides are idle", lambda: _rules(desk) == [(None, "HALTED")] * 2)  # said with the next beat
    desk.cli("stop", "maker")
    away = desk.cli_json("why", "--last", "0")
    assert [(each["rule"], each["why"]) for each in away["sides"]] == [("AWAY", "the maker is stopped")] * 2
    assert away["decisions"] == []
    desk.stop()
    told = desk.cli("why", "--last", "1")
    assert told.returncode == 0
    assert re.search(r"^note: no desk runs in .*, whose last decision is \d+ s old$", told.stderr.strip()), told.stderr
    lines = told.stdout.splitlines()
    assert lines[:3] == ["BTCUSDT on paper, maker away", *(f"{side}  no quote  AWAY  no desk runs" for side in NAMES)]
    assert (lines[3:5], len(lines)) == (["", "last decisions, UTC"], 6)
    kept = desk.cli_json("why")
    assert (len(kept["decisions"]), kept["withdrawn"], kept["age_s"] < 100) == (5, None, True)


def test_desk_that_has_decided_nothing_says_that_none_runs(desk: Desk) -> None:
    """There is no journal to answer from."""
    refused = desk.cli("why")
    assert (refused.returncode, refused.stderr.startswith("error: no desk runs in")) == (3, True)


def _rules(desk: Desk) -> list[tuple[str | None, str]]:
    return [(each["price"], each["rule"]) for each in desk.cli_json("why")["sides"]]


def _quoted(desk: Desk) -> Any:
    document = desk.cli_json("why")
    return document if all(each["price"] for each in document["sides"]) else None
