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
from typing import Any

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


@contextmanager
def output_told() -> Iterator[None]:
    """Let what is printed be written to its last byte, or fail.

    Raises:
        OutputError: if it cannot be; whatever else may have been.
        SystemExit: with 1 and no word, if the reader of a pipe has gone, as of `| head`.
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
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(descriptor, "wb", closefd=False)),
        plain.encoding,
        _LOOKALIKE if plain.errors == "strict" else plain.errors,
        line_buffering=plain.line_buffering,
        write_through=plain.write_through,
    )
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (OutputError, BrokenPipeError) as error:
        # What is left of it goes nowhere, or Python would try once more at its end, and tell of that.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        raise
