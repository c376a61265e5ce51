"""What is in a recording is counted, and whatever is wrong with it is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flow.recordings.inspection import Inspection, inspect
from flow.recordings.recording import BookTicker, DepthUpdate, Record, RecordedTrade, Snapshot
from market.codes import Side
from market.depth import Level
from screens.recording import recording_text
from tests.flow.recordings.written import write_recording
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()
S = 1_000_000_000
AT = 1_795_000_000 * S
GOOD: list[Record] = [
    Snapshot(AT, 10, (Level(100, 5),), (Level(102, 5),)),
    BookTicker(AT + 1, 11, Level(100, 4), Level(102, 5)),
    RecordedTrade(AT + S, 1, 102, 2, Side.BUY),
    DepthUpdate(AT + S, 11, 12, (Level(100, 4),), (Level(102, 3),)),
    RecordedTrade(AT + 2 * S, 2, 100, 1, Side.SELL),
]


@pytest.fixture
def inspected(tmp_path: Path) -> Callable[..., Inspection]:
    """Return what writes records, and lines after them, to a file, and inspects it."""

    def of(records: list[Record], *lines: str) -> Inspection:
        path = tmp_path / "recording"
        write_recording(path, BTCUSDT, records)
        with path.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
        return inspect(path, BTCUSDT)

    return of


def test_counts_what_there_is(inspected: Callable[..., Inspection]) -> None:
    """Guards the figures, as JSON and as text."""
    document = inspected(GOOD).document(BTCUSDT)
    assert document["counts"] == {"Snapshot": 1, "BookTicker": 1, "RecordedTrade": 2, "DepthUpdate": 1}
    assert (document["from"], document["to"]) == ("2026-11-18T11:06:40.000Z", "2026-11-18T11:06:42.000Z")
    assert (str(document["first_price"]), str(document["last_price"])) == ("1.02", "1.00")
    assert document["faults"] == []
    text = recording_text(document)
    assert "1 best price, 1 depth update, 2 trades, 1 snapshot" in text
    assert "First trade $1.02, last $1.00" in text
    assert "Wrong" not in text


@pytest.mark.parametrize(
    ("records", "lines", "fault"),
    [
        (GOOD[1:], (), "there is no depth snapshot: the book is only what the file tells"),
        ([*GOOD, DepthUpdate(AT + 3 * S, 14, 15, (), ())], (), "1 gap in the depth updates"),
        ([*GOOD, BookTicker(AT + 3 * S, 13, Level(102, 4), Level(102, 5))], (), "1 record that crosses the book"),
        ([*GOOD, DepthUpdate(AT + 3 * S, 13, 13, (Level(103, 1),), ())], (), "1 record that crosses the book"),
        ([*GOOD, GOOD[2]], (), "1 record received before the one in front"),
        ([*GOOD, RecordedTrade(AT + 14 * S, 3, 100, 1, Side.SELL)], (), "12.0 s without a record"),
        (GOOD, (f'{AT + 3 * S} {{"e":"gap","s":"BTCUSDT"}}',) * 2, "2 gaps that the recorder has marked"),
        (GOOD, (f'{AT} {{"e":"refused","s":"BTCUSDT"}}',), "1 message that the recorder could not read"),
        (GOOD, ("soon {}",), "recording line 6: expected `<receive time, ns> <message JSON>`, was 'soon {}\\n'"),
        ([], (), "there is nothing in it"),
    ],
)
def test_tells_every_fault(
    records: list[Record], lines: tuple[str, ...], fault: str, inspected: Callable[..., Inspection]
) -> None:
    """Each alone, in a recording that is good but for it."""
    found = inspected(records, *lines)
    assert found.faults == [fault]
    assert f"Wrong: {fault}" in recording_text(found.document(BTCUSDT))


def test_finds_nothing_wrong_with_a_recording_of_a_desk(kept_recording: Path) -> None:
    """Guards the recorder together with the reader: this file was recorded from a paper exchange."""
    found = inspect(kept_recording, BTCUSDT)
    assert found.faults == []
    assert found.counts == {"BookTicker": 957, "DepthUpdate": 441, "RecordedTrade": 484, "Snapshot": 1}
