"""What docs/paper.md says of Binance's changes and error codes, compared with the calls, streams, codes and tests."""

import re
from datetime import date

import pytest

from paper.calls.endpoints import ENDPOINTS
from paper.errors import ErrorKind
from paper.exchange.filters import filter_documents
from paper.streams.channels import open_stream
from paper.units import Symbol
from tests.docs import exchange_errors
from tests.docs.exchange_errors import DOCUMENTED, TESTS
from tests.paper.conformance import TEXT, names_of, rows
from tests.paper.desk import INSTRUMENTS, Desk

CALLS = {f"{endpoint.method} {endpoint.name}" for endpoint in ENDPOINTS}
METHODS = {endpoint.socket_method for endpoint in ENDPOINTS}
FILTERS = {each["filterType"] for instrument in INSTRUMENTS for each in filter_documents(Symbol.of(instrument))}
CHANGES = rows("changes")
_CALL = re.compile(r"(GET|POST|PUT|DELETE) \S+")
_STREAM = re.compile(r"<symbol>@\w+")


def test_changes_are_those_of_twelve_months_newest_first() -> None:
    """And the last of them is announced on the day up to which the exchange follows."""
    (followed,) = re.findall(r"changelog up to (\d{4}-\d\d-\d\d)", TEXT)
    days = [date.fromisoformat(since) for since, *_ in CHANGES]
    assert days == sorted(days, reverse=True)
    assert (date.fromisoformat(followed) - days[-1]).days < 366
    assert all(len(row) == 4 for row in CHANGES)


@pytest.mark.parametrize(("change", "here", "shown"), [row[1:] for row in CHANGES])
def test_a_change_is_here_as_its_row_says(change: str, here: str, shown: str, desk: Desk) -> None:
    """Calls, streams and filters that it names are there if it is served, and not if it is absent; so are its tests."""
    state = here.partition(":")[0]
    assert state in {"served", "refused", "absent", "does not apply"}
    names = names_of(change)
    calls = {name: name in CALLS for name in names if _CALL.fullmatch(name)}
    streams = {
        name: open_stream(name.replace("<symbol>", "btcusdt"), desk.exchange.market) is not None
        for name in names
        if _STREAM.fullmatch(name)
    }
    filters = {name: name in FILTERS for name in names if re.fullmatch(r"(MAX_NUM|ICEBERG)_\w+", name)}
    told = calls | streams | filters
    if state == "served":
        assert all(told.values()), told
        assert shown, "a test shows that it is served"
    elif state == "absent":
        assert not any(told.values()), told
    elif state == "refused":
        (code,) = re.findall(r"-\d{4}", here)
        assert int(code) in {kind.code for kind in ErrorKind}
        assert int(code) != ErrorKind.UNSUPPORTED_OPERATION.code or not any(told.values()), told
    for module in names_of(shown):
        assert (TESTS / "paper" / f"{module}.py").is_file()


def test_every_code_that_can_come_is_expected_by_a_test() -> None:
    """And one that cannot come is said by nothing."""
    told = list(exchange_errors.rows())
    assert [code for code, _, can_come, _, test in told if can_come == "yes" and not test] == []
    assert [code for code, _, can_come, *_ in told if can_come == "no: not yet"] == []
    codes = {kind.code for kind in ErrorKind}
    assert [code for code, each in DOCUMENTED.items() if each.absent.startswith("no") and code in codes] == []
