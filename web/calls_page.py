"""Any OpenAPI document as a page: each call with its parameters and its answers, without a script."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_NOTES: Final = ("x-weight", "x-security")
Document = Mapping[str, Any]


def calls_html(document: Document, symbol: str = "") -> str:
    """Return the calls of a document as HTML, in its order.

    Args:
        symbol: with which a call that needs nothing but a symbol is offered as a link; empty: none is, as where the
            calls are another server's.
    """
    return "\n".join(
        _call(path, method, operation, symbol)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS
    )


def _call(path: str, method: str, operation: Document, symbol: str) -> str:
    rows = [*_parameters(operation)]
    notes = [f"{name.removeprefix('x-')}: {operation[name]}" for name in _NOTES if name in operation]
    parts = [
        f"<summary><code>{method.upper()} {escape(path)}</code></summary>",
        f"<p>{_text(operation['summary'])}{_link(path, method, operation, symbol)}</p>",
        _table(("parameter", "in", "what"), rows) if rows else "",
        f'<p class="note">{_text(", ".join(notes))}</p>' if notes else "",
        _table(("answer", "what"), [*_answers(operation["responses"])]),
    ]
    return f"<details>{''.join(parts)}</details>"


def _parameters(operation: Document) -> Iterator[Sequence[str]]:
    for each in operation.get("parameters", ()):
        yield _row(each["name"], each["in"], each.get("description", ""), each["schema"], is_required=each["required"])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for name, schema in body.get("properties", {}).items():
        yield _row(name, "body", schema.get("description", ""), schema, is_required=name in body.get("required", ()))


def _link(path: str, method: str, operation: Document, symbol: str) -> str:
    parameters = operation.get("parameters", ())
    if not symbol or method != "get" or any(each["required"] for each in parameters) or "101" in operation["responses"]:
        return ""
    query = [f"symbol={symbol}"] if any(each["name"] == "symbol" for each in parameters) else []
    query += [operation["x-example"]] if "x-example" in operation else []
    address = escape(f"{path}?{'&'.join(query)}" if query else path)
    return f' <a href="{address}">{address}</a>'


def _row(name: str, place: str, text: str, schema: Document, *, is_required: bool) -> Sequence[str]:
    said = [text, _schema(schema), "" if is_required else "may be left out"]
    return f"<code>{escape(name)}</code>", escape(place), "; ".join(_text(each) for each in said if each)


def _schema(schema: Document) -> str:
    """Return what a value may be, in words."""
    parts = [schema.get("type", "")]
    if "enum" in schema:
        parts = [f"one of {', '.join(map(str, schema['enum']))}"]
    if "minimum" in schema or "maximum" in schema:
        parts.append(f"from {schema.get('minimum', 'any')} to {schema.get('maximum', 'any')}")
    if "pattern" in schema:
        parts.append(f"as {schema['pattern']}")
    if "examples" in schema:
        parts.append(f"as {', '.join(schema['examples'])}")
    if "default" in schema:
        parts.append(f"without it {schema['default']}")
    return ", ".join(part for part in parts if part)


def _answers(responses: Document) -> Iterator[Sequence[str]]:
    """Yield the answers; statuses that say the same stand in one row."""
    by_text: dict[str, list[str]] = {}
    for status, answer in responses.items():
        kinds = ", ".join(answer.get("content", {}))
        by_text.setdefault(f"{answer['description']}{f' ({kinds})' if kinds else ''}", []).append(status)
    for text, statuses in by_text.items():
        yield f"<code>{', '.join(statuses)}</code>", _text(text)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    """Return plain text as HTML; what stands between backquotes is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
