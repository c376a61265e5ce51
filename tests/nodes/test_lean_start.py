"""What a process of a desk imports: each module that it does not need makes every start, and every restart, longer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("typer", "rich", "numpy", "numba", "sqlalchemy", "alembic", "sanic", "ccxt", "zmq.auth.thread", "commands.app")
NEEDED = {
    "engine": {"numpy", "numba"},
    "gateway": {"numpy", "numba"},
    "paper": {"sanic"},
    "flow": set[str](),
    "api": {"sanic"},
    "maker": {"ccxt"},
    "tracker": {"numpy"},  # and SQLAlchemy only when it opens its history
}


def _loaded(script: str, *words: str) -> set[str]:
    script += f"\nimport sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKBUS_")}
    result = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("kind", NEEDED)
def test_a_node_imports_no_heavy_package_that_it_does_not_need(kind: str) -> None:
    """As `cli.py node` imports it, up to where it begins its work."""
    script = f"import cli, desk.desk_file, nodes.node, nodes.{kind}.node"
    assert _loaded(script) <= NEEDED[kind], f"the {kind} imports what it does not need"


def test_a_supervisor_and_a_watchdog_import_no_heavy_package() -> None:
    """The supervisor shows people what it does, with rich; the watchdog calls the venue, and that through ccxt."""
    assert _loaded("import desk.supervisor") == {"rich"}
    assert _loaded("import cli, desk.desk_file, nodes.maker.watching") <= {"ccxt"}


@pytest.mark.parametrize(
    "words", [("node", "engine"), ("node", "maker", "--clean-up"), ("watchdog", "p", "--run-dir", "r")]
)
def test_a_process_of_a_desk_does_without_the_parser_of_commands(words: tuple[str, ...]) -> None:
    """As a supervisor starts it: these words are taken as they are, and the command is the one that a person gives."""
    script = """import sys, cli, commands.plain
commands.plain.run_node = lambda *_, **__: 0
commands.plain.run_watchdog = lambda *_: 0
assert commands.plain.run_plain(sys.argv[1:]) == 0"""
    assert _loaded(script, *words) == set()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("node",),
        ("node", "--help"),
        ("node", "engine", "--run-dir", "run"),
        ("node", "--clean-up", "maker"),
        ("node", ""),
        ("watchdog", "p"),
        ("watchdog", "--help", "--run-dir", "r"),
        ("status",),
    ],
)
def test_whatever_else_is_said_goes_to_the_parser(words: tuple[str, ...]) -> None:
    """It knows all options, and what to say of a wrong one."""
    script = "import sys, commands.plain; assert commands.plain.run_plain(sys.argv[1:]) is None"
    assert _loaded(script, *words) == set()
