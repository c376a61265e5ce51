"""What the tests of the bus share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """Return an empty directory whose path leaves room for the name of a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="bus", dir="/tmp"))
    yield path
    shutil.rmtree(path)
