"""What every client program here knows of the exchange: where it is, whose keys it has, how to make it fail.

The client itself is untouched: it only gets another URL.
"""

import json
import os
import sys
import urllib.request
from typing import Any

URL = os.environ["EXCHANGE_URL"]
ALICE, BOB = json.loads(os.environ["EXCHANGE_KEYS"])  # API key and secret of each
ADMIN_TOKEN = os.environ["EXCHANGE_ADMIN"]
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def stay_on_loopback() -> None:
    """Let nothing leave this machine from now on, whatever the client's libraries do: the hook sees every socket."""

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto"}:
            address = arguments[1]
            assert isinstance(address, str | bytes) or address[0] in LOOPBACK, (event, address)
        elif event == "socket.getaddrinfo":
            assert arguments[0] in LOOPBACK, (event, arguments)

    sys.addaudithook(look)


def arm(kind: str, **options: Any) -> None:
    """Set a fault switch of the exchange for the next order."""
    document = json.dumps({"kind": kind, "path": "order", **options}).encode()
    request = urllib.request.Request(f"{URL}/admin/v1/faults", document, {"X-Admin-Token": ADMIN_TOKEN})
    urllib.request.urlopen(request, timeout=10).close()
