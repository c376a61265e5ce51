"""What a shell offers when Tab is pressed: symbols, nodes, engines, settings and models of the desk that is meant.

Whatever cannot be known, in a folder without a desk or of a file that is wrong, is not offered; the command tells why.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from market.mendable import MendableError

if TYPE_CHECKING:
    from desk.settings import Settings

Offer = Callable[[typer.Context, str], list[str]]


def _offered(names: "Callable[[Settings], Iterable[str]]") -> Offer:
    def offer(context: typer.Context, begun: str) -> list[str]:
        from desk.client import desk_settings

        named = context.params.get("run_dir")
        try:
            found = names(desk_settings(None if named is None else Path(named)))
        except MendableError:
            return []
        # As it was begun: what is offered in other letters is not taken for its end.
        return [
            begun + (name[len(begun) :].lower() if begun.islower() else name[len(begun) :])
            for name in found
            if name.lower().startswith(begun.lower())
        ]

    return offer


def _models(_: "Settings") -> Iterable[str]:
    from trading.models import MODELS

    return MODELS


def _keys(settings: "Settings") -> Iterable[str]:
    from desk.settings import setting_texts

    return (f"{key}=" for key in setting_texts(settings))


def _live_keys(_: "Settings") -> Iterable[str]:
    from desk.live_settings import LIVE

    return (f"{key}=" for key in LIVE)


symbols = _offered(lambda settings: [each.symbol for each in settings.instruments])
nodes = _offered(lambda settings: [each.name for each in settings.plan.nodes])
engines = _offered(lambda settings: settings.plan.engines)
models = _offered(_models)
keys = _offered(_keys)
live_keys = _offered(_live_keys)
