"""The commands that there are, as typer has them."""

from typing import Any

from typer.main import get_group

from commands.app import app


def commands(group: Any = None, before: str = "") -> dict[str, Any]:
    """Return every command by its name, those in groups and the groups that do something themselves, too."""
    found: dict[str, Any] = {}
    for name, command in (group or get_group(app)).commands.items():
        if getattr(command, "invoke_without_command", True):
            found[before + name] = command
        if hasattr(command, "commands"):
            found |= commands(command, f"{before}{name} ")
    return found
