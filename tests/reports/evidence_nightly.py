"""The long form of `test_evidence`: `python -m tests.reports.evidence_nightly`; exit code 1 if it is not so.

On 200 days whose setting is right at most 5 % recommend anything; on 100 of each fault 80 % name it, alone.
"""

import sys

from reports.evidence import CAUSES
from tests.reports.made_days import faulty, right
from tests.reports.test_evidence import told

RIGHT_DAYS, FAULTY_DAYS = 200, 100


def main() -> None:
    """Make the days, and print what was said of them."""
    found = told(right, RIGHT_DAYS, "nightly right")
    wrong = RIGHT_DAYS - found[()]
    is_good = wrong <= RIGHT_DAYS // 20
    print(f"right: {wrong} of {RIGHT_DAYS} recommend something: {dict(found)}")
    for cause in CAUSES:
        found = told(lambda dice, cause=cause: faulty(cause, dice), FAULTY_DAYS, f"nightly {cause}")  # type: ignore[misc]
        is_good = is_good and found[(cause,)] >= FAULTY_DAYS * 4 // 5
        print(f"{cause}: {found[(cause,)]} of {FAULTY_DAYS} name it alone: {dict(found)}")
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
