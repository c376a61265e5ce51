"""The day in a few figures: they are the document's, as text, and a day without fills has none."""

from decimal import Decimal

import msgpack
import pytest

from reports.day_figures import day_figures, markout_figures
from tests.pages.days import day_of
from tests.reports.fills import BTC


@pytest.mark.parametrize("count", [0, 1, 300])
def test_tells_the_parts_of_the_result_as_the_document_has_them(count: int) -> None:
    """What a screen says is earned, and by what: spread, inventory and fees; of no fills nothing."""
    head = day_of(count, has_mids=True)
    figures = day_figures(head, [], BTC)
    for name in ("spread_capture", "inventory_pnl", "fees"):
        value = head["metrics"][name]["value"]
        assert figures[name] == (None if value is None else f"{value.normalize():f}")
    assert msgpack.unpackb(msgpack.packb(figures)) == figures


def test_markouts_are_those_of_the_document() -> None:
    """Row by row: no screen has a formula of its own for them; what is not known stays so."""
    document = day_of(300, has_mids=True)
    figures = markout_figures(document["markouts"])
    assert len(figures) == len(document["markouts"]) == 9
    for row, told in zip(document["markouts"], figures, strict=True):
        assert {name: None if value is None else str(value) for name, value in told.items()} == {
            name: f"{value.normalize():f}" if isinstance(value, Decimal) else None if value is None else str(value)
            for name, value in row.items()
        }
    assert msgpack.unpackb(msgpack.packb(figures)) == figures
