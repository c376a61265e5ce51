"""The recorded book puts late depth updates where they belong, before newer best prices."""

from flow.recordings.book import RecordedBook
from flow.recordings.recording import BookTicker, DepthUpdate, Snapshot
from market.codes import Side
from market.depth import Level

SNAPSHOT = Snapshot(0, 10, (Level(100, 5), Level(99, 6), Level(98, 7)), (Level(102, 5), Level(103, 6)))


def book() -> RecordedBook:
    """Return a book of the snapshot, without a limit of reach that would matter."""
    built = RecordedBook(reach_bps=5_000)
    built.apply(SNAPSHOT)
    return built


def levels(recorded: RecordedBook) -> tuple[dict[int, int], dict[int, int]]:
    """Return quantity by price, bids and asks."""
    bids, asks = (
        {price: recorded.qty_lots(side, price) for price in prices}
        for side, prices in zip(Side, recorded.prices(), strict=True)
    )
    return bids, asks


def ticker(update_id: int, bid: tuple[int, int], ask: tuple[int, int]) -> BookTicker:
    return BookTicker(0, update_id, Level(*bid), Level(*ask))


def test_best_prices_remove_what_is_better_and_set_the_best() -> None:
    """Guards the touch between two depth updates."""
    recorded = book()
    touched = recorded.apply(ticker(11, (98, 3), (101, 2)))
    assert levels(recorded) == ({98: 3}, {101: 2, 102: 5, 103: 6})
    assert touched == ({100, 99, 98}, {101})


def test_late_update_does_not_undo_newer_best_prices() -> None:
    """Guards against a diff of the last 100 ms that brings back a level which was emptied since."""
    recorded = book()
    recorded.apply(ticker(13, (98, 3), (102, 4)))
    recorded.apply(ticker(14, (99, 1), (102, 4)))
    recorded.apply(DepthUpdate(0, 11, 12, (Level(100, 9), Level(99, 8), Level(97, 2)), (Level(102, 9),)))
    assert levels(recorded) == ({99: 1, 98: 3, 97: 2}, {102: 4, 103: 6})


def test_newer_update_wins_over_older_best_prices() -> None:
    """Guards the other direction."""
    recorded = book()
    recorded.apply(ticker(11, (98, 3), (102, 4)))
    recorded.apply(DepthUpdate(0, 11, 12, (Level(100, 0), Level(99, 8), Level(98, 0)), (Level(102, 9),)))
    assert levels(recorded) == ({99: 8}, {102: 9, 103: 6})


def test_level_that_came_and_went_between_two_updates_leaves_no_ghost() -> None:
    """Guards against venues whose updates tell only what differs at their end: best prices hold no longer than that."""
    recorded = book()
    recorded.apply(ticker(11, (101, 1), (102, 4)))
    recorded.apply(ticker(12, (99, 6), (102, 4)))
    recorded.apply(ticker(13, (100, 5), (102, 4)))
    touched = recorded.apply(DepthUpdate(0, 11, 13, (), (Level(102, 4),)))
    assert levels(recorded) == ({100: 5, 99: 6, 98: 7}, {102: 4, 103: 6})
    assert 101 in touched[Side.BUY]


def test_best_prices_are_kept_where_a_gap_has_lost_updates() -> None:
    """Guards a damaged recording: best prices heal what the missing updates have broken."""
    recorded = book()
    recorded.apply(ticker(13, (98, 3), (102, 4)))
    recorded.apply(DepthUpdate(0, 15, 16, (Level(97, 1),), ()))
    assert levels(recorded) == ({98: 3, 97: 1}, {102: 4, 103: 6})


def test_records_before_the_snapshot_count_if_they_are_newer() -> None:
    """Guards the start: the snapshot is requested while the streams already run, and may be older than they are."""
    recorded = RecordedBook(reach_bps=5_000)
    nothing: tuple[set[int], set[int]] = (set(), set())
    assert recorded.apply(DepthUpdate(0, 7, 9, (Level(100, 1),), ())) == nothing
    assert recorded.apply(DepthUpdate(0, 10, 12, (Level(99, 1),), ())) == nothing
    assert recorded.apply(ticker(13, (100, 4), (103, 1))) == nothing
    assert not recorded.is_built
    recorded.apply(SNAPSHOT)
    assert recorded.is_built
    assert levels(recorded) == ({100: 4, 99: 1, 98: 7}, {103: 1})
    assert recorded.gap_count == 0


