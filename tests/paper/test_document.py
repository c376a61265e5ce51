"""docs/paper.md against the code: its tables name every call and every stream, and nothing that is not there."""

from pathlib import Path

from paper.access.usage import LIMITS
from paper.calls.documents import exchange_info
from paper.calls.endpoints import ENDPOINTS, Endpoint
from paper.exchange.filters import filter_documents
from paper.money.orders import OrderKind
from paper.socket_api import ENDPOINT_OF_METHOD
from paper.streams.channels import open_stream
from tests.paper.conformance import TESTERS, TEXT, names_of, rows
from tests.paper.desk import Desk


def test_it_names_every_call_with_its_weight_and_its_method() -> None:
    """Supported is what the table of endpoints has."""
    told = {}
    for call, weight, method, supported, _ in rows("calls"):
        if supported.startswith("yes"):
            told[call.strip("`")] = weight if weight[0].isdecimal() else "by", method.strip("`")
    method_of = {endpoint: method for method, endpoint in ENDPOINT_OF_METHOD.items()}
    assert told == {
        f"{endpoint.method} {endpoint.path.removeprefix('/api/v3/')}": (
            _weight(endpoint),
            method_of.get(endpoint, ""),
        )
        for endpoint in ENDPOINTS
    }


def _weight(endpoint: Endpoint) -> str:
    if endpoint.is_free_if_done:
        return f"0, failed {endpoint.weight}"
    return str(endpoint.weight) if isinstance(endpoint.weight, int) else "by"


def test_it_names_clients_that_are_there() -> None:
    """Every supported call and every stream has one."""
    folder = Path(__file__).parent
    for *_, supported, testers in [row for row in rows("calls") if row[3].startswith("yes")] + rows("streams"):
        assert set(testers.split(", ")) <= TESTERS.keys(), (supported, testers)
    assert all((folder / name).is_file() for name in TESTERS.values())


def test_it_names_streams_that_are_there(desk: Desk) -> None:
    """Each opens."""
    names = [name for row in rows("streams") for name in names_of(row[0])]
    assert len(names) > 10
    assert all(open_stream(name, desk.exchange.market) for name in names), names


def test_it_names_every_filter_and_type_of_order(desk: Desk) -> None:
    """As exchangeInfo tells them."""
    symbol = desk.exchange.symbols["BTCUSDT"]
    for each in filter_documents(symbol):
        assert each["filterType"] in TEXT
    (told,) = exchange_info([symbol], LIMITS, 0)["symbols"]
    assert told["orderTypes"] == [str(kind) for kind in OrderKind]
    assert all(kind in TEXT for kind in told["orderTypes"])
