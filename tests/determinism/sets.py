"""Finds, in a syntax tree, where the order of a set is seen.

A guess, as a reader makes it: by annotations, by what is assigned, and by the names of attributes and functions that
are sets anywhere in the searched files. What only goes into something without an order (`sorted`, `any`, another set)
is nobody's business.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_TYPES: Final = frozenset({"set", "frozenset", "AbstractSet", "MutableSet", "Set", "KeysView"})
_MAKERS: Final = frozenset({"set", "frozenset"})
_SET_METHODS: Final = frozenset({"union", "intersection", "difference", "symmetric_difference"})
_ORDER_BLIND: Final = frozenset({"sorted", "set", "frozenset", "any", "all", "len", "sum", "min", "max", "bool"})
_WITH_KEY: Final = frozenset({"sorted", "min", "max"})  # two that their key does not tell apart come as they came
_HOLDERS: Final = frozenset({"get", "setdefault", "pop", "values"})  # what they return of a dict of sets is a set
_ORDER_SEEN: Final = frozenset(
    {"list", "tuple", "enumerate", "iter", "next", "zip", "map", "filter", "reversed", "chain", "islice", "deque"}
    | {"fromkeys", "join", "extend", "array", "fromiter", "repr", "str", "dumps", "packb"}
)
_OPERATORS: Final = (ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)


@dataclass(slots=True)
class SetWords:
    """Names that are sets: attributes and functions of all files, and attributes that hold sets by some key."""

    attributes: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)

    def learn(self, source: str) -> None:
        """Take in what a file says of its own."""
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.AnnAssign):
                self._learn_attribute(node.target, node.annotation)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_set_type(node.returns):
                is_property = any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list)
                (self.attributes if is_property else self.functions).add(node.name)
            elif isinstance(node, ast.ClassDef):
                for part in node.body:
                    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                        self._learn_name(part.target.id, part.annotation)

    def _learn_attribute(self, target: ast.expr, annotation: ast.expr) -> None:
        if isinstance(target, ast.Attribute):
            self._learn_name(target.attr, annotation)

    def _learn_name(self, name: str, annotation: ast.expr) -> None:
        if is_set_type(annotation):
            self.attributes.add(name)
        elif holds_sets(annotation):
            self.holders.add(name)


def is_set_type(annotation: ast.expr | None) -> bool:
    """Say whether an annotation is that of a set, or of one among others."""
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _TYPES
        case ast.Subscript(value=ast.Name(id="Final" | "ClassVar"), slice=inner):
            return is_set_type(inner)
        case ast.Subscript(value=value):
            return is_set_type(value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return is_set_type(left) or is_set_type(right)
    return False


def holds_sets(annotation: ast.expr | None) -> bool:
    """Say whether an annotation is that of a mapping to sets, or of a row of them."""
    if not isinstance(annotation, ast.Subscript):
        return False
    inner = annotation.slice
    last = inner.elts[-1] if isinstance(inner, ast.Tuple) and inner.elts else inner
    return is_set_type(last) or holds_sets(last)


class SetOrders(ast.NodeVisitor):
    """Goes through one file.

    Attributes:
        found: the function, the expression and the line of each place where a set's order is seen.
    """

    def __init__(self, words: SetWords) -> None:
        self.found: list[tuple[str, str, int]] = []
        self._words = words
        self._where: list[str] = []
        self._names: list[dict[str, bool]] = [{}]  # of each scope, the names, and whether they are sets
        self._holders: list[set[str]] = [set()]
        self._blind: set[int] = set()  # nodes of which nobody sees the order

    # --- scopes

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        self._names.append({argument.arg: is_set_type(argument.annotation) for argument in arguments})
        self._holders.append({argument.arg for argument in arguments if holds_sets(argument.annotation)})
        self._where.append(node.name)
        self._learn_assignments(node)
        self.generic_visit(node)
        self._where.pop()
        self._holders.pop()
        self._names.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 (named by ast)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._where.append(node.name)
        self.generic_visit(node)
        self._where.pop()

    def visit_Module(self, node: ast.Module) -> None:
        self._learn_assignments(node, is_deep=False)
        self.generic_visit(node)

    def _learn_assignments(self, scope: ast.AST, *, is_deep: bool = True) -> None:
        for node in ast.walk(scope) if is_deep else ast.iter_child_nodes(scope):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self._learn(node.target, is_set=is_set_type(node.annotation))
                if holds_sets(node.annotation):
                    self._holders[-1].add(node.target.id)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self._learn_target(target, node.value)
            elif isinstance(node, ast.NamedExpr):
                self._learn(node.target, is_set=self._is_set(node.value))
            elif isinstance(node, ast.For | ast.comprehension) and self._holds_sets(node.iter):
                self._learn(node.target, is_set=True)

    def _learn_target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, its in zip(target.elts, value.elts, strict=True):
                self._learn(one, is_set=self._is_set(its))
        else:
            self._learn(target, is_set=self._is_set(value))

    def _learn(self, target: ast.expr, *, is_set: bool) -> None:
        if isinstance(target, ast.Name):
            self._names[-1][target.id] = is_set or self._names[-1].get(target.id, False)

    # --- what is a set

    def _is_set(self, node: ast.expr) -> bool:
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return next((names[name] for names in reversed(self._names) if name in names), False)
            case ast.Attribute(attr=name):
                return name in self._words.attributes
            case ast.Call(func=func):
                return self._returns_set(func)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
                return self._is_set(left) or self._is_set(right) or _is_keys(left) or _is_keys(right)
            case ast.IfExp(body=body, orelse=other):
                return self._is_set(body) or self._is_set(other)
            case ast.BoolOp(values=values):
                return any(map(self._is_set, values))
            case ast.NamedExpr(value=value):
                return self._is_set(value)
            case ast.Subscript(value=value):
                return self._is_holder(value)
        return False

    def _returns_set(self, func: ast.expr) -> bool:
        match func:
            case ast.Name(id=name):
                return name in _MAKERS or name in self._words.functions
            case ast.Attribute(value=value, attr=name):
                if name in _SET_METHODS:
                    return True
                if name in _HOLDERS and name != "values" and self._is_holder(value):
                    return True
                return (name == "copy" and self._is_set(value)) or name in self._words.functions
        return False

    def _is_holder(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name):
                return any(name in names for names in self._holders)
            case ast.Attribute(attr=name):
                return name in self._words.holders
        return False

    def _holds_sets(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="values")):
                return self._is_holder(value)
        return False

    # --- where its order is seen

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._look(node.iter)
        self.generic_visit(node)

    visit_AsyncFor = visit_For  # noqa: N815 (named by ast)

    def visit_ListComp(self, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> None:
        if id(node) not in self._blind:
            for generator in node.generators:
                self._look(generator.iter)
        self.generic_visit(node)

    visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815 (named by ast)

    def visit_Starred(self, node: ast.Starred) -> None:
        if id(node) not in self._blind:
            self._look(node.value)
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        self._forgive(node.elts)
        self.generic_visit(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        self._look(node.value)
        self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        self._look(node.value)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List) and len(target.elts) > 1:
                self._look(node.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        has_key = any(keyword.arg == "key" for keyword in node.keywords)
        is_blind = (name in _ORDER_BLIND or method in _SET_METHODS) and not (name in _WITH_KEY and has_key)
        if is_blind:
            self._forgive(node.args)
        elif (name or method) in _ORDER_SEEN or name in _WITH_KEY:
            if id(node) not in self._blind:
                for argument in node.args:
                    self._look(argument)
        elif method == "pop" and not node.args and isinstance(node.func, ast.Attribute):
            self._look(node.func.value, f"{ast.unparse(node.func.value)}.pop()")
        self.generic_visit(node)

    def _forgive(self, nodes: Iterable[ast.expr]) -> None:
        """Look over what goes into something without an order."""
        for node in nodes:
            self._blind.add(id(node))

    def _look(self, node: ast.expr, what: str = "") -> None:
        if self._is_set(node):
            self.found.append((".".join(self._where), what or ast.unparse(node), node.lineno))


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "keys"
