"""What a run was, in 256 bits: of all commands and events in their order, and of the daily files."""

import hashlib

from market.kernels.rows import Int64Array


class Digest:
    """SHA-256 of everything that was said between the sources of orders and the engine."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add_rows(self, rows: Int64Array) -> None:
        """Take commands or events as the engine's rows have them."""
        self._hash.update(rows.data)

    def add_file(self, content: bytes) -> None:
        """Take a daily file as it is at the end."""
        self._hash.update(content)

    def hexdigest(self) -> str:
        """Return it as text."""
        return self._hash.hexdigest()
