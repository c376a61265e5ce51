"""A desk whose market is another desk's paper exchange, followed over its public streams."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from tests.desk.desk_process import ANSWER_S, Desk, short_directory, until

NODES = ("--only", "engine", "--only", "paper", "--only", "flow")


@pytest.fixture
def desks() -> Iterator[tuple[Desk, Desk]]:
    """A desk with a synthetic market, and one that follows it."""
    with short_directory() as path:
        source = Desk(path / "source", *NODES, TICKBUS_FLOW__OPENING_S="0.5", TICKBUS_PAPER__RATE_LIMITS="false")
        follower = Desk(path / "follower", *NODES, TICKBUS_PAPER__RATE_LIMITS="false")
        try:
            source.start("--flow", "synthetic:normal")
            follower.start("--flow", "live:" + source.url("paper").replace("http", "ws"))
            yield source, follower
        finally:
            follower.end()
            source.end()


def public(desk: Desk, path: str) -> Any:
    """Return an answer of the desk's paper exchange."""
    with urllib.request.urlopen(f"{desk.url('paper')}/api/v3/{path}", timeout=ANSWER_S) as response:
        return json.load(response)


def book(desk: Desk) -> Any:
    document = public(desk, "depth?symbol=BTCUSDT&limit=1000")
    return document["bids"], document["asks"]


def apart(source: Desk, follower: Desk) -> list[tuple[str, list[str]]]:
    """Return the levels that are in one book alone, with whose they are."""
    books = {"first": [*chain(*book(source))], "second": [*chain(*book(follower))]}
    others = {"first": books["second"], "second": books["first"]}
    return [(name, level) for name, levels in books.items() for level in levels if level not in others[name]]


def figures(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.node("flow")["figures"]
    return found


@pytest.mark.slow
def test_second_book_equals_the_first_s_and_is_so_again_after_the_first_s_exchange_was_killed(
    desks: tuple[Desk, Desk],
) -> None:
    """Guards `--flow live:URL` end to end: snapshot, updates, trades, and the way back after a lost connection."""
    source, follower = desks
    until("trades of the first are trades of the second", lambda: figures(follower)["traded_lots"] > 0)
    assert figures(follower)["gap_count"] == 0

    def stopped_books_agree() -> None:
        pid = source.node("flow")["pid"]
        os.kill(pid, signal.SIGSTOP)  # so that there is a moment in which both can be the same
        try:
            assert min(map(len, book(source))) >= 50
            until("the second book is the first one", lambda: not apart(source, follower))
        except AssertionError as error:
            pytest.fail(f"{error}; apart: {apart(source, follower)}; the second: {figures(follower)}")
        finally:
            os.kill(pid, signal.SIGCONT)

    stopped_books_agree()
    until("most best prices agree", lambda: figures(follower)["matching_share"] > 0.9)

    before = figures(follower)
    source.kill("paper")

    def is_back() -> bool:
        now = figures(follower)
        return bool(now["is_following"] and now["disconnect_count"] > before["disconnect_count"])

    until("the streams are back", is_back)
    stopped_books_agree()
    assert figures(follower)["last_problem"].startswith("ws://127.0.0.1:")
    source.stop()
    until("a stale book is known", lambda: figures(follower)["is_withdrawn"])
    until("a stale book is withdrawn", lambda: book(follower) == ([], []))
    follower.stop()
