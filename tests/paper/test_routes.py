"""How the routes of a node that serves HTTP are made: Sanic guesses nothing of them, which takes it long."""

from time import time_ns
from unittest.mock import Mock

import pytest

from nodes.api.node import add_page, add_routes
from nodes.http import new_app
from paper.access.accounts import Accounts
from paper.admin import Admin
from paper.latency import Latency
from paper.rest import HttpSettings, create_app
from tests.pairs import default_instruments
from tests.paper.desk import Desk


@pytest.fixture(autouse=True)
def _no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Sanic not look at the source text of a handler for the format of its errors."""
    monkeypatch.setattr("sanic.mixins.routes.getsource", Mock(side_effect=AssertionError("a handler's source is read")))


def test_the_paper_exchange_says_how_its_errors_look(desk: Desk) -> None:
    """Sanic reading the source of 64 handlers took a third of a start."""
    app = create_app(desk.exchange, Accounts({}), HttpSettings(name="routes_of_paper"), latency=Latency())
    Admin(desk.exchange, Accounts({}), Mock(), "token", time_ns).add_to(app)


def test_the_api_says_how_its_errors_look() -> None:
    """As above."""
    app = new_app("routes_of_api")
    add_routes(app, Mock(), "BTCUSDT")
    add_page(app, default_instruments(), "BTCUSDT", "a market")
