"""Desks for tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk.desk_process import Desk, PlainDesk, short_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    """A new directory with a short path."""
    with short_directory() as path:
        yield path


@pytest.fixture
def desk(directory: Path) -> Iterator[Desk]:
    """A desk that is not started yet."""
    one = Desk(directory / "run")
    yield one
    one.end()


@pytest.fixture
def plain_desk(directory: Path) -> Iterator[Desk]:
    """One that is not started yet, and begins as a person begins it."""
    one = PlainDesk(directory / "run")
    yield one
    one.end()


@pytest.fixture(scope="module")
def running_desk() -> Iterator[Desk]:
    """One desk for all tests of a module that leave it as they found it."""
    with short_directory() as path:
        one = Desk(path / "run").start()
        yield one
        one.end()
