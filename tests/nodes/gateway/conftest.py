"""An engine and a gateway that the tests of this room share."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.desk.desk_process import short_directory
from tests.nodes.gateway.gateway_process import Pair

IDLE_S = 60
UNREAD_BYTES, KEPT_BYTES = 1 << 16, 1 << 20
SETTINGS = {
    "TICKBUS_GATEWAY__IDLE_S": str(IDLE_S),
    "TICKBUS_GATEWAY__UNREAD_BYTES": str(UNREAD_BYTES),
    "TICKBUS_GATEWAY__KEPT_BYTES": str(KEPT_BYTES),
    "TICKBUS_GATEWAY__MESSAGES_PER_S": "0",
}
_NAMES = count(1)


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """The two processes, for tests that leave them as they found them."""
    with short_directory() as path, Pair(path, **SETTINGS).working() as one:
        yield one


@pytest.fixture
def name() -> str:
    """A client id that nobody has used."""
    return f"client-{next(_NAMES)}"
