"""What is used is declared, what is declared is pinned with hashes, and what is packaged is in the image."""

import ast
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from web.libraries import LIBRARIES

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = tuple(pattern.removesuffix("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"])
WORKSHOP = ("tests", "benchmarks", "examples")
OTHERS = {  # other people's programs, each in an environment of its own
    ROOT / "tests" / "paper" / "programs",
    ROOT / "tests" / "reports" / "programs",
    ROOT / "benchmarks" / "hftbacktest_run.py",
}
TOOLS = {"import-linter", "mypy", "pytest-timeout", "pytest-xdist", "ruff", "uv", "psutil", "types-psutil"}


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[; ]", each)[0] for each in requirements}


PRODUCT = _names(PROJECT["project"]["dependencies"])
QUESTIONS = _names(PROJECT["project"]["optional-dependencies"]["history-sql"])  # the product does without it
CARRIERS = {library.package for library in LIBRARIES}
DEV = _names(PROJECT["project"]["optional-dependencies"]["dev"])


def _files(rooms: tuple[str, ...]) -> Iterator[Path]:
    for room in rooms:
        yield from (path for path in (ROOT / room).rglob("*.py") if not OTHERS & {path, *path.parents})


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _distributions(files: Iterator[Path]) -> set[str]:
    """Return the distributions that the files import, of what is neither ours nor Python's."""
    known = packages_distributions()
    modules = {name for path in files for name in _imported(path)}
    theirs = modules - {*ROOMS, *WORKSHOP, "cli"} - set(sys.stdlib_module_names)
    return {known[name][0].lower().replace("_", "-") if name in known else f"{name} (not installed)" for name in theirs}


def test_the_product_declares_what_it_imports() -> None:
    """A package that comes only because another one needs it goes when that one no longer does.

    Those that only carry a file for browsers are never imported: what they do there, nobody has looked at.
    """
    imported = _distributions(iter([ROOT / "cli.py", *_files(ROOMS)]))
    assert imported == (PRODUCT - CARRIERS) | QUESTIONS
    assert PRODUCT >= CARRIERS


def test_the_workshop_declares_what_it_imports() -> None:
    """Tests, benchmarks and examples may use the dev extra as well."""
    used = _distributions(_files(WORKSHOP))
    assert used - PRODUCT - DEV == set()
    assert DEV - TOOLS - QUESTIONS - used == set()


def _pins(name: str) -> dict[str, str]:
    """Return each pinned package of a lock with its block: the version and the hashes."""
    blocks = re.split(r"^(?=[a-z0-9][a-z0-9.-]*==)", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    return {block.partition("==")[0]: re.sub(r"^\s*#.*\n?", "", block, flags=re.MULTILINE) for block in blocks}


def test_every_declared_package_is_pinned_with_hashes() -> None:
    """`make` installs from the locks alone, and nothing without a hash."""
    running, working, installer = map(_pins, ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock"))
    assert running.keys() >= PRODUCT
    assert not running.keys() & QUESTIONS
    assert working.keys() >= PRODUCT | DEV
    assert {name: working[name] for name in running} == running, "the two locks differ"
    assert installer == {"uv": working["uv"]}
    assert all("--hash=sha256:" in block for block in working.values())
    pip_lines = re.findall(r"pip (?:install|sync) [^|\n]*", (ROOT / "Makefile").read_text())
    assert pip_lines
    assert all("--require-hashes" in line for line in pip_lines)


def test_the_image_has_every_room_and_nothing_that_is_not_there() -> None:
    """A room that was added to the project and not to the image left an image that cannot be built."""
    text = (ROOT / "deploy" / "Containerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for word in line.split()}
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name in ROOMS}
    assert rooms == set(ROOMS)
    assert copied == rooms | {"cli.py", "pyproject.toml", "requirements.lock", "LICENSE", "README.md"}


def test_the_image_can_import_every_node() -> None:
    """With nothing but what it copies: a node that imports from another folder would end at its start."""
    text = (ROOT / "deploy" / "Containerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for word in line.split()]
    with tempfile.TemporaryDirectory(prefix="tb-") as image:
        for name in copied:
            (Path(image) / name).symlink_to(ROOT / name)
        script = "import cli, commands.actions.desk_start, desk.kinds, importlib\n"
        script += "for kind in desk.kinds.KINDS: importlib.import_module(kind.module)"
        command = [sys.executable, "-P", "-c", script]
        clean = {"PATH": os.environ["PATH"], "PYTHONPATH": image, "HOME": image}
        result = subprocess.run(command, cwd=image, env=clean, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_base_of_the_image_is_exact() -> None:
    """A tag that moves gives another Python tomorrow."""
    text = (ROOT / "deploy" / "Containerfile").read_text()
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
