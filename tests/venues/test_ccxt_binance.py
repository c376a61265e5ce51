"""ccxt with one exchange of its hundred."""

import subprocess
import sys

from tests.desk.desk_process import ROOT

SCRIPT = """
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


def test_loads_no_other_exchange_and_leaves_the_whole_to_whoever_asks() -> None:
    """The maker and the tracker started a second and a half later for the sake of a hundred exchanges."""
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["True True True True", "[]"]