def test_old_updates_are_dropped_and_a_gap_is_said() -> None:
    """Guards contiguity: U must follow the last u."""
    recorded = book()
    recorded.apply(DepthUpdate(0, 8, 10, (Level(100, 77),), ()))
    assert recorded.qty_lots(Side.BUY, 100) == 5
    recorded.apply(DepthUpdate(0, 9, 12, (), ()))
    assert recorded.gap_count == 0
    recorded.apply(DepthUpdate(0, 15, 16, (), ()))
    assert recorded.gap_count == 1
    assert recorded.first_gap == "expected a depth update from id 13, was 15"


def test_levels_out_of_reach_are_left_out() -> None:
    """Guards the engine's memory: the far ends of a real book lie at a tenth and ten times the price."""
    recorded = RecordedBook(reach_bps=500)
    recorded.apply(SNAPSHOT)
    recorded.apply(DepthUpdate(0, 11, 12, (Level(90, 1), Level(97, 1)), (Level(110, 1), Level(106, 1))))
    assert levels(recorded) == ({100: 5, 99: 6, 98: 7, 97: 1}, {102: 5, 103: 6, 106: 1})


def test_book_that_was_empty_comes_back_whole() -> None:
    """Without a side there is no mid to measure reach from: an exchange whose engine was away tells all levels anew."""
    recorded = book()
    gone = [tuple(Level(price, 0) for price in side) for side in levels(recorded)]
    recorded.apply(DepthUpdate(0, 11, 15, *gone))
    assert levels(recorded) == ({}, {})
    recorded.apply(DepthUpdate(0, 16, 16, (Level(100, 5), Level(98, 7)), ()))
    recorded.apply(DepthUpdate(0, 17, 17, (), (Level(102, 5), Level(103, 6))))
    assert levels(recorded) == ({100: 5, 98: 7}, {102: 5, 103: 6})
    assert recorded.gap_count == 0


def test_old_snapshot_in_the_middle_does_not_put_the_book_back() -> None:
    """Guards collectors that ask for a snapshot now and then: its answer may be older than what the streams told."""
    recorded = book()
    recorded.apply(DepthUpdate(0, 11, 20, (Level(100, 1),), ()))
    assert recorded.apply(SNAPSHOT._replace(update_id=15)) == (set(), set())
    recorded.apply(DepthUpdate(0, 21, 22, (Level(97, 3),), ()))
    assert levels(recorded) == ({100: 1, 99: 6, 98: 7, 97: 3}, {102: 5, 103: 6})
    assert recorded.gap_count == 0


def test_newer_snapshot_in_the_middle_replaces_the_book() -> None:
    """Guards a collector that reconnected: the gap is counted, and the snapshot that it took heals it."""
    recorded = book()
    recorded.apply(DepthUpdate(0, 15, 16, (Level(96, 1),), ()))
    recorded.apply(Snapshot(0, 17, (Level(95, 2),), (Level(102, 5),)))
    recorded.apply(DepthUpdate(0, 17, 18, (Level(94, 3),), ()))
    assert levels(recorded) == ({95: 2, 94: 3}, {102: 5})
    assert recorded.gap_count == 1


def test_old_snapshot_after_a_gap_heals_the_book_with_the_updates_since() -> None:
    """Guards the reconnection of a collector whose snapshot came late: what is newer is applied again."""
    recorded = book()
    recorded.apply(DepthUpdate(0, 15, 16, (Level(96, 1),), ()))
    recorded.apply(DepthUpdate(0, 17, 19, (Level(95, 1),), ()))
    touched = recorded.apply(Snapshot(0, 16, (Level(96, 1), Level(93, 4)), (Level(102, 5),)))
    assert levels(recorded) == ({96: 1, 95: 1, 93: 4}, {102: 5})
    assert {100, 99, 98, 96, 95, 93} <= touched[Side.BUY]
    assert recorded.gap_count == 1
    recorded.apply(DepthUpdate(0, 20, 20, (), ()))
    assert recorded.gap_count == 1
