"""Long seeded streams of commands through both engines."""

import pytest

from tests.engine.model.pair import Pair
from tests.engine.model.random_commands import MARKETS, RandomCommands

COMMANDS = 6_000  # each; the night takes millions: tests/engine/model/nightly.py
THOROUGH_COMMANDS = 500
SEED = 20_240_808


@pytest.mark.parametrize("name", MARKETS)
def test_both_engines_tell_and_hold_the_same(name: str) -> None:
    """The same events, depth, orders, state hash; invariants hold; the events explain the book.

    Events are compared after every command, the rest after each of the first and then after every tenth.
    """
    market = MARKETS[name]
    pair = Pair(market.symbol_count, market.orders_max, market.pages_max, market.event_slots)
    commands = RandomCommands(market, SEED)
    for index in range(COMMANDS):
        pair.step(commands.next(pair.open_ids), is_thorough=index < THOROUGH_COMMANDS or index % 10 == 0)
    pair.compare()
