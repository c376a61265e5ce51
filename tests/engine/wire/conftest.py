"""The kernels are compiled before the first test, so that no test is timed with a compiler in it."""

import pytest

from engine.wire.codec import warm


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    warm()
