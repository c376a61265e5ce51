"""What a run was, in 256 bits: of all commands and events in their order."""

import hashlib
from collections.abc import Sequence

from market.commands import Command
from market.events import Event


class Digest:
    """SHA-256 of everything that was said between the sources of orders and the engine."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, commands: Sequence[Command], events: Sequence[Event]) -> None:
        """Take what was handled at once."""
        self._hash.update(repr((commands, events)).encode())

    def hexdigest(self) -> str:
        """Return it as text."""
        return self._hash.hexdigest()
