"""Does a document keep a JSON Schema: the words of draft 2020-12 that docs/performance.schema.json is written in."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from market.exact_json import JsonObject, loads
from reports.daily_file import encode

SCHEMA: Final[JsonObject] = loads((Path(__file__).parents[2] / "docs" / "performance.schema.json").read_bytes())
_KINDS: Final = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, Decimal),
}
_WORDS: Final = {
    *(
        "type",
        "enum",
        "const",
        "minimum",
        "exclusiveMinimum",
        "maximum",
        "pattern",
        "items",
        "properties",
        "required",
        "additionalProperties",
    ),
    *("anyOf", "$ref", "$defs", "$schema", "title", "description"),
}


def faults(document: Any, schema: JsonObject = SCHEMA, where: str = "") -> Iterator[str]:
    """Yield what is wrong with `document`, each with where it stands."""
    assert schema.keys() <= _WORDS, schema.keys() - _WORDS
    if "$ref" in schema:
        yield from faults(document, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
        return
    if "anyOf" in schema and all(list(faults(document, one, where)) for one in schema["anyOf"]):
        yield f"{where}: keeps none of {schema['anyOf']}"
    if "type" in schema and not _is_of(document, schema["type"]):
        yield f"{where}: expected {schema['type']}, was {document!r}"
        return
    if "const" in schema and document != schema["const"]:
        yield f"{where}: expected {schema['const']!r}, was {document!r}"
    if "enum" in schema and document not in schema["enum"]:
        yield f"{where}: expected one of {schema['enum']}, was {document!r}"
    yield from _faults_of_number(document, schema, where)
    if "pattern" in schema and isinstance(document, str) and not re.search(schema["pattern"], document):
        yield f"{where}: expected {schema['pattern']}, was {document!r}"
    if isinstance(document, list) and "items" in schema:
        for index, one in enumerate(document):
            yield from faults(one, schema["items"], f"{where}[{index}]")
    if isinstance(document, dict):
        yield from _faults_of_object(document, schema, where)


def _faults_of_number(document: Any, schema: JsonObject, where: str) -> Iterator[str]:
    if not _is_of(document, "number"):
        return  # the words of a bound are of numbers alone, as null beside them is none
    if "minimum" in schema and document < schema["minimum"]:
        yield f"{where}: expected at least {schema['minimum']}, was {document}"
    if "exclusiveMinimum" in schema and document <= schema["exclusiveMinimum"]:
        yield f"{where}: expected more than {schema['exclusiveMinimum']}, was {document}"
    if "maximum" in schema and document > schema["maximum"]:
        yield f"{where}: expected at most {schema['maximum']}, was {document}"


def faults_written(document: JsonObject) -> list[str]:
    """Return what is wrong with a document as it is written."""
    return list(faults(loads(encode(document))))


def _faults_of_object(document: JsonObject, schema: JsonObject, where: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{where}.{name} is missing" for name in schema.get("required", []) if name not in document)
    for name, value in document.items():
        if name in known:
            yield from faults(value, known[name], f"{where}.{name}")
        elif others is False:
            yield f"{where}.{name} is not known"
        elif isinstance(others, dict):
            yield from faults(value, others, f"{where}.{name}")


def _is_of(value: Any, kinds: str | list[str]) -> bool:
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if isinstance(value, bool):
            if kind == "boolean":
                return True
        elif isinstance(value, _KINDS[kind]):  # type: ignore[arg-type]
            return True
    return False
