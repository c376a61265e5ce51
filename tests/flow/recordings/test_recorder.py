"""What streams say becomes a recording: every message once, gaps marked, a snapshot wherever a book has to begin."""

import json
from pathlib import Path

import pytest

from flow.live import Lost, Received, Subscribed
from flow.recordings.files import RecordingFiles
from flow.recordings.inspection import inspect
from flow.recordings.recorder import Line, Recorder
from flow.recordings.recording import BEGIN, GAP, REFUSED, recorded_symbol
from market.clock import NS_PER_SECOND
from tests.pairs import default_instruments

BTCUSDT, *_ = default_instruments()
AHEAD_NS = 1_795_000_000_000_000_000
S = NS_PER_SECOND


def update(first_id: int, last_id: int) -> str:
    data = {"e": "depthUpdate", "E": AHEAD_NS // 10**6, "s": "BTCUSDT", "U": first_id, "u": last_id, "b": [], "a": []}
    return json.dumps(data)


def snapshot(update_id: int) -> str:
    return json.dumps({"lastUpdateId": update_id, "bids": [["1.00", "1.0"]], "asks": [["2.00", "1.0"]]})


@pytest.fixture
def recorder() -> Recorder:
    """Return a recorder that has subscribed at 0."""
    one = Recorder(BTCUSDT, AHEAD_NS)
    one.hear(0, Subscribed())
    return one


def texts(recorder: Recorder) -> list[str]:
    """Return the messages of all lines but the mark that the first file begins with."""
    messages = [line.text.split(" ", 1)[1] for line in recorder.take_lines()]
    return [text for text in messages if BEGIN not in text]


def beginning(at_ns: int) -> str:
    mark = {"e": BEGIN, "E": (AHEAD_NS + at_ns) // 10**6, "s": "BTCUSDT"}
    return f"{AHEAD_NS + at_ns} {json.dumps(mark)}"


def events(recorder: Recorder) -> list[str]:
    return [json.loads(text).get("e", "snapshot") for text in texts(recorder)]


def test_asks_for_a_snapshot_with_the_first_update_and_once(recorder: Recorder) -> None:
    """A snapshot asked for before it might be older than the first update, and of no use."""
    assert not recorder.take_snapshot_request(S // 2)
    recorder.hear(S // 2, Received(S // 2, update(11, 12)))
    assert recorder.take_snapshot_request(S // 2)
    assert not recorder.take_snapshot_request(S)
    recorder.hear(S, Received(S, snapshot(12)))
    assert not recorder.take_snapshot_request(100 * S)
    assert recorder.has_book


def test_asks_for_a_snapshot_of_a_market_that_stands_still(recorder: Recorder) -> None:
    """No update comes, and there is a book all the same."""
    assert recorder.take_snapshot_request(S)


def test_asks_again_for_what_did_not_come_failed_or_was_too_old(recorder: Recorder) -> None:
    """Each of the three leaves a recording without a book."""
    assert recorder.take_snapshot_request(S)
    assert recorder.take_snapshot_request(16 * S)
    recorder.fail_snapshot(17 * S, "500")
    assert not recorder.take_snapshot_request(18 * S - 1)
    assert recorder.take_snapshot_request(18 * S)
    recorder.hear(19 * S, Received(19 * S, update(50, 60)))
    recorder.take_snapshot_request(19 * S)
    recorder.hear(20 * S, Received(20 * S, snapshot(48)))
    assert not recorder.has_book
    assert events(recorder) == ["depthUpdate"]
    assert recorder.take_snapshot_request(40 * S)


def test_snapshot_that_the_first_update_does_not_go_on_from_is_followed_by_another(recorder: Recorder) -> None:
    """It came before any update, and the first one leaves a gap to it."""
    recorder.take_snapshot_request(S)
    recorder.hear(S, Received(S, snapshot(10)))
    assert not recorder.take_snapshot_request(2 * S)
    recorder.hear(2 * S, Received(2 * S, update(12, 13)))
    assert recorder.take_snapshot_request(2 * S)


def test_marks_an_update_that_does_not_go_on_and_asks_anew(recorder: Recorder) -> None:
    """Guards the rule of the exchange: the first id is the last one and one."""
    for first_id, last_id in ((1, 5), (6, 6), (8, 9), (10, 11)):
        recorder.hear(0, Received(0, update(first_id, last_id)))
        recorder.take_snapshot_request(0)
    lines = [json.loads(text) for text in texts(recorder)]
    assert [line["e"] for line in lines] == ["depthUpdate", "depthUpdate", GAP, "depthUpdate", "depthUpdate"]
    assert lines[2]["reason"] == "expected an update from id 7, was 8"
    assert recorder.counts[GAP] == 1
    assert recorder.take_snapshot_request(S)


def test_marks_a_lost_connection_once(recorder: Recorder) -> None:
    """Attempts that fail in between are no gaps of their own."""
    recorder.hear(S, Lost("hung up"))
    recorder.hear(2 * S, Lost("refused"))
    assert not recorder.take_snapshot_request(3 * S)
    recorder.hear(4 * S, Subscribed())
    assert events(recorder) == [GAP]
    assert recorder.take_snapshot_request(5 * S)


def test_message_that_a_replay_would_refuse_is_a_mark(recorder: Recorder) -> None:
    """One line that cannot be read would make the whole recording end there."""
    for text in ("{", '{"u":1,"s":"BTCUSDT","b":"0.005","B":"0","a":"2.00","A":"1.0"}', '{"e":"kline","s":"BTCUSDT"}'):
        recorder.hear(0, Received(0, text))
    assert events(recorder) == [REFUSED, REFUSED]
    assert recorder.counts[REFUSED] == 2


def test_best_prices_of_an_empty_side_are_no_fault(recorder: Recorder) -> None:
    """A side may be empty for a moment; the depth updates tell it."""
    recorder.hear(0, Received(0, '{"u":1,"s":"BTCUSDT","b":"0.00000000","B":"0.0","a":"2.00","A":"1.0"}'))
    assert not events(recorder)
    assert not recorder.counts[REFUSED]


def test_times_are_of_day_and_a_message_is_one_line(recorder: Recorder) -> None:
    """The streams tell monotonic times; JSON may stand on several lines."""
    recorder.hear(9, Received(7, snapshot(1).replace(",", ",\n")))
    (_, (line, begins_with)) = recorder.take_lines()
    assert line.startswith(f"{AHEAD_NS + 7} {{")
    assert "\n" not in line
    assert begins_with == (beginning(7),)


def test_new_file_begins_with_the_updates_that_are_newer_than_its_snapshot(recorder: Recorder) -> None:
    """A snapshot may be older than the last updates that came before it: the next file needs them, too."""
    recorder.hear(0, Received(0, update(1, 2)))
    recorder.take_snapshot_request(0)
    recorder.hear(0, Received(0, snapshot(2)))
    recorder.take_lines()
    recorder.hear(0, Received(0, update(3, 4)))
    recorder.ask_snapshot(5)
    assert recorder.take_snapshot_request(5)
    recorder.hear(6, Received(6, update(5, 6)))
    recorder.hear(7, Received(7, snapshot(5)))
    begins_with = beginning(6), f"{AHEAD_NS + 6} {update(5, 6)}"
    assert recorder.take_lines()[-1] == Line(f"{AHEAD_NS + 7} {snapshot(5)}", begins_with)


def test_new_file_lacks_nothing_when_a_snapshot_comes_after_another_was_asked_for(recorder: Recorder) -> None:
    """What came between the two questions is newer than the first one's answer."""
    recorder.hear(0, Received(0, snapshot(2)))
    recorder.hear(0, Received(0, update(3, 4)))
    recorder.ask_snapshot(1)
    assert recorder.take_snapshot_request(1)
    recorder.hear(2, Received(2, update(5, 6)))
    assert recorder.take_snapshot_request(100 * S)
    recorder.hear(100 * S, Received(100 * S, snapshot(4)))
    begins_with = beginning(2), f"{AHEAD_NS + 2} {update(5, 6)}"
    assert recorder.take_lines()[-1].begins_with == begins_with


def test_no_file_begins_with_a_snapshot_after_which_updates_are_forgotten(recorder: Recorder) -> None:
    """Who waits for a snapshot for too long would begin a file with a gap that nobody has told of."""
    recorder.hear(0, Received(0, snapshot(0)))
    recorder.ask_snapshot(0)
    assert recorder.take_snapshot_request(0)
    for number in range(1, 10_003):
        recorder.hear(number, Received(number, update(number, number)))
    recorder.take_lines()
    recorder.hear(S, Received(S, snapshot(1)))
    assert not recorder.take_lines()
    assert recorder.last_problem == "the snapshot is of id 1, before the updates"
    assert recorder.take_snapshot_request(3 * S)
    recorder.hear(3 * S, Received(3 * S, snapshot(2)))
    _, *newer = recorder.take_lines()[-1].begins_with or ()
    assert len(newer) == 10_000


@pytest.mark.parametrize("is_first", [True, False])
def test_first_line_of_every_file_names_the_symbol(recorder: Recorder, tmp_path: Path, *, is_first: bool) -> None:
    """A snapshot does not: a file of which nothing else was written yet could not be read."""
    files = RecordingFiles(tmp_path / "own.gz", 1, 1 << 30)
    for number in range(1 if is_first else 2):
        recorder.take_snapshot_request((number + 1) * S)
        recorder.hear((number + 1) * S, Received((number + 1) * S, snapshot(7)))
        for line in recorder.take_lines():
            files.put(line, (number + 1) * S)
        recorder.ask_snapshot((number + 1) * S)
    files.close()
    path = files.paths[-1]
    assert path.name == ("own.gz" if is_first else "own-2.gz")
    assert recorded_symbol(path) == "BTCUSDT"
    assert inspect(path, BTCUSDT).faults == []


def test_machine_that_has_slept_for_a_day_records_on(recorder: Recorder) -> None:
    """The monotonic clock sleeps with it, and a message a day away from its own time would be refused."""
    recorder.hear(S, Lost("asleep"))
    recorder.set_clock(AHEAD_NS + 90_000 * S)
    recorder.hear(2 * S, Subscribed())
    own_ms = (AHEAD_NS + 90_002 * S) // 10**6
    recorder.hear(2 * S, Received(2 * S, update(1, 1).replace(str(AHEAD_NS // 10**6), str(own_ms))))
    recorder.set_clock(AHEAD_NS)
    recorder.hear(3 * S, Received(3 * S, update(2, 2).replace(str(AHEAD_NS // 10**6), str(own_ms))))
    lines = [line.text for line in recorder.take_lines()]
    assert [int(line.split()[0]) // S - AHEAD_NS // S for line in lines[-2:]] == [90_002, 90_003]
    assert not recorder.counts[REFUSED]


def test_no_snapshot_is_asked_for_without_streams(recorder: Recorder) -> None:
    """A file that is full waits for the connection."""
    recorder.hear(0, Lost("gone"))
    recorder.ask_snapshot(1)
    assert not recorder.take_snapshot_request(S)
