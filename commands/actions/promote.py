"""`promote`: a standby takes the place of its primary because a person says so."""

import time
from secrets import token_hex
from typing import Final

from bus.channel import ChannelSocket
from bus.topology import SNAPSHOTS
from desk.client import DeskError, NoDeskError, UsageError, asked, desk_pid
from desk.role_file import Role, RoleFile
from desk.run_dir import holder_pid
from desk.settings import Settings
from desk.wiring import desk_wiring
from nodes.engine.turns import STATE_TOPIC

ANSWER_S_MAX: Final = 10.0
LOOK_S: Final = 0.01


def promote(settings: Settings, named: str | None) -> str:
    """Make a standby primary, wait until it serves, and return what has happened.

    Args:
        settings: of the standby's desk.
        named: the engine; None if there is but one.

    Raises:
        UsageError: if there are several engines and none is named.
        NoDeskError: if it does not run.
        DeskError: if it is no standby, may not be primary, or does not answer.
    """
    engines = list(settings.plan.engines)
    if named is None and len(engines) > 1:
        raise UsageError(f"say which engine, with --engine: {', '.join(engines)}")
    name = named or engines[0]
    if name not in engines:
        raise UsageError(f"there is no engine {name}; the engines are {', '.join(engines)}")
    file, began = RoleFile(settings.run_dir, name), time.monotonic()
    if desk_pid(settings.run_dir) is None and holder_pid(settings.run_dir / f"{name}.lock") is None:
        raise NoDeskError(settings.run_dir)
    if (was := file.read()).role != "standby":
        raise DeskError(f"{name} is no standby{f': it is primary, of term {was.term}' if was.term else ''}")
    role = _answer(file, name)
    if role.refusal:
        raise DeskError(f"{name} is not made primary: {role.refusal}")
    silent = f"{name} is primary now, of term {role.term}, and does not answer yet: see `logs {name}`"
    asked(ChannelSocket(SNAPSHOTS, desk_wiring(settings), name), [STATE_TOPIC], silent, silent)
    return f"{name} is primary now, of term {role.term}, and serves after {time.monotonic() - began:.2f} s"


def _answer(file: RoleFile, name: str) -> Role:
    """Ask, and return the role with the answer."""
    wish, deadline = token_hex(8), time.monotonic() + ANSWER_S_MAX
    try:
        file.wish(wish)
    except OSError as error:
        raise DeskError(f"{file.wish_path} cannot be written: {error.strerror}") from None
    while (role := file.read()).asked != wish and role.role == "standby":  # else another one has asked at once
        if time.monotonic() > deadline:
            if file.take_wish() == wish:
                raise DeskError(f"{name} does not answer: is it up, and not stopped? See `logs {name}`")
            raise DeskError(
                f"{name} has not answered yet: its disk is slow, or another one has asked at once. See `status`"
            )
        time.sleep(LOOK_S)
    return role
