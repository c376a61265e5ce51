"""A desk whose exchange and api listen on every address of the machine."""

import http.client
from urllib.parse import urlsplit

from tests.desk.desk_process import BTCUSDT, Desk, until


def test_a_desk_on_all_addresses_works_for_itself_and_for_its_neighbours(desk: Desk) -> None:
    """Its own maker got 403 of its exchange, and the api answered 421."""
    desk.environment |= {"TICKBUS_PAPER__HOST": "0.0.0.0", "TICKBUS_API__HOST": "0.0.0.0"}
    venue = desk.start().venue()
    until("the maker quotes", lambda: len(venue.open_orders(BTCUSDT)) == 2)
    until("the tracker has seen the account", lambda: list((desk.run_dir / "reports").glob("performance_*.json")))
    assert desk.get("/api/orderbook")["bids"]
    for node, path in (("paper", "/api/v3/ping"), ("api", "/api/health")):
        port = urlsplit(desk.url(node)).port
        for host, expected in ((f"0.0.0.0:{port}", 200), ("127.0.0.2", 200), ("evil.example", None)):
            connection = http.client.HTTPConnection("127.0.0.2", port, timeout=10)
            connection.request("GET", path, headers={"Host": host})
            status = connection.getresponse().status
            connection.close()
            assert status == expected or (expected is None and status in {403, 421}), (node, host, status)
