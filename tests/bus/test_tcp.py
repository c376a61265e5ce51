"""The bus over tcp: who has the right keys gets through, and who has not is counted and told."""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from bus.channel import ChannelSocket
from bus.curve import AllowedKeys, Curve, CurveError, CurveKeys, gate, load_or_make_keys
from bus.topology import CHANNELS, CONTROL, FEED, ORDERS, SNAPSHOTS, SUPERVISOR
from bus.wiring import Address, Tcp, Wiring
from desk.settings import SettingsError, load_settings
from market.clock import NS_PER_SECOND, monotonic_ns
from market.http_names import is_loopback
from market.limits import FRAME_BYTES_MAX

WAIT_NS = 20 * NS_PER_SECOND


def free_ports(count: int = 3) -> int:
    """Return the first of `count` neighbouring ports on which nobody listens."""
    dice = random.SystemRandom()
    while True:
        first = dice.randrange(15_000, 30_000)
        with ExitStack() as listeners:
            try:
                for port in range(first, first + count):
                    listeners.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first


def listens(port: int) -> bool:
    """Return whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Side:
    """One machine: its keys, whom it lets in, and the sockets that it has opened."""

    def __init__(self, folder: Path, port: int, server_key: bytes = b"") -> None:
        folder.mkdir(mode=0o700)
        self.allowed_file = folder / "allowed_keys"
        self.keys = load_or_make_keys(folder / "curve.keys")
        self.allowed = AllowedKeys(self.keys.public, self.allowed_file)
        curve = Curve(self.keys, server_key or self.keys.public, self.allowed)
        self.wiring = Wiring(folder, tcp=Tcp({"engine": Address("127.0.0.1", port)}, curve))


@pytest.fixture(scope="module", autouse=True)
def closed_gate() -> Iterator[None]:
    yield
    gate.close()


@pytest.fixture
def port() -> int:
    return free_ports()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, side: Side, *, is_binder: bool = False) -> ChannelSocket:
    one = ChannelSocket(SNAPSHOTS, side.wiring, "engine", is_binder=is_binder)
    stack.callback(one.close)
    return one


def arrives(sender: ChannelSocket, receiver: ChannelSocket) -> list[bytes]:
    """Send until something arrives, and return that."""
    deadline_ns = monotonic_ns() + WAIT_NS
    while not receiver.wait(20):
        assert monotonic_ns() < deadline_ns, "nothing came"
        sender.send([b"topic"])
    frames = receiver.receive()
    assert frames is not None
    return frames


def refused(binder: ChannelSocket, other: ChannelSocket) -> None:
    """Wait until both have seen a refusal, and nothing else."""
    deadline_ns = monotonic_ns() + WAIT_NS
    while not (binder.check_refusals() and other.check_refusals()):
        assert monotonic_ns() < deadline_ns, (binder.check_refusals(), other.check_refusals())
        assert other.send([b"topic"]) is False
        assert binder.wait(20) is False


def test_carries_messages_between_holders_of_the_right_keys(short_dir: Path, port: int, stack: ExitStack) -> None:
    """Encrypted over tcp; on the same machine the socket file still answers, without keys."""
    server = Side(short_dir / "a", port)
    client = Side(short_dir / "b", port, server.keys.public)
    server.allowed_file.write_text(f"# who may come in\n\n{client.keys.public.decode()} the other machine\n")
    binder, far = opened(stack, server, is_binder=True), opened(stack, client)
    identity, topic = arrives(far, binder)
    assert (far.endpoint, topic) == (f"tcp://127.0.0.1:{port + 2}", b"topic")
    assert binder.send([identity, topic, b"header", b"state"])
    assert far.wait(10_000)
    assert far.receive() == [b"topic", b"header", b"state"]
    near = ChannelSocket(SNAPSHOTS, server.wiring.run_dir, "engine")
    stack.callback(near.close)
    assert near.endpoint.startswith("ipc://")
    assert arrives(near, binder)[1:] == [b"topic"]
    assert (binder.check_refusals(), far.check_refusals()) == (0, 0)


def test_delivers_nothing_to_who_takes_it_for_another(short_dir: Path, port: int, stack: ExitStack) -> None:
    """A wrong key of the server: the handshake fails, and both ends count it."""
    server = Side(short_dir / "a", port)
    stranger = Side(short_dir / "b", port)  # expects its own key to answer
    server.allowed_file.write_text(stranger.keys.public.decode())
    refused(opened(stack, server, is_binder=True), opened(stack, stranger))


def test_delivers_nothing_from_who_is_not_on_the_list(short_dir: Path, port: int, stack: ExitStack) -> None:
    """An unlisted key is refused and named; as soon as it stands in the file it is let in."""
    server = Side(short_dir / "a", port)
    client = Side(short_dir / "b", port, server.keys.public)
    binder, other = opened(stack, server, is_binder=True), opened(stack, client)
    refused(binder, other)
    assert server.allowed.take_refused() == [client.keys.public.decode()]
    server.allowed_file.write_text(f"{client.keys.public.decode()}\n")
    assert arrives(other, binder)[1:] == [b"topic"]


def test_delivers_nothing_without_keys(short_dir: Path, port: int, stack: ExitStack) -> None:
    """A plain ZeroMQ socket that knows the address is nobody."""
    server = Side(short_dir / "a", port)
    binder = opened(stack, server, is_binder=True)
    plain: zmq.Socket[bytes] = stack.enter_context(zmq.Context.instance().socket(zmq.DEALER))
    plain.setsockopt(zmq.LINGER, 0)
    plain.connect(f"tcp://127.0.0.1:{port + 2}")
    plain.send(b"topic")
    deadline_ns = monotonic_ns() + WAIT_NS
    while not binder.check_refusals():
        assert monotonic_ns() < deadline_ns
        assert binder.wait(20) is False


def test_sets_over_tcp_what_it_sets_over_ipc(short_dir: Path, port: int, stack: ExitStack) -> None:
    """Sizes are bounded, lost peers are noticed, and nothing hangs at the end."""
    for channel in (ORDERS, FEED, SNAPSHOTS):
        side = Side(short_dir / channel.name, port)
        for is_binder in (True, False):
            one = ChannelSocket(channel, side.wiring, "engine", is_binder=is_binder)
            stack.callback(one.close)
            size_max = FRAME_BYTES_MAX if is_binder else channel.answer_bytes_max
            assert one.raw.getsockopt(zmq.MAXMSGSIZE) == size_max
            assert one.raw.getsockopt(zmq.HEARTBEAT_IVL) > 0
            assert one.raw.getsockopt(zmq.HEARTBEAT_TIMEOUT) > 0
            assert one.raw.getsockopt(zmq.LINGER) == channel.linger_ms
            assert one.raw.getsockopt(zmq.SNDHWM) == channel.high_water_mark
    assert Wiring(short_dir, tcp=side.wiring.tcp).connected(CONTROL, SUPERVISOR).startswith("ipc://")


def test_says_which_port_is_taken(short_dir: Path, port: int, stack: ExitStack) -> None:
    """One line with the endpoint, and no socket left behind."""
    opened(stack, Side(short_dir / "a", port), is_binder=True)
    with pytest.raises(OSError, match=f"cannot use tcp://127.0.0.1:{port + 2}: Address already in use"):
        ChannelSocket(SNAPSHOTS, Side(short_dir / "b", port).wiring, "engine", is_binder=True)
    assert not list((short_dir / "b").glob("*.ipc"))


def test_opens_and_takes_tcp_channel_by_channel(short_dir: Path, port: int, stack: ExitStack) -> None:
    """The feed may leave the machine while orders do not; snapshots here are asked for through the socket file."""
    server = Side(short_dir / "a", port)
    assert server.wiring.tcp is not None
    tcp = replace(server.wiring.tcp, bound=frozenset({"feed", "snapshots"}), taken=frozenset({"feed"}))
    wiring = replace(server.wiring, tcp=tcp)
    for channel in (ORDERS, FEED, SNAPSHOTS):
        stack.callback(ChannelSocket(channel, wiring, "engine", is_binder=True).close)
    assert [listens(port + offset) for offset in range(3)] == [False, True, True]
    transports = {channel.name: wiring.connected(channel, channel.binder).partition(":")[0] for channel in CHANNELS}
    assert transports == {"orders": "ipc", "feed": "tcp", "snapshots": "ipc", "control": "ipc"}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, ("ipc", "ipc", "ipc")),
        ({"bus.listen": "true"}, ("listen", "listen", "listen")),
        ({"bus.transport": "tcp", "bus.listen": "true"}, ("tcp", "tcp", "tcp")),
        ({"bus.channels.feed": "listen", "bus.channels.snapshots": "tcp"}, ("ipc", "listen", "tcp")),
        ({"bus.channels.orders": "ipc", "bus.listen": "true"}, ("ipc", "listen", "listen")),
        ({"bus.channels.orders": "ipc", "bus.transport": "tcp"}, ("ipc", "tcp", "tcp")),
    ],
)
def test_takes_the_transport_of_each_channel_from_the_settings(how: dict[str, str], expected: tuple[str, ...]) -> None:
    """What is said of a channel goes before what is said of all; without a word of tcp no keys are made."""
    settings = load_settings(how).settings
    assert tuple(settings.bus.transports[channel.name] for channel in (ORDERS, FEED, SNAPSHOTS)) == expected
    assert settings.bus.is_over_tcp == (set(expected) != {"ipc"})


@pytest.mark.parametrize(
    ("channel", "transport", "says"),
    [
        ("fed", "tcp", "no such setting (from command line)"),
        ("control", "tcp", "no such setting (from command line)"),
        ("feed", "udp", "expected 'ipc', 'listen' or 'tcp', was 'udp' (from command line)"),
    ],
)
def test_names_the_channel_that_there_is_not(channel: str, transport: str, says: str) -> None:
    """A misspelt channel would stay closed, or worse, open, without a word."""
    with pytest.raises(SettingsError) as refusal:
        load_settings({f"bus.channels.{channel}": transport})
    assert str(refusal.value).startswith(f"bus.channels.{channel}: {says}")


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "engine.example", "127.0.0.1.example"])
def test_refuses_to_go_beyond_loopback_without_keys(host: str) -> None:
    """Whoever reaches the port could send orders in our name; refused at the start, in one line."""
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="expected CURVE keys"):
        Tcp({"engine": Address(host, 8090)}, None)
    for how in ({"bus.transport": "tcp"}, {"bus.listen": "true"}, {"bus.channels.feed": "listen"}):
        with pytest.raises(SettingsError) as refusal:
            load_settings({**how, "bus.host": host, "bus.curve": "false"})
        (line,) = str(refusal.value).splitlines()
        assert line.startswith(
            f"bus: expected curve to be true: orders would go without keys to {host}, which is not loopback"
        ), line
    assert load_settings({"bus.transport": "tcp", "bus.host": host}).settings.bus.curve
    assert not load_settings({"bus.transport": "tcp", "bus.curve": "false"}).settings.bus.curve


def test_keeps_one_pair_in_a_file_of_its_own(short_dir: Path) -> None:
    """Made once, of mode 0600; the secret is in no text; a file that others can read is refused."""
    path = short_dir / "bus" / "curve.keys"
    keys = load_or_make_keys(path)
    assert load_or_make_keys(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["curve.keys"]
    assert keys.secret.decode() not in repr(keys)
    path.write_text(f"public={keys.public.decode()}\nsecret={load_or_make_keys(short_dir / 'x').secret.decode()}\n")
    with pytest.raises(CurveError, match="that belong together") as error:
        load_or_make_keys(path)
    assert keys.secret.decode() not in str(error.value)
    path.chmod(0o640)
    with pytest.raises(CurveError, match="must be your own file with mode 0600"):
        load_or_make_keys(path)


def test_names_the_line_that_is_no_key(short_dir: Path) -> None:
    """A list that cannot be read lets nobody in, at the start and later."""
    path = short_dir / "allowed_keys"
    allowed = AllowedKeys(b"own", path)
    other = CurveKeys(*zmq.curve_keypair())
    path.write_text(f"{other.public.decode()} bob\n")
    assert allowed.load() == {other.public: "bob"}
    assert allowed.callback("", other.public)
    path.write_text(f"{other.public.decode()} bob\nnonsense\n")
    assert not allowed.callback("", other.public)
    with pytest.raises(CurveError, match="line 2"):
        AllowedKeys(b"own", path)
