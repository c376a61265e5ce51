"""The rules hold for every engine: each test of this folder that asks for a `driver` runs on all of them."""

from collections.abc import Callable

import pytest

from tests.engine.driver import Driver

BOOKS = ("reference", "fast")

MakeDriver = Callable[..., Driver]


@pytest.fixture(params=BOOKS)
def make_driver(request: pytest.FixtureRequest) -> MakeDriver:
    """Return a maker of drivers of the engine at hand."""

    def make(**capacity: int) -> Driver:
        return Driver(request.param, **capacity)

    return make


@pytest.fixture
def driver(make_driver: MakeDriver) -> Driver:
    """Return an empty engine of one symbol with its driver."""
    return make_driver()
