"""The socket on which a node lets clients in."""

import socket

from desk.run_dir import NodeError
from market.http_names import in_url


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        NodeError: if the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128, dualstack_ipv6=host == "::")
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]  # the library says the address again
        raise NodeError(f"cannot listen on {in_url(host)}:{port}: {why}") from None
