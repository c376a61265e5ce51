"""Long seeded streams of commands through both engines."""

import pytest

from tests.model.pair import Pair
from tests.model.random_commands import MARKETS, RandomCommands

COMMANDS = 25_000  # each; the nightly run takes millions
SEED = 20_240_808


@pytest.mark.parametrize("name", MARKETS)
def test_both_engines_tell_and_hold_the_same(name: str) -> None:
    """After every command: the same events, depth, orders, state hash; invariants hold; the events explain the book."""
    market = MARKETS[name]
    pair = Pair(market.symbol_count, market.orders_max, market.pages_max, market.event_slots)
    commands = RandomCommands(market, SEED)
    for _ in range(COMMANDS):
        pair.step(commands.next(pair.open_ids))
