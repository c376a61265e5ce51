"""One process for each role: who holds the lock, and who only looks."""

import threading
from pathlib import Path

import pytest

from desk.run_dir import LockedError, LockFile, holder_pid


def test_somebody_who_looks_does_not_keep_it_from_anybody(tmp_path: Path) -> None:
    """`status` beside `up`: whoever looks holds the lock for an instant, and the start was refused because of it."""
    path, is_over = tmp_path / "desk.lock", threading.Event()

    def look() -> None:
        while not is_over.is_set():
            holder_pid(path)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(200):
            LockFile(path, "the desk").release()
    finally:
        is_over.set()
        for looker in lookers:
            looker.join()
    assert not path.exists()


def test_the_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    """However long it tries."""
    path = tmp_path / "desk.lock"
    lock = LockFile(path, "the desk")
    with pytest.raises(LockedError, match="the desk is already running, pid "):
        LockFile(path, "the desk")
    assert holder_pid(path) is not None
    lock.release()
    assert holder_pid(path) is None
