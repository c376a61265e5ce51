"""The standard output of a command: a full disk is one line, a reader that has seen enough is none."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from market.mendable import MendableError


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
        plain.errors,
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
