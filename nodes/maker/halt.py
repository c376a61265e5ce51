"""The operator's halt as the maker follows it: read from halted.json, and answered in `status`."""

from typing import Final

from desk.halted_file import HaltedFile
from nodes.node import Node

RESUME_LOOKS: Final = 3  # at the file, until a resume is gone by: engines and exchange look as often, and hear it later


class MakerHalt:
    """Whether the maker's symbol is halted, and what it has said of that.

    What it says names the version of the file that it is about: a word on an earlier halt may be the last that was
    heard of it.

    Attributes:
        is_told: whether it has last said that we have no order anywhere.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._symbol = node.settings.symbol
        self._file = HaltedFile(node.settings.run_dir, [self._symbol])
        self._is_halted = False
        self._resumed_looks = 0  # since the last word that was gone by
        self._looked_version = self._on_version = self._told_version = ""
        self.is_told = False

    def is_news(self) -> bool:
        """Whether the operator has said something since this was last asked.

        A resume is news at the third look: the first quotes came before who has to take them had heard of it.
        """
        is_resumed = self._symbol not in self._file.read() and self._is_halted
        if self._file.version == self._looked_version:
            return False
        self._resumed_looks = self._resumed_looks + 1 if is_resumed else 0
        if 0 < self._resumed_looks < RESUME_LOOKS:
            return False
        self._looked_version, self._resumed_looks = self._file.version, 0
        return True

    def is_on(self) -> bool:
        """Whether our symbol is halted; that it is or no longer is, is logged."""
        is_halted = self._symbol in self._file.read()
        self._on_version = self._file.version
        if is_halted != self._is_halted:
            self._is_halted = is_halted
            self._node.log.warning("halted: no quotes until resume" if is_halted else "resumed")
        if not is_halted and self._told_version != self._on_version:
            self.tell(is_halted=False)
        return is_halted

    def tell(self, *, is_halted: bool) -> None:
        """Say, at once, whether we surely have no order anywhere, by the word that `is_on` has read."""
        self._told_version, self.is_told = self._on_version, is_halted
        self._node.show(halted=is_halted, halt_version=self._told_version)
        self._node.beat()
