"""The standard output of a command: a full disk is one line, a reader that has seen enough is none.

A character that the encoding has not got is printed as one that looks like it.
"""

import codecs
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from market.mendable import MendableError
from screens.fold import lookalike

_LOOKALIKE = "lookalike"


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), error
    return lookalike(error.object[error.start : error.end]), error.end


codecs.register_error(_LOOKALIKE, _replaced)


class OutputError(MendableError):
    """The standard output does not take what a command prints."""


class _Output(io.FileIO):
    """A descriptor that says of its own failures whose they are."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror}") from None


def columns() -> int | None:
    """Return how wide the screen is that is printed to; None if it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def is_screen(stream: TextIO | None = None) -> bool:
    """Return whether a stream, the standard output without one, is a terminal on which the cursor can be moved."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _encoding_of(stream: io.TextIOWrapper) -> str:
    """Return what is printed in: Python takes UTF-8 where the locale is C, and a terminal that is told so has none."""
    locale = next(filter(None, (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    is_chosen = {"PYTHONIOENCODING", "PYTHONUTF8"} & os.environ.keys()
    return "ascii" if locale in ("C", "POSIX") and stream.isatty() and not is_chosen else stream.encoding


def take_no_color(words: list[str]) -> None:
    """Take `--no-color` off a command line, wherever it stands before `--`, and keep it where all look who colour."""
    end = words.index("--") if "--" in words else len(words)
    if "--no-color" in words[:end]:
        os.environ["NO_COLOR"] = "1"
        words[:end] = [word for word in words[:end] if word != "--no-color"]


@contextmanager
def output_told() -> Iterator[None]:
    """Let what is printed be written to its last byte, or fail.

    Raises:
        OutputError: if it cannot be; whatever else may have been.
        SystemExit: with 1 and no word, if the reader of a pipe has gone, as of `| head`.
        MendableError: what the command itself has to say instead of either, that orders are left for instance.
    """
    plain = sys.stdout
    try:
        descriptor = plain.fileno()
    except (AttributeError, io.UnsupportedOperation):  # it is closed, and nothing is printed; or it is no file
        descriptor = None
    if descriptor is None or not isinstance(plain, io.TextIOWrapper):
        yield
        return
    plain.flush()
    encoding = _encoding_of(plain)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(descriptor, "wb", closefd=False)),
        encoding,
        _LOOKALIKE if plain.errors == "strict" or encoding == "ascii" else plain.errors,
        line_buffering=plain.line_buffering,
        write_through=plain.write_through,
    )
    said: MendableError | None = None
    try:
        try:
            yield
        except MendableError as error:
            said = error
            raise
        finally:
            sys.stdout.flush()
    except (OutputError, BrokenPipeError) as error:
        # What is left of it goes nowhere, or Python would try once more at its end, and tell of that.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
        if said is not None:
            raise said from None
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        raise
