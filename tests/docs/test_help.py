"""What `--help` says: an example for each command, and the defaults that the settings have."""

import re
from typing import Any

import pytest
from typer import Typer
from typer.main import get_command

import cli
from nodes.settings import load_settings
from screens.help import EXAMPLES


def _names(group: Typer, prefix: str = "") -> list[str]:
    found = [prefix + str(each.name or getattr(each.callback, "__name__", "")) for each in group.registered_commands]
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        found += _names(sub.typer_instance, f"{prefix}{sub.name} ")
    return found


@pytest.mark.parametrize("name", _names(cli.app))
def test_each_command_has_an_example_that_is_one(name: str) -> None:
    """It names the command, and all its words are known to it."""
    example = EXAMPLES[name]
    assert re.search(rf"python cli\.py {re.escape(name)}( |$)", example)
    words = example.partition("python cli.py ")[2].split()
    command, context = get_command(cli.app), None
    while words and hasattr(command, "get_command"):
        context = command.make_context(words[0], words, parent=context, resilient_parsing=True)
        command = command.get_command(context, words.pop(0))
        assert command is not None
    with command.make_context(name, words, parent=context):
        pass


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("half_spread", "maker.half_spread"),
        ("speed", "flow.speed"),
        ("gateway_port", "gateway.port"),
        ("api_port", "api.port"),
        ("paper_port", "paper.port"),
        ("venue", "venue.name"),
        ("run_dir", "run_dir"),
    ],
)
def test_up_shows_the_defaults_that_there_are(option: str, key: str) -> None:
    """The settings are where a default stands; the help only tells it."""
    value: Any = load_settings({}).settings
    for part in key.split("."):
        value = getattr(value, part)
    up = get_command(cli.app).get_command(None, "up")  # type: ignore[attr-defined]
    parameter = next(each for each in up.params if each.name == option)
    shown = str(parameter.show_default)
    assert float(shown) == float(value) if re.fullmatch(r"[\d.]+", shown) else str(value).endswith(shown)
