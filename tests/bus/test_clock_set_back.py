"""The reference subscribers follow an engine that came back while the clock had been set back."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.channel import ChannelSocket
from bus.feed import FeedStream, Topic
from bus.topology import FEED, SNAPSHOTS
from market.codes import Side
from market.feed_messages import BookOrder
from tests.desk.desk_process import short_directory
from tests.docs.programs import ROOT, WAIT_S, Running, program_of_readme
from tests.environments.made import node_program

EXAMPLES = ROOT / "examples"
LATER, EARLIER = 2_000, 1_000  # epochs: of the engine that was there, and of the one that came after it


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder for the sockets."""
    with short_directory() as path:
        yield path


@pytest.mark.parametrize("language", ["python", "javascript", "readme"])
def test_book_of_an_earlier_epoch_is_not_taken_for_old(language: str, directory: Path) -> None:
    """A subscriber that waited for a later epoch would show the dead engine's book for ever, and not say so."""
    if language == "python":
        command = [sys.executable, "-u", str(EXAMPLES / "subscriber.py")]
    elif language == "readme":
        command = [sys.executable, "-u", "-c", program_of_readme()]
    else:
        (directory / "node").mkdir()
        command = [*node_program(EXAMPLES / "subscriber.mjs", EXAMPLES, directory / "node")]
    run_dir = directory / "run"
    run_dir.mkdir(mode=0o700)
    feed, snapshots = (ChannelSocket(channel, run_dir, "engine", is_binder=True) for channel in (FEED, SNAPSHOTS))
    running = Running(directory, *command, "run")
    try:
        for epoch in (LATER, EARLIER):
            _serve_until_shown(FeedStream(Topic.BOOK.of("BTCUSDT"), epoch), epoch, feed, snapshots, running)
    finally:
        running.stop()
        feed.close()
        snapshots.close()


def _serve_until_shown(
    stream: FeedStream, epoch: int, feed: ChannelSocket, snapshots: ChannelSocket, running: Running
) -> None:
    """Be an engine of one order until the subscriber shows this epoch."""
    book = [BookOrder(epoch, Side.BUY, 9_138_500, 10)]
    deadline = time.monotonic() + WAIT_S
    while not any(line.lstrip("[").startswith((f"{epoch} ", f"{epoch}, ")) for line in running.lines()):
        assert time.monotonic() < deadline, f"epoch {epoch} is not shown: {running.lines()[-3:]}"
        while feed.receive() is not None:  # subscriptions
            pass
        feed.send(stream.pack(book, 1))
        if snapshots.wait(50) and (request := snapshots.receive()) is not None:
            snapshots.send([*request[:-1], *stream.pack_snapshot(book, 1)])
