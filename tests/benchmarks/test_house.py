"""The measure of the house, as a filter among others."""

import os
import signal
import subprocess
import sys


def test_a_reader_that_has_read_enough_ends_it_without_a_word() -> None:
    """`| head` ended in a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.house"], stdout=writer, stderr=subprocess.PIPE, check=False, text=True
    )
    os.close(writer)
    assert (told.stderr, told.returncode) == ("", -signal.SIGPIPE)
