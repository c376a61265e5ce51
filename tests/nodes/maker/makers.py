"""Makers to test with, and what they tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from desk.settings import load_settings
from nodes.maker.node import MakerNode
from nodes.node import Node
from tests.nodes.maker.scripted_venue import ScriptedVenue
from trading.order_rules import OrderRules
from venues.venue import (
    VenueUnavailableError,
    VenueUnknownError,
)

PREFIX = "tb-mine-"
RULES = OrderRules(notional_min=Decimal(5))
LOST = VenueUnknownError("lost")
AWAY = VenueUnavailableError("out of reach")
Told = list[Any]


@contextmanager
def a_maker(run_dir: Path, venue: ScriptedVenue, rules: OrderRules = RULES, **settings: Any) -> Iterator[MakerNode]:
    """Make a maker at that venue."""
    options = {f"maker.{name}": value for name, value in settings.items()}
    settings_of_maker = load_settings({"run_dir": run_dir, **options}).settings
    node = Node(settings_of_maker.plan.named(["maker"])[0], settings_of_maker)
    yield MakerNode(node, venue, PREFIX, rules)
    node.close()


def lines(told: Told, event: str) -> Told:
    """Return the lines of one event."""
    return [line for line in told if line["event"] == event]


def figures(one: MakerNode) -> dict[str, Any]:
    """Return what `status` shows."""
    return one._node._figures
