"""How the simulated trader of `benchmarks.parity` keeps to the order in which things happened to the live one."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from benchmarks.parity_records import Step
from benchmarks.parity_simulated import Stepped
from market.account import VenueOrder
from market.codes import Side
from market.depth import Depth, Level
from trading.actions import Place
from trading.news import News, OrderNews
from trading.outbox import Outbox
from trading.trader import Trader


def _new(name: str) -> OrderNews:
    return OrderNews(
        VenueOrder("1", name, "BTCUSDT", Side.BUY, Decimal(100), Decimal(1), Decimal(0), "NEW", 0, Decimal(0))
    )


def test_an_answer_is_heard_before_the_next_step_of_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the market was late, an action and the step that heard its answer have one time: else it is missed."""
    heard: list[list[News]] = []

    def step(_: Trader, now_ns: int, said: Sequence[News]) -> Outbox:
        heard.append(list(said))
        return Outbox([Place("ours", Side.BUY, 100, 1)] if now_ns == 5 else [], None, ())

    monkeypatch.setattr(Trader, "__init__", lambda _: None)
    monkeypatch.setattr(Trader, "step", step)
    acts = ((Place("theirs", Side.BUY, 100, 1), 5),)
    follower = Stepped(
        lambda: Depth((Level(1, 1),), (Level(2, 1),)), [Step(5, 5, (), acts), Step(5, 6, (_new("theirs"),), ())]
    )
    outbox = follower.step(5, [])
    assert outbox.actions == [Place("ours", Side.BUY, 100, 1)]
    follower.step(5, [_new("ours")])  # it takes no time there
    assert outbox.wake_ns is not None
    follower.step(outbox.wake_ns, [])
    assert heard == [[], [_new("ours")]]


def test_what_comes_later_than_to_the_live_one_is_heard_at_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fill a moment later must not keep the trader waiting for as long as one that the live trader never heard of."""
    heard: list[list[News]] = []

    def step(_: Trader, now_ns: int, said: Sequence[News]) -> Outbox:
        heard.append(list(said))
        return Outbox([Place("ours", Side.BUY, 100, 1)] if now_ns == 5 else [], None, ())

    monkeypatch.setattr(Trader, "__init__", lambda _: None)
    monkeypatch.setattr(Trader, "step", step)
    acts = ((Place("theirs", Side.BUY, 100, 1), 5),)
    steps = [Step(5, 5, (), acts), Step(7, 7, (_new("theirs"),), ()), Step(9, 9, (), ())]
    follower = Stepped(lambda: Depth((Level(1, 1),), (Level(2, 1),)), steps)
    follower.step(5, [])
    follower.step(7, [])
    follower.step(8, [_new("ours")])
    follower.step(9, [])
    assert heard == [[], [], [_new("ours")]]
