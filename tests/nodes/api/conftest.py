"""What the tests of the api have in common."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.nodes.api.served import Api


@pytest.fixture(scope="module")
def app() -> Iterator[Api]:
    """One app for all tests of a file."""
    with TemporaryDirectory(prefix="tb-") as name:
        one = Api(Path(name))
        yield one
        one.close()
