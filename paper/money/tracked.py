"""A map that knows what has changed in it: since the last `settle`, to go back to that, and since it was last saved."""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Tracked(dict[Key, Value], Generic[Key, Value]):
    """A map of values that do not change in themselves: set an item anew, and never take one out.

    Attributes:
        before: of the items that were set since the last `settle`, what they were then; None for one that is new.
        unsaved: the keys of those that have settled since the last `note_saved`, in the order of their change.
    """

    def __init__(self, values: dict[Key, Value]) -> None:
        super().__init__(values)
        self.before: dict[Key, Value | None] = {}
        self.unsaved: dict[Key, None] = {}

    def __setitem__(self, key: Key, value: Value) -> None:
        if key not in self.before:
            self.before[key] = self.get(key)
        super().__setitem__(key, value)

    def settle(self) -> None:
        """Keep the changes: they can no longer be taken back."""
        if self.before:
            self.unsaved.update(dict.fromkeys(self.before))
            self.before.clear()

    def note_saved(self) -> None:
        """Take all that has settled for saved."""
        self.unsaved.clear()

    def undo(self) -> None:
        """Take back all changes since the last `settle`."""
        for key, value in self.before.items():
            if value is None:
                del self[key]
            else:
                super().__setitem__(key, value)
        self.before.clear()
