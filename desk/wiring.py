"""From the settings to the wiring of a process: the transport of each channel, and the keys if one goes over tcp."""

from collections.abc import Collection

from bus.curve import AllowedKeys, Curve, load_or_make_keys
from bus.wiring import Tcp, Wiring
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
    return Wiring(settings.run_dir, frozenset(colocated), tcp, engine_of)


def desk_curve(settings: Settings) -> Curve:
    """Return the keys of this machine, made if there are none, with the one that its nodes expect where they connect.

    Raises:
        CurveError: if the files of keys cannot be used.
    """
    keys = load_or_make_keys(settings.bus_keys_file)
    return Curve(
        keys, settings.bus.server_key.encode() or keys.public, AllowedKeys(keys.public, settings.bus_allowed_file)
    )
