"""A disk whose power fails: what a program has written and not synced may be there afterwards, or a part of it, or not.

The program runs on a real folder; this keeps, beside it, what the disk has promised. A file's content is promised as it
is when the file is synced; a name in a folder (made, renamed, removed) when the folder is synced. After every call that
changes a name or syncs something, and wherever the test says so, a `Moment` is kept, and each can be made a folder
again as a power failure might leave it: T. S. Pillai et al., All File Systems Are Not Created Equal, OSDI 2014.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

_Names = dict[str, int]  # of a folder: by name, the number of a file or folder


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a folder's names that is not promised yet: the number under a name, None if the name goes."""

    folder: int
    names: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Moment:
    """What is promised, and what else has been done, at one moment; `says` is what the test knew then."""

    after: str
    says: Any
    names: dict[int, _Names]
    changes: tuple[Change, ...]
    synced: dict[int, bytes]
    written: dict[int, bytes]

    def make(self, root: Path, random: Random | None, *, is_all_kept: bool = False) -> None:
        """Make the folder as a power failure at this moment may leave it.

        Args:
            root: a folder that is made.
            random: which of what is not promised is kept: None for nothing of it.
            is_all_kept: whether all of it is kept.
        """
        kept = len(self.changes) if is_all_kept else random.randint(0, len(self.changes)) if random else 0
        names = {folder: dict(known) for folder, known in self.names.items()}
        for change in self.changes[:kept]:  # a file system's log keeps changes of names in their order
            of_folder = names.setdefault(change.folder, {})
            for name, number in change.names.items():
                if number is None:
                    of_folder.pop(name, None)
                else:
                    of_folder[name] = number
        self._make_folder(root, 0, names, random, is_all_kept=is_all_kept)

    def _make_folder(
        self, path: Path, number: int, names: dict[int, _Names], random: Random | None, *, is_all_kept: bool
    ) -> None:
        path.mkdir()
        for name, child in names.get(number, {}).items():
            if child in self.written:
                (path / name).write_bytes(self._content(child, random, is_all_kept=is_all_kept))
            else:
                self._make_folder(path / name, child, names, random, is_all_kept=is_all_kept)

    def _content(self, number: int, random: Random | None, *, is_all_kept: bool) -> bytes:
        synced, written = self.synced.get(number, b""), self.written[number]
        if is_all_kept:
            return written
        if random is None or synced == written:
            return synced
        if not written.startswith(synced):
            return random.choice((synced, written))
        size = random.randint(len(synced), len(written))
        lost = random.choice((0, 0, min(random.randint(1, 64), size - len(synced))))  # pages that never came, as zeros
        return written[: size - lost] + bytes(lost)


@dataclass(slots=True)
class Disk:
    """The disk under one folder.

    Attributes:
        says: what the test knows to be promised; goes into every moment.
        moments: all so far.
    """

    root: Path
    says: Any = None
    moments: list[Moment] = field(default_factory=list)
    _names: dict[int, _Names] = field(default_factory=lambda: {0: {}})
    _changes: list[Change] = field(default_factory=list)
    _synced: dict[int, bytes] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)  # by inode, of those that are there
    _count: int = 0

    def look(self, after: str = "") -> None:
        """Keep the moment that is now."""
        written = {
            self._numbers[path.stat().st_ino]: path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and path.stat().st_ino in self._numbers
        }
        known = {number: written.get(number, self._synced.get(number, b"")) for number in {*written, *self._synced}}
        names = {folder: dict(of_folder) for folder, of_folder in self._names.items()}
        self.moments.append(Moment(after, self.says, names, tuple(self._changes), dict(self._synced), known))

    def _has(self, path: Any) -> bool:
        return isinstance(path, str | Path) and self.root in Path(path).absolute().parents

    def _folder(self, path: Path) -> int:
        """Return the number of the folder that a path is in."""
        parent = path.absolute().parent
        return 0 if parent == self.root else self._numbers[parent.stat().st_ino]

    def _new(self, path: Path) -> int:
        self._count += 1
        self._numbers[path.stat().st_ino] = self._count
        return self._count

    def _change(self, folder: int, **_: Any) -> None: ...

    def note_made(self, path: Path) -> None:
        """Note a file or folder that has just been made."""
        number = self._new(path)
        self._changes.append(Change(self._folder(path), {path.name: number}))

    def note_moved(self, source: Path, target: Path, number: int) -> None:
        """Note that a name has become another one, in one folder at once."""
        of_source, of_target = self._folder(source), self._folder(target)
        if of_source == of_target:
            self._changes.append(Change(of_source, {source.name: None, target.name: number}))
        else:
            self._changes.append(Change(of_target, {target.name: number}))
            self._changes.append(Change(of_source, {source.name: None}))

    def note_removed(self, path: Path) -> None:
        """Note that a name has gone."""
        self._changes.append(Change(self._folder(path), {path.name: None}))

    def note_synced(self, descriptor: int) -> None:
        """Note that what is behind a descriptor is promised now, if it is one of ours."""
        inode = os.fstat(descriptor).st_ino
        is_root = inode == self.root.stat().st_ino
        if not is_root and inode not in self._numbers:
            return
        number = 0 if is_root else self._numbers[inode]
        if not is_root and Path(f"/proc/self/fd/{descriptor}").resolve().is_file():
            self._synced[number] = Path(f"/proc/self/fd/{descriptor}").read_bytes()
            return
        for change in [each for each in self._changes if each.folder == number]:
            self._changes.remove(change)
            of_folder = self._names.setdefault(number, {})
            for name, child in change.names.items():
                if child is None:
                    of_folder.pop(name, None)
                else:
                    of_folder[name] = child


@contextmanager
def disk_under(root: Path) -> Iterator[Disk]:
    """Watch what this process does in an empty folder meanwhile."""
    disk = Disk(root.absolute())
    with pytest.MonkeyPatch.context() as patch:
        for name, wrapped in _wrappers(disk).items():
            patch.setattr(os, name, wrapped(getattr(os, name)))
        yield disk


def _wrappers(disk: Disk) -> dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]]:
    def making(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *args: Any, **options: Any) -> Any:
            is_new = disk._has(path) and not Path(path).exists()
            result = call(path, *args, **options)
            if is_new and Path(path).exists():
                disk.note_made(Path(path))
                disk.look(f"{call.__name__} {Path(path).name}")
            return result

        return wrapped

    def moving(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(source: Any, target: Any, *args: Any, **options: Any) -> Any:
            is_ours = disk._has(source) and disk._has(target)
            number = disk._numbers[Path(source).stat().st_ino] if is_ours else 0
            result = call(source, target, *args, **options)
            if is_ours:
                disk.note_moved(Path(source), Path(target), number)
                disk.look(f"{call.__name__} {Path(target).name}")
            return result

        return wrapped

    def removing(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *args: Any, **options: Any) -> Any:
            result = call(path, *args, **options)
            if disk._has(path) and "dir_fd" not in options:
                disk.note_removed(Path(path))
                disk.look(f"{call.__name__} {Path(path).name}")
            return result

        return wrapped

    def syncing(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(descriptor: int) -> None:
            disk.look(f"before {call.__name__}")
            call(descriptor)
            disk.note_synced(descriptor)
            disk.look(call.__name__)

        return wrapped

    return {
        "open": making, "mkdir": making, "rename": moving, "replace": moving, "unlink": removing, "rmdir": removing,
        "fsync": syncing, "fdatasync": syncing,
    }  # fmt: skip
