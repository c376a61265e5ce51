"""How kernels are compiled and where the machine code is kept.

numba keeps compiled code by the name and the date of the file of the outermost function alone: a change in another file
would go unnoticed. So the cache is a folder named after a digest of all sources that a kernel is made of. It lies in
NUMBA_CACHE_DIR, else beside the sources, else (a read-only install) in the user's cache folder, else in a temporary
one; what a read-only install was warmed up with is copied there.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import numba
import numpy as np
from numba.core import caching

_P = ParamSpec("_P")
_R = TypeVar("_R")
_config: Any = numba.config  # filled at run time
_Cache: Any = caching.FunctionCache


# What kernels are made of: files, and folders with all that is in them.
_ROOMS: Final = (
    "engine",
    "market",
    "sessions",
    "flow/mirror",
    "simulation/replaying",
    "journal/kernels",
    "bus/kernels",
    "bus/order_link.py",
    "bus/topology.py",
    "nodes/engine/lane",
)
_NOT_COMPILED: Final = "reference"  # but not those in a folder of this name


def kernel_sources(root: Path = Path(__file__).parents[2]) -> list[Path]:
    """Return every file below `root` that a kernel may be made of: what changes one changes machine code."""
    rooms = (root / room for room in _ROOMS)
    paths = (path for room in rooms for path in ([room] if room.is_file() else room.rglob("*.py")))
    return sorted(path for path in paths if _NOT_COMPILED not in path.parts)


def _digest(root: Path = Path(__file__).parents[2]) -> str:
    digest = blake2b(f"{sys.version} {numba.__version__} {_config.BOUNDSCHECK}".encode(), digest_size=8)
    for path in kernel_sources(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _roots() -> Iterator[Path]:
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(named)
    yield Path(__file__).parent / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "tickbus"
    yield Path(tempfile.gettempdir()) / f"tickbus-{os.getuid()}"


def _cache_folder() -> Path:
    name, warmed, refusals = f"kernels-{_digest()}", None, []
    for root in _roots():
        folder = root / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except (OSError, RuntimeError) as error:
            refusals.append(f"{folder}: {error}")
            warmed = warmed or (folder if folder.is_dir() else None)
            continue
        # Machine code is loaded from here: in a shared temporary folder somebody else may have put it there first.
        if folder.stat().st_uid != os.getuid():
            refusals.append(f"{folder}: belongs to another user")
            continue
        if warmed and not any(folder.iterdir()):
            shutil.copytree(warmed, folder, dirs_exist_ok=True)
        return folder
    raise OSError(f"expected a writable folder for compiled kernels; {'; '.join(refusals)}")


IS_COMPILED: Final = not _config.DISABLE_JIT
CACHE_FOLDER: Final = _cache_folder() if IS_COMPILED else None
if CACHE_FOLDER:
    _config.CACHE_DIR = str(CACHE_FOLDER)


# Kernels make no arrays, so they need not count who refers to one. Counting made an order cost 1,400 ns instead of 30.
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "_nrt": False}


_INTERNAL: Final[dict[str, Any]] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class _LoadingCache(_Cache):  # type: ignore[misc]
    """A kernel's compiled code, loaded without all that numba needs to compile some.

    numba fills its tables of types and functions before it looks whether there is anything to compile. That takes two
    thirds of a process' first load, some 0.25 s of a processor; who compiles fills them anyway.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is kept for arguments of these types, None if nothing is."""
        return self._load_overload(sig, target_context)


def is_compiled(*names: str) -> bool:
    """Return whether kernels (`matching.match_batch`) need no compiling: all are in the cache, or none is compiled."""
    return CACHE_FOLDER is None or all(any(CACHE_FOLDER.rglob(f"{name}-*.nbc")) for name in names)


def compiled_count() -> int:
    """Return how many kernels are compiled and kept, each for each kind of its arguments."""
    return 0 if CACHE_FOLDER is None else sum(1 for _ in CACHE_FOLDER.rglob("*.nbc"))


def kernel_count(root: Path = Path(__file__).parents[2]) -> int:
    """Return how many kernels the sources below `root` have that every desk needs: none of a lane's, which is off."""
    own = (path for path in kernel_sources(root) if not path.is_relative_to(root / "bus") and "lane" not in path.parts)
    return sum(path.read_text(encoding="utf-8").count("\n@kernel\n") for path in own)


def argument(value: int) -> int:
    """Return a constant to pass to functions; numba compiles a function anew for every plain constant passed to it."""
    return np.int64(value)  # type: ignore[return-value]


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function that Python calls."""
    compiled: Any = numba.njit(**_OPTIONS)(function)
    if IS_COMPILED:
        compiled._cache = _LoadingCache(function)
    return compiled  # type: ignore[no-any-return]


def routine(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function that only kernels call, and seldom: a call takes some 50 ns, most of it to pass the memory."""
    compiled: Callable[_P, _R] = numba.njit(**_INTERNAL)(function)
    return compiled


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function into each of its callers: on the hot path a call would cost more than its short body."""
    compiled: Callable[_P, _R] = numba.njit(forceinline=True, **_INTERNAL)(function)
    return compiled
