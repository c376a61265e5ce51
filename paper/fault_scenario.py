"""A scenario: which fault switches are set, when and for how long. A TOML file, read and checked as a whole.

seed = 7                                 # of all dice that have none of their own

[[rows]]
at_s = 10                                # from the beginning
switch = "mute"
value = { streams = "account" }          # the switch's options; may be left out
for_s = 20                               # not with what happens at once
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from market.mendable import MendableError
from paper.fault_options import what_was
from paper.faults import ARMED_MAX, SEED_MAX, Effect, FaultError, FaultKind, Faults

_AT_S_MAX: Final = 86_400
_ROW_KEYS: Final = ("at_s", "switch", "value", "for_s")
_LASTING: Final = [str(kind) for kind in FaultKind if kind.effect is not Effect.AT_ONCE]


class ScenarioError(MendableError):
    """A scenario cannot be run; the text has a line for each thing that is wrong with it."""


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """A switch that is to be set.

    Attributes:
        number: of the row in its file, from 1.
        at_s: when, from the beginning.
        document: what the exchange is told.
    """

    number: int
    at_s: float
    kind: FaultKind
    document: Mapping[str, Any]

    @property
    def symbol(self) -> str:
        """The symbol that it names, or none."""
        return str(self.document.get("symbol", ""))


def read_scenario(path: Path, symbols: Collection[str], accounts: Collection[int]) -> list[ScenarioRow]:
    """Return a file's rows in the order in which they are to be set; symbols and accounts are those of the exchange.

    Raises:
        ScenarioError: naming all that is wrong, each in a line.
    """
    try:
        scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ScenarioError(f"{path} is no TOML: {error}") from None
    wrong = list(_wrong_outside_rows(scenario))
    rows = scenario.get("rows", [])
    if not _are_tables(rows):
        wrong.append(f"expected 1 to {ARMED_MAX} tables [[rows]], {what_was(scenario, 'rows')}")
        rows = []
    for number, row in enumerate(rows, start=1):
        wrong += [f"row {number}: {each}" for each in _wrong_in_row(row, symbols, accounts)]
    if wrong:
        raise ScenarioError("\n".join(f"{path}: {each}" for each in wrong))
    found = [_row(number, row, scenario.get("seed", 0)) for number, row in enumerate(rows, start=1)]
    return sorted(found, key=lambda row: row.at_s)


def _wrong_outside_rows(scenario: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(scenario.keys() - {"seed", "rows"}):
        yield f"expected seed and [[rows]], was {', '.join(unknown)}"
    seed = scenario.get("seed", 0)
    if type(seed) is not int or not 0 <= seed < SEED_MAX - ARMED_MAX:
        yield f"expected seed to be an integer from 0 to {SEED_MAX - ARMED_MAX - 1}, {what_was(scenario, 'seed')}"


def _are_tables(rows: object) -> bool:
    return isinstance(rows, list) and 0 < len(rows) <= ARMED_MAX and all(isinstance(row, dict) for row in rows)


def _wrong_in_row(row: Mapping[str, Any], symbols: Collection[str], accounts: Collection[int]) -> Iterator[str]:
    if unknown := [name for name in row if name not in _ROW_KEYS]:
        yield f"expected {', '.join(_ROW_KEYS)}, was {', '.join(unknown)}"
    at_s: Any = row.get("at_s")
    if type(at_s) not in {int, float} or not 0 <= at_s <= _AT_S_MAX:
        yield f"expected at_s to be a number from 0 to {_AT_S_MAX}, {what_was(row, 'at_s')}"
    value = row.get("value", {})
    if not isinstance(value, dict) or {"kind", "for_s"} & value.keys():
        yield f"expected value to be a table of the switch's options alone, {what_was(row, 'value')}"
        return
    if row.get("switch") in _LASTING and "for_s" not in row:
        yield f"{row['switch']}: expected for_s, in seconds"
    try:
        fault = Faults().read(_document(row))
    except FaultError as error:
        yield from str(error).replace('{"kind": ...} with', "switch to be").splitlines()
        return
    for name, known in (("symbol", symbols), ("account", accounts)):
        if name in value and value[name] not in known:
            yield f"{fault.kind}: expected {name} to be one of {', '.join(map(str, known))}, {what_was(value, name)}"


def _row(number: int, row: Mapping[str, Any], seed: int) -> ScenarioRow:
    document = _document(row)
    kind = Faults().read(document).kind
    if any(option.name == "seed" for option in kind.options):
        document.setdefault("seed", seed + number)
    return ScenarioRow(number, row["at_s"], kind, document)


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    of_row = {name: row[key] for name, key in (("kind", "switch"), ("for_s", "for_s")) if key in row}
    return {**row.get("value", {}), **of_row}
