"""How large the house is, and how its lines lie: `python -m benchmarks.house [ROOT ...] [--json]`.

Of each checkout: the product's lines and files, how long functions are, how many take more than 7 parameters, how many
lines are imports, and how many lines stand twice: in a run of at least six that another place has too, apart from
imports, docstrings and comments. Several roots stand side by side, so that before and after are measured alike.
"""

import argparse
import ast
import json
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Final

NOT_PRODUCT: Final = frozenset({"tests", "benchmarks", "examples", "deploy", "docs", "build"})
RUN_LINES: Final = 6
PARAMETERS_MAX: Final = 7
FUNCTION_LINES_MAX: Final = 70
FILE_LINES_MAX: Final = 400


def product_files(root: Path) -> list[Path]:
    """Return the product's files: cli.py and every room with an `__init__.py`."""
    rooms = (path.parent for path in sorted(root.glob("*/__init__.py")) if path.parent.name not in NOT_PRODUCT)
    return [root / "cli.py", *(path for room in rooms for path in sorted(room.rglob("*.py")))]


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _parameter_count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _spans(tree: ast.AST, *kinds: type[ast.AST]) -> set[int]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}  # type: ignore[attr-defined]


def _docstring_lines(tree: ast.AST) -> set[int]:
    lines = set[int]()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            lines |= set(range(body[0].lineno, (body[0].end_lineno or 0) + 1))
    return lines


def _twice(texts: dict[Path, list[tuple[int, str]]]) -> int:
    """Return how many lines stand in a run that another place has too."""
    places = defaultdict[tuple[str, ...], list[tuple[Path, int]]](list)
    for path, lines in texts.items():
        for start in range(len(lines) - RUN_LINES + 1):
            places[tuple(text for _, text in lines[start : start + RUN_LINES])].append((path, start))
    found = {
        (path, start + offset)
        for where in places.values()
        if len(where) > 1
        for path, start in where
        for offset in range(RUN_LINES)
    }
    return len(found)


def measure(root: Path) -> dict[str, int | float]:
    """Return the figures of a checkout.

    Raises:
        OSError, SyntaxError: if a file of it cannot be read.
    """
    lengths: list[int] = []
    crowded = import_lines = long_files = lines_in_all = 0
    texts: dict[Path, list[tuple[int, str]]] = {}
    files = product_files(root)
    for path in files:
        text = path.read_text(encoding="utf-8")
        tree, lines = ast.parse(text), text.splitlines()
        lines_in_all += len(lines)
        long_files += len(lines) > FILE_LINES_MAX
        imports = _spans(tree, ast.Import, ast.ImportFrom)
        import_lines += len(imports)
        for function in _functions(tree):
            lengths.append((function.end_lineno or function.lineno) - function.lineno + 1)
            crowded += _parameter_count(function) > PARAMETERS_MAX
        left_out = imports | _docstring_lines(tree)
        kept = ((number, line.strip()) for number, line in enumerate(lines, 1) if number not in left_out)
        texts[path] = [(number, line) for number, line in kept if line and not line.startswith("#")]
    return {
        "product lines": lines_in_all,
        "files": len(files),
        f"files over {FILE_LINES_MAX} lines": long_files,
        "lines of imports": import_lines,
        "functions": len(lengths),
        "function length, median": median(lengths),
        "function length, p90": round(quantiles(lengths, n=10)[-1], 1),
        f"functions over {FUNCTION_LINES_MAX} lines": sum(each > FUNCTION_LINES_MAX for each in lengths),
        f"functions with over {PARAMETERS_MAX} parameters": crowded,
        "lines that stand twice": _twice(texts),
    }


def main() -> None:
    """Print the figures of each root, a column each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.house", description=__doc__)
    parser.add_argument("roots", nargs="*", type=Path, default=[Path()], help="checkouts, this one if none is named")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = {str(root): measure(root) for root in given.roots}
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    for name in next(iter(figures.values())):
        print(f"{name:36}" + "".join(f"{each[name]:>14,}" for each in figures.values()))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as other filters: `| head` ends it without a word
    main()
