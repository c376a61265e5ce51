"""The codec's kernels with bounds checking compiled in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_never_reads_or_writes_outside_an_array(tmp_path: Path) -> None:
    """An index out of range would raise; without the check it would silently read, or write, somebody else's memory."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    files = [TESTS / f"test_{name}.py" for name in ("mutations", "streams", "encoding", "feed", "routing")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
    ran = subprocess.run(command, cwd=TESTS.parent.parent, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4_000:] + ran.stderr[-2_000:]
    assert " passed" in ran.stdout
    assert any(tmp_path.rglob("*.nbi")), "the kernels were not compiled afresh"
