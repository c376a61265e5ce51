"""Where an engine is that is not the desk's own, as settings tell it."""

from pathlib import Path

import pytest

from bus.curve import CurveError
from bus.topology import ORDERS, SNAPSHOTS
from bus.wiring import Address
from desk.engine_place import engine_place
from desk.settings import Settings, SettingsError, load_settings
from desk.wiring import desk_wiring, wiring_elsewhere

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


def test_a_place_is_a_run_directory_or_an_address_with_a_key() -> None:
    """A key may hold any character but a space."""
    assert engine_place("/run/a").run_dir == Path("/run/a")
    assert engine_place("10.0.0.5:8090").address == Address("10.0.0.5", 8_090)
    place = engine_place(f"[fe80::1]:8090 {KEY}")
    assert place.address is not None
    assert (place.address.host, place.address.port, place.key) == ("fe80::1", 8_090, KEY.encode())


@pytest.mark.parametrize("text", ["10.0.0.5", ":8090", "10.0.0.5:0", "10.0.0.5:99999", "10.0.0.5:8090 KEY", "run"])
def test_what_is_no_place_is_refused_by_name(text: str) -> None:
    """Before anything starts."""
    with pytest.raises(SettingsError, match=r"engine.follows: .*expected HOST:PORT"):
        load_settings({"engine.follows": text})


def test_a_run_directory_that_is_too_deep_for_sockets_is_refused() -> None:
    """As one's own is."""
    with pytest.raises(SettingsError, match=r"engine.standby_at: .*run directory is too deep"):
        load_settings({"engine.standby_at": "/" + "x" * 100})


def test_channels_are_reached_there_with_the_key_of_that_machine(tmp_path: Path) -> None:
    """Without one with that which the desk expects of its own engines; nothing leaves the machine without keys."""
    settings = Settings(run_dir=tmp_path)
    there = wiring_elsewhere(settings, "engine", f"10.0.0.6:9000 {KEY}")
    assert there.connected(SNAPSHOTS, "engine") == "tcp://10.0.0.6:9002"
    assert there.tcp is not None
    assert there.tcp.curve is not None
    assert there.tcp.curve.server_key == KEY.encode()
    near = wiring_elsewhere(settings, "engine", str(tmp_path / "b"))
    assert near.connected(SNAPSHOTS, "engine") == f"ipc://{tmp_path}/b/snapshots.ipc"
    open_bus = settings.model_copy(update={"bus": settings.bus.model_copy(update={"curve": False})})
    wiring_elsewhere(open_bus, "engine", "127.0.0.1:9000")
    with pytest.raises(CurveError, match=r"expected bus\.curve to be true"):
        wiring_elsewhere(open_bus, "engine", "10.0.0.6:9000")


def test_the_nodes_of_a_desk_know_where_else_their_engine_may_be(tmp_path: Path) -> None:
    """Of several engines each has its own place, in its row."""
    rows = [{"name": "engine", "standby_at": str(tmp_path / "b")}, {"name": "engine2", "symbols": ["ETHUSDT"]}]
    wiring = desk_wiring(load_settings({"run_dir": tmp_path, "engines": rows}).settings)
    places = [place.connected(ORDERS, "engine") for place in wiring.places("engine")]
    assert places == [f"ipc://{tmp_path}/orders.ipc", f"ipc://{tmp_path}/b/orders.ipc"]
    assert wiring.places("engine2") == (wiring,)
