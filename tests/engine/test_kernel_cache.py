"""Where compiled kernels are kept: beside the sources, or wherever else a file can be written."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import kernel


def _choose(monkeypatch: pytest.MonkeyPatch, *roots: Path) -> Path:
    def candidates() -> Iterator[Path]:
        yield from roots

    monkeypatch.setattr(kernel, "_roots", candidates)
    return kernel._cache_folder()


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


def test_a_changed_source_has_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Numba itself would go on with the old machine code if only a callee's file changed."""
    package, words = tmp_path / "engine", tmp_path / "market"
    for folder in (package, words):
        folder.mkdir()
        (folder / "source.py").write_text("LIMIT = 1")
    monkeypatch.setattr(kernel, "__file__", str(package / "kernel.py"))
    before = kernel._digest()
    assert before == kernel._digest()
    (words / "source.py").write_text("LIMIT = 2")
    assert kernel._digest() != before
