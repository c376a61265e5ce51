"""The fault matrix of docs/reliability.md: how it is made, and that its tests are there."""

import json
import re
from pathlib import Path
from typing import Any

from tests.reliability import HEADS, PROPERTY, FaultRow, table

ROOT = Path(__file__).resolve().parents[2]


def test_rows_of_one_fault_are_one_line() -> None:
    """Runs add up over the parameters of a test; times are of all of them."""
    rows: list[dict[str, Any]] = [
        {"fault": "engine dies", "cause": "SIGKILL", "runs": 7, "back_s": [1.0], "test": "tests/a.py::test_one"},
        {
            "fault": "engine dies",
            "cause": "SIGKILL",
            "runs": 1_000,
            "back_s": [3.0, 9.0],
            "test": "tests/a.py::test_one",
        },
        {"fault": "disk full", "cause": "64 KiB", "runs": 1, "back_s": [], "test": "tests/b.py::test_two"},
    ]
    assert table(rows)[2:] == [
        "| engine dies | SIGKILL | 1,007 | all | 0 | 0 | 3.0, at most 9.0 | `a.py` `test_one` |",
        "| disk full | 64 KiB | 1 | all | 0 | 0 |  | `b.py` `test_two` |",
    ]


def test_a_test_tells_its_row(fault_row: FaultRow, request: Any) -> None:
    """It stands among what pytest keeps of the test."""
    fault_row("none", "this test", 0, [0.5])
    kept = [json.loads(text) for name, text in request.node.user_properties if name == PROPERTY]
    assert kept == [{"fault": "none", "cause": "this test", "runs": 0, "back_s": [0.5]}]
    request.node.user_properties.clear()  # for no fault was caused


def test_the_tests_of_the_matrix_are_there() -> None:
    """A row whose test has another name by now could not be made again."""
    lines = (ROOT / "docs/reliability.md").read_text().splitlines()
    rows = [line for line in lines if re.search(r"\| `[\w/]+\.py` `\w+` \|$", line)]
    assert f"| {' | '.join(HEADS)} |" in lines
    assert len(rows) >= 15
    for row in rows:
        path, name = re.findall(r"`([^`]+)`", row)[-2:]
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(), row
