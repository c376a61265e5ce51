"""Makes an environment from a lock file once, keeps it under ~/.cache/tickbus-tests; skips only without an index."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MAKING_S_MAX = 100.0
# What uv and npm say when nobody answers; everything else that goes wrong is a fault of ours and fails the test.
UNREACHABLE = (
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "error sending request",
    "dns error",
    "timed out",
    "Connection refused",
)


def python_of(lock: Path, version: str = "") -> Path:
    """Return the interpreter of an environment with what `lock` pins, each with its hashes.

    Skips without an index, and if a `version` such as 3.12 is asked for that is not on this machine.
    """
    uv = [sys.executable, "-m", "uv", "--quiet", "--no-config"]
    base = _python(version) if version else sys.executable

    def make(folder: Path) -> None:
        _run([*uv, "venv", "--python", base, "--clear", str(folder / "venv")])
        python = str(folder / "venv" / "bin" / "python")
        _run([*uv, "pip", "sync", "--python", python, "--require-hashes", str(lock)])

    kind = version.replace(".", "") or f"{sys.version_info.major}{sys.version_info.minor}"
    return _made(f"python-{kind}", [lock], make) / "venv" / "bin" / "python"


def node_program(source: Path, package: Path, folder: Path) -> list[str]:
    """Return the command that runs a copy of `source` in `folder` beside what the lock in the folder `package` pins.

    Skips without Node, and without a registry.
    """
    modules = node_modules(package)
    (folder / "node_modules").symlink_to(modules)
    return [shutil.which("node") or "node", str(shutil.copy(source, folder))]


def node_modules(package: Path) -> Path:
    """Return the folder with what the lock in the folder `package` pins.

    Skips without Node, and without a registry.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no Node with npm on this machine")
    files = [package / "package.json", package / "package-lock.json"]

    def make(made: Path) -> None:
        for file in files:
            shutil.copy(file, made / file.name)
        # Nothing may be built or fetched by a script: what is needed ships within the packages.
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(made)])

    return _made("node", files, make) / "node_modules"


def _python(version: str) -> str:
    """Return an interpreter of that version: one that is on the path, or that pyenv keeps."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    for candidate in filter(None, candidates):
        command = [
            candidate,
            "-c",
            "import sys; print(sys.executable)",
        ]
        found = subprocess.run(command, capture_output=True, text=True, timeout=MAKING_S_MAX, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    pytest.skip(f"there is no Python {version} on this machine")


def _made(kind: str, files: list[Path], make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` has filled, now or in an earlier run, for files with the same content."""
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tickbus-tests"
    folder = cache / f"{kind}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        ready = folder / "ready"
        if not ready.exists():
            make(folder)
            ready.touch()
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAKING_S_MAX, check=False)
    said = done.stdout + done.stderr
    if done.returncode != 0 and any(sign in said for sign in UNREACHABLE):
        pytest.skip(f"the index is out of reach: {said.strip()[-200:]}")
    assert done.returncode == 0, f"{' '.join(command)}:\n{said}"
