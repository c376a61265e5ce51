"""The search itself: each kind of thing that a step may not read is planted, and found; what looks alike is not."""

import builtins

import pytest

from tests.determinism.impurities import FORBIDDEN, Kind, find
from tests.determinism.rooms import text_of
from tests.determinism.sets import SetWords

HOST = "trading/trader.py"

PLANTS = {
    "from time import monotonic": Kind.CLOCK,
    "import time as t": Kind.CLOCK,
    "from market import clock\n\ndef step():\n    return clock.now()": Kind.CLOCK,
    "import market.clock\n\ndef step():\n    return market.clock.time_ns()": Kind.CLOCK,
    "from market.clock import Now, monotonic_ns as ns": Kind.CLOCK,
    "def step(clock=None):\n    from market.clock import now\n    return clock or now": Kind.CLOCK,
    "import datetime\n\ndef step():\n    return datetime.datetime.now(datetime.UTC)": Kind.CLOCK,
    "from datetime import date\n\nTODAY = date.today()": Kind.CLOCK,
    "import random\n\ndef step():\n    return random.random()": Kind.DICE,
    "from random import shuffle": Kind.DICE,
    "import random\n\ndef step():\n    return random.Random()": Kind.DICE,
    "import random\n\ndef step(make=random.Random):\n    return make()": Kind.DICE,
    "from random import SystemRandom": Kind.DICE,
    "import numpy as np\n\ndef step():\n    return np.random.default_rng()": Kind.DICE,
    "from uuid import uuid4": Kind.DICE,
    "import secrets": Kind.DICE,
    "import os\n\ndef step():\n    return os.urandom(8)": Kind.DICE,
    "import os\n\ndef step():\n    return os.environ['HOME']": Kind.ENVIRONMENT,
    "from os import getenv": Kind.ENVIRONMENT,
    "import sys\n\ndef step():\n    return sys.argv[1]": Kind.ENVIRONMENT,
    "from datetime import datetime\n\ndef step(at_s):\n    return datetime.fromtimestamp(at_s)": Kind.ENVIRONMENT,
    "def step(path):\n    return open(path).read()": Kind.DISK,
    "def step(path):\n    with path.open('rb') as file:\n        return file": Kind.DISK,
    "def step(path):\n    return path.read_text()": Kind.DISK,
    "import os\n\ndef step(path):\n    return os.stat(path)": Kind.DISK,
    "from market.whole_file import write_whole": Kind.DISK,
    "import sqlite3\n\ndef step(path):\n    return sqlite3.connect(path)": Kind.DISK,
    "from threading import Thread": Kind.OTHERS,
    "import socket": Kind.OTHERS,
    "async def step():\n    import asyncio\n    await asyncio.sleep(1)": Kind.OTHERS,
    "def step(orders):\n    return sorted(orders, key=id)": Kind.MEMORY,
    "def step(name):\n    return hash(name) % 4": Kind.MEMORY,
    "def step(text):\n    return eval(text)": Kind.HIDDEN,
    "from numba import njit\n\n@njit(cache=True, fastmath=True)\ndef step():\n    return 0": Kind.ROUNDING,
    "def step():\n    for name in {'a', 'b'}:\n        print(name)": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return list(names)": Kind.SET_ORDER,
    "def step(names: frozenset[str] | None):\n    return [name for name in names]": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return {name: 0 for name in names}": Kind.SET_ORDER,
    "def step(names):\n    return dict.fromkeys(set(names))": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return ', '.join(names)": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return f'{names} are unknown'": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return names.pop()": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return next(iter(names))": Kind.SET_ORDER,
    "def step(names: set[str]):\n    first, second = names\n    return first": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return [*names]": Kind.SET_ORDER,
    "def step(names: set[str]):\n    yield from names": Kind.SET_ORDER,
    "def step(names: set[str]):\n    return min(names, key=len)": Kind.SET_ORDER,
    "def step(old: dict[str, int], new: dict[str, int]):\n    return [*(old.keys() - new)]": Kind.SET_ORDER,
    "def step(by_side: dict[int, set[str]]):\n    return [*by_side[0]]": Kind.SET_ORDER,
    "def step(by_side: dict[int, set[str]]):\n    for each in by_side.values():\n        print(*each)": Kind.SET_ORDER,
    "class Desk:\n    def __init__(self):\n        self.waiting: set[str] = set()\n\n"
    "def step(desk):\n    return [name for name in desk.waiting]": Kind.SET_ORDER,
    "def waiting() -> set[str]:\n    return set()\n\ndef step():\n    return tuple(waiting())": Kind.SET_ORDER,
}

