"""Every file that a desk writes whole: what a crash, a full disk or a link in its way leaves behind."""

import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from market.whole_file import write_new, write_whole

ROOT = Path(__file__).resolve().parents[2]
_WRITE = """
import os, sys
from pathlib import Path
from market import whole_file
name, write, path = sys.argv[1:]
kept = getattr(os, name)
def die(*words, **more):
    if name == "fsync":
        kept(*words, **more)
    os._exit(9)
setattr(os, name, die)
getattr(whole_file, write)(Path(path), b"new" * 1000)
"""


@pytest.mark.parametrize("write", ["write_whole", "write_new"])
@pytest.mark.parametrize("step", ["fdopen", "fsync", "replace", "link", "unlink"])
def test_a_death_at_any_step_leaves_the_old_file_or_the_new_one(step: str, write: str, tmp_path: Path) -> None:
    """Whoever comes back finds a whole file, or none, and can write again."""
    path = tmp_path / "file"
    if write == "write_whole":
        path.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", _WRITE, step, write, str(path)], cwd=ROOT, check=False, timeout=30)
    found = path.read_bytes() if path.exists() else None
    assert found in ((b"old", b"new" * 1_000) if write == "write_whole" else (None, b"new" * 1_000))
    path.unlink(missing_ok=True)
    (write_whole if write == "write_whole" else write_new)(path, b"next")
    assert path.read_bytes() == b"next"


@pytest.mark.parametrize("write", [write_whole, write_new])
def test_a_disk_that_takes_no_more_leaves_what_was_there(write: object, tmp_path: Path) -> None:
    """The old file stays, nothing half stays beside it, and the error is the disk's."""
    assert callable(write)
    path = tmp_path / "file"
    if write is write_whole:
        path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path, b"n" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [each.name for each in tmp_path.iterdir()] == (["file"] if write is write_whole else [])
    assert write is write_new or path.read_bytes() == b"old"


def test_replaces_what_a_link_points_to_and_follows_none_beside_it(tmp_path: Path) -> None:
    """A link to another disk stays one; a link that somebody laid in the way of the temporary file is not followed."""
    (tmp_path / "elsewhere").mkdir()
    place, link, victim = tmp_path / "elsewhere" / "file", tmp_path / "link", tmp_path / "victim"
    place.write_bytes(b"old")
    victim.write_bytes(b"mine")
    link.symlink_to(place)
    write_whole(link, b"new")
    assert (link.is_symlink(), place.read_bytes()) == (True, b"new")
    (tmp_path / "elsewhere" / "file.tmp").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        write_whole(link, b"newer")
    assert (victim.read_bytes(), place.read_bytes()) == (b"mine", b"new")
    write_whole(link, b"newer")
    assert place.read_bytes() == b"newer"


@pytest.mark.parametrize("write", [write_whole, write_new])
def test_what_is_new_is_its_owner_s_alone(write: object, tmp_path: Path) -> None:
    """Whatever umask the process has."""
    assert callable(write)
    before = os.umask(0)
    try:
        write(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_of_many_that_make_a_file_at_once_one_wins(tmp_path: Path) -> None:
    """Nodes that are threads of one process want the same keys; nobody sees half of them."""
    path, made = tmp_path / "folder" / "file", []

    def make(number: int) -> None:
        try:
            write_new(path, b"%d" % number * 1_000)
        except FileExistsError:
            return
        made.append(number)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert path.read_bytes() == b"%d" % made[0] * 1_000
    assert [each.name for each in path.parent.iterdir()] == ["file"]
