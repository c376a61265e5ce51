"""A quoting model explained, as a person reads it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from textwrap import wrap
from typing import Any, Final

from market.exact_json import JsonObject
from market.instrument import format_decimal

_WIDTH: Final = 118
_BPS: Final = 10_000
_SIDES: Final = {"BUY": "bid", "SELL": "ask"}
_FULL: Final = ("full short", "half short", "flat", "half long", "full long")


def explained_text(document: JsonObject) -> str:
    """Return what the model goes by, a line for each position, what keeps its quotes, levels, and each parameter."""
    return "\n".join(
        [
            f"{document['model']} in {document['symbol']}, {document['origin']}: mid {_number(document['mid'])}",
            "",
            *_seen(document["seen"], document["reads"], document["model"]),
            "",
            *_stands(document),
            *_kept(document),
            *_levels(document),
            "",
            *_parameters(document["parameters"]),
        ]
    )


def _seen(seen: JsonObject, reads: Sequence[str], model: str) -> Iterator[str]:
    """Yield what is known of what the model goes by."""
    if not reads:
        yield f"{model} goes by the book and the position alone"
    has_rate = "rate" in reads
    width = len("A, k of bids  ") if has_rate else len("k of bids   ")
    if "volatility" in reads:
        volatility = seen["volatility"]
        half_life = f"half-life {_three(seen['half_life_s'])} s"
        whose = "not known: maker.volatility" if volatility["seen"] is None else half_life
        whose = "as given" if volatility["is_given"] else whose
        yield f"{'sigma'.ljust(width)}{_three(_BPS * volatility['taken'])} bps per square-root second ({whose})"
    if "decay" not in reads:
        return
    for name in ("bid", "ask"):
        arrivals, taken = seen[name]["seen"], seen[name]["taken"]
        line = f"{'A, k' if has_rate else 'k'} of {name}s".ljust(width)
        line += f"A {_three(taken['rate'])} per second, " if has_rate else ""
        line += f"1 / k {_three(_BPS / taken['decay'])} bps"
        if arrivals is None:
            yield f"{line} (not known: {'maker.arrival_rate, ' if has_rate else ''}maker.half_spread)"
        else:
            rate = f"A {_three(arrivals['rate'])}, " if has_rate else ""
            yield (
                f"{line} (seen: {rate}1 / k {_three(_BPS / arrivals['decay'])} bps, "
                f"n {arrivals['takers']:.0f}, R2 {arrivals['r2']:.2f}; believed to {seen[name]['weight']:.0%})"
            )


def _three(value: Decimal) -> str:
    """Return three digits that count."""
    return f"{float(value):.3g}"


def _stands(document: JsonObject) -> list[str]:
    base, quote = document["base"], document["quote"]
    head = ["position", base, "bid", "ask", "spread", "bps", f"earned, {quote}", "skew", "bps", f"costs, {quote}"]
    rows = [[name, *_stand(each)] for name, each in _named(document)]
    fee = format_decimal(_BPS * document["fee"])
    return [
        *_table([head, *rows]),
        f"earned: by a bid and an ask that are filled, after {fee} bps of each",
        "skew: the middle of the quotes minus the mid, by a lean or because the two sides' k differ",
        "costs: what that gives away of one fill",
    ]


def _named(document: JsonObject) -> list[tuple[str, JsonObject]]:
    """Return the stands with their names, that of now, if there is one, as the last."""
    now = [] if document["now"] is None else [("now", document["now"])]
    return [*zip(_FULL, document["stands"], strict=True), *now]


def _kept(document: JsonObject) -> list[str]:
    """Return what keeps quotes from where the model has them, and what limits would take; nothing where none is so."""
    lines = [
        f"{name}, {_SIDES[each['side']]}: {each['rule']}: {each['why']}"
        for name, stand in _named(document)
        for each in stand["kept"]
    ]
    return ["", "held back, or cut by a limit (the table is without limits):", *lines] if lines else []


def _levels(document: JsonObject) -> list[str]:
    """Return all levels, where there are several."""
    base, stood = document["base"], _named(document)
    if all(len(stand["levels"]) <= 1 for _, stand in stood):
        return []
    rows = [
        [name, str(each["level"]), *map(_number, (each["bid"], each["bid_qty"], each["ask"], each["ask_qty"]))]
        for name, stand in stood
        for each in stand["levels"]
    ]
    return ["", *_table([["levels", "", "bid", base, "ask", base], *rows])]


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
            yield from _changed("twice", each["twice"])
        if (step := each["step"]) is not None:
            to = step["to"] if isinstance(step["to"], str) else format_decimal(step["to"])
            yield from _changed(f"with {to}{', ' + step['book'] if step['book'] else ''}", step["changes"])


def _changed(what: str, figures: Mapping[str, Sequence[Decimal | None]]) -> list[str]:
    changes = [f"{figure} {_number(before)} -> {_number(after)}" for figure, (before, after) in figures.items()]
    told = "; ".join(changes) or "no figure that is compared here changes"
    return wrap(f"{what}: {told}", _WIDTH, initial_indent="    ", subsequent_indent="    ")


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
