"""Which settings can be changed while a desk runs: those of the quoting model.

The supervisor changes them, one command after the other, and keeps them in desk.json. The maker has them from there,
also one that comes back. The next `up` begins with the sources of settings again.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from pydantic import ValidationError

from desk.sections import SECRET_KEYS, MakerSettings
from desk.settings import Settings, SettingsError, defaults, environment_name, setting_texts
from desk.settings_errors import error_lines, meant_text
from trading.models.parameters import Parameters

LIVE: Final = ("maker.model", *(f"maker.{each.name}" for each in fields(Parameters)))

_TABLE: Final = "maker."


def live_texts(settings: Settings) -> dict[str, str]:
    """Return the settings that can be changed, as text by dotted key; an empty one is not set."""
    texts = setting_texts(settings)
    return {key: texts.get(key, "") for key in LIVE}


def with_changes(settings: Settings, texts: Mapping[str, str], origin: str) -> Settings:
    """Return settings of which some are other ones; they are looked at as at the start of a desk.

    Raises:
        SettingsError: if one cannot be, with all that is wrong.
    """
    errors = [f"{key}: {_refusal(key, origin)}" for key in texts if key not in LIVE]
    if settings.maker.strategy is not None:
        errors.append(f"{settings.maker.strategy} quotes, which reads none of them; a maker that starts reads it anew")
    given = {name: text or _empty(name) for key, text in texts.items() if key in LIVE and (name := key[len(_TABLE) :])}
    maker = settings.maker
    try:
        maker = MakerSettings(**{**dict(settings.maker), **given})
    except ValidationError as error:
        errors += [f"{_TABLE}{line}" for line in error_lines(error, dict.fromkeys(given, origin))]
    if errors:
        raise SettingsError("\n".join(errors))
    return settings.model_copy(update={"maker": maker})


def _empty(name: str) -> str | None:
    """Return what an empty value of a setting says: that it is not set, of one that can be; of another one nothing."""
    return None if MakerSettings.model_fields[name].default is None else ""


def _refusal(key: str, origin: str) -> str:
    if key in defaults() or key.startswith(f"{_TABLE}parameters."):
        return f"cannot be set while the desk runs (from {origin}); set it {_where(key)}, and start the desk anew"
    meant = meant_text(key, LIVE)
    return f"no such setting (from {origin}); `config show` lists all, docs/operating.md those that can be set{meant}"


def _where(key: str) -> str:
    return f"as {environment_name(key)}" if key in SECRET_KEYS else "in tickbus.toml"
