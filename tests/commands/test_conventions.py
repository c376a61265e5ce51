"""What all commands have in common: JSON of what they read, no colours where none are wanted, words for Tab."""

import os
import re
from typing import Any

import pytest
import typer

from commands import completing
from commands.output import take_no_color
from tests.commands.tree import commands
from tests.docs.tables import OPERATING

# Commands without --json: what they are for is done when they end, or what they print has a form of its own.
DO = {
    *("up", "down", "stop", "start", "node", "watchdog", "warm", "backup", "restore", "set", "halt", "resume"),
    *("flatten", "promote", "record", "faults run", "journal repair", "journal prune", "journal archive"),
    *("history export",),
}


def test_what_reads_has_json() -> None:
    """A new command has it, or says here that it does something."""
    without = {name for name, command in commands().items() if all(each.name != "as_json" for each in command.params)}
    assert without == DO


def test_what_has_json_is_documented() -> None:
    """In the one list of them."""
    text = re.search(r"^\*\*JSON\.\*\* .*$", OPERATING.read_text(encoding="utf-8"), re.MULTILINE)
    assert text is not None
    listed = set(re.findall(r"`([a-z ]+)`", text[0].partition("`history export` writes")[0]))
    changes = {"place", "cancel", "accounts create", "accounts fund", "accounts reset"}
    assert listed == commands().keys() - DO - changes


@pytest.mark.parametrize(
    ("words", "left", "is_taken"),
    [
        (["cli.py", "status", "--no-color"], ["cli.py", "status"], True),
        (["cli.py", "--no-color", "status", "--help"], ["cli.py", "status", "--help"], True),
        (["cli.py", "history", "sql", "--", "--no-color"], ["cli.py", "history", "sql", "--", "--no-color"], False),
        (["cli.py"], ["cli.py"], False),
    ],
)
def test_no_color_stands_anywhere(
    words: list[str], left: list[str], is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that colour look at NO_COLOR."""
    monkeypatch.setattr(os, "environ", {})
    take_no_color(words)
    assert words == left
    assert ("NO_COLOR" in os.environ) == is_taken


@pytest.mark.parametrize(
    ("offer", "begun", "expected"),
    [
        (completing.symbols, "E", ["ETHUSDT"]),
        (completing.symbols, "et", ["ethusdt"]),
        (completing.nodes, "ma", ["maker"]),
        (completing.engines, "", ["engine"]),
        (completing.models, "g", ["glft"]),
        (completing.keys, "paper.po", ["paper.port="]),
        (completing.live_keys, "maker.ske", ["maker.skew="]),
    ],
)
def test_offers_what_the_desk_has(
    offer: completing.Offer, begun: str, expected: list[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no desk has ever run, what one would have; of a file that is wrong nothing, and no traceback."""
    monkeypatch.chdir(tmp_path)
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
    assert offer(context, begun) == expected
    (tmp_path / "tickbus.toml").write_text("symbol = 7\n")
    assert offer(context, begun) == []
