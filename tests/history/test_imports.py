"""Who loads the database: the tracker that runs, and nobody else; and what a report does without."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "modules",
    [
        "cli, commands.actions.desk_start, desk.supervisor",
        "cli, commands.actions.report, nodes.tracker.bookkeeper",
        "nodes.tracker.node, nodes.maker.node",
    ],
)
def test_a_command_does_not_load_the_database(modules: str) -> None:
    """SQLAlchemy costs a command its quick start, and a node its memory."""
    script = f"import sys, {modules}; print(sorted({{'sqlalchemy', 'alembic', 'history'}} & sys.modules.keys()))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_report_does_not_load_what_asks_a_venue() -> None:
    """Of the days before it reads files alone: an event loop, a server or a venue's calls are half of its start."""
    script = (
        "import sys, commands.app, commands.actions.report; "
        "print(sorted({'asyncio', 'sanic', 'ccxt', 'numpy', 'pages', 'nodes.tracker.bookkeeper'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_the_tracker_does_not_load_what_migrates() -> None:
    """A database in the form of today is opened without alembic."""
    script = "import sys, nodes.tracker.historian; print('sqlalchemy' in sys.modules, 'alembic' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "True False\n"
