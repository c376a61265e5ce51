"""The standard output of a command: a full disk is one line, a reader that has seen enough is none."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from market.mendable import MendableError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputError(MendableError):
    """The standard output does not take what a command prints."""


class _Output(io.FileIO):
    """A descriptor that says of its own failures whose they are."""

    def write(self, data: "ReadableBuffer", /) -> int:
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
    if not isinstance(plain, io.TextIOWrapper):  # it is closed, and nothing is printed; or a test has it
        yield
        return
    plain.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(plain.fileno(), "wb", closefd=False)),
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
        os.dup2(nowhere, plain.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        raise
