"""Make every figure of a daily file again, from its trades, by what docs/reports.md says and with no code of ours.

`python -m tests.independent.daily_file_check FILE [BEFORE]` prints each key that does not follow, and exits 1 then.
BEFORE is the file of the day before: with it carried lots are followed, too; without it they are taken as told. The
standard library is all it needs.
"""

import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.independent.daily_file_account import account_parts
from tests.independent.daily_file_books import Book, Json, books_of, by_asset, fee_in_quote, rounded, sides, symbol_part
from tests.independent.daily_file_markouts import Near, markouts_of, wilson


def metrics_of(document: Json, books: dict[str, Book], results: list[Fraction], balances: Json) -> Json:
    """Return the metrics of the whole day."""
    rows, quoting = document["trade_history"], document.get("quoting")
    fills, known = len(rows), len(results)
    trips = [trip for book in books.values() for trip in book.trips]
    gain, loss = (sum((abs(net) for net, _ in trips if net * sign > 0), Fraction(0)) for sign in (1, -1))
    money = sum((Fraction(row["quote_qty"]) for row in rows), Fraction(0))
    made = sum((Fraction(row["quote_qty"]) for row in rows if row["is_maker"]), Fraction(0))
    for symbol, book in books.items():
        book.move_mark(document["symbols"][symbol]["mark_price"])
    peak = fall = Fraction(0)
    for result in [*results, sum((book.result() for book in books.values()), Fraction(0))]:
        peak = max(peak, result)
        fall = max(fall, peak - result)

    def metric(value: Any, n: int) -> Json:
        return {"value": value, "n": n}

    def summed(name: str) -> Any:
        return sum((getattr(book, name) for book in books.values()), Fraction(0)) if known else None

    decided = len(trips) - sum(undecided for _, undecided in trips)
    has_all = 0 < decided == len(trips)
    share: Json = {"value": None, "n": decided}
    if has_all:
        wins = sum(net > 0 for net, _ in trips)
        low, high = wilson(wins, len(trips))
        share |= {"value": Near(wins / len(trips)), "low": Near(low), "high": Near(high)}
    found: Json = document["metrics"] | {
        "spread_capture": metric(summed("capture"), known) | {"missing": fills - known},
        "inventory_pnl": metric(summed("inventory"), known) | {"missing": fills - known},
        "fees": metric(sum((book.fees for book in books.values()), Fraction(0)), fills),
        "win_rate": share,
        "profit_factor": metric(rounded(gain / loss, 6) if loss and has_all else None, decided),
        "expectancy": metric((gain - loss) / decided if has_all else None, decided),
        "max_drawdown": metric(fall if known else None, known),
        "maker_ratio": metric(rounded(made / money, 6) if money else None, fills),
        "turnover": metric(turnover(rows, books), fills),
        "hold_benchmark": metric(
            sum((each["start"] * each["end_price"] for each in balances.values()), Fraction(0)), len(balances)
        ),
    }
    if quoting is None:
        return found | dict.fromkeys(("picked_off_cost", "presence", "fill_ratio", "order_to_trade"), metric(None, 0))
    picked, orders = quoting["picked_off"], int(quoting.get("orders", 0))
    filled = int(quoting.get("orders_filled", 0))
    fills = sum(row["symbol"] == quoting.get("symbol") for row in rows)
    found["picked_off_cost"] = metric(-Fraction(picked["markout"]), int(picked["count"]))
    found["presence"] = metric(rounded(Fraction(quoting["presence"]), 6), int(quoting["minutes"]))
    found["fill_ratio"] = metric(rounded(Fraction(filled, orders), 6) if orders else None, orders)
    found["order_to_trade"] = metric(
        rounded(Fraction(orders, fills), 6) if orders and fills else None, fills if orders else 0
    )
    return found


def turnover(rows: Sequence[Json], books: dict[str, Book]) -> Fraction | None:
    """Return how often what was held on average went through; None of several symbols."""
    if len({row["symbol"] for row in rows}) != 1:
        return None
    book = books[rows[0]["symbol"]]
    held, area = book.carried, Fraction(0)
    for row, following in zip(rows, [*rows[1:], rows[-1]], strict=True):
        held += (1 if row["side"] == "BUY" else -1) * Fraction(row["qty"])
        held -= Fraction(row["fee"]) if row["fee_asset"] == book.base else 0
        area += abs(held) * Fraction(following["time_ms"] - row["time_ms"])
    span = Fraction(rows[-1]["time_ms"] - rows[0]["time_ms"])
    return rounded(sum((Fraction(row["qty"]) for row in rows), Fraction(0)) * span / area, 6) if area else None


