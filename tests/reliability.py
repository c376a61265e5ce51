"""The fault matrix, made by the tests themselves: `python -m tests.reliability [--long] [TEST...]`.

Runs the tests that cause a fault and count what came of it, which is every test that has the fixture `fault_row`, and
prints a line for each fault. A test tells its counts after it has checked them: that something was lost, or done twice,
is a failure, and then the fault was not survived. `--long` asks for the long form of each, an hour and more.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, Protocol

import pytest

FIXTURE: Final = "fault_row"
PROPERTY: Final = "fault"
LONG: Final = {"ENDINGS": "all", "KILLS": "all", "BITS": "all", "PROMOTIONS": "all"}
HEADS: Final = ("fault", "how it is caused", "runs", "survived", "lost", "done twice", "back after, s", "test")


class FaultRow(Protocol):
    """How a test tells of a fault that it has caused."""

    def __call__(self, fault: str, cause: str, runs: int, back_s: Sequence[float] = ()) -> None:
        """Take note, after all was checked.

        Args:
            fault: what failed.
            cause: how the test makes it fail.
            runs: how often; each was survived, and nothing was lost or done twice.
            back_s: how long it took, of those runs where that was measured, until all was as before.
        """


class Recorder:
    """Runs the tests that have a row alone, and keeps what they tell."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out tests without a row."""
        items[:] = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the rows of a test that has passed."""
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.when == "call":
            rows = [json.loads(str(text)) for name, text in report.user_properties if name == PROPERTY]
            self.rows += [row | {"test": report.nodeid.partition("[")[0]} for row in rows]


def table(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the lines of a table in Markdown; rows of one fault, cause and test are one."""
    joined: defaultdict[tuple[str, str, str], dict[str, Any]] = defaultdict(lambda: {"runs": 0, "back_s": []})
    for row in rows:
        one = joined[row["fault"], row["cause"], row["test"]]
        one["runs"] += row["runs"]
        one["back_s"] += row["back_s"]
    lines = [f"| {' | '.join(HEADS)} |", "|" + "---|" * len(HEADS)]
    for (fault, cause, test), one in joined.items():
        back = f"{median(one['back_s']):.1f}, at most {max(one['back_s']):.1f}" if one["back_s"] else ""
        name = test.removeprefix("tests/").replace("::", "` `")
        lines.append(f"| {fault} | {cause} | {one['runs']:,} | all | 0 | 0 | {back} | `{name}` |")
    return lines


def main() -> int:
    """Run the tests; print the table, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="the long form of each test")
    parser.add_argument("tests", nargs="*", default=[str(Path(__file__).parent)], help="files or folders of tests")
    given = parser.parse_args()
    os.environ.update(LONG if given.long else {})
    recorder = Recorder()
    pytest.main(["-q", "-p", "no:cacheprovider", *given.tests], plugins=[recorder])
    print("\n".join(table(recorder.rows)))
    for name in recorder.failed:
        print(f"FAILED: {name}")
    return int(bool(recorder.failed) or not recorder.rows)


if __name__ == "__main__":
    sys.exit(main())
