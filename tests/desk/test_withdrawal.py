"""A real maker that loses more than it may: it withdraws, whatever dies, until a person resumes."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.desk.desk_process import BTCUSDT, Desk, short_directory, until


@pytest.fixture
def losing() -> Iterator[Desk]:
    """A desk whose fees are more than its spread, and which may lose less than one fill costs."""
    with short_directory() as path:
        settings = {
            "TICKBUS_MAKER__HALF_SPREAD": "0.0001",
            "TICKBUS_MAKER__LIMITS__DAILY_LOSS": "0.5",
            "TICKBUS_MAKER__STAGES__DISCONNECTS": "1000000",
        }
        one = Desk(path / "run", "--without", "tracker", **settings).start()
        yield one
        one.end()


def test_maker_that_has_lost_too_much_quotes_no_more_until_a_person_resumes(losing: Desk) -> None:
    """It says so in `status` and beside `orders`; `kill -9` changes nothing."""
    until("it has withdrawn", lambda: losing.node("maker")["figures"].get("withdrawn"))
    until("it has withdrawn far enough", lambda: losing.node("maker")["figures"]["withdrawn"].startswith("flattens"))
    until("it has no order", lambda: not losing.venue().open_orders(BTCUSDT))
    until("it is flat", lambda: "event='flat'" in losing.log("maker"))
    assert "WITHDRAWN flattens:" in losing.cli("status").stdout
    assert "the maker has withdrawn, flattens:" in losing.cli("orders").stderr
    maker = losing.node("maker")
    os.kill(maker["pid"], signal.SIGKILL)

    def is_back() -> bool:
        now = losing.node("maker")
        return bool(now["pid"] != maker["pid"] and now["state"] == "ready")

    until("another one runs", is_back)
    until("it knows", lambda: str(losing.node("maker")["figures"].get("withdrawn")).startswith("flattens"))
    assert not losing.venue().open_orders(BTCUSDT)
    placed = losing.node("maker")["figures"]["placed"]
    resumed = losing.cli("resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "the maker quotes again; it had withdrawn: flattens: " in resumed.stdout
    until("it quotes", lambda: losing.node("maker")["figures"]["placed"] > placed)
