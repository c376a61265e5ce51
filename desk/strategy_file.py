"""A strategy of one's own: one file with a function `step` or a class `Strategy`, its parameters set beside its name.

The parameters are the arguments that `step` has after the time and the inbox, or those of the class; each has a default
value, which says its type.
"""

import hashlib
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from market.mendable import MendableError
from trading.strategy import Inbox, Wanted, flaw_of


class StrategyError(MendableError):
    """A strategy cannot be used, or what it wants cannot be; one line, with the place if that is known."""


def load_strategy(path: Path, texts: Mapping[str, str]) -> "FileStrategy":
    """Return the strategy of a file with these parameters.

    Raises:
        StrategyError: if there is none, it has none of these parameters, or its class raises.
    """
    module = ModuleType(f"strategy_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look there
    try:
        content = path.read_bytes()
        exec(compile(content, str(path), "exec"), module.__dict__)  # noqa: S102 - that is what it is for
    except OSError as error:
        raise StrategyError(f"maker.strategy: expected a file, was {str(path)!r}: {error.strerror}") from None
    except (Exception, SystemExit) as error:
        raise StrategyError(f"{_place(path, error)}: {_text(error)}") from error
    step: Any = module.__dict__.get("step")
    made: Any = module.__dict__.get("Strategy")
    if getattr(made, "__module__", "") != module.__name__:
        made = None  # the protocol, imported
    if (made is None) == (step is None):
        raise StrategyError(f"{path}: expected either a function `step` or a class `Strategy`")
    sha256 = hashlib.sha256(content).hexdigest()
    if made is None:
        values = _values(path, step, texts, skip=2)
        return FileStrategy(path, sha256, values, partial(step, **values))
    values = _values(path, made, texts, skip=0)
    try:
        return FileStrategy(path, sha256, values, made(**values).step)
    except (Exception, SystemExit) as error:
        raise StrategyError(f"{_place(path, error)}: {_text(error)}") from error


class FileStrategy:
    """The strategy of a file: what it wants is looked at before anybody acts on it.

    Attributes:
        path: of the file.
        sha256: of what it held when it was read.
        parameters: all that it has, with their values.
    """

    def __init__(
        self, path: Path, sha256: str, parameters: Mapping[str, Any], step: Callable[[int, Inbox], Any]
    ) -> None:
        self.path = path
        self.sha256 = sha256
        self.parameters = parameters
        self._step = step

    def step(self, now_ns: int, inbox: Inbox, /) -> Wanted:
        """Return what it wants.

        Raises:
            StrategyError: if it raises, or wants what cannot be.
        """
        try:
            wanted: Wanted = self._step(now_ns, inbox)
        except (Exception, SystemExit) as error:
            raise StrategyError(f"{_place(self.path, error)}: {_text(error)}") from error
        if flaw := flaw_of(wanted):
            raise StrategyError(f"{self.path}: {flaw}")
        return wanted


def _values(path: Path, target: Callable[..., Any], texts: Mapping[str, str], skip: int) -> dict[str, Any]:
    """Return all parameters, as values of the types of their defaults."""
    own = list(inspect.signature(target).parameters.values())[skip:]
    defaults = {each.name: each.default for each in own}
    if unknown := [name for name in texts if name not in defaults]:
        known = ", ".join(defaults) or "none: it has no parameters"
        raise StrategyError(f"maker.parameters.{unknown[0]}: {path} has no such parameter, expected one of {known}")
    for name, default in defaults.items():
        if type(default) not in _READ:
            raise StrategyError(f"{path}: expected a default value of {name}: a number, a text, or true or false")
    return defaults | {name: _read(name, text, type(defaults[name])) for name, text in texts.items()}


def _read(name: str, text: str, kind: type) -> Any:
    expected, read = _READ[kind]
    try:
        return read(text)
    except (KeyError, ValueError, InvalidOperation):
        raise StrategyError(f"maker.parameters.{name}: expected {expected}, was {text!r}") from None


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


def _finite_decimal(text: str) -> Decimal:
    if not (value := Decimal(text)).is_finite():
        raise ValueError(text)
    return value


_READ: Final[Mapping[type, tuple[str, Callable[[str], Any]]]] = {
    bool: ("true or false", lambda text: {"true": True, "false": False}[text.lower()]),
    int: ("a whole number", int),
    float: ("a number", _finite),
    Decimal: ("a number", _finite_decimal),
    str: ("a text", str),
}


def _place(path: Path, error: BaseException) -> str:
    """Return where in the file it happened."""
    if isinstance(error, SyntaxError):
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _text(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split())
