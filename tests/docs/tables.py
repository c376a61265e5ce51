"""The tables of the documents, made from the code: `python -m tests.docs.tables` writes them into docs/.

A table stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. The sentences around it are written by hand.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bus import standby_frames
from bus.order_link import Kind
from bus.topology import CHANNELS, TCP_CHANNELS, Source, first_order_id, first_owner
from desk.sections import Transport
from desk.settings import LoadedSettings, Settings, environment_name
from market import codes, limits
from market.limits import ORDER_IDS_PER_SOURCE, OWNERS_PER_SOURCE
from market.messages import MESSAGES, FieldSpec, MessageSpec
from paper.fault_options import Option
from paper.faults import FaultKind
from tests.docs import exchange_errors
from trading.reasons import Rule

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL, OPERATING = ROOT / "docs" / "protocol.md", ROOT / "docs" / "operating.md"
PAPER, STRATEGIES = ROOT / "docs" / "paper.md", ROOT / "docs" / "strategies.md"
ENUMS: tuple[type[IntEnum], ...] = (
    codes.Side,
    codes.OrderType,
    codes.TimeInForce,
    codes.Trigger,
    codes.SelfTradePrevention,
    codes.RejectReason,
    codes.CancelReason,
)
_CODES = {  # which codes a field of the unit "code" holds
    "order_type": "OrderType",
    "time_in_force": "TimeInForce",
    "self_trade_prevention": "SelfTradePrevention",
    "trigger": "Trigger",
    "command": "tag of the command",
    "Canceled.reason": "CancelReason",
    "Rejected.reason": "RejectReason",
    "Logout.reason": "RejectReason",
}
_CONSTANT = re.compile(r"^\s*(?P<name>[A-Z][A-Z0-9_]+)(?:: Final)? = [^#\n]+?(?:  # (?P<says>.*))?$", re.MULTILINE)
_MEANING = re.compile(r"^\| `(?P<key>[a-z0-9_.]+)` \|.*\| (?P<meaning>[^|]*) \|$", re.MULTILINE)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def comments(source: type | ModuleType) -> dict[str, str]:
    """Return the constants of a class or a module with the comment at the end of their lines."""
    return {match["name"]: match["says"] or "" for match in _CONSTANT.finditer(inspect.getsource(source))}


def messages_tables(_: str) -> str:
    """Return a section for each message: what its docstring says, and its fields."""
    return "\n\n".join(map(_message_section, MESSAGES))


def _message_section(spec: MessageSpec) -> str:
    head = ("#", "field", "type", "unit", "from", "to", "default")
    rows = [(number, *_field_cells(spec, field)) for number, field in enumerate(spec.fields, start=1)]
    title = f"### {int(spec.tag)} {spec.name}\n\nSent by: {spec.sender}."
    return f"{title} {_unwrapped(spec.message.__doc__)}\n\n{table(head, rows)}"


def _field_cells(spec: MessageSpec, field: FieldSpec) -> tuple[object, ...]:
    default = "required" if field.default is None else "empty" if field.default == "" else field.default
    unit = _CODES.get(f"{spec.name}.{field.name}") or _CODES.get(field.name) or field.bounds.unit
    assert unit != "code", f"{spec.name}.{field.name} is a code of an unknown kind"
    return f"`{field.name}`", field.kind.__name__, unit, field.bounds.low, field.bounds.high, default


def _unwrapped(docstring: str | None) -> str:
    return " ".join((docstring or "").split())


def enums_tables(_: str) -> str:
    """Return a section for each kind of code."""
    return "\n\n".join(f"### {kind.__name__}\n\n{_unwrapped(kind.__doc__)}\n\n{_codes(kind)}" for kind in ENUMS)


def _codes(kind: type[IntEnum]) -> str:
    says = comments(kind)
    rows = ((int(code), f"`{code.name}`", says[code.name] or _in_words(code.name)) for code in kind)
    return table(("value", "name", "meaning"), rows)


def _in_words(name: str) -> str:
    return name.lower().replace("_", " ")


def link_table(_: str) -> str:
    """Return the kinds of frames of an order link."""
    return _kinds(Kind)


def standby_table(_: str) -> str:
    """Return the kinds of frames of a standby link."""
    return _kinds(standby_frames.Kind)


def _kinds(kinds: type[IntEnum]) -> str:
    says = comments(kinds)
    rows = []
    for kind in kinds:
        sender, rest = says[kind.name].split(": ", 1)
        fields, _, note = rest.partition("; ")
        rows.append((int(kind), f"`{kind.name}`", sender, f"`{fields}`", note))
    return table(("kind", "name", "sent by", "header", "says"), rows)


def channels_table(_: str) -> str:
    """Return the table of channels."""
    head = ("channel", "bound by", "binds", "connects", "high-water mark", "may lose", "linger, ms", "carries")
    rows = (
        (
            f"`{row.name}.ipc`",
            row.binder,
            row.bind_type,
            row.connect_type,
            row.high_water_mark,
            "yes" if row.is_lossy else "no",
            row.linger_ms,
            row.says,
        )
        for row in CHANNELS
    )
    return table(head, rows)


def transports_table(_: str) -> str:
    """Return what each channel may go over, and at which port."""
    rows = (
        (
            f"`{row.name}`",
            row.says,
            row.binder,
            ", ".join(
                f"`{transport}`" for transport in (get_args(Transport) if row.name in TCP_CHANNELS else ("ipc",))
            ),
            "" if row.tcp_port is None else f"`bus.port` + {row.tcp_port}",
        )
        for row in CHANNELS
    )
    return table(("channel", "carries", "bound by", "may be", "tcp port"), rows)


def sources_table(_: str) -> str:
    """Return the ranges of order ids and owners."""
    names = {int(source): source.name.lower() for source in Source} | {1: "the first gateway", 5: "the second gateway"}
    rows = (
        (
            source,
            names[source],
            first_order_id(source) + 1,
            first_order_id(source) + ORDER_IDS_PER_SOURCE - 1,
            first_owner(source),
            first_owner(source) + OWNERS_PER_SOURCE - 1,
        )
        for source in sorted(names)
    )
    return table(("source", "name", "first order id", "last order id", "first owner", "last owner"), rows)


def limits_table(_: str) -> str:
    """Return every maximum of the house."""
    says = comments(limits)
    return table(("limit", "value", "says"), ((f"`{name}`", getattr(limits, name), says[name]) for name in says))


def settings_table(document: str) -> str:
    """Return every setting; the meaning in its last column is kept from `document`."""
    meanings = {match["key"]: match["meaning"] for match in _MEANING.finditer(document)}
    rows = []
    for key, text, _ in LoadedSettings(Settings(), {}).values():
        default = f"`{text}`" if text else ""
        rows.append((f"`{key}`", f"`{environment_name(key)}`", default, _allowed(key), meanings.get(key, "")))
    return table(("key", "environment", "default", "allowed", "meaning"), rows)


def _allowed(key: str) -> str:
    *path, leaf = key.split(".")
    section: type[BaseModel] = Settings
    for part in path:
        section = type(section.model_fields[part].default)
    return ", ".join(_bounds(section.model_fields[leaf]))


def _bounds(field: FieldInfo) -> Iterator[str]:
    kinds = [field.annotation, *get_args(field.annotation)]
    for kind in kinds:
        if get_origin(kind) is Literal:
            yield " or ".join(f"`{choice}`" for choice in get_args(kind))
    nested = [item for kind in kinds for item in getattr(kind, "__metadata__", ())]
    for item in [*field.metadata, *(part for info in nested for part in getattr(info, "metadata", ()))]:
        yield from _constraint(item)


def _constraint(item: Any) -> Iterator[str]:
    signs = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
    for name, sign in signs:
        if getattr(item, name, None) is not None:
            yield f"{sign} {getattr(item, name)}"
    if getattr(item, "pattern", None):
        yield f"`{item.pattern}`"


def faults_table(_: str) -> str:
    """Return every fault switch of the paper exchange."""
    rows = ((f"`{kind}`", kind.effect, "<br>".join(map(_option, kind.options)), kind.says) for kind in FaultKind)
    return table(("kind", "acts", "options", "says"), rows)


def _option(option: Option) -> str:
    default = f"; {json.dumps(option.default)}" if option.default is not None else ""
    return f"`{option.name}`: {option.expected}{default}"


def rules_table(_: str) -> str:
    """Return every rule by which a quote is placed, cancelled or left out."""
    says = comments(Rule)
    return table(("code", "meaning"), ((f"`{rule}`", says[rule.name]) for rule in Rule))


def errors_table(_: str) -> str:
    """Return every error code, whether the paper exchange sends it, in which words, and the test that expects it."""
    return table(("code", "name", "can come", "text", "test"), exchange_errors.rows())


TABLES: dict[str, tuple[Path, Callable[[str], str]]] = {
    "messages": (PROTOCOL, messages_tables),
    "codes": (PROTOCOL, enums_tables),
    "link": (PROTOCOL, link_table),
    "standby": (PROTOCOL, standby_table),
    "channels": (PROTOCOL, channels_table),
    "sources": (PROTOCOL, sources_table),
    "limits": (PROTOCOL, limits_table),
    "settings": (OPERATING, settings_table),
    "transports": (OPERATING, transports_table),
    "faults": (PAPER, faults_table),
    "errors": (PAPER, errors_table),
    "rules": (STRATEGIES, rules_table),
}


def written(name: str, document: str) -> str:
    """Return what stands between the two marks of the table `name`.

    Raises:
        ValueError: if the document does not have each mark once.
    """
    begin, end = f"<!-- {name}:begin -->\n", f"\n<!-- {name}:end -->"
    if document.count(begin) != 1 or document.count(end) != 1:
        raise ValueError(f"expected the marks of {name} once each")
    return document.split(begin)[1].split(end, maxsplit=1)[0]


def main() -> None:
    """Write every table into its document."""
    for name, (path, render) in TABLES.items():
        document = path.read_text(encoding="utf-8")
        begin = f"<!-- {name}:begin -->\n"
        old = begin + written(name, document)
        path.write_text(document.replace(old, begin + render(document)), encoding="utf-8")


if __name__ == "__main__":
    main()
