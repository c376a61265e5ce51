"""Scenarios of fault switches: read whole, and refused with all that is wrong, before anything is set."""

from pathlib import Path

import pytest

from paper.fault_scenario import ScenarioError, read_scenario
from paper.faults import EVENTS, Effect, FaultKind, Faults

SYMBOLS = ("BTCUSDT", "ETHUSDT")
ACCOUNTS = (1, 2)
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "faults.toml"


def written(folder: Path, text: str) -> Path:
    """Return a file with that text."""
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def test_the_example_is_one() -> None:
    """Each row is what the exchange takes, and at least four kinds are shown."""
    rows = read_scenario(EXAMPLE, SYMBOLS, ACCOUNTS)
    assert [row.at_s for row in rows] == sorted(row.at_s for row in rows)
    assert len({Faults().read(row.document).kind for row in rows}) > 4


def test_rows_come_in_the_order_of_their_times_with_seeds_of_their_own(tmp_path: Path) -> None:
    """The scenario's seed makes each row's, unless that has one; what knows no dice gets none."""
    path = written(
        tmp_path,
        """
        seed = 100
        [[rows]]
        at_s = 2.5
        switch = "drop_event"
        value = { percent = 50 }
        for_s = 3
        [[rows]]
        at_s = 1
        switch = "mute"
        for_s = 1
        [[rows]]
        at_s = 3
        switch = "reorder_events"
        value = { seed = 5 }
        for_s = 3
        [[rows]]
        at_s = 4
        switch = "wipe"
        """,
    )
    rows = read_scenario(path, SYMBOLS, ACCOUNTS)
    assert [(row.number, row.at_s, row.kind) for row in rows] == [
        (2, 1, FaultKind.MUTE),
        (1, 2.5, FaultKind.DROP_EVENT),
        (3, 3, FaultKind.REORDER_EVENTS),
        (4, 4, FaultKind.WIPE),
    ]
    assert [row.document for row in rows] == [
        {"kind": "mute", "for_s": 1},
        {"kind": "drop_event", "percent": 50, "for_s": 3, "seed": 101},
        {"kind": "reorder_events", "seed": 5, "for_s": 3},
        {"kind": "wipe"},
    ]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """One line each, with the file and the row."""
    path = written(
        tmp_path,
        """
        seed = "seven"
        speed = 2
        [[rows]]
        at_s = -1
        switch = "mute"
        for_s = 0
        [[rows]]
        at_s = 1
        switch = "fire"
        colour = "red"
        [[rows]]
        at_s = nan
        switch = "stale_market"
        [[rows]]
        at_s = 5
        switch = "halt"
        value = { symbol = "DOGEUSDT" }
        for_s = 5
        [[rows]]
        at_s = true
        switch = "wipe"
        for_s = 5
        [[rows]]
        at_s = 0
        switch = "mute"
        value = "market"
        for_s = 5
        [[rows]]
        at_s = 1
        switch = "reject_rate"
        value = { percent = 200, code = 5, path = "order" }
        [[rows]]
        at_s = 1
        switch = "mute"
        value = { account = 99 }
        for_s = 5
        [[rows]]
        at_s = 1
        switch = "drop_event"
        value = { event = "executionreport" }
        for_s = 5
        [[rows]]
        """,
    )
    with pytest.raises(ScenarioError) as caught:
        read_scenario(path, SYMBOLS, ACCOUNTS)
    lines = [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]
    assert [line for line in lines if "one of delay" not in line] == [
        "expected seed and [[rows]], was speed",
        "expected seed to be an integer from 0 to 2147483547, was 'seven'",
        "row 1: expected at_s to be a number from 0 to 86400, was -1",
        "row 1: mute: expected for_s to be an integer from 1 to 86400, was 0",
        "row 2: expected at_s, switch, value, for_s, was colour",
        "row 3: expected at_s to be a number from 0 to 86400, was nan",
        "row 3: stale_market: expected for_s, in seconds",
        "row 4: halt: expected symbol to be one of BTCUSDT, ETHUSDT, was 'DOGEUSDT'",
        "row 5: expected at_s to be a number from 0 to 86400, was True",
        "row 5: wipe has no for_s; expected nothing more",
        "row 6: expected value to be a table of the switch's options alone, was 'market'",
        "row 7: reject_rate: expected for_s, in seconds",
        "row 7: reject_rate has no path; expected percent, code, msg, account, seed, for_s",
        "row 7: reject_rate: expected percent to be an integer from 1 to 100, was 200",
        "row 7: reject_rate: expected code to be an integer from -9999 to -1, was 5",
        "row 8: mute: expected account to be one of 1, 2, was 99",
        f"row 9: drop_event: expected event to be {' or '.join(EVENTS)}, was 'executionreport'",
        "row 10: expected at_s to be a number from 0 to 86400, was not given",
    ]
    assert lines[5].startswith("row 2: expected switch to be one of delay, ")
    assert lines[5].endswith(", wipe, was 'fire'")
    assert lines[-1].endswith(", wipe, was not given")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected 1 to 100 tables [[rows]], was not given"),
        ("rows = 3", "expected 1 to 100 tables [[rows]], was 3"),
        ("rows = [3]", "expected 1 to 100 tables [[rows]]"),
        ("seed = -1\n[[rows]]\nat_s = 1\nswitch = 'wipe'", "expected seed to be an integer from 0 to "),
        ("speed = 1\n[[rows]]\nat_s = 1\nswitch = 'wipe'", "expected seed and [[rows]], was speed"),
        ("[[rows]", "is no TOML: "),
    ],
)
def test_what_is_no_scenario_is_one_line(tmp_path: Path, text: str, why: str) -> None:
    """And so is a file that is none, or not there."""
    with pytest.raises(ScenarioError) as caught:
        read_scenario(written(tmp_path, text), SYMBOLS, ACCOUNTS)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ScenarioError, match=r"cannot read .*No such file"):
        read_scenario(tmp_path / "nowhere", SYMBOLS, ACCOUNTS)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind.effect is not Effect.AT_ONCE])
def test_whatever_stands_can_be_given_a_time(kind: FaultKind) -> None:
    """Nothing that a scenario can set may be without an end."""
    assert "for_s" in {option.name for option in kind.all_options}
