"""The order link under everything that can happen to it, against a model that knows what really happened."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.bus.link_model import RETRY_NS, SOURCES, LinkModel
from tests.cases import some

SOURCE = st.sampled_from(SOURCES)
SMALL = st.integers(1, 4)


class LinkMachine(RuleBasedStateMachine):
    """Hypothesis chooses what happens; the model checks every step, and at the end that everything drains."""

    def __init__(self) -> None:
        super().__init__()
        self.model = LinkModel()

    @rule(source=SOURCE, command_count=SMALL)
    def send(self, source: int, command_count: int) -> None:
        self.model.send(source, command_count)

    @rule(frame_count=SMALL, unasked_count=st.integers(0, 2), first=st.integers(0, 5))
    def work(self, frame_count: int, unasked_count: int, first: int) -> None:
        self.model.work(frame_count, unasked_count, first)

    @rule(source=SOURCE, frame_count=SMALL, dies=st.booleans())
    def listen(self, source: int, frame_count: int, dies: bool) -> None:
        self.model.listen(source, frame_count, dies=dies)

    @rule(source=SOURCE, passed_ns=st.sampled_from([RETRY_NS // 5, RETRY_NS * 2, RETRY_NS * 9]))
    def tick(self, source: int, passed_ns: int) -> None:
        self.model.tick(source, passed_ns)

    @rule()
    def everything_arrives(self) -> None:
        self.model.work(100)
        for source in SOURCES:
            self.model.listen(source, 100)

    @rule(source=SOURCE, is_up=st.booleans())
    def lose(self, source: int, is_up: bool) -> None:
        if is_up:
            self.model.lose_up(source)
        else:
            self.model.lose_down(source)

    @rule(source=SOURCE)
    def repeat(self, source: int) -> None:
        self.model.repeat(source)

    @rule(source=SOURCE, keeps_up=st.booleans())
    def reset(self, source: int, keeps_up: bool) -> None:
        self.model.reset(source, keeps_up=keeps_up)

    @rule(source=SOURCE, is_fresh=st.booleans())
    def restart_source(self, source: int, is_fresh: bool) -> None:
        self.model.start_source(source, is_fresh=is_fresh)

    @rule(is_replayed=st.booleans())
    def restart_engine(self, is_replayed: bool) -> None:
        if is_replayed:
            self.model.replay_engine()
        else:
            self.model.start_engine()

    def teardown(self) -> None:
        self.model.settle()


LinkMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
test_survives_whatever_happens = LinkMachine.TestCase


@pytest.mark.parametrize("seed", some(range(40), 12))
def test_survives_a_long_life(seed: int) -> None:
    """Long runs reach what short ones do not: hundreds of frames on their way, several restarts of everybody."""
    dice, model = random.Random(seed), LinkModel()
    trouble = dice.choice([0.0, 0.02, 0.1, 0.3])
    for _ in range(1_000):
        source = dice.choice(SOURCES)
        model.send(source, dice.randint(1, 3))
        if dice.random() < 0.5:
            model.work(dice.randint(1, 20), dice.randint(0, 1), dice.randint(0, 5))
        if dice.random() < 0.5:
            model.listen(source, dice.randint(1, 20), dies=dice.random() < trouble / 20)
        if dice.random() < 0.3:
            model.tick(source, dice.randint(1, RETRY_NS))
        if dice.random() < trouble:
            dice.choice([model.lose_up, model.lose_down, model.repeat])(source)
        if dice.random() < trouble / 10:
            model.reset(source, keeps_up=dice.random() < 0.5)
        if dice.random() < trouble / 40:
            model.start_source(source, is_fresh=dice.random() < 0.3)
        if dice.random() < trouble / 80:
            dice.choice([model.start_engine, model.replay_engine])()
        if dice.random() < 0.005:
            model.settle()
    model.settle()
