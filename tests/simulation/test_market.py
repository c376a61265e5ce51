"""The market in front of its engine: what it reads of the engine's rows."""

import numpy as np

from market.kernels.rows import ROW_WIDTH, read_event, write_event
from market.messages import EVENT_BY_TAG
from simulation.market import read_events


def test_rows_read_at_once_are_the_events_that_each_row_is() -> None:
    """Events are made without a count of their fields: one field too few or too many would go unnoticed there."""
    events = [message(*range(1, 1 + len(message._fields))) for message in EVENT_BY_TAG.values()]
    rows = np.zeros((len(events), ROW_WIDTH), np.int64)
    for slot, event in enumerate(events):
        write_event(rows, slot, event)
    told = read_events(rows)
    assert told == events == [read_event(row) for row in rows]
    assert [*map(type, told)] == [*map(type, events)], "equal tuples are not yet the same kind of event"
