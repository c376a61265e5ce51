"""Which of an engine and its standby rules now, by the roles that they keep on this machine."""

from pathlib import Path
from typing import Final, NamedTuple

from desk.client import DeskError, desk_settings
from desk.engine_place import engine_place
from desk.role_file import Role, RoleFile
from desk.run_dir import NodeError
from desk.settings import Settings

_NONE: Final = -1  # a term lower than any


class Other(NamedTuple):
    """The other one of two: the standby of an engine, or whom it follows.

    Attributes:
        text: as the settings say where it is.
        run_dir: if that is on this machine.
        role: as it keeps it there; None if that cannot be read here.
    """

    text: str
    run_dir: Path | None
    role: Role | None


def others_of(settings: Settings, name: str) -> list[Other]:
    """Return whom an engine follows, and where else its sources look for it."""
    own = settings.plan.engines[name].settings
    found = []
    for text in dict.fromkeys(each for each in (own.follows, own.standby_at) if each):
        run_dir = engine_place(text).run_dir
        role = None
        if run_dir is not None:
            try:
                role = RoleFile(run_dir, name).read()
            except NodeError:
                role = None  # damaged: `doctor` of that run directory says so
        found.append(Other(text, run_dir, role))
    return found


def ruling_term(role: Role, *, follows: bool) -> int:
    """Return the term with which an engine of this role serves, less than any if it is a standby.

    Args:
        role: as it is kept.
        follows: whether its settings say whom it follows, which they tell of one that has no role yet.
    """
    is_standby = role.role == "standby" or (role.role == "unknown" and follows)
    return _NONE if is_standby else role.term


def ruling_settings(settings: Settings, name: str) -> Settings:
    """Return the settings of the desk whose engine of this name rules now: these, or those of the other one's.

    Raises:
        DeskError: if it is another one, and on another machine.
        NodeError: if our own role cannot be read.
    """
    follows = bool(settings.plan.engines[name].settings.follows)
    ours = ruling_term(RoleFile(settings.run_dir, name).read(), follows=follows)
    others = others_of(settings, name)
    best, chosen = ours, settings
    for other in others:
        if other.run_dir is None or other.role is None or other.run_dir.resolve() == settings.run_dir.resolve():
            continue
        if other.role.role != "primary" and best != _NONE:
            continue  # it rules by no term of its own: ours does
        theirs = desk_settings(other.run_dir)
        if name not in theirs.plan.engines:
            continue
        term = ruling_term(other.role, follows=bool(theirs.plan.engines[name].settings.follows))
        if term > best:
            best, chosen = term, theirs
    if best == _NONE:
        where = next((f", perhaps that of {each.text}" for each in others if each.run_dir is None), "")
        raise DeskError(f"{name} is a standby in {settings.run_dir}; another engine rules{where}: ask on its machine")
    return chosen
