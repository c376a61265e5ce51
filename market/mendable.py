"""What a person can mend: the base of every error that the command line tells in one line, without a traceback."""

from typing import ClassVar


class MendableError(Exception):
    """Something that a person can mend; its text has a line for each thing, and no names of ours.

    Attributes:
        exit_code: what a command ends with.
    """

    exit_code: ClassVar[int] = 1
