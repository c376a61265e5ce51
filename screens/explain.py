"""A quoting model explained, as a person reads it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from textwrap import wrap
from typing import Any, Final

from market.exact_json import JsonObject
from market.instrument import format_decimal

_WIDTH: Final = 118
_BPS: Final = 10_000
_FULL: Final = ("full short", "half short", "flat", "half long", "full long")


def explained_text(document: JsonObject) -> str:
    """Return what is known of the market, a line for each position, and some for each parameter."""
    return "\n".join(
        [
            f"{document['model']} in {document['symbol']}, {document['origin']}: mid {_number(document['mid'])}",
            "",
            *_seen(document["seen"]),
            "",
            *_stands(document),
            "",
            *_parameters(document["parameters"]),
        ]
    )


def _seen(seen: JsonObject) -> Iterator[str]:
    volatility = seen["volatility"]
    whose = (
        "not known: maker.volatility" if volatility["seen"] is None else f"half-life {_three(seen['half_life_s'])} s"
    )
    whose = "as given" if volatility["is_given"] else whose
    yield f"sigma       {_three(_BPS * volatility['taken'])} bps per square-root second ({whose})"
    for name in ("bid", "ask"):
        arrivals, taken = seen[name]["seen"], seen[name]["taken"]
        line = f"A, k of {name}s A {_three(taken['rate'])} per second, 1 / k {_three(_BPS / taken['decay'])} bps"
        if arrivals is None:
            yield f"{line} (not known: maker.arrival_rate, maker.half_spread)"
        else:
            yield (
                f"{line} (seen: A {_three(arrivals['rate'])}, 1 / k {_three(_BPS / arrivals['decay'])} bps, "
                f"n {arrivals['takers']:.0f}, R2 {arrivals['r2']:.2f}; believed to {seen[name]['weight']:.0%})"
            )


def _three(value: Decimal) -> str:
    """Return three digits that count."""
    return f"{float(value):.3g}"


def _stands(document: JsonObject) -> list[str]:
    base, quote = document["base"], document["quote"]
    head = ["position", base, "bid", "ask", "spread", "bps", f"earned, {quote}", "skew", "bps", f"costs, {quote}"]
    rows = [[name, *_stand(each)] for name, each in zip(_FULL, document["stands"], strict=True)]
    if document["now"] is not None:
        rows.append(["now", *_stand(document["now"])])
    fee = format_decimal(_BPS * document["fee"])
    return [
        *_table([head, *rows]),
        f"earned: by a bid and an ask that are filled, after {fee} bps of each; costs: what the skew gives away of one",
    ]


def _stand(stand: Mapping[str, Any]) -> list[str]:
    rounded = {name: None if stand[name] is None else round(stand[name], 2) for name in ("earned", "skew_cost")}
    bps = [None if stand[name] is None else round(stand[name], 2) for name in ("spread_bps", "skew_bps")]
    cells = [round(stand["position"], 5), stand["bid"], stand["ask"], stand["spread"], bps[0], rounded["earned"]]
    return [*map(_number, cells), *map(_number, [stand["skew"], bps[1], rounded["skew_cost"]])]


def _parameters(parameters: Sequence[JsonObject]) -> Iterator[str]:
    for each in parameters:
        value = each["value"] if isinstance(each["value"], str) else format_decimal(Decimal(each["value"]))
        yield f"{each['name']} {value} ({each['unit']})"
        yield from wrap(each["text"], _WIDTH, initial_indent="    ", subsequent_indent="    ")
        if each["twice"] is not None:
            changes = [
                f"{figure} {_number(before)} -> {_number(after)}" for figure, (before, after) in each["twice"].items()
            ]
            twice = "; ".join(changes) or "nothing of the above changes"
            yield from wrap(f"twice: {twice}", _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _number(value: Decimal | int | None) -> str:
    return "none" if value is None else f"{Decimal(format_decimal(Decimal(value))):,f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
