"""This machine's keys for the bus over tcp, and whose may reach it."""

from bus.curve import is_key
from commands.options import Answer
from desk.client import UsageError
from desk.settings import Settings
from desk.wiring import desk_curve
from market.whole_file import write_whole


def bus_keys(settings: Settings, allowed: str | None, whose: str) -> Answer:
    """Return what one must know of this machine's keys, never the secret one; they are made if there are none.

    Args:
        allowed: the public key of another machine, to be let in: added to those that may reach our engine.
        whose: a word on the holder, for the file.

    Raises:
        CurveError, DeskError: if a file of keys cannot be used, or that is no key.
    """
    curve, path = desk_curve(settings), settings.bus_allowed_file
    if allowed is not None:
        if not is_key(allowed.encode()):
            raise UsageError(f"expected a public key of 40 characters, was {allowed[:60]!r}")
        if allowed.encode() not in curve.allowed.load():
            known = path.read_text(encoding="utf-8") if path.exists() else ""
            line = f"{allowed} {' '.join(whose.split())}".rstrip()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, "\n".join([*known.splitlines(), line, ""]).encode())
    public, others = curve.keys.public.decode(), {key.decode(): name for key, name in curve.allowed.load().items()}
    lines = [f"public key     {public}", f"both keys      {settings.bus_keys_file}"]
    lines += [f"may reach us   {key} {name}".rstrip() for key, name in others.items()]
    document = {
        "public_key": public,
        "file": str(settings.bus_keys_file),
        "allowed": [{"public_key": key, "whose": name} for key, name in others.items()],
    }
    return document, "\n".join(lines)
