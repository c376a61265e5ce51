"""examples/oco_bot.py, as it is, on a market that goes up and down."""

import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from market.codes import Side
from tests.paper.desk import ALICE
from tests.paper.server import Server

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "oco_bot.py"
SEED = 5
SECONDS = 4.0
SECONDS_MAX = 60.0
PACE_S = 0.01  # between two moves of the market: the bot needs the processor, too


def test_the_bot_wins_and_loses_and_leaves_nothing_open(server: Server, tmp_path: Path) -> None:
    """Each list ends with one leg filled and the other expired; at the end there is no list and no order."""
    keys = server.keys[ALICE]
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "keys.env").write_text(
        f"TICKBUS_VENUE__API_KEY={keys.api_key}\nTICKBUS_VENUE__SECRET={keys.secret}\n"
    )
    command = [sys.executable, str(EXAMPLE), str(tmp_path), server.url, str(SECONDS / 60)]
    bot = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    dice, mid, deadline = random.Random(SEED), 90_000, time.monotonic() + SECONDS_MAX
    pace = threading.Event()
    while bot.poll() is None and time.monotonic() < deadline:
        mid += dice.choice((-20, 20))
        for side, price in (("SELL", mid - 10), ("BUY", mid + 10), ("SELL", mid + 10), ("BUY", mid - 10)):
            server.flow(Side[side], str(price), "0.05")
        pace.wait(PACE_S)
    said, _ = bot.communicate(timeout=SECONDS_MAX)
    print(said)
    assert bot.returncode == 0, said
    assert said.endswith("calls without an answer: {}\nopen lists: 0, orders: 0\n"), said
    ends = set(re.findall(r"^ +\d+  (.*)$", said, re.MULTILINE))
    assert ends >= {
        "LIMIT FILLED, STOP_LOSS EXPIRED, LIMIT_MAKER FILLED",
        "LIMIT FILLED, STOP_LOSS FILLED, LIMIT_MAKER EXPIRED",
    }, said