INNOCENT = [
    "from market.clock import NS_PER_MS, Now, utc_date\n\ndef step(now: Now):\n    return utc_date(now.time_ns)",
    "from datetime import UTC, date, datetime\n\ndef step(day: date):\n    return datetime(day.year, 1, 1, tzinfo=UTC)",
    "import random\n\ndef step(seed: int, dice: random.Random):\n    return random.Random(seed)",
    "def step(book):\n    return book.open('BTCUSDT', 1)",
    "from http import HTTPStatus\n\nOK = HTTPStatus.OK",
    "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import asyncio",
    "def step(names: set[str]):\n    return sorted(names), len(names), max(names), 'a' in names, set(names) | {'a'}",
    "def step(names: set[str]):\n    return any(name for name in names), sorted(map(str, names)), {*names, 'a'}",
    "def step(names: set[str]):\n    return sorted(name for name in names if name)",
    "def step(names: set[str]):\n    (only,) = names\n    return only",
    "def step(names: dict[str, int]):\n    return [*names, *names.keys()]",
    "def step(names: list[str]):\n    return names.pop(), list(names), {name: 0 for name in names}",
    "from numba import njit\n\n@njit(cache=True, nogil=True)\ndef step():\n    return 0",
]


def _kinds(source: str) -> set[Kind]:
    words = SetWords()
    words.learn(source)
    return {found.kind for found in find("planted.py", source, words)}


@pytest.mark.parametrize("plant", PLANTS)
def test_finds_a_plant_in_a_real_file(plant: str) -> None:
    """Guards each rule of the search: alone in a file, and at the end of one that is pure."""
    assert _kinds(plant) == {PLANTS[plant]}
    assert _kinds(text_of(HOST)) == set()
    assert _kinds(f"{text_of(HOST)}\n\n{plant}\n") == {PLANTS[plant]}


def test_every_kind_is_planted() -> None:
    """A kind without a plant might be found by nothing."""
    assert set(PLANTS.values()) == set(Kind)


@pytest.mark.parametrize("name", [name for name, kind in FORBIDDEN.items() if kind is not None])
def test_finds_every_forbidden_name(name: str) -> None:
    """Guards the table: a name that is spelt wrong, or that a longer one hides, would be found by nobody."""
    root = name.partition(".")[0]
    imported = "" if hasattr(builtins, root) else f"import {root}\n\n"
    assert _kinds(f"{imported}def step():\n    return {name}") == {FORBIDDEN[name]}


@pytest.mark.parametrize("source", INNOCENT)
def test_finds_nothing_in_what_is_pure(source: str) -> None:
    """Guards against a search that finds so much that its table of exceptions is no longer read."""
    assert _kinds(source) == set()


def test_tells_where_it_is() -> None:
    """A finding is to be mended by its line, and excused by its function."""
    source = "import os\n\n\nclass Trader:\n    def step(self):\n        return os.environ\n"
    (found,) = find("trading/x.py", source, SetWords())
    assert (found.where, found.what, found.line) == ("Trader.step", "os.environ", 6)
    assert str(found) == "trading/x.py:6: Trader.step uses the environment: os.environ"
