"""The commands `status` and `top`: a desk as its supervisor tells it, once or again and again."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from commands.actions.pace import PaceMeter
from commands.watching import Look, print_once, watch
from desk.client import DeskError, NoDeskError, SilentDeskError, desk_status
from market.clock import monotonic_ns
from screens.desk import desk_screen

WATCH_S: Final = 1.0  # nodes tell their figures once a second


def print_status(run_dir: Path, *, as_json: bool) -> None:
    """Print the status of a desk at the width that there is, or as a document.

    Raises:
        DeskError: if none runs, or it does not answer.
    """
    document = _status(run_dir)
    if as_json:
        print(json.dumps(document))
    else:
        print_once(partial(desk_screen, document))


def watch_desk(run_dir: Path, *, as_json: bool) -> NoReturn:
    """Show a desk until a signal ends that, also one that is stopped and started meanwhile.

    Raises:
        DeskError: if none runs at first.
        KeyboardInterrupt: at the end.
    """
    meter = PaceMeter()

    def look() -> Look:
        status = _status(run_dir)
        return Look(json.dumps(status), partial(desk_screen, status, paces=meter.look(status, monotonic_ns())))

    watch(look, WATCH_S, as_json=as_json)


def _status(run_dir: Path) -> dict[str, Any]:
    try:
        return desk_status(run_dir)
    except NoDeskError:
        from commands.actions.halting import down_text

        raise NoDeskError(run_dir, down_text(run_dir)) from None
    except SilentDeskError as error:
        from commands.actions.halting import silent_text

        raise DeskError(f"{error}{silent_text(run_dir)}") from None
