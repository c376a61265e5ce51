"""The lock that the kernel takes back, market/lock.py."""

import os
from pathlib import Path

import pytest

from market.lock import is_locked, lock_folder, locked_folder


def test_keeps_others_out_until_it_is_closed(tmp_path: Path) -> None:
    """Two descriptors are two holders, be they of one process."""
    looker = os.open(tmp_path, os.O_RDONLY)
    try:
        assert not is_locked(looker)
        holder = lock_folder(tmp_path)
        assert is_locked(looker)
        with pytest.raises(BlockingIOError):
            lock_folder(tmp_path, wait_s=0.03)
        os.close(holder)
        assert not is_locked(looker), "whoever looks leaves nothing locked"
        with locked_folder(tmp_path, 0.0):
            assert is_locked(looker)
        assert not is_locked(looker)
    finally:
        os.close(looker)
