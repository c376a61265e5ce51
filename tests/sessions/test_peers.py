"""What one address may take of a gateway."""

import pytest

from market.clock import NS_PER_SECOND
from market.limits import TCP_SESSIONS_MAX
from sessions.peers import Peers, address_of


def test_an_address_has_no_more_connections_than_it_may() -> None:
    """The others have theirs; one that goes makes room for one."""
    peers = Peers(connections_max=2, logons_per_s=1)
    assert [peers.connect(address) for address in ("a", "a", "b", "a", "b", "b")] == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]
    peers.disconnect("a")
    assert [peers.connect(address) for address in ("a", "a", "b")] == [True, False, False]


def test_an_address_logs_on_no_more_often_than_it_may() -> None:
    """As many at once as there are sessions, then so many a second; what was refused is not counted."""
    peers = Peers(connections_max=1, logons_per_s=4)
    now_ns = 10**15
    assert [peers.log_on("a", now_ns) for _ in range(TCP_SESSIONS_MAX + 50)] == [True] * TCP_SESSIONS_MAX + [False] * 50
    assert peers.log_on("b", now_ns), "another one has its own"
    now_ns += NS_PER_SECOND // 2
    assert [peers.log_on("a", now_ns) for _ in range(4)] == [True, True, False, False]
    now_ns += 3_600 * NS_PER_SECOND
    assert [peers.log_on("a", now_ns) for _ in range(TCP_SESSIONS_MAX + 1)] == [True] * TCP_SESSIONS_MAX + [False]


def test_forgets_an_address_that_has_all_its_credit_again() -> None:
    """Whoever comes from ever new addresses must not fill the memory."""
    peers = Peers(connections_max=1, logons_per_s=1)
    for number in range(1_000):
        assert peers.log_on(str(number), number * NS_PER_SECOND)
        assert peers.connect(str(number))
        peers.disconnect(str(number))
    assert len(peers._paid_until_ns) == 1
    assert not peers._connections


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_takes_the_network_of_an_ipv6_address_for_one(host: str, address: str) -> None:
    """Its holder has as many addresses in it as he likes."""
    assert address_of(host) == address
