"""A map that knows what has changed in it since it was last saved, and goes back to that."""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Tracked(dict[Key, Value], Generic[Key, Value]):
    """A map of values that do not change in themselves: set an item anew, and never take one out.

    Attributes:
        before: of the items that were set since the last `settle`, what they were then; None for one that is new.
    """

    def __init__(self, values: dict[Key, Value]) -> None:
        super().__init__(values)
        self.before: dict[Key, Value | None] = {}

    def __setitem__(self, key: Key, value: Value) -> None:
        if key not in self.before:
            self.before[key] = self.get(key)
        super().__setitem__(key, value)

    def settle(self) -> None:
        """Take the changes for saved."""
        self.before.clear()

    def undo(self) -> None:
        """Take back all changes since the last `settle`."""
        for key, value in self.before.items():
            if value is None:
                del self[key]
            else:
                super().__setitem__(key, value)
        self.before.clear()
