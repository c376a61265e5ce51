"""A node that says, before it is ready, that it does something that takes long: of that nothing else tells."""

import threading
from contextlib import closing

import msgpack
import pytest

from bus.channel import ChannelSocket
from bus.topology import CONTROL, SUPERVISOR
from desk import warm
from desk.outlet import LOG_FILE
from desk.settings import Settings
from nodes.node import Node
from sessions.memory import SessionLimits
from sessions.session_table import SessionTable
from tests.desk.desk_process import short_directory, until


def test_the_word_waits_for_the_line_to_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was lost where that was not there yet: `up` waited for an `engine (starting)`, and gave it up."""
    with short_directory() as run_dir:
        monkeypatch.setenv(LOG_FILE, str(run_dir / "engine.log"))
        settings = Settings(run_dir=run_dir)
        node = Node(settings.plan.named(["engine"])[0], settings)  # nobody is there whom it could tell
        said = threading.Thread(target=node.warming, args=["compiles its kernels"])
        said.start()
        with closing(ChannelSocket(CONTROL, run_dir, SUPERVISOR, is_binder=True)) as supervisor:
            frames = until("it is told", supervisor.receive)
            said.join()
        report = msgpack.unpackb(frames[-1])
        assert (report["state"], report["doing"]) == ("warming", "compiles its kernels")
        node.close()


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_gateway_tells_that_it_compiles(monkeypatch: pytest.MonkeyPatch, *, is_compiled: bool) -> None:
    """Where the engine had compiled before, and was killed, its gateway did so without a word."""
    told: list[str] = []
    monkeypatch.setattr(warm, "is_compiled", lambda *_: is_compiled)
    warm.warm_table(SessionTable(SessionLimits(), 1, 1, 0), told.append)
    assert [line.startswith("compiles its kernels") for line in told] == [True] * (not is_compiled)
