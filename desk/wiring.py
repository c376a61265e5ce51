"""From the settings to the wiring of a process: the transport of each channel, and the keys if one goes over tcp."""

from collections.abc import Collection

from bus.curve import AllowedKeys, Curve, load_or_make_keys
from bus.wiring import Tcp, Wiring
from desk.engine_place import engine_place, place_wiring
from desk.settings import Settings


def desk_wiring(settings: Settings, colocated: Collection[str] = ()) -> Wiring:
    """Return where the channels of the desk are for a process, whose threads are the `colocated` nodes if several are.

    Keys are made when they are needed.

    Raises:
        CurveError: if the files of keys cannot be used.
    """
    bus, plan, tcp = settings.bus, settings.plan, None
    if bus.is_over_tcp:
        addresses = {engine.name: engine.address for engine in plan.engines.values()}
        taken = frozenset(name for name, how in bus.transports.items() if how == "tcp")
        bound = frozenset(name for name, how in bus.transports.items() if how != "ipc")
        tcp = Tcp(addresses, desk_curve(settings) if bus.curve else None, bound, taken)
    engine_of = {**plan.engine_of, "": plan.engine_of[settings.symbol]}
    also = {
        name: (wiring_elsewhere(settings, name, engine.settings.standby_at),)
        for name, engine in plan.engines.items()
        if engine.settings.standby_at
    }
    return Wiring(settings.run_dir, frozenset(colocated), tcp, engine_of, also)


def wiring_elsewhere(settings: Settings, engine: str, place: str) -> Wiring:
    """Return how the channels of an engine of this name are reached that is at a place elsewhere.

    Raises:
        CurveError: if the files of keys cannot be used, or there have to be some.
    """
    is_far = engine_place(place).address is not None
    curve = desk_curve(settings) if is_far and settings.bus.curve else None
    engine_of = {**settings.plan.engine_of, "": settings.plan.engine_of[settings.symbol]}
    return place_wiring(settings.run_dir, engine_of, curve, engine, place)


def desk_curve(settings: Settings) -> Curve:
    """Return the keys of this machine, made if there are none, with the one that its nodes expect where they connect.

    Raises:
        CurveError: if the files of keys cannot be used.
    """
    keys = load_or_make_keys(settings.bus_keys_file)
    return Curve(
        keys, settings.bus.server_key.encode() or keys.public, AllowedKeys(keys.public, settings.bus_allowed_file)
    )
