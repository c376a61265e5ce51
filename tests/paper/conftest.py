"""Fixtures of the paper exchange's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paper.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A connected desk with an empty book; its money is checked at the end of every test."""
    desk = Desk(tmp_path).connect()
    yield desk
    desk.ledger.check()
    desk.ledger.close()
