"""What `--help` says: an example for each command, and the defaults that the settings have."""

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
from typer.main import get_group

import cli
from commands.app import app
from commands.config import show_settings
from desk.settings import load_settings
from tests.commands.tree import commands

ALL = commands()


@pytest.mark.parametrize("name", ["halt", "resume", "cancel"])
def test_what_ends_orders_says_that_it_is_of_every_symbol(name: str) -> None:
    """Guards a help that told of the desk's symbol alone, while every symbol was halted."""
    command = ALL[name]
    assert next(each for each in command.params if each.name == "symbol").show_default == "every symbol"


@pytest.mark.parametrize("name", ALL)
def test_each_command_has_an_example_that_is_one(name: str) -> None:
    """It names the command, and all its words are known to it."""
    example = ALL[name].epilog or ""
    assert re.search(rf"^Example: (\w+=\w+ )?python cli\.py {re.escape(name)}( |$)", example)
    words = shlex.split(example.partition("python cli.py ")[2])
    command: Any = get_group(app)
    context: Any = None
    while words and hasattr(command, "get_command") and not words[0].startswith("-"):
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
    parameter = next(each for each in ALL["up"].params if each.name == option)
    shown = str(parameter.show_default)
    assert float(shown) == float(value) if re.fullmatch(r"[\d.]+", shown) else str(value).endswith(shown)


def test_says_what_is_missing_where_the_packages_are_not_installed() -> None:
    """Guards `python3 cli.py` without the environment: one line and what to do, no traceback."""
    found = subprocess.run([sys.executable, "-I", "-S", cli.__file__], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr.startswith("error: this Python has no typer")
    assert "make up" in found.stderr
    assert found.stderr.count("\n") == 1


def test_settings_stand_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards `config show`: the longest key pushes nothing aside."""
    show_settings()
    lines = capsys.readouterr().out.splitlines()
    width = max(len(line.split()[0]) for line in lines)
    assert {line[width] for line in lines} == {" "}
    assert next(line for line in lines if line.startswith("symbol ")).index("BTCUSDT") == width + 1
