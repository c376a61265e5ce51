"""ccxt with one exchange of its hundred, and ccxt.pro with one of its eighty."""

import subprocess
import sys

import pytest

from tests.desk.desk_process import ROOT
from venues.ccxt_binance import settings_of

REST = """
import sys
from venues.binance import BinanceVenue
from venues.ccxt_binance import ccxt as alone
venue = BinanceVenue("paper", "http://127.0.0.1:1", "key", "secret", 100)
loaded = [name for name in sys.modules if name.startswith("ccxt.")]
import ccxt
print(len(loaded) < 30, len(ccxt.exchanges) > 50, alone.binance is ccxt.binance, alone.BaseError is ccxt.BaseError)
errors = sys.modules["ccxt.base.errors"].__all__
print([name for name in errors if getattr(alone, name, None) is not getattr(ccxt, name, None)])
"""

SOCKETS = """
import sys
from venues.ccxt_pro import binance
loaded = [name for name in sys.modules if name.startswith("ccxt.")]
import ccxt.pro
print(len(loaded) < 30, len(ccxt.pro.exchanges) > 50, ccxt.pro.binance is binance)
print(ccxt.async_support.binance in binance.__mro__)
"""

AFTER_THE_WHOLE = """
import ccxt, ccxt.pro
from venues.ccxt_pro import binance
from venues.ccxt_binance import ccxt as alone
print(ccxt.pro.binance is binance, alone is ccxt)
"""


BETWEEN = """
from venues.ccxt_binance import ccxt as alone
import ccxt
from venues.ccxt_pro import binance
import ccxt.pro
print(ccxt.pro.binance is binance, ccxt.async_support.binance in binance.__mro__)
"""


def test_loads_no_other_exchange_and_leaves_the_whole_to_whoever_asks() -> None:
    """The maker and the tracker started a second and a half later for the sake of a hundred exchanges."""
    assert printed_by(REST) == ["True True True True", "[]"]


def test_loads_the_sockets_of_no_other_exchange_either() -> None:
    """The maker would have 70 MB and a second more."""
    assert printed_by(SOCKETS) == ["True True True", "True"]


def test_takes_the_whole_where_it_is_there_already() -> None:
    """Two classes of one exchange, and of each of its errors, would not know each other."""
    assert printed_by(AFTER_THE_WHOLE) == ["True True"]


def test_sockets_go_with_the_whole_that_came_in_between() -> None:
    """Tests import ccxt themselves."""
    assert printed_by(BETWEEN) == ["True True"]


@pytest.mark.parametrize(
    ("url", "streams", "calls"),
    [
        ("http://127.0.0.1:8084", "ws://127.0.0.1:8084/ws", "ws://127.0.0.1:8084/ws-api/v3"),
        ("https://http.example", "wss://http.example/ws", "wss://http.example/ws-api/v3"),
        (
            "https://demo-api.binance.com:443",
            "wss://demo-stream.binance.com/ws",
            "wss://demo-ws-api.binance.com/ws-api/v3",
        ),
        (
            "https://testnet.binance.vision",
            "wss://stream.testnet.binance.vision/ws",
            "wss://ws-api.testnet.binance.vision/ws-api/v3",
        ),
    ],
)
def test_each_place_to_practise_has_its_sockets(url: str, streams: str, calls: str) -> None:
    """Binance's have hosts of their own for them: at those of HTTP a maker saw no book, and placed nothing."""
    of_test = settings_of(url, "key", "secret", 1_000)["urls"]["test"]
    assert of_test["private"] == f"{url}/api/v3"
    assert of_test["ws"] == {"spot": streams, "ws-api": {"spot": calls}}


def printed_by(script: str) -> list[str]:
    """Return the lines that a script prints in a process of its own."""
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
