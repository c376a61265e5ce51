"""Ledgers that were computed by hand: every figure that they expect stands in the daily file, to the last unit."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from market.exact_json import JsonObject
from reports.performance import is_sound
from tests.reports.json_schema import faults_written
from tests.reports.ledger import Ledger

_LEDGERS = sorted((Path(__file__).parent / "ledgers").glob("*.toml"))


def _at(document: JsonObject, path: str) -> Any:
    found: Any = document
    for name in path.split("/"):
        found = found[int(name)] if isinstance(found, list) else found[name]
    return found


@pytest.mark.parametrize("path", _LEDGERS, ids=lambda path: path.stem)
def test_reproduces_every_figure(path: Path, tmp_path: Path) -> None:
    """Guards each figure against arithmetic on paper: see the comments in the ledger."""
    ledger = tomllib.loads(path.read_text(), parse_float=Decimal)
    document = Ledger(tmp_path / "reports", ledger["start"], ledger["symbols"]).play(ledger["lines"])
    assert faults_written(document) == []
    assert is_sound(document) is ledger.get("sound", True)
    found = {name: _at(document, name) for name in ledger["expected"]}
    assert found == {name: None if value == "null" else value for name, value in ledger["expected"].items()}


def test_are_at_least_fifteen() -> None:
    """Guards the folder: a ledger that is not found is not played."""
    assert len(_LEDGERS) >= 15
