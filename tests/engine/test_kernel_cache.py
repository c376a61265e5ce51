"""Where compiled kernels are kept: beside the sources, or wherever else a file can be written."""

import ast
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from market.kernels import compiling


def _choose(monkeypatch: pytest.MonkeyPatch, *roots: Path) -> Path:
    def candidates() -> Iterator[Path]:
        yield from roots

    monkeypatch.setattr(compiling, "_roots", candidates)
    return compiling._cache_folder()


def _unwritable(path: Path) -> Path:
    """Return a root below a file: nobody, not even the superuser of a container, can make a folder there."""
    path.write_text("not a folder")
    return path / "cache"


def test_the_first_writable_root_keeps_the_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A read-only install falls back to the next root."""
    folder = _choose(monkeypatch, _unwritable(tmp_path / "install"), tmp_path / "home", tmp_path / "other")
    assert folder.parent == tmp_path / "home"
    assert folder.is_dir()
    assert not (tmp_path / "other").exists()


def test_without_a_writable_root_the_error_names_them_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who reads it can repair it."""
    roots = [_unwritable(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(OSError, match=r"expected a writable folder.*one.*two"):
        _choose(monkeypatch, *roots)


def test_what_a_read_only_install_was_warmed_up_with_is_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container image compiles once, when it is built."""
    name = _choose(monkeypatch, tmp_path / "named").name
    warmed = tmp_path / "install" / name
    warmed.mkdir(parents=True)
    (warmed / "match_batch.nbc").write_bytes(b"machine code")
    make = tempfile.TemporaryFile

    def refuse_the_install(dir: Path) -> object:  # noqa: A002 - as the real one names it
        if dir == warmed:
            raise PermissionError(13, "Permission denied")
        return make(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse_the_install)
    folder = _choose(monkeypatch, tmp_path / "install", tmp_path / "home")
    assert folder == tmp_path / "home" / name
    assert (folder / "match_batch.nbc").read_bytes() == b"machine code"


def test_a_changed_source_has_another_folder(tmp_path: Path) -> None:
    """Numba itself would go on with the old machine code if only a callee's file changed, however deep it lies."""
    folders = [tmp_path / name for name in ("engine", "engine/fast", "market", "sessions/deep/er", "flow/mirror")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "source.py").write_text("LIMIT = 1")
    digests = [compiling._digest(tmp_path)]
    assert digests[0] == compiling._digest(tmp_path)
    for folder in folders:
        (folder / "source.py").write_text("LIMIT = 2")
        digests.append(compiling._digest(tmp_path))
    (folders[1] / "source.py").rename(folders[1] / "other.py")
    digests.append(compiling._digest(tmp_path))
    assert len(set(digests)) == len(digests)


def test_whatever_a_kernel_is_made_of_is_in_the_digest() -> None:
    """A kernel's module may import from any file that changes its machine code: all of those must be known."""
    root = Path(compiling.__file__).parents[2]
    known = {str(path.relative_to(root)) for path in compiling.kernel_sources(root)}
    rooms = {path.parent.name for path in root.glob("*/__init__.py")} - {"tests", "benchmarks"}
    waiting = [path for room in rooms for path in (root / room).rglob("*.py") if _has_kernels(path)]
    assert len(waiting) > 10
    seen = set[Path]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        assert str(path.relative_to(root)) in known
        found = (root / f"{name.replace('.', '/')}.py" for name in _imports(path))
        waiting.extend(each for each in found if each.is_file())


def _has_kernels(path: Path) -> bool:
    """Whether a module compiles something, and does not only ask what kernels are made of, or where they are."""
    asks = ".kernel_sources", ".is_compiled", ".compiled_count", ".kernel_count"
    return any(name.startswith("market.kernels.compiling.") and not name.endswith(asks) for name in _imports(path))


def _imports(path: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {node.module or "" for node in nodes} | {
        f"{node.module}.{name.name}" for node in nodes for name in node.names
    }


def test_warm_leaves_no_kernel_to_be_compiled_while_a_desk_runs() -> None:
    """The first look at the depth held an engine up for seconds, a gateway's first checkpoint its start."""
    code = """if True:
        from commands.config import warm
        from market.kernels.compiling import kernel_count
        from tests.engine.model.kernels_checked import kernels
        warm()
        print(*(name for name, kernel in kernels() if not kernel.signatures))
        print(len(list(kernels())) - kernel_count())
    """
    root = Path(compiling.__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout == "\n0\n", "and it tells of how many that are"


def test_a_kept_kernel_is_loaded_without_what_compiling_needs() -> None:
    """What numba needs for that took each process a quarter of a second more; who compiles afterwards has it all."""
    code = """if True:
        import sys
        from engine.fast.engine import run_matching
        run_matching()
        print("numba.cpython.charseq" in sys.modules)
        import math
        import numba
        import numpy as np
        print(numba.njit(lambda values: math.sqrt(np.sum(values)))(np.full(4, 4.0)))
        run_matching()
    """
    root = Path(compiling.__file__).parents[2]
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=root, check=True, capture_output=True)  # compiles, if nobody has
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "4.0"]
