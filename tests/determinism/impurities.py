"""Finds, in a file's syntax tree, what a step may not read: clocks, dice without a seed, the environment, the disk.

And the order of a set: strings hash differently in every process, so an order, a list or a text that is made by going
through a set differs, too. Which expressions are sets is told by `sets.py`.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import accumulate
from typing import Final, NamedTuple

from tests.determinism.sets import SetOrders, SetWords


class Kind(StrEnum):
    """What is read."""

    CLOCK = "a clock"
    DICE = "dice without a seed"
    ENVIRONMENT = "the environment"
    DISK = "the disk"
    OTHERS = "threads, processes or sockets"
    MEMORY = "places in memory, or a hash that differs in every process"
    HIDDEN = "what only running it tells"
    ROUNDING = "floats in an order that the machine chooses"
    SET_ORDER = "the order of a set"


class Found(NamedTuple):
    """One thing that is read.

    Attributes:
        where: the function, empty for the module itself.
        what: the name that is imported or used, or the expression.
    """

    path: str
    where: str
    kind: Kind
    what: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.where or 'the module'} uses {self.kind}: {self.what}"


# By the whole name; the longest that fits counts, so that a module may be free but for a few of its names.
FORBIDDEN: Final[Mapping[str, Kind | None]] = {
    "time": Kind.CLOCK,
    "datetime.datetime.now": Kind.CLOCK,
    "datetime.datetime.utcnow": Kind.CLOCK,
    "datetime.datetime.today": Kind.CLOCK,
    "datetime.date.today": Kind.CLOCK,
    "market.clock.now": Kind.CLOCK,
    "market.clock.time_ns": Kind.CLOCK,
    "market.clock.monotonic_ns": Kind.CLOCK,
    "random": Kind.DICE,
    "random.Random": None,  # with a seed, see `_dice`
    "numpy.random": Kind.DICE,
    "secrets": Kind.DICE,
    "uuid": Kind.DICE,
    "os": Kind.DISK,
    "os.urandom": Kind.DICE,
    "os.getrandom": Kind.DICE,
    "os.environ": Kind.ENVIRONMENT,
    "os.getenv": Kind.ENVIRONMENT,
    "os.getpid": Kind.ENVIRONMENT,
    "os.cpu_count": Kind.ENVIRONMENT,
    "os.path.join": None,
    "sys.argv": Kind.ENVIRONMENT,
    "sys.stdin": Kind.ENVIRONMENT,
    "platform": Kind.ENVIRONMENT,
    "locale": Kind.ENVIRONMENT,
    "getpass": Kind.ENVIRONMENT,
    "resource": Kind.ENVIRONMENT,
    "psutil": Kind.ENVIRONMENT,
    "open": Kind.DISK,
    "input": Kind.DISK,
    "io.open": Kind.DISK,
    "fcntl": Kind.DISK,
    "shutil": Kind.DISK,
    "tempfile": Kind.DISK,
    "glob": Kind.DISK,
    "mmap": Kind.DISK,
    "sqlite3.connect": Kind.DISK,
    "numpy.load": Kind.DISK,
    "numpy.memmap": Kind.DISK,
    "numpy.fromfile": Kind.DISK,
    "pathlib.Path.cwd": Kind.DISK,
    "pathlib.Path.home": Kind.DISK,
    "market.lock": Kind.DISK,
    "market.whole_file": Kind.DISK,
    "threading": Kind.OTHERS,
    "multiprocessing": Kind.OTHERS,
    "concurrent": Kind.OTHERS,
    "asyncio": Kind.OTHERS,
    "queue": Kind.OTHERS,
    "subprocess": Kind.OTHERS,
    "signal": Kind.OTHERS,
    "select": Kind.OTHERS,
    "selectors": Kind.OTHERS,
    "socket": Kind.OTHERS,
    "ssl": Kind.OTHERS,
    "http": Kind.OTHERS,
    "http.HTTPStatus": None,
    "urllib.request": Kind.OTHERS,
    "zmq": Kind.OTHERS,
    "uvloop": Kind.OTHERS,
    "sanic": Kind.OTHERS,
    "websockets": Kind.OTHERS,
    "ccxt": Kind.OTHERS,
    "id": Kind.MEMORY,
    "hash": Kind.MEMORY,
    "weakref": Kind.MEMORY,
    "gc": Kind.MEMORY,
    "eval": Kind.HIDDEN,
    "exec": Kind.HIDDEN,
    "__import__": Kind.HIDDEN,
    "importlib": Kind.HIDDEN,
}
_FREE_BUT_FOR_NAMES: Final = frozenset({"os", "random"})  # importing these alone reads nothing
_BUILTINS: Final = frozenset({"open", "input", "id", "hash", "eval", "exec", "__import__"})
_PATH_METHODS: Final = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "rglob", "exists", "is_file", "is_dir"}
    | {"is_symlink", "stat", "lstat", "mkdir", "unlink", "touch", "rename", "rmdir", "symlink_to", "expanduser"}
    | {"resolve", "samefile"}
)
_MODE: Final = re.compile(r"[rwxabt+]{1,3}")  # of Path.open, to tell it from the `open` of something else
_LOCAL_TIME: Final = {"fromtimestamp": 1, "astimezone": 0}  # without a zone: how many arguments that leaves
_ROUNDING: Final = frozenset({"fastmath", "parallel"})  # options of a kernel


def find(path: str, source: str, words: SetWords) -> list[Found]:
    """Return what a file reads that a step may not; `words` are the names of sets in all files."""
    tree = ast.parse(source, path)
    finder = _Finder(path)
    finder.visit(tree)
    orders = SetOrders(words)
    orders.visit(tree)
    found = finder.found + [Found(path, where, Kind.SET_ORDER, what, line) for where, what, line in orders.found]
    return sorted(found, key=lambda each: each.line)


def imports(source: str) -> Iterator[str]:
    """Yield the whole names that a file imports when it runs; those for types alone are left out."""
    tree = ast.parse(source)
    for_types = {id(each) for node in ast.walk(tree) if _is_for_types(node) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def kind_of(name: str) -> Kind | None:
    """Return what reading a whole name reads; None if it may be read."""
    fitting = [start for start in accumulate(name.split("."), "{}.{}".format) if start in FORBIDDEN]
    return FORBIDDEN[fitting[-1]] if fitting else None


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


class _Finder(ast.NodeVisitor):
    """Goes through one file, with what each of its names stands for."""

    def __init__(self, path: str) -> None:
        self.found: list[Found] = []
        self._path = path
        self._where: list[str] = []
        self._names: dict[str, str] = {name: name for name in _BUILTINS}  # what is imported, by its name here
        self._told: set[str] = set()  # names that were found where they are imported

    def visit_If(self, node: ast.If) -> None:
        if not _is_for_types(node):
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            self._names[alias.asname or name] = name
            if alias.name not in _FREE_BUT_FOR_NAMES:
                self._import(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            self._names[alias.asname or alias.name] = name
            self._import(name, node)

    def visit_Name(self, node: ast.Name) -> None:
        self._use(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._use(node):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Leave out what is only a type."""

    def visit_Call(self, node: ast.Call) -> None:
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if _LOCAL_TIME.get(method) == len(node.args) + len(node.keywords):
            self._tell(Kind.ENVIRONMENT, f".{method}() of the local time zone", node)
        if method in _PATH_METHODS or (method == "open" and _opens_a_file(node)):
            self._tell(Kind.DISK, f".{method}()", node)
        for keyword in node.keywords:
            is_on = not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
            if keyword.arg in _ROUNDING and is_on:
                self._tell(Kind.ROUNDING, f"{keyword.arg}={ast.unparse(keyword.value)}", node)
        if self._whole_name(node.func) == "random.Random" and node.args:
            for part in (*node.args, *node.keywords):
                self.visit(part)
            return
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)
        self._where.append(node.name)
        for part in node.body:
            self.visit(part)
        self._where.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 (named by ast)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._where.append(node.name)
        self.generic_visit(node)
        self._where.pop()

    def _import(self, name: str, node: ast.AST) -> None:
        if (kind := kind_of(name)) is not None:
            self._told.add(name)
            self._tell(kind, name, node)

    def _use(self, node: ast.Name | ast.Attribute) -> bool:
        """Tell of a name that may not be read; say whether it is one that was imported."""
        name = self._whole_name(node)
        if name is None:
            return False
        if name == "random.Random":
            self._tell(Kind.DICE, name, node)
        elif (kind := kind_of(name)) and not any(name == told or name.startswith(f"{told}.") for told in self._told):
            self._tell(kind, name, node)
        return True

    def _whole_name(self, node: ast.AST) -> str | None:
        if isinstance(node, ast.Name):
            return self._names.get(node.id)
        if isinstance(node, ast.Attribute) and (start := self._whole_name(node.value)) is not None:
            return f"{start}.{node.attr}"
        return None

    def _tell(self, kind: Kind, what: str, node: ast.AST) -> None:
        line: int = getattr(node, "lineno", 0)
        self.found.append(Found(self._path, ".".join(self._where), kind, what, line))


def _opens_a_file(node: ast.Call) -> bool:
    if not node.args:
        return not node.keywords or any(keyword.arg in {"mode", "encoding", "buffering"} for keyword in node.keywords)
    first = node.args[0]
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and bool(_MODE.fullmatch(first.value))
