"""Where an engine is that is not this desk's own: a run directory of this machine, or a host and port with its key."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator

from bus.curve import Curve, CurveError, is_key
from bus.topology import SNAPSHOTS, TCP_CHANNELS, endpoint
from bus.wiring import BUS_PORTS, Address, Tcp, Wiring
from market.http_names import is_loopback

PORT_MAX: Final = 65_535


class EnginePlace(NamedTuple):
    """A run directory, or an address.

    Attributes:
        key: the public key of the machine there; empty: that which the desk expects of its own engines.
    """

    run_dir: Path | None
    address: Address | None
    key: bytes = b""


def engine_place(text: str) -> EnginePlace:
    """Return the place that a text says: `HOST:PORT`, `HOST:PORT KEY`, or the path of a run directory.

    Raises:
        ValueError: if it says none.
    """
    if text.startswith(("/", "~", ".")):
        run_dir = Path(text).expanduser()
        endpoint(SNAPSHOTS, run_dir, SNAPSHOTS.binder)  # its sockets have names, which must not be too long
        return EnginePlace(run_dir, None)
    address, _, key = text.partition(" ")
    host, _, port = address.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and 1 <= int(port) <= PORT_MAX - BUS_PORTS + 1
    if not host or not is_port or (key and not is_key(key.encode())):
        raise ValueError("expected HOST:PORT, HOST:PORT KEY, or a run directory that begins with /, ~ or .")
    return EnginePlace(None, Address(host.strip("[]"), int(port)), key.encode())


def _place_text(text: str) -> str:
    if text:
        engine_place(text)
    return text


PlaceText = Annotated[str, AfterValidator(_place_text)]


def place_wiring(run_dir: Path, engine_of: Mapping[str, str], curve: Curve | None, engine: str, text: str) -> Wiring:
    """Return how the channels of an engine elsewhere are reached.

    Args:
        run_dir: of the desk here.
        engine_of: as the desk's wiring has it.
        curve: our keys; None: without encryption.
        engine: its name.
        text: where it is.

    Raises:
        CurveError: if there are no keys, and it is not on this machine.
    """
    there, address, key = engine_place(text)
    if there is not None:
        return Wiring(there, engine_of=engine_of)
    assert address is not None, f"expected a place, was {text}"
    if curve is not None and key:
        curve = replace(curve, server_key=key)
    if curve is None and not is_loopback(address.host):
        raise CurveError(f"expected bus.curve to be true: what goes to {text} would leave this machine without keys")
    tcp = Tcp({engine: address}, curve, frozenset(), frozenset(TCP_CHANNELS))
    return Wiring(run_dir, tcp=tcp, engine_of=engine_of)
