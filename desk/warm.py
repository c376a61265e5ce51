"""Compiles all kernels once, on two processors side by side, so that the next start only loads them."""

import multiprocessing
import os
import threading
from collections.abc import Callable

from engine.fast.engine import is_warm, run_matching, run_queries
from engine.wire.codec import warm as warm_codec
from market.kernels.compiling import is_compiled
from sessions.memory import SessionLimits
from sessions.session_table import SessionTable

_LAST_OF_SESSIONS = "reporting.tell_sessions"
_LATER_KERNELS = ("feed.tell_feed", _LAST_OF_SESSIONS)


def warm_kernels(tell: Callable[[str], None]) -> None:
    """Compile the kernels into the cache that the next start uses, or load them if they were compiled before.

    The matching, which is one kernel with all that it calls, takes as long as everything else together.

    Args:
        tell: gets a line before compiling begins, which takes many seconds; nothing if all is there.
    """
    helper = None
    if not (is_warm() and is_compiled(*_LATER_KERNELS)):
        tell("compiles its kernels, first run only: some 15 s on two idle processors")
        helper = multiprocessing.get_context("spawn").Process(target=_help, daemon=True)
        helper.start()
    try:
        run_matching()
        if helper is not None:
            helper.join()  # what it has not compiled, we do
    finally:
        if helper is not None:
            helper.kill()
    run_queries()
    warm_codec()


def load_kernels() -> None:
    """Load the kernels of engines and gateways if all are compiled; compile none."""
    if is_warm() and is_compiled(*_LATER_KERNELS):
        run_matching()
        run_queries()
        warm_codec()
        warm_sessions()


def warm_sessions() -> None:
    """Compile or load the kernels of the gateway's sessions."""
    warm_table(SessionTable(SessionLimits(), 1, 1, 0), lambda _: None)


def warm_table(table: SessionTable, tell: Callable[[str], None]) -> None:
    """Compile or load the kernels of these sessions; `tell` as above."""
    if not is_compiled(_LAST_OF_SESSIONS):
        tell("compiles its kernels, first run only: some 10 s")
    table.warm()


def warm_mirror(tell: Callable[[str], None]) -> None:
    """Compile or load the kernels that follow a recorded book; `tell` as above."""
    from flow import book_mirror
    from flow.mirror.following import is_warm as is_mirror_warm

    if not is_mirror_warm():
        tell("compiles its kernels, first run only: some 10 s")
    book_mirror.warm()


def _help() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "the helper was not started by a process of ours"

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    warm_codec()
    warm_sessions()
    run_queries()