def reading(path: Path) -> Json:
    """Return a document with its numbers as they are."""
    found: Json = json.loads(path.read_text(), parse_float=Decimal, parse_int=Decimal)
    return found


def checksum(document: Json) -> str:
    """Return the checksum of what a document says."""
    head = {key: value for key, value in document.items() if key not in ("checksum", "trade_history")}
    text = "".join(map(_line, document["trade_history"])) + _line(head)
    text = re.sub(r"\.(\d*?)0+(?!\d)", lambda found: f".{found[1]}" if found[1] else "", text)
    return f"crc32:{zlib.crc32(text.encode()):08x}"


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_line(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_line, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)


def faults(found: Any, expected: Any, name: str = "") -> Iterator[str]:
    """Yield each key that is not what it should be."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in (found.keys() | expected.keys()) - {"why"}:
            yield from faults(found.get(key, "missing"), expected.get(key, "none"), f"{name}.{key}".lstrip("."))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, pair in enumerate(zip(found, expected, strict=True)):
            yield from faults(*pair, f"{name}[{index}]")
    else:
        if isinstance(found, Decimal) and isinstance(expected, Near):
            is_same = abs(float(found) - expected.value) <= 0.5 * 10**-expected.places + expected.slack
            is_same = is_same and found == round(found, expected.places)
        elif isinstance(found, Decimal) and isinstance(expected, int | Fraction):
            is_same = Fraction(found) == rounded(Fraction(expected))
        else:
            is_same = found == expected
        if not is_same:
            shown = float(expected) if isinstance(expected, Fraction) else expected
            yield f"{name} is {found}, by the trades {shown}"


def figures(document: Json, before: Json | None = None) -> Json:
    """Return every figure that follows from a document's trades, opening and balances."""
    rows, symbols = document["trade_history"], document["symbols"]
    carried = {} if before is None else {symbol: book.lots for symbol, book in books_of(before)[0].items()}
    books, realized, results = books_of(document)
    parts = {
        symbol: symbols[symbol] | symbol_part(symbols[symbol], book, [row for row in rows if row["symbol"] == symbol])
        for symbol, book in books.items()
    }
    traded = sorted({row["symbol"] for row in rows})
    counted = sides(rows, symbols[traded[0]] if len(traded) == 1 else None)
    trades: Json = {"total_buys": counted["buys"], "total_sells": counted["sells"]}
    trades |= {name: counted[name] for name in ("avg_buy_price", "avg_sell_price")}
    trades |= {name: sum((part[name] for part in parts.values()), Fraction(0)) for name in ("pnl", "volume")}
    trades |= {
        "fees": by_asset(rows, lambda row: row["fee"] > 0),
        "rebates": by_asset(rows, lambda row: row["fee"] < 0),
    }
    account = account_parts(document, books, before)
    found = (
        document
        | account
        | {
            "trades": trades,
            "total_trades": len(rows),
            "symbols": parts,
            "fees": by_asset(rows),
            "metrics": metrics_of(document, books, [result for _, result in results], account["equity"]["balances"]),
            "markouts": list(markouts_of(rows)),
            "trade_history": [
                row
                | {"time": _time(row["time_ms"]), "realized": each}
                | {"fee_in_quote": fee_in_quote(row, symbols[row["symbol"]]["base"], symbols[row["symbol"]]["quote"])}
                for row, each in zip(rows, realized, strict=True)
            ],
        }
    )
    for symbol, lots in carried.items():
        found["symbols"][symbol]["carried"]["lots"] = [lot.told() for lot in lots]
    return found


def _time(time_ms: Decimal) -> str:
    return (
        datetime.fromtimestamp(int(time_ms) / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(time_ms) % 1_000:03}Z"
    )


def faults_of(document: Json, before: Json | None = None) -> list[str]:
    """Return all that does not follow in a document, but for its checksum."""
    return list(faults(document, figures(document, before)))


def main(paths: Sequence[str]) -> int:
    """Print each key that differs; return 1 if there are any."""
    document, before = reading(Path(paths[0])), reading(Path(paths[1])) if paths[1:] else None
    found = (
        []
        if document["checksum"] == checksum(document)
        else [f"checksum is {document['checksum']}, by the file {checksum(document)}"]
    )
    found += faults_of(document, before)
    print("\n".join(found) or f"{paths[0]}: all follows from {len(document['trade_history'])} trades")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
